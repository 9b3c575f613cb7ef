import { addValues } from "../replay/values/add_values.ts";
import type { Trace } from "../trace/mod.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { explain } from "./files.ts";
import { Interrupts } from "./interrupts.ts";
import { dropKept } from "./kept_file.ts";
import { flag, option } from "./options.ts";
import { bytesText, grouped, type Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { openTraceFile } from "./trace_file.ts";
import { createScratch } from "./trace_output.ts";
import { InterruptedError, UserError } from "./user_error.ts";
import { positive, text } from "./values.ts";

/** `values`: adds the result of every instruction to a trace. */
export default defineCommand({
  description: [
    "Executes the trace again, several windows at a time, and adds what every instruction wrote to",
    "registers: for programs that read traces and execute nothing, and for dump --no-effects. Ordinary",
    "code takes 1 to 3 bits per instruction, arithmetic on large numbers and hashes 20 to 30.",
  ],
  operands: [{ name: "TRACE", help: "the trace to read" }],
  options: {
    output: option("FILE", text, "the trace to write (default: in place)", { short: "o" }),
    workers: option(
      "N",
      positive,
      "how many windows at a time (default: as fit into a gigabyte)",
    ),
    json: flag("print one JSON object"),
  },
  examples: [
    ["values boot.unboot -o full.unboot", "a copy with values"],
    ["values boot.unboot", "the trace itself gets them"],
  ],
  async run(values, [path], { out, err }) {
    const { trace, source, stored } = await openTraceFile(path, err);
    const { output = path, workers } = values;
    if (output === path && stored !== trace) {
      throw new UserError(`${path} is of profile attach: give --output another file`);
    }
    const bytes = await writeValues(trace, { source, output, err, workers });
    if (values.json) out.json({ trace: output, bytes, instructions: instructionsOf(trace) });
    else out.line(valuesText(output, bytes));
    return STATUS.ok;
  },
});

interface Order {
  /** The file of the trace, if there is one. */
  readonly source: string | null;
  readonly output: string;
  readonly err: Output;
  readonly workers?: number | undefined;
}

/** Writes a trace with values; `output` may be the trace's own file. Gives the length. */
export async function writeValues(
  trace: Trace,
  { source, output, err, workers }: Order,
): Promise<number> {
  const { sink, scratch } = createScratch(output);
  const progress = new Progress(err, performance.now());
  const interrupts = new Interrupts();
  let bytes;
  try {
    bytes = await addValues(trace, sink, {
      path: source,
      ...(workers === undefined ? {} : { workers }),
      progress: (steps) => {
        if (interrupts.requested) throw new InterruptedError();
        const share = Math.floor(100 * steps / trace.end);
        progress.show(performance.now(), () => `values of ${grouped(steps)} steps, ${share}%`);
      },
    });
  } catch (error) {
    Deno.removeSync(scratch);
    throw error;
  } finally {
    interrupts.close();
    progress.clear();
    sink.close();
  }
  explain("write", output, () => Deno.renameSync(scratch, output));
  // What is kept beside it is of the trace before.
  dropKept(output);
  return bytes;
}

function instructionsOf(trace: Trace): number {
  return trace.keyframe(trace.windows.length - 1).retired.reduce((sum, count) => sum + count, 0);
}

function valuesText(output: string, bytes: number): string {
  return `${output}: ${bytesText(bytes)} with values. info tells the bits per instruction.`;
}
