/**
 * What an index knows of a trace, for queries: found by the trace, so that every query can ask.
 */
import type { Trace } from "../../trace/mod.ts";

/** Exact sets per window. Each answer is undefined where the index does not know. */
export interface TraceIndex {
  /** For the 8-byte units of physical memory from `first` up to `end`, 1 where the window wrote. */
  writtenUnits(window: number, first: number, end: number): Uint8Array | undefined;
}

const indices = new WeakMap<Trace, TraceIndex>();

/** The index of a trace, if there is one. */
export function indexOf(trace: Trace): TraceIndex | undefined {
  return indices.get(trace);
}

/** Gives a trace an index. */
export function attachIndex(trace: Trace, index: TraceIndex): void {
  indices.set(trace, index);
}
