import { assertEquals, assertMatch } from "@std/assert";
import { program } from "../replay/assembly.ts";
import { type CliRun, jsonLines, runCli, withFolder } from "./run_cli.ts";

/** Two CPUs: the first starts the second, which stores a number, and waits for it. */
const { image, labels } = program(`
  movz x0, #0x3; movk x0, #0xc400, lsl #16; mov x1, #0x1; adr x2, =second; hvc #0x0
  adr x9, =flag
wait:
  wfe; ldr x1, [x9]; cbz x1, =wait
  movz x0, #0x8; movk x0, #0x8400, lsl #16; hvc #0x0
second:
  adr x9, =flag; mov x5, #0x7; str x5, [x9]; sev
rest:
  wfi; b =rest
.align 8
flag:
  .word 0
  .word 0
`);
const FLAG = `0x${labels.get("flag")!.toString(16)}`;
const STORE = `0x${(labels.get("second")! + 8).toString(16)}`;

async function withTrace(body: (run: (...args: string[]) => Promise<CliRun>) => Promise<void>) {
  await withFolder(async (cwd) => {
    await Deno.writeFile(`${cwd}/two.bin`, image);
    const { status } = await runCli(["record", "two.bin", "--cpus", "2", "-o", "t"], { cwd });
    assertEquals(status, 0);
    await body((command, ...rest) => runCli([command, "t", ...rest], { cwd }));
  });
}

Deno.test("commands take and show the CPU", async () => {
  await withTrace(async (run) => {
    const dump = await run("dump", "--cpu", "1");
    assertMatch(dump.out, new RegExp(`^#\\d+ +cpu1  0x${labels.get("second")!.toString(16)} `));
    assertEquals(dump.out.includes("cpu0"), false);
    assertMatch(dump.out, /; x5 = 0x7\n/);
    const written = jsonLines((await run("who-wrote", "x5", "--cpu", "1", "--json")).out)[0];
    assertEquals([written.cpu, written.new], [1, "0x7"]);
    const [stored] = jsonLines((await run("who-wrote", FLAG, "--json")).out);
    assertEquals([stored.cpu, stored.pc], [1, STORE]);
    const [walk] = jsonLines((await run("walk", FLAG, "--cpu", "1", "--json")).out);
    assertEquals([walk.cpu, walk.pa], [1, FLAG]);
    const [info] = jsonLines((await run("info", "--json")).out);
    assertEquals(info.cpu_instructions.length, 2);
    assertMatch((await run("info")).out, /\n {2}cpu1 {2}from #\d+, \d+ instructions\n/);
    const events = jsonLines((await run("events", "--cpu", "1", "--json")).out);
    assertEquals(new Set(events.map(({ cpu }) => cpu)), new Set([1]));
  });
});

Deno.test("replay goes by CPU, and names the one that wrote", async () => {
  await withTrace(async (run) => {
    const script = [
      `watch phys:${FLAG}; continue; delete; info threads; cpu 0; info registers x9; thread 2`,
      `reverse-step; print $cpu; break ${STORE} cpu 0; continue; cpu 2; thread 0`,
    ].join(";");
    const { out, err } = await run("replay", "-x", script);
    const [, reached, access, at, title, first, second, other, x9, thread, back, cpu] = out
      .split("\n");
    assertEquals(reached, `Reached stop point 1: watch phys:${FLAG} 8`);
    assertMatch(access, new RegExp(`^  write of 8 bytes at ${FLAG}, #\\d+ cpu1 ${STORE}: .*7$`));
    assertMatch(at, /^#\d+ {2}cpu1 .* sev$/);
    assertMatch(title, /^ {2}Id {2}CPU/);
    assertMatch(first, /^ {2}1 {2}cpu0 .*EL1h, MMU off$/);
    assertMatch(second, /^\* 2 {2}cpu1 {2}in turn/);
    assertMatch(other, /^#\d+ {2}cpu0 {2}between turns, next step #\d+ {2}0x/);
    assertEquals(x9, `x9      ${FLAG}`);
    assertMatch(thread, /^#\d+ {2}cpu1 .* sev$/);
    assertMatch(back, /^#\d+ {2}cpu1 .* str x5, \[x9\]$/);
    assertEquals(cpu, "0x00000001  1");
    assertEquals(err, "unboot: There is no cpu 2: expected 0 to 1, the trace has 2 CPUs\n");
  });
});

Deno.test("a CPU or range that does not exist is one line and status 2", async () => {
  await withTrace(async (run) => {
    const lines: [string[], string][] = [
      [["events", "--cpu", "2"], "Option --cpu: there is no CPU 2, expected 0 to 1"],
      [["dump", "--cpu", "9"], "Option --cpu: there is no CPU 9, expected 0 to 1"],
      [["walk", "0x40080000", "--cpu", "9"], "there is no CPU 9"],
      [["who-wrote", "x0", "--cpu", "9"], "there is no CPU 9"],
      [["events", "--from", "5", "--to", "3"], "expected --from first, found #5 and #3"],
      [["dump", "--from", "5", "--to", "3"], "expected --from first, found #5 and #3"],
    ];
    for (const [args, message] of lines) {
      const { status, out, err } = await run(...args as [string, ...string[]]);
      assertEquals([status, out, err.includes(message), err.split("\n").length], [2, "", true, 2]);
    }
  });
});
