/** What `record` says about a recording when it is over. */
import type { ExceptionEvent, UnknownEvent } from "../core/observer.ts";
import { firstFault } from "../replay/queries/milestones.ts";
import type { EndReason, ImageDescription, RecordingResult, Trace } from "../trace/mod.ts";
import { eventDetails, exceptionDetails, place, sourceText } from "./event_text.ts";
import { whyFailed } from "./files.ts";
import { PROGRAM } from "./help.ts";
import { bytesText, grouped, type Output, plural, printable } from "./output.ts";
import type { Outcome } from "./record.ts";
import { oneLine } from "./report_error.ts";

/** A recording that is over. */
export interface Report {
  readonly path: string;
  readonly result: RecordingResult;
  readonly outcome: Outcome;
  readonly seconds: number;
  /** Noted on the way: looking for it afterwards takes long where calls are many. */
  readonly firstFault: ExceptionEvent | undefined;
  /** What the guest wanted first that this machine does not have. */
  readonly firstUnknown: UnknownEvent | undefined;
}

/** Each reason as the end of the sentence "the guest …". */
const REASONS: Readonly<Record<EndReason, string>> = {
  poweroff: "powered off",
  reset: "asked for a reset",
  loop: "loops for ever",
  halted: "waits for an interrupt that cannot come",
  "fault-storm": "takes the same fault again and again",
  "max-instructions": "still ran at the limit that was set",
  interrupted: "was interrupted",
  "disk-full": "was cut off because the trace could not be written",
  "internal-error": "was cut off by an error in this program",
};

/** In words, for example `the guest powered off`. */
export function describeReason(reason: EndReason): string {
  return `the guest ${REASONS[reason]}`;
}

/** The object that `record --json` prints. */
export function recordingJson(
  { path, result }: Report,
  image: ImageDescription,
): Record<string, unknown> {
  const { events } = result;
  return {
    trace: path,
    image: image.name,
    reason: result.reason,
    instructions: result.instructions,
    steps: result.steps,
    exceptions: events.exception ?? 0,
    tlb_fills: events["tlb-fill"] ?? 0,
    mmio: events.mmio ?? 0,
    hazards: events.hazard ?? 0,
    console_bytes: events.console ?? 0,
    bytes: result.bytes,
    warnings: image.warnings,
  };
}

/** Tells a person how it ended, and what to do next. With `brief` only what went wrong. */
export async function recordingText(report: Report, err: Output, brief: boolean): Promise<void> {
  const { path, result, outcome, seconds, firstFault, firstUnknown } = report;
  if (outcome.error !== undefined) err.line(`unboot: ${oneLine(outcome.error)}`);
  if (result.error !== undefined) {
    const why = whyFailed(result.error) ?? oneLine(result.error);
    err.line(`unboot: Cannot write ${path}: ${why}; the trace ends at #${result.steps}`);
    return;
  }
  if (brief) return;
  const length = plural(result.instructions, "instruction") + entriesText(result);
  const time = `${seconds.toFixed(2)} s${speedText(result, seconds)}`;
  err.line(`${result.reason}: ${describeReason(result.reason)} after ${length}, in ${time}.`);
  if (result.reason !== "poweroff") {
    if (firstFault) await showFault(path, firstFault, err);
    if (firstUnknown && firstUnknown.position !== firstFault?.position) {
      const what = printable(firstUnknown.text);
      err.line(
        `First thing that this machine does not have, at #${firstUnknown.position}: ${what}`,
      );
    }
  }
  err.line(`Trace: ${path}, ${bytesText(result.bytes)}. To look at it: ${PROGRAM} info ${path}`);
}

function entriesText({ steps, instructions }: RecordingResult): string {
  const entries = steps - instructions;
  return entries === 0
    ? ""
    : ` and ${plural(entries, "fault or interrupt", "faults or interrupts")}`;
}

/** Speed, where the run was long enough to have one. */
function speedText({ instructions }: RecordingResult, seconds: number): string {
  if (seconds < 0.5) return "";
  return ` (${grouped(Math.round(instructions / seconds / 1e6))} million instructions per second)`;
}

async function showFault(
  path: string,
  firstFault: ExceptionEvent,
  err: Output,
): Promise<void> {
  const { openTraceFile } = await import("./trace_file.ts");
  const { trace, symbols } = await openTraceFile(path, err);
  const fault = seriesFault(trace) ?? firstFault;
  const where = `${place(fault.pc, symbols)}${sourceText(fault.pc, symbols)}`;
  err.line(`First fault at #${fault.position}, PC ${where}:`);
  err.line(`  ${exceptionDetails(fault, symbols)}`);
  const { position } = fault;
  const kinds = new Set(["unknown"] as const);
  // Whether it was the guest's mistake, or an instruction that this machine does not have.
  for (const event of trace.events({ kinds, from: position, to: position + 1 })) {
    err.line(`  ${eventDetails(event, symbols)}`);
  }
}

/** The fault that explains the end: the one that the footer names, else the first. */
export function faultOf(trace: Trace): ExceptionEvent | undefined {
  return seriesFault(trace) ?? firstFault(trace);
}

/** The first fault of the loop or storm that the recording ended in. */
function seriesFault(trace: Trace): ExceptionEvent | undefined {
  const position = trace.footer?.detail.firstFault;
  if (typeof position !== "number") return undefined;
  const kinds = new Set(["exception"] as const);
  const [event] = trace.events({ kinds, from: position, to: position + 1 });
  return event as ExceptionEvent | undefined;
}
