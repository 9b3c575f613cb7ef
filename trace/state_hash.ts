/**
 * The state hash: one 64-bit number over a machine's whole state, cheap to keep up to date.
 *
 * A hash is a pair of 32-bit lanes. Both lanes take the same words through rounds with different
 * constants; a round is a bijection of the lane for a given word and of the word for a given lane,
 * so two inputs of equal length that differ in one word never agree. A state's hash is, lane by
 * lane modulo 2^32, the hash of its registers and devices plus a sum of page hashes over memory
 * and the modelled TLB; the sum commutes, so only pages that changed are hashed again. A page of
 * zeros adds nothing, which makes gigabytes of untouched RAM free.
 */

/** The two lanes, unsigned. */
export type StateHash = readonly [number, number];

const SEED_A = 0x9e3779b1;
const SEED_B = 0x85ebca77;
const MULTIPLY_A1 = 0x85ebca77;
const MULTIPLY_A2 = 0x9e3779b1;
const MULTIPLY_B1 = 0xc2b2ae3d;
const MULTIPLY_B2 = 0x27d4eb2f;

/** Hashes words. `tag` separates inputs that must not be confused: `[low, high]`, 32 bits each. */
export function hashWords(words: Uint32Array, tagLow: number, tagHigh: number): StateHash {
  let a = Math.imul(SEED_A ^ tagLow, MULTIPLY_A2);
  let b = Math.imul(SEED_B ^ tagLow, MULTIPLY_B2);
  a = roundA(a, tagHigh);
  b = roundB(b, tagHigh);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    a = (a + Math.imul(word, MULTIPLY_A1)) | 0;
    a = Math.imul((a << 13) | (a >>> 19), MULTIPLY_A2);
    b = (b + Math.imul(word, MULTIPLY_B1)) | 0;
    b = Math.imul((b << 17) | (b >>> 15), MULTIPLY_B2);
  }
  a ^= a >>> 15;
  b ^= b >>> 15;
  return [a >>> 0, b >>> 0];
}

/**
 * What a page adds to the memory sum: 0 for a page of zeros.
 *
 * @param page its words, little-endian
 * @param space address space of the page, see `SPACE`
 * @param number address divided by the page size
 */
export function hashPage(page: Uint32Array, space: number, number: number): StateHash {
  if (isZero(page)) return [0, 0];
  const high = Math.floor(number / 0x1_0000_0000) + ((space + 1) << 24);
  return hashWords(page, number >>> 0, high);
}

/** Hash of the encoded registers, devices and time: its bytes, zero-padded to words, and its length. */
export function hashState(bytes: Uint8Array): StateHash {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return hashWords(new Uint32Array(padded.buffer), bytes.length, 0);
}

/** Sum of two hashes. */
export function addHash(x: StateHash, y: StateHash): StateHash {
  return [(x[0] + y[0]) >>> 0, (x[1] + y[1]) >>> 0];
}

/** Difference of two hashes. */
export function subtractHash(x: StateHash, y: StateHash): StateHash {
  return [(x[0] - y[0]) >>> 0, (x[1] - y[1]) >>> 0];
}

/** A hash as eight bytes: first lane, second lane, both big-endian, so that it prints as it reads. */
export function hashBytes(hash: StateHash): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, hash[0]);
  view.setUint32(4, hash[1]);
  return bytes;
}

/** Whether a page holds only zeros. */
export function isZero(page: Uint32Array): boolean {
  for (let i = 0; i < page.length; i++) if (page[i] !== 0) return false;
  return true;
}

function roundA(lane: number, word: number): number {
  const sum = (lane + Math.imul(word, MULTIPLY_A1)) | 0;
  return Math.imul((sum << 13) | (sum >>> 19), MULTIPLY_A2);
}

function roundB(lane: number, word: number): number {
  const sum = (lane + Math.imul(word, MULTIPLY_B1)) | 0;
  return Math.imul((sum << 17) | (sum >>> 15), MULTIPLY_B2);
}
