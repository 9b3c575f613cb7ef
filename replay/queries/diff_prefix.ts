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

const PAGE = 4096;

/** What two boots began with. */
interface BootedImages {
  readonly isSameImage: boolean;
  readonly imageDifferences: readonly number[];
}

/** See the top of this file. */
export class EqualWindows {
  readonly #traces: readonly [Trace, Trace];
  readonly #flows: FlowComparison;
  /** First and last window of what was found to be the same. */
  readonly #found: (readonly [first: number, last: number])[] = [];

  /** Numbers of pages that may not be the same at the end of the last window that was looked at. */
  readonly #differing: Set<number>;
  /** Pages that were not the same at the start. */
  readonly #atStart: ReadonlySet<number>;
  #known = 0;
  /**
   * Steps of windows that are the same by their flow, events and written pages alone: what was stored
   * there and overwritten before the window's end nobody looked at.
   */
  stepsByPages = 0;

  /** @param images whether both booted the same bytes, and the addresses of the pages that are not the same */
  constructor(a: Trace, b: Trace, images: BootedImages) {
    this.#traces = [a, b];
    this.#flows = new FlowComparison(a, b, images.isSameImage);
    this.#atStart = new Set(images.imageDifferences.map((address) => address / PAGE));
    this.#differing = new Set(this.#atStart);
  }

  /**
   * The last window up to which all behind a window are the same; that window if the next one is
   * not. What is asked must ascend.
   */
  from(window: number): number {
    // Of what was executed nobody knows.
    while (this.#known < window) this.#note(++this.#known, (page) => this.#differing.add(page));
    const last = this.#last(window);
    this.#known = last;
    // Until it is asked again memory is wanted for other things.
    for (const trace of this.#traces) trace.dropPages();
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
    if (sameBytes(a.stateHash(number), b.stateHash(number))) {
      this.#differing.clear();
      return true;
    }
    if (number <= ALWAYS_EXECUTED || !this.#wroteTheSame(number)) return false;
    this.#note(number, (page) => this.#differing.delete(page));
    this.stepsByPages += x.end - x.start;
    return true;
  }

  #note(window: number, each: (page: number) => void): void {
    for (const trace of this.#traces) {
      if (window < trace.windows.length) trace.summary(window).written.forEach(each);
    }
  }

  /** Whether both left the same contents in the pages that they wrote in a window. */
  #wroteTheSame(number: number): boolean {
    const [a, b] = this.#traces;
    const [p, q] = [a.summary(number).written, b.summary(number).written];
    if (p.length !== q.length || !p.every((page, i) => page === q[i])) return false;
    // The same changes to the same pages need not be made to see that.
    const isSame = isStoredAlike(a, b, number, ITEM.pages) && !this.#copiesDiffering(number);
    return p.every((page) =>
      isSame && !this.#differing.has(page) ||
      sameBytes(a.page(page * PAGE, number), b.page(page * PAGE, number))
    );
  }

  /** Whether pages of a window are stored as copies of what was not the same at the start. */
  #copiesDiffering(number: number): boolean {
    if (this.#atStart.size === 0) return false;
    return this.#traces[0].pageSources(number).some((address) => {
      const page = Math.floor(address / PAGE);
      return this.#atStart.has(page) || this.#atStart.has(page + 1);
    });
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
