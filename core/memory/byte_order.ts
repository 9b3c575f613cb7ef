import { ACCESS } from "../engine/reasons.ts";

/**
 * Big-endian data (SCTLR_ELx.EE, SCTLR_ELx.E0E; Arm ARM B2.6): each element's bytes are turned
 * around between generated code's scratch area, where numbers are little-endian, and memory.
 *
 * No page gets an entry in the lookup caches while data is big-endian, so that every access comes
 * here. An element of 16 bytes comes in two halves, and is turned around as a whole.
 */

/** log2 of the bytes of a half of a 16-byte element. */
const HALF = 3;

/** log2 of the bytes that are turned around together, or 4. */
function elementOf(kind: number): number {
  if (kind & ACCESS.words) return 2;
  const size = kind & ACCESS.sizeMask;
  // What must be aligned as a whole is several elements; LD1 and its like say what theirs is.
  return kind & (ACCESS.natural | ACCESS.ordered) ? size : kind >>> ACCESS.alignShift & 15;
}

/**
 * Turns around what stands in scratch: before a store, or after a load.
 *
 * @param kind the access descriptor (`ACCESS`)
 */
export function swapBytes(scratch: Uint8Array, kind: number): void {
  const where = kind >>> ACCESS.scratchShift & 0xff, size = 1 << (kind & ACCESS.sizeMask);
  const element = elementOf(kind);
  if (element > HALF) {
    const isSecond = (where & 8) !== 0;
    // A store is ready with its first half, a load is whole with its second.
    if (isSecond !== ((kind & ACCESS.write) !== 0)) {
      scratch.subarray(where & ~8, (where & ~8) + 16).reverse();
    }
    return;
  }
  for (let at = where; at < where + size; at += 1 << element) {
    scratch.subarray(at, at + (1 << element)).reverse();
  }
}
