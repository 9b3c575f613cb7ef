/**
 * How far two recordings of one image are the same, without executing anything.
 *
 * Windows are compared from the start. One is the same if both end in the same state; or, where
 * the machines differ, if both executed the same blocks and left the same contents in the pages that
 * they wrote.
 */
import type { Trace, WindowFlow } from "../../trace/mod.ts";

/** The last window up to which all are the same; 0 if the first one is not. */
export function equalWindows(a: Trace, b: Trace): number {
  const most = Math.min(a.windows.length, b.windows.length) - 1;
  for (let number = 1; number <= most; number++) {
    if (!isEqualWindow(a, b, number)) return number - 1;
  }
  return most;
}

function isEqualWindow(a: Trace, b: Trace, number: number): boolean {
  const [x, y] = [a.windows[number], b.windows[number]];
  if (x.start !== y.start || x.end !== y.end) return false;
  const [p, q] = [a.keyframe(number).hash, b.keyframe(number).hash];
  if (isEqual(p, q)) return true;
  return isEqualFlow(a.blocks(number), b.blocks(number)) && wroteTheSame(a, b, number);
}

function isEqualFlow(a: WindowFlow, b: WindowFlow): boolean {
  if (a.blocks.length !== b.blocks.length) return false;
  /** Block of B by that of A, plus 1. */
  const same = new Int32Array(a.table.count);
  for (let i = 0; i < a.blocks.length; i++) {
    const [x, y] = [a.blocks[i], b.blocks[i]];
    if (same[x] === y + 1) continue;
    if (same[x] !== 0 || a.table.pc(x) !== b.table.pc(y)) return false;
    if (a.table.steps(x) !== b.table.steps(y)) return false;
    same[x] = y + 1;
  }
  return true;
}

function wroteTheSame(a: Trace, b: Trace, number: number): boolean {
  const [p, q] = [a.summary(number).written, b.summary(number).written];
  return p.length === q.length &&
    p.every((page, i) =>
      page === q[i] && isEqual(a.page(page * 4096, number), b.page(page * 4096, number))
    );
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
