/**
 * How a machine reports the instructions it executes.
 *
 * The stream is pairs of u32, drained often from a ring:
 * - `[start, end)` with `start >= 16`: addresses of decoded records, 16 bytes per instruction: a run
 *   of `(end - start) / 16` instructions of one page, ended by a block-ending instruction, the page's
 *   end, or a cut (exception, end of the window);
 * - `[0, context]`: the runs that follow are in this context;
 * - `[1, n]`: n exception entries that retired nothing happened here.
 */

import type {
  CodeObserver,
  FlowContext,
  FlowObserver,
  FlowSource,
} from "../core/engine/flow_ring.ts";
import type { ImageMemory } from "./image_memory.ts";

export type { CodeObserver, FlowContext, FlowObserver, FlowSource };

/** An encoder of the stream. `encodeFlow` in TypeScript is the definition, WebAssembly the fast one. */
export interface FlowEncoder extends FlowObserver {
  /** Steps (instructions and exception entries) since the window began. */
  readonly steps: number;
  /** About how many bytes {@linkcode take} would give. */
  readonly pendingBytes: number;
  /** Gives the memory at #0; before the first window. */
  useImage(image: ImageMemory): void;
  /** Starts window `window`: resets the predictor, and the block table if it grew too large. */
  startWindow(window: number): void;
  /** What was encoded since the last take, as the fields of a `flow` item; `last` ends the window. */
  take(last: boolean): FlowFields;
  /** Ids of the blocks executed since the window began, each once. */
  executedBlocks(): Iterable<number>;
  /** The blocks by id. */
  readonly table: BlockLookup;
}

/** Read access to a block table. */
export interface BlockLookup {
  /** Blocks in the table. */
  readonly count: number;
  /** Address of the first instruction. */
  pc(id: number): bigint;
  /** Instructions in the block. */
  steps(id: number): number;
  /** Exception level that it runs at. */
  regime(id: number): number;
}

/** The fields of a `flow` item; byte strings are columns. */
export interface FlowFields {
  /** Index of the CPU. */
  cpu: number;
  /** Window in which the block table started. */
  table: number;
  /** Blocks executed. */
  blocks: number;
  /** uints: correct guesses before each miss. */
  hits: Uint8Array;
  /** uints: what came instead, see `MISS`. */
  misses: Uint8Array;
  /** uints, in pairs: blocks since the last pair, exception entries that retired nothing. */
  exceptions: Uint8Array;
  /** bytes, one per new block, as the next three columns: exception level. */
  regimes: Uint8Array;
  /** bytes: `BLOCK_KIND`. */
  kinds: Uint8Array;
  /** deltas: address of the first instruction. */
  pcs: Uint8Array;
  /** bytes: instructions. */
  steps: Uint8Array;
  /** deltas: 0, or where the block's code was at #0: 1 + physical address - pc, modulo 2^64. */
  origins: Uint8Array;
  /** Instruction words of the new blocks whose origin is 0, little-endian. */
  code: Uint8Array;
}
