/** Makes the full trace out of one of profile `attach`, by executing everything again. */
import { Recorder, type Trace, type TraceSink } from "../trace/mod.ts";
import { ReplayError } from "./replay_error.ts";
import { isSameMachineVersion, otherVersion } from "./replay_machine.ts";
import { Session } from "./session.ts";

/**
 * Executes a trace from its start and records that. Whoever opens the result must compare it with
 * {@linkcode checkExpanded}.
 *
 * @param progress called after each window with the steps so far
 * @throws ReplayError if the machine does not do what was recorded
 */
export function expandTrace(
  trace: Trace,
  sink: TraceSink,
  progress: (steps: number) => void = () => {},
): void {
  if (!isSameMachineVersion(trace)) throw new ReplayError(otherVersion(trace));
  const { header, image, loaded, footer, end } = trace;
  const session = new Session(trace, { flow: true, hazards: true, forward: true });
  const recorder = new Recorder(session.machine, sink, {
    recordedAt: header.recordedAt,
    recorder: header.recorder,
    machine: header.machine as Record<string, string>,
    options: header.options as Record<string, string>,
    image,
    symbols: trace.symbols(),
    lines: trace.lines(),
    windowSteps: header.windowSteps,
    ...(loaded && { loaded }),
  });
  for (const window of trace.windows.slice(1)) {
    recorder.recordedInputs(trace.inputs(window.number));
    recorder.recordWindow(end);
    session.machine.ended = null;
    if (recorder.committed !== window.end) {
      throw new ReplayError(
        `The re-execution differs from the trace: the machine ended at ` +
          `#${session.machine.position}, expected it to go on to #${window.end}`,
      );
    }
    progress(window.end);
  }
  if (footer) recorder.finish(footer.reason, footer.detail as Record<string, string>);
}

/**
 * Compares the states of an expanded trace with the hashes in the one that it was made of.
 *
 * @throws ReplayError if they differ
 */
export function checkExpanded(trace: Trace, full: Trace): void {
  for (const { number, end } of trace.windows) {
    const expected = trace.stateHash(number);
    const found = full.windows[number]?.end === end ? full.stateHash(number) : null;
    if (found?.every((byte, i) => byte === expected[i])) continue;
    throw new ReplayError(
      `The re-execution differs from the trace: expected state ${expected.toHex()} at #${end}, ` +
        `found ${found?.toHex() ?? "none"}`,
    );
  }
}
