/**
 * In which windows two recordings are the same, without executing anything.
 *
 * A window is the same if both executed the same instructions and had
 * the same events, and if both end in the same state or, where machines or images differ, left the
 * same contents in the pages that they wrote. Flow and events are compared by the hashes that the
 * traces hold of them; only a flow that is stored otherwise is decoded.
 */
import type { BlockTable, Trace, WindowFlow } from "../../trace/mod.ts";
import { ITEM } from "../../trace/schema.ts";
import { sameBytes } from "../same_bytes.ts";

/**
 * Windows at the start that are executed where machines or images differ: what is stored and then
 * overwritten within a window leaves no trace in its pages, and a bring-up is short enough to look.
 */
const ALWAYS_EXECUTED = 2;

/** See the top of this file. */
export class EqualWindows {
  readonly #traces: readonly [Trace, Trace];
  readonly #flows: FlowComparison;
  /** First and last window of what was found to be the same. */
  readonly #found: (readonly [first: number, last: number])[] = [];

  /** @param isSameImage whether both booted the same bytes */
  constructor(a: Trace, b: Trace, isSameImage: boolean) {
    this.#traces = [a, b];
    this.#flows = new FlowComparison(a, b, isSameImage);
  }

  /**
   * The last window up to which all behind a window are the same; that window if the next one is
   * not. What is asked must ascend.
   */
  from(window: number): number {
    const last = this.#last(window);
    if (last > window) this.#found.push([window + 1, last]);
    return last;
  }

  /** Whether a window is one of those that were found to be the same. */
  has(window: number): boolean {
    return this.#found.some(([first, last]) => window >= first && window <= last);
  }

  #last(window: number): number {
    const [a, b] = this.#traces;
    const most = Math.min(a.windows.length, b.windows.length) - 1;
    if (window === 0 && sameBytes(a.identity(), b.identity())) return most;
    while (window < most && this.#isEqual(window + 1)) window++;
    return window;
  }

  #isEqual(number: number): boolean {
    const [a, b] = this.#traces;
    const [x, y] = [a.windows[number], b.windows[number]];
    if (x.start !== y.start || x.end !== y.end) return false;
    if (!isStoredAlike(a, b, number, ITEM.events) || !this.#flows.isEqual(number)) return false;
    if (sameBytes(a.stateHash(number), b.stateHash(number))) return true;
    return number > ALWAYS_EXECUTED && wroteTheSame(a, b, number);
  }
}

/** Compares flows of one window after the other. */
class FlowComparison {
  readonly #traces: readonly [Trace, Trace];
  /** Whether all flows so far are the same bytes, so that blocks have the same numbers. */
  #isStoredAlike = true;
  /** The window up to which that is known. */
  #known = 0;
  /** The table of A whose first blocks were compared, and how many. */
  #table: BlockTable | undefined;
  #compared = 0;

  constructor(a: Trace, b: Trace, readonly isSameImage: boolean) {
    this.#traces = [a, b];
  }

  /** Whether both executed the same blocks. */
  isEqual(number: number): boolean {
    const [a, b] = this.#traces;
    while (this.#isStoredAlike && this.#known < number) {
      this.#isStoredAlike = isStoredAlike(a, b, ++this.#known, ITEM.flow);
    }
    if (!this.#isStoredAlike) return isEqualFlow(a.blocks(number), b.blocks(number));
    // What a block's code is may be said by its place in the image.
    if (this.isSameImage) return true;
    const { table, count } = a.blockTable(number);
    const { table: other } = b.blockTable(number);
    if (table !== this.#table) this.#compared = 0;
    this.#table = table;
    for (; this.#compared < count; this.#compared++) {
      if (!sameBytes(table.code(this.#compared), other.code(this.#compared))) return false;
    }
    return true;
  }
}

/** Whether the items of a kind are the same bytes. */
function isStoredAlike(a: Trace, b: Trace, number: number, kind: number): boolean {
  const [x, y] = [a.itemHashes(number, kind), b.itemHashes(number, kind)];
  return x.length === y.length && x.every((hash, i) => sameBytes(hash, y[i]));
}

function isEqualFlow(a: WindowFlow, b: WindowFlow): boolean {
  if (a.blocks.length !== b.blocks.length) return false;
  /** Block of B by that of A, plus 1. */
  const same = new Int32Array(a.table.count);
  for (let i = 0; i < a.blocks.length; i++) {
    const [x, y] = [a.blocks[i], b.blocks[i]];
    if (same[x] === y + 1) continue;
    if (same[x] !== 0 || a.table.pc(x) !== b.table.pc(y)) return false;
    if (!sameBytes(a.table.code(x), b.table.code(y))) return false;
    same[x] = y + 1;
  }
  return true;
}

function wroteTheSame(a: Trace, b: Trace, number: number): boolean {
  const [p, q] = [a.summary(number).written, b.summary(number).written];
  return p.length === q.length &&
    p.every((page, i) =>
      page === q[i] && sameBytes(a.page(page * 4096, number), b.page(page * 4096, number))
    );
}
