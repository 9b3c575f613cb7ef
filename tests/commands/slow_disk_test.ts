import { assert, assertEquals } from "@std/assert";
import { openTrace } from "../../trace/mod.ts";
import { cliCommand, runCli, withFolder } from "./run_cli.ts";
import { randomGuest } from "./small_guest.ts";

/** Steps that make more of a trace than a pipe holds. */
const STEPS = "500K";

/** Whether named pipes can be made here. */
function hasPipes(): boolean {
  try {
    return new Deno.Command("mkfifo", { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "record waits for whoever takes the trace, and loses nothing",
  ignore: !hasPipes(),
  fn: () =>
    withFolder(async (cwd) => {
      await Deno.writeFile(`${cwd}/random.elf`, randomGuest());
      const record = [
        "record",
        "random.elf",
        "--console",
        "none",
        "--max-instructions",
        STEPS,
        "-o",
      ];
      assertEquals((await runCli([...record, "whole.unboot"], { cwd })).status, 3);
      const whole = await Deno.readFile(`${cwd}/whole.unboot`);
      assert(whole.length > 1 << 17, `${whole.length} bytes, more than a pipe holds`);

      new Deno.Command("mkfifo", { args: [`${cwd}/pipe.unboot`] }).outputSync();
      const recording = cliCommand([...record, "pipe.unboot"], { cwd }).spawn();
      const pipe = await Deno.open(`${cwd}/pipe.unboot`);
      const parts: Uint8Array[] = [];
      for await (const part of pipe.readable) {
        // Bit by bit, so that the pipe is full most of the time.
        await new Promise((resolve) => setTimeout(resolve, 1));
        parts.push(part);
      }
      assertEquals((await recording.status).code, 3);
      await Promise.all([recording.stdout.cancel(), recording.stderr.cancel()]);
      const taken = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
      assertEquals(taken.length, whole.length);
      // The last commit vouches for everything but the time of the recording.
      assertEquals(openTrace(taken).identity(), openTrace(whole).identity());
      assertEquals(openTrace(taken).truncated, null);
    }),
});
