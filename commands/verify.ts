import type { Verification } from "../replay/queries/verify.ts";
import { isSameMachineVersion, otherVersion } from "../replay/replay_machine.ts";
import { verifyInWorkers } from "../replay/queries/verify_parallel.ts";
import type { Trace } from "../trace/mod.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { flag, option } from "./options.ts";
import { grouped, type Output, plural } from "./output.ts";
import { Progress } from "./progress.ts";
import { openTraceFile } from "./trace_file.ts";
import { UserError } from "./user_error.ts";
import { positive } from "./values.ts";

/** `verify`: re-executes a trace and compares. */
export default defineCommand({
  description: [
    "Executes everything again and compares it with the trace: every block, every event, every",
    "saved state with its hash. The first difference is named by its position.",
    "Exit status: 0 all is as recorded, 1 something differs.",
  ],
  operands: [{ name: "TRACE", help: "the trace to verify" }],
  options: {
    workers: option(
      "N",
      positive,
      "so many parts at a time (default: as fit into a gigabyte)",
    ),
    json: flag("print one JSON object"),
  },
  examples: [["verify boot.unboot", "is the trace what this program would record today?"]],
  async run(values, [path], { out, err }) {
    const { trace, source } = await openTraceFile(path, err);
    const started = performance.now();
    const progress = new Progress(err, started);
    const result = await verifyInWorkers(source, trace, {
      workers: values.workers,
      progress: (steps) => {
        const share = Math.floor(100 * steps / trace.end);
        progress.show(performance.now(), () => `${grouped(steps)} steps verified, ${share}%`);
      },
    });
    progress.clear();
    if (values.json) out.json(resultJson(path, trace, result));
    else if (result.difference && !isSameMachineVersion(trace)) {
      throw new UserError(otherVersion(trace));
    } else printResult(trace, result, out);
    return result.difference ? STATUS.failed : STATUS.ok;
  },
});

function printResult(
  trace: Trace,
  { difference, windows, steps, events }: Verification,
  out: Output,
): void {
  if (!difference) {
    out.line(
      `As recorded: ${plural(steps, "step")}, ${plural(events, "event")}, ` +
        `${plural(windows, "window")} with ${windows === 1 ? "its state" : "their states"}.`,
    );
    return;
  }
  const { position, what, expected, found } = difference;
  const cpu = trace.header.cpus > 1 ? `, CPU ${trace.turns.cpuAt(position)}` : "";
  out.line(`First difference at #${position}${cpu}: ${what}`);
  out.line(`  the trace has   ${expected}`);
  out.line(`  executed again  ${found}`);
}

function resultJson(path: string, trace: Trace, result: Verification): Record<string, unknown> {
  const { difference, windows, steps, events } = result;
  // The CPU that makes the step behind the position.
  const first = difference && { ...difference, cpu: trace.turns.cpuAt(difference.position) };
  return { trace: path, ok: first === null, windows, steps, events, first_difference: first };
}
