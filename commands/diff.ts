import { ReplayError } from "../replay/replay_error.ts";
import { TraceError } from "../trace/trace_error.ts";
import { defineCommand } from "./command.ts";
import { type DiffForm, type DiffReport, diffReport, diffReportInWorker } from "./diff_report.ts";
import { STATUS } from "./exit_status.ts";
import { flag } from "./options.ts";
import { grouped, type Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { type OpenedTrace, openTraceFile } from "./trace_file.ts";
import { UsageError, UserError } from "./user_error.ts";

/** `diff`: where two boots begin to differ. */
export default defineCommand({
  description: [
    "Executes two boots again and compares what they do: memory outside the stacks, system",
    "registers, descriptors as translations, maintenance, devices, exceptions. Addresses count as",
    "symbol and offset, or as the code and data that correspond: a boot is not different because",
    "it was linked elsewhere or has more RAM. Of several CPUs each is compared by itself.",
    "Exit status: 0 whether or not they differ.",
  ],
  operands: [
    { name: "A", help: "the trace to compare with, for example of a boot that worked" },
    { name: "B", help: "the trace that is compared" },
  ],
  options: {
    markdown: flag("print a report for a bug tracker"),
    json: flag("print one JSON object"),
  },
  examples: [
    ["diff good.unboot bad.unboot", "what went wrong first"],
    ["diff good.unboot bad.unboot --markdown > report.md", "the same as a bug report"],
  ],
  async run(values, [pathA, pathB], { out, err }) {
    if (values.markdown && values.json) {
      throw new UsageError("Options --markdown and --json cannot both be given");
    }
    const [a, b] = await Promise.all([pathA, pathB].map((path) => openTraceFile(path, err)));
    const form = values.json ? "json" : values.markdown ? "markdown" : "lines";
    const report = await reported(a, b, form, err);
    if ("json" in report) out.json(report.json);
    else for (const line of report.lines) out.line(line);
    return STATUS.ok;
  },
});

async function reported(
  a: OpenedTrace,
  b: OpenedTrace,
  form: DiffForm,
  err: Output,
): Promise<DiffReport> {
  const progress = new Progress(err, performance.now());
  const all = a.trace.end + b.trace.end;
  const show = (x: number, y: number) => {
    const share = Math.floor((x + y) / Math.max(1, all) * 100);
    progress.show(performance.now(), () => `${grouped(x + y)} steps compared, ${share}%`);
  };
  try {
    return await diffReportInWorker(a, b, form, show)
      .catch((error) => {
        if (error instanceof Deno.errors.NotCapable) return diffReport(a, b, form, show);
        throw error;
      });
  } catch (error) {
    if (!(error instanceof ReplayError || error instanceof TraceError)) throw error;
    throw new UserError(`Cannot compare ${a.path} with ${b.path}: ${error.message}`);
  } finally {
    progress.clear();
  }
}
