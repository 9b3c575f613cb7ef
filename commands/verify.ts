import { isSameMachineVersion, otherVersion, type Verification, verify } from "../replay/mod.ts";
import { defineCommand } from "./command.ts";
import { STATUS } from "./exit_status.ts";
import { flag } from "./options.ts";
import { grouped, type Output, plural } from "./output.ts";
import { Progress } from "./progress.ts";
import { openTraceFile } from "./trace_file.ts";
import { UserError } from "./user_error.ts";

/** `verify`: re-executes a trace and compares. */
export default defineCommand({
  description: [
    "Executes everything again and compares it with the trace: every block, every event, every",
    "saved state with its hash. The first difference is named by its position.",
    "Exit status: 0 all is as recorded, 1 something differs.",
  ],
  operands: [{ name: "TRACE", help: "the trace to verify" }],
  options: { json: flag("print one JSON object") },
  examples: [["verify boot.unboot", "is the trace what this program would record today?"]],
  run(values, [path], { out, err }) {
    const { trace } = openTraceFile(path, err);
    const started = performance.now();
    const progress = new Progress(err, started);
    const result = verify(trace, (steps) => {
      const share = Math.floor(100 * steps / trace.end);
      progress.show(performance.now(), () => `${grouped(steps)} steps verified, ${share}%`);
    });
    progress.clear();
    if (values.json) out.json(resultJson(path, result));
    else if (result.difference && !isSameMachineVersion(trace)) {
      throw new UserError(otherVersion(trace));
    } else printResult(result, out);
    return result.difference ? STATUS.failed : STATUS.ok;
  },
});

function printResult({ difference, windows, steps, events }: Verification, out: Output): void {
  if (!difference) {
    out.line(
      `As recorded: ${plural(steps, "step")}, ${plural(events, "event")}, ` +
        `${plural(windows, "window")} with ${windows === 1 ? "its state" : "their states"}.`,
    );
    return;
  }
  const { position, what, expected, found } = difference;
  out.line(`First difference at #${position}: ${what}`);
  out.line(`  the trace has   ${expected}`);
  out.line(`  executed again  ${found}`);
}

function resultJson(trace: string, result: Verification): Record<string, unknown> {
  const { difference, windows, steps, events } = result;
  return { trace, ok: difference === null, windows, steps, events, first_difference: difference };
}
