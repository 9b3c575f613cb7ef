/** What the recorder's threads tell each other, see `recorder_threads.ts`. */

import type { KnownFlow } from "./flow_encoder_wasm.ts";
import type { FlowContext } from "./flow_source.ts";
import type { SharedImage } from "./image_memory.ts";
import type { KnownMemory, MemoryPlace } from "./keyframe_maker.ts";
import { FIRST_TYPE, type SharedRing, type Signal } from "./shared_ring.ts";

/** Messages to the threads that encode the flow. */
export const FLOW_MESSAGE = {
  /** Where in the flow ring entries stand: first byte, words. */
  flow: FIRST_TYPE,
  /** First and last record of code that changes. */
  changed: FIRST_TYPE + 1,
  /** First record; then for each its word; then for each its block kind. */
  code: FIRST_TYPE + 2,
  /** Id, regime, low and high half of the page, first record of the page. */
  context: FIRST_TYPE + 3,
  /** Number: steps of the window that ends. Bytes: {@linkcode WindowFacts} as JSON. */
  window: FIRST_TYPE + 4,
  /** Nothing more comes. */
  end: FIRST_TYPE + 5,
} as const;

/** Messages to the thread that makes keyframes. */
export const KEY_MESSAGE = {
  /** Page, and its words before the first write to it in a window. */
  before: FIRST_TYPE,
  /** Page, and its words at the window's end. */
  after: FIRST_TYPE + 1,
  /** Numbers: kind, calls of the flow before. Bytes: the content of an item. */
  item: FIRST_TYPE + 2,
  /** Bytes: the modelled TLB. */
  tlb: FIRST_TYPE + 3,
  /** Numbers: position, instructions retired by each CPU. Bytes: the state. Ends a window. */
  keyframe: FIRST_TYPE + 4,
  /** Nothing more comes. */
  end: FIRST_TYPE + 5,
} as const;

/** Messages back. */
export const REPLY = {
  /** Numbers: kind, calls of the flow before, bytes of content. Bytes: hash, then the framed item. */
  item: FIRST_TYPE,
  /** A window is finished. */
  window: FIRST_TYPE + 1,
  /** Bytes: what went wrong. Nothing more comes. */
  failed: FIRST_TYPE + 2,
} as const;

/** "Calls of the flow before" pages and keyframes, and before the summary behind them. */
export const BEHIND = { flow: 2 ** 32, keyframe: 2 ** 32 + 1 } as const;

/** What a summary says beside the blocks. */
export interface WindowFacts {
  readonly events: Record<string, number>;
  readonly level: number[];
  readonly mmu: boolean[];
  readonly written: number[];
}

/** The first message to a thread. */
export interface ThreadStart {
  /** An element per thread: set when it is ready. */
  readonly ready: Int32Array;
  /** Its element. */
  readonly index: number;
}

/** See `KeyframeWriter.imagePages`. */
export interface ImagePages {
  readonly pages: readonly number[];
  readonly others: readonly [number, Uint32Array][];
}

/** The second: how things stand between two windows. */
export interface HandOver {
  readonly signal: Signal;
  /** The window that follows. */
  readonly window: number;
  readonly image: SharedImage;
  readonly flow: {
    readonly ring: SharedRing;
    /** The flow ring. */
    readonly memory: WebAssembly.Memory;
    /** Of each thread. */
    readonly replies: readonly SharedRing[];
    readonly blocks: KnownFlow;
    readonly arenaBase: number;
    readonly arenaSize: number;
  };
  readonly key: {
    readonly ring: SharedRing;
    readonly reply: SharedRing;
    readonly place: MemoryPlace;
    /** What is known; or the pages of the image, which is still to be stored, with those that are not in `image`. */
    readonly memory: KnownMemory | ImagePages;
  };
}

/** Words of a `context` message. */
export function contextWords(id: number, { regime, page, recordBase }: FlowContext): number[] {
  const low = Number(BigInt.asUintN(32, page)), high = Number(page >> 32n);
  return [id, regime, low, high, recordBase];
}
