/** What the walks of both stages do with addresses and descriptors as pairs of 32-bit words. */

/** `width` (at most 16) address bits from `shift` (12 to 47) upwards. */
export function addressBits(hi: number, lo: number, shift: number, width: number): number {
  const bits = shift >= 32 ? hi >>> shift - 32 : lo >>> shift | hi << 32 - shift;
  return bits & (1 << width) - 1;
}

const POWERS = Array.from({ length: 64 }, (_, n) => 2 ** n);

/** 2^`n`, `n` below 64: looked up, because every walk asks. */
export function powerOfTwo(n: number): number {
  return POWERS[n];
}

/** An address (below 2^53) without its bits below `sizeLog2`; without division, because every fill comes by. */
export function alignDown(address: number, sizeLog2: number): number {
  if (sizeLog2 < 32) return address - ((address >>> 0) & ((1 << sizeLog2) - 1));
  return address - address % POWERS[sizeLog2];
}

/** A word with its four bytes in the other order. */
export function swapBytes(word: number): number {
  return ((word & 0xff) << 24 | (word & 0xff00) << 8 | word >>> 8 & 0xff00 | word >>> 24) >>> 0;
}

/**
 * Whether the granule has block descriptors at `level`, in implementations with at most 48 bits
 * of physical address: 4 KB at levels 1 and 2, 16 and 64 KB at level 2.
 */
export function blockAllowed(granuleLog2: number, level: number): boolean {
  return level === 2 || level === 1 && granuleLog2 === 12;
}
