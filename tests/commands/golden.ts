/**
 * The commands whose output is kept in `tests/golden/commands/`, all about one small guest.
 *
 * `deno run -A tests/commands/golden.ts` writes the files anew; read the difference before you commit it.
 */
import { runCli, withFolder } from "./run_cli.ts";
import { smallGuest } from "./small_guest.ts";

const FOLDER = new URL("../golden/commands/", import.meta.url);

/** Command lines by file name; `TRACE` stands for the small guest's trace. */
export const GOLDEN: Readonly<Record<string, readonly string[]>> = {
  "help.txt": ["--help"],
  "record_help.txt": ["record", "--help"],
  "info.txt": ["info", "TRACE"],
  "info.json": ["info", "TRACE", "--json"],
  "events.txt": ["events", "TRACE"],
  "events.jsonl": ["events", "TRACE", "--json"],
  "events_filtered.txt": ["events", "TRACE", "-k", "mmio", "--address", "0x9000000", "-n", "2"],
  "dump.txt": ["dump", "TRACE"],
  "dump.jsonl": ["dump", "TRACE", "--json"],
  "dump_at_fault.txt": ["dump", "TRACE", "--at", "fault", "--count", "6"],
  "calls.txt": ["calls", "TRACE"],
  "diff.txt": ["diff", "TRACE", "TRACE"],
  "diff.md": ["diff", "TRACE", "TRACE", "--markdown"],
  "diff.json": ["diff", "TRACE", "TRACE", "--json"],
  "verify.txt": ["verify", "TRACE"],
  "verify.json": ["verify", "TRACE", "--json"],
};

/** Runs every command; what changes from run to run or with the codec is replaced by `…`. */
export async function goldenOutputs(): Promise<Record<string, string>> {
  const outputs: Record<string, string> = {};
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/small.elf`, smallGuest());
    await runCli(["record", "small.elf", "-o", "small.unboot"], { cwd: folder });
    const runs = Object.entries(GOLDEN).map(async ([file, args]) => {
      const line = args.map((arg) => arg === "TRACE" ? "small.unboot" : arg);
      const { out } = await runCli(line, { cwd: folder });
      outputs[file] = withoutSizes(out);
    });
    await Promise.all(runs);
  });
  return outputs;
}

function withoutSizes(text: string): string {
  return text
    .replace(/^(trace {5}.*unboot), .*/m, "$1, …")
    .replace(/^recorded .*/m, "recorded  …")
    .replace(/(Bytes of the trace\n)[\s\S]*/, "$1  …\n")
    .replace(/"(bytes|recorded_at|machine_version|recorder|format)":("[^"]*"|\d+)/g, '"$1":"…"')
    .replace(/"sizes":\{.*?\}\}/, '"sizes":"…"')
    .replace(/"sha256":"\w+"/, '"sha256":"…"');
}

/** The file's content, or an empty text where there is none yet. */
export function goldenFile(name: string): string {
  try {
    return Deno.readTextFileSync(new URL(name, FOLDER));
  } catch {
    return "";
  }
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(await goldenOutputs())) {
    Deno.writeTextFileSync(new URL(name, FOLDER), text);
  }
}
