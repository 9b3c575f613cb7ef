/** Runs `independent_decoder.py`. */
import { assertEquals } from "@std/assert";
import { type CliRun, jsonLines } from "../commands/run_cli.ts";

const DECODER = new URL("independent_decoder.py", import.meta.url).pathname;

/** A Python that can run the decoder, or "" if there is none. */
export const python: string = await findPython();
if (python === "") {
  console.warn("skipped: tests of the second decoder need python3 with cbor2 and zstandard");
}

/** A Python that can run the decoder, or "". */
async function findPython(): Promise<string> {
  for (const name of ["/usr/bin/python3", "python3"]) {
    try {
      const args = ["-c", "import cbor2, zstandard, sys; sys.exit(sys.version_info < (3, 10))"];
      if ((await new Deno.Command(name, { args, stderr: "null" }).output()).success) return name;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return "";
}

/** One line of JSON, of a command or of the decoder. */
// deno-lint-ignore no-explicit-any
export type Line = any;

/** Runs the decoder. */
export async function runDecoder(args: string[]): Promise<CliRun> {
  const command = new Deno.Command(python, { args: [DECODER, ...args], stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { status: code, out: text(stdout), err: text(stderr) };
}

/** The decoder's lines: the first is about the file, the last about what was executed. */
export async function decodeTrace(trace: string, ...args: string[]): Promise<Line[]> {
  const { status, out, err } = await runDecoder([trace, ...args]);
  assertEquals(err, "");
  const lines = jsonLines(out);
  assertEquals(status, lines[0].state === "complete" ? 0 : 3);
  return lines;
}
