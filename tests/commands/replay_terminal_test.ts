/** `replay` on a terminal, which `script` of util-linux makes. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { program } from "../replay/assembly.ts";
import { runCli, withFolder } from "./run_cli.ts";

const CLI = new URL("../../cli.ts", import.meta.url).pathname;

/** Counts down beside memory that it never reads: watching that takes long and finds nothing. */
const LONG = program(`
  movz x0, #0x4010, lsl #16; movz x1, #0x200, lsl #16
loop:
  str x1, [x0]; sub x1, x1, #1; cbnz x1, =loop
  movz w0, #0x8; movk w0, #0x8400, lsl #16; hvc #0x0
`);

/** Types keys after what they wait for was shown; gives what was shown, and the exit status. */
async function type(
  cwd: string,
  keys: readonly [waitFor: string, keys: string][],
): Promise<{ shown: string; status: number }> {
  // `exec`: a shell that stays in between takes Ctrl-C too, and some then report 130 for themselves.
  const command = `exec ${Deno.execPath()} run -P=view ${CLI} replay t.unboot`;
  const child = new Deno.Command("script", {
    args: ["-qfec", command, "/dev/null"],
    cwd,
    env: { TERM: "xterm", NO_COLOR: "1", SHELL: "/bin/sh" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const writer = child.stdin.getWriter();
  let shown = "";
  let seen = 0;
  let next = 0;
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    shown += chunk;
    for (; next < keys.length; next++) {
      const at = shown.indexOf(keys[next][0], seen);
      if (at < 0) break;
      seen = at + keys[next][0].length;
      await new Promise((resolve) => setTimeout(resolve, 300));
      await writer.write(new TextEncoder().encode(keys[next][1]));
    }
  }
  clearTimeout(timer);
  writer.close().catch(() => {});
  return { shown, status: (await child.status).code };
}

Deno.test({
  name: "replay on a terminal: history, repetition, Ctrl-C at the prompt and during work",
  ignore: new Deno.Command("which", { args: ["script"] }).outputSync().code !== 0,
  async fn() {
    await withFolder(async (cwd) => {
      await Deno.writeFile(`${cwd}/long.bin`, LONG.image);
      await runCli(["record", "long.bin", "-o", "t.unboot"], { cwd });
      const { shown, status } = await type(cwd, [
        ["(unboot) ", "step\r"],
        ["#1  ", "\r"],
        ["#2  ", "info position\r"],
        ["#2  ", "\x1b[A\x1b[A\r"],
        ["#3  ", "nonsense\x03"],
        ["^C", "rwatch phys:0x40100100\r"],
        ["Stop point 1", "continue\r"],
        ["continue\r", "\x03"],
        ["Interrupted.", "quit\r"],
      ]);
      assertEquals(status, 0);
      assertMatch(shown, /Interrupted\.\s+#3 {2}0x/);
      assert(!shown.includes("Unknown command"), shown);
    });
  },
});
