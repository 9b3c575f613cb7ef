import type { GuestMemory, WriteEpoch } from "./memory/memory.ts";
import { PAGE_BYTES } from "./memory/memory.ts";
import { PagePool } from "./memory/page_pool.ts";
import { SLOT } from "./state.ts";

/**
 * Proves that a guest will go on for ever without anything new.
 *
 * Two moments of equal state — processor, modelled TLB, devices, memory contents — with no read
 * between them that depends on time or input, no timer that can fire and no input open, repeat for
 * ever. The search for such a pair is Brent's: a checkpoint is taken now and then, each time
 * further from the last, and a *probe* at its PC compares the processor state every time execution
 * comes by. The engine itself passes on as long as the one register differs that differed last, so
 * a delay loop around the probe costs next to nothing. Only where the processor is equal is the
 * rest compared, and all of it: a proof, never a guess. Memory costs nothing until then, because
 * only pages written since the checkpoint can differ, and their old contents were kept at their
 * first write.
 *
 * An exception loop may retire nothing at all, so every exception entry is compared with the one
 * before it too ({@linkcode LoopDetector.entry}).
 */

/** What the detector asks of the machine. */
export interface LoopSubject {
  readonly memory: GuestMemory;
  /** Steps so far. */
  readonly position: number;
  /** Instructions retired so far. */
  readonly retired: number;
  /**
   * The processor: everything that decides what comes next, engine bookkeeping left out, at the
   * places of `SLOT`.
   */
  processorState(): Uint32Array;
  /** The modelled TLB and the devices, in a form that {@linkcode sameRest} compares. */
  captureRest(): unknown;
  /** Whether TLB and devices are as they were captured. */
  sameRest(captured: unknown): boolean;
  /** Count of reads that depended on time or input. */
  readonly volatileReads: number;
  /** Whether a CPU other than the one in turn could go on. */
  readonly othersRun: boolean;
  /** Whether something from outside the processor can still happen: a timer armed, an input open. */
  readonly canBeInterrupted: boolean;
}

/** Steps between checkpoints at first; later a fraction of the steps so far. */
const FIRST_INTERVAL = 1 << 20;
const INTERVAL_FRACTION = 8;
/** A probe may be visited once per so many steps of its interval, which bounds its cost. */
const STEPS_PER_VISIT = 4096;
/** Most copies of pages that are kept for the next checkpoint, 32 MB. */
const KEPT_PAGES = 8192;
/** Slots that generated code keeps in memory at all times: X0 to X30, and SP. */
const WATCHED = [{ from: SLOT.x, to: SLOT.zero }, { from: SLOT.sp, to: SLOT.pc }];

/** A slot of the processor state and the value it has at the checkpoint. */
export interface Difference {
  readonly slot: number;
  readonly value: bigint;
}

/** Holds always. */
const NO_DIFFERENCE: Difference = { slot: SLOT.zero, value: 0n };

interface Checkpoint {
  readonly processor: Uint32Array;
  readonly rest: unknown;
  readonly volatileReads: number;
  readonly pages: Map<number, Uint8Array>;
  visits: number;
  difference: Difference;
  /** Page whose contents differed last. */
  changedPage: number;
}

interface EntryState {
  readonly processor: Uint32Array;
  readonly rest: unknown;
  readonly volatileReads: number;
}

/** See the top of this file. */
export class LoopDetector {
  #checkpoint: Checkpoint | undefined;
  readonly #pool = new PagePool(KEPT_PAGES);
  #epoch: WriteEpoch | undefined;
  #nextAt = FIRST_INTERVAL;
  /** The last exception entry; its state is only captured once nothing has retired between two. */
  #lastEntry: { retired: number; state: EntryState | undefined } | undefined;

  /** @param endless never find anything */
  constructor(readonly subject: LoopSubject, readonly endless = false) {}

  /** The position at which {@linkcode checkpoint} wants to be called next. */
  get nextPosition(): number {
    return this.endless ? Infinity : this.#nextAt;
  }

  /** Whether a probe should be set at the checkpoint's PC. */
  get probing(): boolean {
    return this.#checkpoint !== undefined && this.#checkpoint.visits > 0;
  }

  /** The probe need not report a visit unless this holds. */
  get difference(): Difference {
    return this.#checkpoint?.difference ?? NO_DIFFERENCE;
  }

  /** Takes a checkpoint here, in place of the last one. */
  checkpoint(): void {
    const { subject } = this;
    const interval = Math.max(FIRST_INTERVAL, Math.floor(subject.position / INTERVAL_FRACTION));
    this.#nextAt = subject.position + interval;
    if (this.#checkpoint) this.#pool.giveBack(this.#checkpoint.pages.values());
    this.#checkpoint = {
      processor: subject.processorState().slice(),
      rest: subject.captureRest(),
      volatileReads: subject.volatileReads,
      pages: new Map(),
      visits: Math.ceil(interval / STEPS_PER_VISIT),
      difference: NO_DIFFERENCE,
      changedPage: 0,
    };
    this.#epoch ??= subject.memory.trackFirstWrites((page) => this.#keep(page));
    this.#epoch.restart();
  }

  /** The probe was reached: whether the machine is provably in a loop. */
  visit(): boolean {
    const checkpoint = this.#checkpoint;
    if (!checkpoint) return false;
    checkpoint.visits--;
    const processor = this.subject.processorState();
    checkpoint.difference = differenceOf(processor, checkpoint.processor);
    const looping = this.#quiet(checkpoint.volatileReads) &&
      equalWords(processor, checkpoint.processor) &&
      this.#memoryUnchanged(checkpoint) && this.subject.sameRest(checkpoint.rest);
    if (checkpoint.visits === 0) this.#release();
    return looping;
  }

  /**
   * An exception has been entered: whether the machine is provably in a loop of entries that retire
   * nothing. Memory cannot have changed between two of them.
   */
  entry(): boolean {
    const { subject } = this;
    if (this.endless || subject.othersRun) return false;
    const { retired } = subject;
    const last = this.#lastEntry;
    if (last?.retired !== retired) {
      this.#lastEntry = { retired, state: undefined };
      return false;
    }
    const processor = subject.processorState();
    if (
      last.state && this.#quiet(last.state.volatileReads) &&
      equalWords(processor, last.state.processor) && subject.sameRest(last.state.rest)
    ) return true;
    last.state = {
      processor: processor.slice(),
      rest: subject.captureRest(),
      volatileReads: subject.volatileReads,
    };
    return false;
  }

  /** Forgets everything, when the machine's state is replaced. */
  reset(): void {
    this.#release();
    this.#lastEntry = undefined;
    this.#nextAt = this.subject.position + FIRST_INTERVAL;
  }

  #quiet(volatileReads: number): boolean {
    return this.subject.volatileReads === volatileReads && !this.subject.canBeInterrupted;
  }

  #keep(page: number): void {
    const { memory } = this.subject;
    this.#checkpoint?.pages.set(page, this.#pool.copy(memory.read(page, PAGE_BYTES)));
  }

  #memoryUnchanged(checkpoint: Checkpoint): boolean {
    const { pages, changedPage } = checkpoint;
    const differs = (page: number, before: Uint8Array) => {
      const now = this.subject.memory.read(page, PAGE_BYTES);
      return before.some((byte, i) => byte !== now[i]);
    };
    const known = pages.get(changedPage);
    if (known && differs(changedPage, known)) return false;
    for (const [page, before] of pages) {
      if (!differs(page, before)) continue;
      checkpoint.changedPage = page;
      return false;
    }
    return true;
  }

  #release(): void {
    if (this.#checkpoint) this.#pool.giveBack(this.#checkpoint.pages.values());
    this.#checkpoint = undefined;
    this.#epoch?.close();
    this.#epoch = undefined;
  }
}

function equalWords(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A watched slot in which two processor states differ. */
function differenceOf(now: Uint32Array, then: Uint32Array): Difference {
  for (const { from, to } of WATCHED) {
    for (let slot = from; slot < to; slot += 8) {
      const at = slot >> 2;
      if (now[at] === then[at] && now[at + 1] === then[at + 1]) continue;
      return { slot, value: BigInt(then[at + 1]) << 32n | BigInt(then[at]) };
    }
  }
  return NO_DIFFERENCE;
}
