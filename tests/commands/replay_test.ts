import { assertEquals, assertMatch } from "@std/assert";
import { smallGuest } from "./small_guest.ts";
import { cliCommand, type CliRun, runCli, withFolder } from "./run_cli.ts";

/** Records the small guest in a folder and runs some scripts of `replay` on it. */
async function withTrace(
  body: (replay: (...args: string[]) => Promise<CliRun>, folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (cwd) => {
    await Deno.writeFile(`${cwd}/small.elf`, smallGuest());
    await runCli(["record", "small.elf", "-o", "t.unboot"], { cwd });
    await body((...args) => runCli(["replay", "t.unboot", ...args], { cwd }), cwd);
  });
}

Deno.test("replay -x does the commands of a script, forwards and in reverse", async () => {
  await withTrace(async (replay) => {
    const { status, out, err } = await replay(
      ...["--at", "fault", "-x", "where; step; reverse-step 2", "-x", "break handle_sync; rc"],
      ...["-x", "catch mmio write 2; reverse-continue; info points; delete; rc"],
    );
    assertEquals([status, err], [0, ""]);
    assertEquals(
      out,
      `#17  0x40100030 <_start+0x30>  ** data abort, read: external abort, address 0x100000008, \
EL1 -> EL1, vector 0x40100a00 <handle_sync>
  EL1h, nZcv, masked: DAIF, MMU off
#18  0x40100a00 <handle_sync>  d538520a  mrs x10, esr_el1
#16  0x4010002c <_start+0x2c>  d2c00024  mov x4, #0x100000000
Stop point 1: break 0x40100a00 <handle_sync>
Reached stop point 1: break 0x40100a00 <handle_sync>
#11  0x40100a00 <handle_sync>  d538520a  mrs x10, esr_el1
Stop point 2: catch mmio write 2
Reached stop point 2: catch mmio write 2
  mmio: write 0x09000000, 4 bytes: 0x69
#7  0x4010001c <_start+0x1c>  b9000022  str w2, [x1]
1: break 0x40100a00 <handle_sync>, met 1 time
2: catch mmio write 2, met 1 time
Start of the trace.
#0  0x40100000 <_start>  10004000  adr x0, 0x40100800
`,
    );
  });
});

Deno.test("replay knows the names that gdb has for its commands", async () => {
  await withTrace(async (replay) => {
    const ours = "step 3; reverse-step; where; next; reverse-next; step; reverse-next 2";
    const theirs = "stepi 3; reverse-stepi; backtrace; nexti; rni; si; reverse-nexti 2";
    const [one, other] = [await replay("-x", ours), await replay("-x", theirs)];
    assertEquals(other, one);
    assertEquals([one.status, one.err], [0, ""]);
    assertEquals(one.out.match(/^#\d+/gm), ["#3", "#2", "#2", "#3", "#2", "#3", "#1"]);
  });
});

Deno.test("replay names positions", async () => {
  await withTrace(async (replay) => {
    const { out } = await replay(
      ...["--at", "fault", "-x", "bookmark here; goto start; bookmark there; goto here-1"],
      ...["-x", "bookmark; delete bookmark there; info bookmarks; goto here"],
    );
    const here = `#17  0x40100030 <_start+0x30>  ** data abort, read: external abort, address \
0x100000008, EL1 -> EL1, vector 0x40100a00 <handle_sync>
`;
    assertEquals(
      out,
      `Start of the trace.
#0  0x40100000 <_start>  10004000  adr x0, 0x40100800
#16  0x4010002c <_start+0x2c>  d2c00024  mov x4, #0x100000000
here: ${here}there: #0  0x40100000 <_start>  10004000  adr x0, 0x40100800
here: ${here}${here}`,
    );
  });
});

Deno.test("replay shows registers, memory and numbers as they were", async () => {
  await withTrace(async (replay) => {
    const { out } = await replay(
      ...["--at", "fault", "-x", "info registers x4 sp VBAR_EL1 pstate"],
      ...["-x", "x/2i $pc - 4; x/2xw _start; x/4xb; x/1dg _start; print handle_sync+0x10 - 1"],
    );
    assertEquals(
      out,
      `x4      0x100000000
sp      0x0
VBAR_EL1 0x40100800
pstate  0x400003c5
   0x4010002c <_start+0x2c>  d2c00024  mov x4, #0x100000000
=> 0x40100030 <_start+0x30>  f9400483  ldr x3, [x4, #8]
0x40100000 <_start>:  0x10004000  0xd518c000
0x40100008 <_start+0x8>:  0xdf  0x3f  0x03  0xd5
0x40100000 <_start>:  -3091510037688860672
0x40100a0f <handle_sync+0xf>  1074792975
`,
    );
  });
});

Deno.test("replay stops where a condition holds, which may read registers and memory", async () => {
  await withTrace(async (replay) => {
    const { out } = await replay(
      ...["-x", "break *handle_sync if $ESR_EL1 >> 26 == 0x25 && *(u32*)$pc == 0xd538520a"],
      ...["-x", "break handle_sync if *(u32*)$FAR_EL1 == 1 || {8}0x1000000000 != 2"],
      ...["-x", "continue; rc; print (s32)*(u32*)_start < 0 || !$x4; print $x4 & ~0xff"],
    );
    assertMatch(out, /Reached stop point 1: break 0x\w+ <handle_sync> if .*\n#18 /);
    assertMatch(out, /\nStart of the trace\.\n#0 .*\n0x0+1 {2}1\n0x0+ {2}0\n$/);
  });
});

Deno.test("replay stops a script at the first error, and says what was wrong", async () => {
  await withTrace(async (replay) => {
    const failing: [string, string][] = [
      ["jump 3", 'Unknown command "jump": help lists them'],
      ["reverse-", 'Ambiguous command "reverse-": '],
      ["break nowhere", 'Unknown name "nowhere": expected a number, a symbol, a register'],
      ["break 0x40100002", "Cannot break at 0x40100002: instructions are at multiples of 4"],
      ["break _start if", "Missing the condition"],
      ["break _start if x0 = 1", 'Cannot evaluate "x0 = 1": unexpected "= 1"'],
      ["break _start if *(u32*)x0 == nothing", 'Unknown name "nothing": expected a number'],
      ["print 1 / 0", "Cannot divide by zero"],
      ["watch 0x9000000", "Cannot watch 0x9000000: it is not RAM; for devices use catch mmio"],
      ["catch nothing", 'Cannot catch "nothing": expected exception '],
      ["catch exception third", 'Cannot catch "exception third": expected exception '],
      ["x/3q 0", 'Unknown format "/3q": expected a count'],
      ["x 0x9000000", "Cannot read 8 bytes at 0x9000000: no memory is mapped there"],
      ["step 0", 'Cannot read the count "0": expected a number from 1'],
      ["goto #99999", "Position #99999 is #99999, expected #0 to #31"],
      ["delete 4", "There is no stop point 4"],
      ["bookmark end", 'Cannot name a bookmark "end": expected letters'],
      ["delete bookmark x", 'There is no bookmark "x"'],
      ["bookmark b; goto b-1", "Position b-1 is #-1, expected #0 to #31"],
      ["info registers q7", 'Unknown register "q7"'],
    ];
    for (const [script, message] of failing) {
      const { status, out, err } = await replay("-x", `${script}; where`);
      assertEquals([status, out], [1, ""], script);
      assertEquals(err.slice(0, 8 + message.length), `unboot: ${message}`);
      assertMatch(err, /^[^\n]+\n$/);
    }
  });
});

Deno.test("replay reads commands from its standard input and goes on after errors", async () => {
  await withTrace(async (_, cwd) => {
    const command = cliCommand(["replay", "t.unboot", "--at", "end"], { cwd, stdin: "piped" });
    const child = command.spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("reverse-step\n\nnonsense\ninfo position\nquit\n"));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(code, 1);
    assertMatch(text(stderr), /Unknown command "nonsense": help lists them\n$/);
    const last = "#30  0x40100044 <_start+0x44>  d4000002  hvc #0x0";
    assertEquals(
      text(stdout),
      `End of the trace: poweroff.
#31  0x40100048  ** end of the trace: poweroff
${last}
${last}
`,
    );
  });
});
