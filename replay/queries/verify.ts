/**
 * Re-executes a trace and compares it with what was recorded: every block of the flow, every
 * event, every keyframe with its state hash, the summaries and the footer.
 */
import type { EventKind, Trace, WindowFlow, WindowInfo } from "../../trace/mod.ts";
import { encodeAscending, summarizeBlocks } from "../../trace/summary.ts";
import { type Difference, firstDifference } from "../difference.ts";
import { EventChecker } from "../event_checker.ts";
import { FlowChecker } from "../flow_checker.ts";
import { ReplayError } from "../replay_error.ts";
import { Session } from "../session.ts";
import { StateChecker, summaryDifference } from "../state_checker.ts";

/** What a verification found. */
export interface Verification {
  /** Windows that were found equal. */
  readonly windows: number;
  /** Steps in them. */
  readonly steps: number;
  /** Events in them. */
  readonly events: number;
  /** The first difference; null if there is none. */
  readonly difference: Difference | null;
}

/** Reasons to end that a machine has by itself, whatever a recorder was told. */
const OWN_REASONS: readonly string[] = ["poweroff", "reset", "halted"];

/**
 * Verifies a whole trace, in bounded memory.
 *
 * @param progress called after each window with the steps verified so far
 * @throws ReplayError if no machine can be made for the trace
 * @throws TraceError if the trace is damaged
 */
export function verify(trace: Trace, progress: (steps: number) => void = () => {}): Verification {
  const verifier = new Verifier(trace);
  let done = { windows: 0, steps: 0, events: 0 };
  for (const window of trace.windows.slice(1)) {
    const difference = verifier.window(window);
    if (difference) return { ...done, difference };
    done = { windows: window.number, steps: window.end, events: verifier.events };
    progress(window.end);
  }
  return { ...done, difference: verifier.footer() };
}

/** Verifies single windows of a trace, in any order. */
export class WindowVerifier {
  readonly #trace: Trace;
  readonly #verifier: Verifier;

  /** @throws ReplayError if no machine can be made for the trace */
  constructor(trace: Trace) {
    this.#trace = trace;
    this.#verifier = new Verifier(trace);
  }

  /** Whether executing a window again, from the state before it, gives what was recorded. */
  verifies(window: number): boolean {
    try {
      this.#verifier.start(window);
      return this.#verifier.window(this.#trace.windows[window]) === null;
    } catch (error) {
      if (error instanceof ReplayError) return false;
      throw error;
    }
  }
}

class Verifier {
  readonly #trace: Trace;
  readonly #session: Session;
  readonly #flow: FlowChecker;
  #events: EventChecker;
  readonly #states: StateChecker;
  readonly #totals: Partial<Record<EventKind, number>> = {};
  #reason: string | null = null;

  constructor(trace: Trace) {
    this.#trace = trace;
    this.#session = new Session(trace, { flow: true, anyVersion: true });
    const { machine } = this.#session;
    this.#flow = new FlowChecker(machine.flowSource);
    machine.flowObserver = this.#flow;
    this.#events = new EventChecker(trace.events());
    this.#states = new StateChecker(trace, machine);
    this.start(1);
  }

  /** Makes a window the next one. */
  start(window: number): void {
    // The observer learns where the machine is.
    this.#session.loadKeyframe(window - 1);
    this.#states.begin(window - 1);
    this.#events = new EventChecker(
      this.#trace.events({ from: this.#trace.windows[window].start }),
    );
  }

  /** Events that were equal so far. */
  get events(): number {
    return Object.values(this.#totals).reduce((sum, count) => sum + count, 0);
  }

  /** Executes a window, which must follow the last one, and gives the first difference. */
  window(window: WindowInfo): Difference | null {
    const first = window.number === 1 ? this.#states.check(0) : null;
    if (first) return first;
    const { machine } = this.#session;
    const expected = this.#trace.blocks(window.number);
    this.#flow.begin(expected);
    this.#reason = this.#session.observe(window.end, { events: this.#events });
    machine.cutFlow();
    const differences = [this.#flow.end(), this.#events.end(window.end)]
      .filter((difference) => difference !== null)
      .sort((a, b) => a.position - b.position);
    if (differences.length > 0) return differences[0];
    if (machine.position < window.end) return this.#endDifference("no end of the trace");
    const counts = this.#events.take();
    for (const [kind, count] of Object.entries(counts) as [EventKind, number][]) {
      this.#totals[kind] = (this.#totals[kind] ?? 0) + count;
    }
    return this.#summary(expected, window, counts) ?? this.#states.check(window.number);
  }

  /** Compares the footer with what was executed. */
  footer(): Difference | null {
    const { footer, end } = this.#trace;
    if (!footer) return null;
    const { position, retired, events, reason } = footer;
    const found = {
      position: this.#session.machine.position,
      retired: this.#session.machine.cpus.map(({ retired }) => retired),
      events: this.#totals,
    };
    const difference = firstDifference({ position, retired, events }, found);
    if (difference) {
      const { path, ...values } = difference;
      return { position: end, what: `${path} of the footer`, ...values };
    }
    if (this.#reason === null && !OWN_REASONS.includes(reason)) return null;
    return this.#reason === reason ? null : this.#endDifference(reason);
  }

  #summary(
    { table, blocks }: WindowFlow,
    window: WindowInfo,
    events: Partial<Record<EventKind, number>>,
  ): Difference | null {
    const summary = this.#trace.summary(window.number);
    const found = { events, ...summarizeBlocks(table, new Set(blocks)) };
    const expected = {
      events: summary.events,
      levels: summary.levels,
      executedPages: encodeAscending(summary.executed.map(({ page }) => page)),
      executedLines: new Uint8Array(summary.executed.flatMap(({ lines }) => [...lines])),
    };
    const difference = firstDifference(expected, found);
    if (difference) return summaryDifference(window.end, difference);
    return this.#states.checkSummary(window.number, window.end);
  }

  #endDifference(expected: string): Difference {
    const { position } = this.#session;
    return { position, what: "the end", expected, found: this.#reason ?? "the guest goes on" };
  }
}
