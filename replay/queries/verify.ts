/**
 * Re-executes a trace and compares it with what was recorded: every block of the flow, every
 * event, every keyframe with its state hash, the summaries and the footer.
 */
import type { EventKind, Trace, WindowFlow, WindowInfo } from "../../trace/mod.ts";
import { release } from "../../trace/release.ts";
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
  const all = { first: 1, last: trace.windows.length - 1 };
  return verificationOf(trace, [verifyWindows(trace, all, progress)]);
}

/** Windows one behind the other. */
export interface WindowRange {
  readonly first: number;
  readonly last: number;
}

/** What the execution of some windows came to; can be cloned. */
export interface VerifiedWindows {
  /** Windows that were found equal, and the position behind them. */
  readonly windows: number;
  readonly steps: number;
  readonly events: Partial<Record<EventKind, number>>;
  /** Instructions of each CPU at the end. */
  readonly retired: readonly number[];
  /** Why the machine ended; null if it would go on. */
  readonly reason: string | null;
  readonly difference: Difference | null;
}

/** Verifies windows from the state before the first of them, up to the first difference. */
export function verifyWindows(
  trace: Trace,
  { first, last }: WindowRange,
  progress: (steps: number) => void = () => {},
): VerifiedWindows {
  const verifier = new Verifier(trace, first);
  let windows = 0, steps = trace.windows[first - 1].end, difference: Difference | null = null;
  for (const window of trace.windows.slice(first, last + 1)) {
    difference = verifier.window(window);
    if (difference) break;
    windows++;
    progress(steps = window.end);
  }
  return { windows, steps, difference, ...verifier.end() };
}

/** What parts of a trace, in order and without gaps up to the first difference, say together. */
export function verificationOf(trace: Trace, parts: readonly VerifiedWindows[]): Verification {
  const events: Partial<Record<EventKind, number>> = {};
  for (const part of parts) {
    for (const [kind, count] of Object.entries(part.events) as [EventKind, number][]) {
      events[kind] = (events[kind] ?? 0) + count;
    }
  }
  const last = parts[parts.length - 1];
  return {
    windows: parts.reduce((sum, { windows }) => sum + windows, 0),
    steps: last.steps,
    events: Object.values(events).reduce((sum, count) => sum + count, 0),
    difference: last.difference ?? footerDifference(trace, { ...last, events }),
  };
}

/** Compares the footer with what was executed. */
function footerDifference(
  { footer, end }: Trace,
  executed: Pick<VerifiedWindows, "steps" | "retired" | "events" | "reason">,
): Difference | null {
  if (!footer) return null;
  const { position, retired, events, reason } = footer;
  const found = { position: executed.steps, retired: executed.retired, events: executed.events };
  const difference = firstDifference({ position, retired, events }, found);
  if (difference) {
    const { path, ...values } = difference;
    return { position: end, what: `${path} of the footer`, ...values };
  }
  if (executed.reason === null && !OWN_REASONS.includes(reason)) return null;
  return executed.reason === reason ? null : endDifference(end, reason, executed.reason);
}

function endDifference(position: number, expected: string, reason: string | null): Difference {
  return { position, what: "the end", expected, found: reason ?? "the guest goes on" };
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

  constructor(trace: Trace, first = 1) {
    this.#trace = trace;
    const options = { flow: true, anyVersion: true, forward: true, window: first - 1 };
    this.#session = new Session(trace, options);
    const { machine } = this.#session;
    this.#flow = new FlowChecker(machine.flowSource);
    machine.flowObserver = this.#flow;
    this.#events = new EventChecker(trace.events());
    this.#states = new StateChecker(trace, machine);
    this.start(first);
  }

  /** Makes a window the next one. */
  start(window: number): void {
    // The observer learns where the machine is.
    this.#session.loadKeyframe(window - 1);
    this.#states.begin(window - 1);
    const from = this.#trace.windows[window - 1].end;
    this.#events = new EventChecker(this.#trace.events({ from }));
  }

  /** What was executed so far. */
  end(): Pick<VerifiedWindows, "events" | "retired" | "reason"> {
    const retired = this.#session.machine.cpus.map((cpu) => cpu.retired);
    return { events: this.#totals, retired, reason: this.#reason };
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
    if (machine.position < window.end) {
      return endDifference(machine.position, "no end of the trace", this.#reason);
    }
    const counts = this.#events.take();
    for (const [kind, count] of Object.entries(counts) as [EventKind, number][]) {
      this.#totals[kind] = (this.#totals[kind] ?? 0) + count;
    }
    const difference = this.#summary(expected, window, counts) ??
      this.#states.check(window.number);
    release(expected.blocks);
    return difference;
  }

  #summary(
    { table, blocks }: WindowFlow,
    window: WindowInfo,
    events: Partial<Record<EventKind, number>>,
  ): Difference | null {
    const summary = this.#trace.summary(window.number);
    const found = { events, ...summarizeBlocks(table, distinct(blocks, table.count)) };
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
}

/** The blocks that occur, each once. */
function distinct(blocks: Uint32Array, count: number): number[] {
  const seen = new Uint8Array(count);
  const ids: number[] = [];
  for (let i = 0; i < blocks.length; i++) {
    const id = blocks[i];
    if (seen[id]) continue;
    seen[id] = 1;
    ids.push(id);
  }
  return ids;
}
