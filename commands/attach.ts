import { isFaultEvent } from "../replay/syndrome.ts";
import { writeAttached } from "../trace/attach_writer.ts";
import { FileSink } from "../trace/file_sink.ts";
import { fileAccess } from "../trace/random_access.ts";
import { openTrace, type Trace } from "../trace/reader.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { explain } from "./files.ts";
import { dropKept } from "./kept_file.ts";
import { flag, option } from "./options.ts";
import { bytesText } from "./output.ts";
import { openTraceFile } from "./trace_file.ts";
import { createScratch } from "./trace_output.ts";
import { UsageError } from "./user_error.ts";
import { text } from "./values.ts";

/** Steps before a fault that can be read without executing anything. */
const BEFORE_FAULT = 1_000_000;
/** Windows that stay of a boot with many faults: the first and the last of those near one. */
const KEPT = { first: 4, last: 12 } as const;

/** `attach`: makes a small trace of a full one. */
export default defineCommand({
  description: [
    "Keeps what the boot was given (image, options, inputs), the hash of the state at the end of each",
    "window, and instructions and events of windows within a million steps before a fault. Every",
    "command works on the result: what is left out is executed again and checked by the hashes.",
    "The first one that needs it leaves the full trace in FILE.full, which may be deleted.",
  ],
  operands: [{ name: "TRACE", help: "the trace to make a small one of" }],
  options: {
    output: option("FILE", text, "the trace to write", { short: "o" }),
    json: flag("print one JSON object"),
  },
  examples: [["attach boot.unboot -o small.unboot", "for a bug report"]],
  async run(values, [path], { out, err }) {
    const { output } = values;
    if (output === undefined) throw new UsageError("Option --output: expected a file to write");
    const { trace, bytes: before } = await openTraceFile(path, err);
    if (isSameFile(path, output)) {
      throw new UsageError(`Option --output: ${output} is the trace, expected another file`);
    }
    const { bytes, put } = small(trace, output);
    put();
    dropKept(output);
    if (values.json) out.json({ trace: output, bytes, full_bytes: before, steps: trace.end });
    else out.line(`${output}: ${bytesText(bytes)}, the full trace has ${bytesText(before)}.`);
    return STATUS.ok;
  },
});

/** A trace of profile `attach` that is not yet in its place. */
export interface SmallTrace {
  /** Its length. */
  readonly bytes: number;
  /** Moves it to its place. */
  put(): void;
}

/** Makes the trace of profile `attach` that is to replace the full one in a file. */
export function shrink(path: string): SmallTrace {
  const file = explain("read", path, () => fileAccess(path));
  try {
    return small(openTrace(file), path);
  } finally {
    file.close();
  }
}

/** Makes a trace of profile `attach` for a place. */
function small(full: Trace, path: string): SmallTrace {
  const { sink, scratch } = createScratch(path);
  let bytes;
  try {
    bytes = writeSmall(full, sink);
  } catch (error) {
    Deno.removeSync(scratch);
    throw error;
  } finally {
    sink.close();
  }
  return { bytes, put: () => explain("write", path, () => Deno.renameSync(scratch, path)) };
}

function writeSmall(full: Trace, sink: FileSink): number {
  const kept = new Set<number>();
  for (const event of full.events({ kinds: new Set(["exception"]) })) {
    if (event.kind !== "exception" || !isFaultEvent(event)) continue;
    const first = full.windowAt(Math.max(0, event.position - BEFORE_FAULT)).number;
    for (let window = first; window <= full.windowAt(event.position).number; window++) {
      kept.add(window);
    }
  }
  const windows = [...kept];
  const bounded = new Set([...windows.slice(0, KEPT.first), ...windows.slice(-KEPT.last)]);
  return writeAttached(full, sink, (window) => bounded.has(window));
}

function isSameFile(a: string, b: string): boolean {
  try {
    const [x, y] = [Deno.statSync(a), Deno.statSync(b)];
    return x.dev === y.dev && x.ino !== null && x.ino === y.ino;
  } catch {
    return false;
  }
}
