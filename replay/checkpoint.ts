/**
 * States in memory that a session can go back to.
 *
 * The past never changes, so a checkpoint stays valid wherever the cursor goes; checkpoints are a
 * cache by position. Memory is held as what differs from a keyframe: pages that were not written
 * between two checkpoints are the same array in both, so a checkpoint costs about what was written
 * since the one before. When there are too many, those not used for longest go.
 */
import type { MachineState } from "../core/machine_state.ts";

/** Pages of physical memory by address. The arrays are shared and must not be changed. */
export type Pages = ReadonlyMap<number, Uint8Array>;

/** A state to go back to. */
export interface Checkpoint {
  readonly position: number;
  /** Pages that are not in `pages` are as the keyframe of this window holds them. */
  readonly window: number;
  readonly pages: Pages;
  readonly state: MachineState;
}

/** How much a store keeps. */
export interface CheckpointLimits {
  readonly count: number;
  /** Bytes of distinct pages. */
  readonly bytes: number;
}

const DEFAULT_LIMITS: CheckpointLimits = { count: 512, bytes: 256 << 20 };

/** Keeps checkpoints by position, within limits. */
export class CheckpointStore {
  /** In order of use: the first was not used for longest. */
  readonly #byPosition = new Map<number, Checkpoint>();
  /** Ascending. */
  #positions: number[] = [];
  readonly #holders = new Map<Uint8Array, number>();
  #bytes = 0;
  readonly #limits: CheckpointLimits;

  /** Makes an empty store. */
  constructor(limits: CheckpointLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** Checkpoints held. */
  get count(): number {
    return this.#positions.length;
  }

  /** Bytes of pages held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a checkpoint, unless there is one at its position; others may go for it. */
  add(checkpoint: Checkpoint): void {
    if (this.#byPosition.has(checkpoint.position)) return;
    this.#byPosition.set(checkpoint.position, checkpoint);
    this.#positions.splice(this.#rank(checkpoint.position), 0, checkpoint.position);
    for (const page of checkpoint.pages.values()) this.#hold(page, 1);
    while (this.count > this.#limits.count || this.#bytes > this.#limits.bytes) {
      const [oldest] = this.#byPosition.values();
      this.#remove(oldest);
    }
  }

  /** The latest checkpoint at or before a position. */
  latest(position: number): Checkpoint | undefined {
    const at = this.#positions[this.#rank(position + 1) - 1];
    const found = this.#byPosition.get(at);
    if (!found) return undefined;
    this.#byPosition.delete(at);
    this.#byPosition.set(at, found);
    return found;
  }

  /** Index of the first position at or behind the given one. */
  #rank(position: number): number {
    let low = 0;
    let high = this.#positions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#positions[middle] < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remove(checkpoint: Checkpoint): void {
    this.#byPosition.delete(checkpoint.position);
    this.#positions.splice(this.#rank(checkpoint.position), 1);
    for (const page of checkpoint.pages.values()) this.#hold(page, -1);
  }

  #hold(page: Uint8Array, change: 1 | -1): void {
    const before = this.#holders.get(page) ?? 0;
    const after = before + change;
    if (before === 0) this.#bytes += page.length;
    if (after > 0) {
      this.#holders.set(page, after);
      return;
    }
    this.#holders.delete(page);
    this.#bytes -= page.length;
  }
}
