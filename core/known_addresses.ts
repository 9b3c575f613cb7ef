import type { Engine } from "./engine/engine.ts";
import { SLOT } from "./state.ts";

/** A power of two. */
const ENTRIES = 256;

/**
 * Addresses of instructions that have been asked for, as BigInts: a guest that polls executes the
 * same few that have events a million times, and making such a number takes longer than the rest of
 * an event.
 */
export class KnownAddresses {
  readonly #records = new Int32Array(ENTRIES);
  readonly #lows = new Int32Array(ENTRIES);
  readonly #highs = new Int32Array(ENTRIES);
  readonly #addresses: bigint[] = new Array(ENTRIES).fill(0n);

  /** Address of the instruction at an engine's record. */
  of(engine: Pick<Engine, "state" | "pc">): bigint {
    const { state } = engine;
    const record = state.get32(SLOT.record);
    const low = state.get32(SLOT.pcBase), high = state.get32(SLOT.pcBase + 4);
    const at = (record >>> 4) & (ENTRIES - 1);
    if (
      record === this.#records[at] && low === this.#lows[at] && high === this.#highs[at]
    ) return this.#addresses[at];
    this.#records[at] = record;
    this.#lows[at] = low;
    this.#highs[at] = high;
    return this.#addresses[at] = engine.pc;
  }
}
