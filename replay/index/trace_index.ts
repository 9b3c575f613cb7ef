/**
 * What an index knows of a trace, for queries: found by the trace, so that every query can ask.
 */
import type { Trace } from "../../trace/mod.ts";

/** Exact sets per window. Each answer is undefined where the index does not know. */
export interface TraceIndex {
  /** For the 8-byte units of physical memory from `first` up to `end`, 1 where the window wrote. */
  writtenUnits(window: number, first: number, end: number): Uint8Array | undefined;
  /** Whether the window retired the instruction at a virtual address. */
  executed(window: number, pc: bigint): boolean | undefined;
  /** Whether an instruction that the window retired writes a register (`INDEXED_REGISTERS`). */
  writesRegister(window: number, name: string): boolean | undefined;
  /** Told that a window must be looked through for want of an answer; may throw to end the query. */
  missed(): void;
}

/** Registers in the order of their bits. */
export const INDEXED_REGISTERS: readonly string[] = [
  ...Array.from({ length: 31 }, (_, n) => `x${n}`),
  "sp",
  ...Array.from({ length: 32 }, (_, n) => `v${n}`),
  "nzcv",
];

const indices = new WeakMap<Trace, TraceIndex>();

/** The index of a trace, if there is one. */
export function indexOf(trace: Trace): TraceIndex | undefined {
  return indices.get(trace);
}

/** Gives a trace an index, or takes it away. */
export function attachIndex(trace: Trace, index: TraceIndex | null): void {
  if (index) indices.set(trace, index);
  else indices.delete(trace);
}

/** What {@linkcode ImpatientIndex} ends a query with. */
export class IndexWanted extends Error {
  /** `IndexWanted` */
  override name = "IndexWanted";
}

/** Knows nothing, and ends a query that turns out to be long: an index will be faster. */
export class ImpatientIndex implements TraceIndex {
  #left: number;

  /** @param windows so many may be looked through */
  constructor(windows: number) {
    this.#left = windows;
  }

  writtenUnits(): undefined {}
  executed(): undefined {}
  writesRegister(): undefined {}

  /** @throws IndexWanted once the windows are used up */
  missed(): void {
    if (this.#left-- <= 0) throw new IndexWanted("an index is wanted");
  }
}
