/**
 * Which stretches of a run can have written to some bytes of memory.
 *
 * A watch sees every write exactly but slows the pages that it covers, which is much where they are
 * hot. So three sieves go before it, each finer and dearer than the last:
 *
 * 1. the summaries: windows that wrote to the page;
 * 2. the index, if there is one (`index/trace_index.ts`): windows that wrote to the same 8 bytes;
 * 3. such a window is executed at full speed, in parts, and the engine marks what stores touch
 *    (`Engine.storeMarks`, 8 bytes each); parts that did are divided again.
 *
 * What is left is a few thousand steps around each write, or around one of the other bytes of the
 * same 8. Cost: about 30 ms for a window with one write.
 */
import { PAGE_BYTES } from "../../core/memory/memory.ts";
import { indexOf } from "../index/trace_index.ts";
import { ReplayError } from "../replay_error.ts";
import type { Trace } from "../../trace/mod.ts";
import type { Session } from "../session.ts";
import type { PhysicalRange } from "./writers.ts";

/** Bytes that have one mark: unit n is at `n * UNIT_BYTES`. */
export const UNIT_BYTES = 8;

/** Parts that a stretch is divided into, and the longest stretch that is not divided. */
const PARTS = 16;
const LEAF = 1 << 14;

/** After every so many parts a checkpoint is left, from which the part that matters is reached sooner. */
const KEPT_PARTS = 4;

/** Steps from one position to another. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What is looked for. */
export interface WrittenOptions {
  /** Steps from this position on count; 0 if left out. */
  readonly from?: number;
  /** Steps before this position count. */
  readonly before: number;
  /** Whether a unit still matters, asked just before a stretch is looked into; all if left out. */
  readonly wanted?: (unit: number) => boolean;
  /** All writes are wanted: gives longer stretches instead of dividing those that wrote often. */
  readonly many?: boolean;
}

/** A stretch and which units of the range it marked. */
interface Part extends Stretch {
  readonly marks: Uint8Array;
}

/** Stretches that can have written to a range, latest first. The session's cursor moves. */
export function* writtenStretches(
  session: Session,
  range: PhysicalRange,
  { from = 0, before, wanted = () => true, many = false }: WrittenOptions,
): Generator<Stretch> {
  const units = unitsOf(range);
  const { trace } = session;
  for (const number of eachWindowThatWrote(trace, range, { from, to: before }, wanted)) {
    const { start, end } = trace.windows[number];
    const stretch = { from: Math.max(from, start), to: Math.min(before, end) };
    yield* divided(session, units, stretch, { wanted, many });
  }
}

/** Numbers of the windows that can have written to a range, latest first. */
export function windowsThatWrote(trace: Trace, range: PhysicalRange, stretch: Stretch): number[] {
  return [...eachWindowThatWrote(trace, range, stretch, () => true)];
}

/** Numbers of the windows that wrote to a unit of the range that matters, latest first. */
function* eachWindowThatWrote(
  trace: Trace,
  range: PhysicalRange,
  { from, to }: Stretch,
  wanted: (unit: number) => boolean,
): Generator<number> {
  const index = indexOf(trace);
  const first = Math.floor(range.address / PAGE_BYTES);
  const last = Math.floor((range.address + range.length - 1) / PAGE_BYTES);
  const units = unitsOf(range);
  for (let number = trace.windows.length - 1; number > 0; number--) {
    const { start, end } = trace.windows[number];
    if (start >= to || end <= from) continue;
    const known = index?.writtenUnits(number, units.first, units.end);
    const written = known
      ? known.some((mark, i) => mark !== 0 && wanted(units.first + i))
      : trace.summary(number).written.some((page) => page >= first && page <= last);
    if (!written) continue;
    if (!known) index?.missed();
    yield number;
  }
}

function* divided(
  session: Session,
  units: Units,
  stretch: Stretch,
  options: { wanted: (unit: number) => boolean; many: boolean },
): Generator<Stretch> {
  const steps = stretch.to - stretch.from;
  if (steps <= LEAF) {
    yield stretch;
    return;
  }
  const parts = markedParts(session, units, stretch, Math.max(LEAF, Math.ceil(steps / PARTS)));
  if (options.many) {
    yield* joined(parts);
    return;
  }
  for (const part of parts.reverse()) {
    const matters = part.marks.some((mark, i) => mark !== 0 && options.wanted(units.first + i));
    if (matters) yield* divided(session, units, part, options);
  }
}

/** The parts of a stretch in which stores touched the units, in order. */
function markedParts(session: Session, units: Units, { from, to }: Stretch, steps: number): Part[] {
  const { machine } = session;
  const first = units.first - machine.memory.base / UNIT_BYTES;
  const marks = machine.engine.storeMarks.subarray(first, units.end - units.first + first);
  const parts: Part[] = [];
  goForward(session, from);
  for (let at = from; at < to;) {
    const end = Math.min(to, at + steps);
    session.poll();
    if (at > from && (at - from) % (steps * KEPT_PARTS) === 0) session.leaveCheckpoint();
    marks.fill(0);
    const reason = session.observe(end, {});
    if (session.position < end) {
      throw new ReplayError(
        `The re-execution differs from the trace: the machine ended at #${session.position} ` +
          `(${reason}); verify finds the first difference`,
      );
    }
    if (marks.some((mark) => mark !== 0)) parts.push({ from: at, to: end, marks: marks.slice() });
    at = end;
  }
  return parts;
}

/** Goes to a position from which all that matters is ahead. */
export function goForward(session: Session, position: number): void {
  const { number, start } = session.trace.windowAt(position);
  // To seek would start at a keyframe before and leave checkpoints, so that steps back are short.
  if (start === position && number > 0) session.loadKeyframe(number - 1);
  else session.seek(position);
}

/** Stretches without gaps between them as one, latest first. */
function joined(parts: readonly Stretch[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const { from, to } of parts.toReversed()) {
    const after = stretches.at(-1);
    if (after?.from === to) stretches[stretches.length - 1] = { from, to: after.to };
    else stretches.push({ from, to });
  }
  return stretches;
}

/** Units from `first` up to, not including, `end`. */
interface Units {
  readonly first: number;
  readonly end: number;
}

function unitsOf({ address, length }: PhysicalRange): Units {
  return {
    first: Math.floor(address / UNIT_BYTES),
    end: Math.floor((address + length - 1) / UNIT_BYTES) + 1,
  };
}
