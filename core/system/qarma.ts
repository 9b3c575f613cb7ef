/**
 * QARMA5-64 as pointer authentication uses it: ComputePAC() of the Arm ARM (J1, shared/functions/
 * pac). 64-bit numbers are 16 cells of four bits, lowest first.
 */

/** Output cell n comes from input cell SHUFFLE[n]. */
const SHUFFLE = [13, 6, 11, 0, 7, 12, 1, 10, 8, 3, 14, 5, 2, 9, 4, 15] as const;
const INVERSE_SHUFFLE = SHUFFLE.map((_, n) => SHUFFLE.findIndex((from) => from === n));
const SUB = [0xb, 6, 8, 0xf, 0xc, 0, 9, 0xe, 3, 7, 4, 5, 0xd, 2, 1, 0xa] as const;
const INVERSE_SUB = SUB.map((_, n) => SUB.findIndex((to) => to === n));
/** Where a cell of the tweak comes from, and which of them go through the shift register. */
const TWEAK = [4, 5, 6, 7, 11, 2, 3, 8, 12, 13, 14, 15, 0, 1, 10, 9] as const;
const INVERSE_TWEAK = TWEAK.map((_, n) => TWEAK.findIndex((from) => from === n));
const ROTATED: ReadonlySet<number> = new Set([2, 4, 7, 11, 12, 14, 15]);

const ROUND_CONSTANTS = [
  0n,
  0x1319_8a2e_0370_7344n,
  0xa409_3822_299f_31d0n,
  0x082e_fa98_ec4e_6c89n,
  0x4528_21e6_38d0_1377n,
].map(cellsOf);
const ALPHA = cellsOf(0xc0ac_29b7_c97c_50ddn);

type Cells = Uint8Array;

function cellsOf(value: bigint): Cells {
  const cells = new Uint8Array(16);
  let low = Number(value & 0xffff_ffffn), high = Number(value >> 32n);
  for (let n = 0; n < 8; n++, low >>>= 4, high >>>= 4) {
    cells[n] = low & 15;
    cells[n + 8] = high & 15;
  }
  return cells;
}

function valueOf(cells: Cells): bigint {
  let low = 0, high = 0;
  for (let n = 7; n >= 0; n--) {
    low = low << 4 | cells[n];
    high = high << 4 | cells[n + 8];
  }
  return BigInt(high >>> 0) << 32n | BigInt(low >>> 0);
}

function mixIn(state: Cells, other: Cells): void {
  for (let n = 0; n < 16; n++) state[n] ^= other[n];
}

const before = new Uint8Array(16);

function permute(state: Cells, from: readonly number[]): void {
  before.set(state);
  for (let n = 0; n < 16; n++) state[n] = before[from[n]];
}

function substitute(state: Cells, by: readonly number[]): void {
  for (let n = 0; n < 16; n++) state[n] = by[state[n]];
}

function rotl(cell: number, by: number): number {
  return (cell << by | cell >> (4 - by)) & 15;
}

/** PACMult(). */
function multiply(state: Cells): void {
  for (let n = 0; n < 4; n++) {
    const a = state[n], b = state[n + 4], c = state[n + 8], d = state[n + 12];
    state[n] = rotl(d, 1) ^ rotl(c, 2) ^ rotl(b, 1);
    state[n + 4] = rotl(d, 2) ^ rotl(c, 1) ^ rotl(a, 1);
    state[n + 8] = rotl(d, 1) ^ rotl(b, 1) ^ rotl(a, 2);
    state[n + 12] = rotl(c, 1) ^ rotl(b, 2) ^ rotl(a, 1);
  }
}

/** TweakShuffle(). */
function nextTweak(tweak: Cells): void {
  permute(tweak, TWEAK);
  for (const n of ROTATED) {
    const cell = tweak[n];
    tweak[n] = cell >> 1 | ((cell ^ cell >> 1) & 1) << 3;
  }
}

/** TweakInvShuffle(). */
function previousTweak(tweak: Cells): void {
  for (const n of ROTATED) {
    const cell = tweak[n];
    tweak[n] = cell << 1 & 15 | (cell ^ cell >> 3) & 1;
  }
  permute(tweak, INVERSE_TWEAK);
}

/** Results by a hash of what they came from: what a call signs its return authenticates. */
const REMEMBERED = 1 << 13, REMEMBERED_WORDS = 5;
const remembered = new BigUint64Array(REMEMBERED * REMEMBERED_WORDS);
const inputs = new BigUint64Array(3);
const halves = new Uint32Array(inputs.buffer);

/**
 * ComputePAC().
 *
 * @param high bits 127:64 of the key
 * @param low bits 63:0
 */
export function computePac(data: bigint, modifier: bigint, high: bigint, low: bigint): bigint {
  inputs[0] = data;
  inputs[1] = modifier;
  inputs[2] = high;
  const hash = Math.imul(halves[0] ^ halves[4], 0x9e37_79b1) ^ Math.imul(halves[2], 0x85eb_ca6b);
  const at = (hash >>> 19) * REMEMBERED_WORDS;
  // Of nothing but zeros an unused place would say the result is 0.
  const known = low !== 0n && remembered[at] === data && remembered[at + 1] === modifier &&
    remembered[at + 2] === high && remembered[at + 3] === low;
  if (known) return remembered[at + 4];
  const result = cipher(data, modifier, high, low);
  remembered[at] = data;
  remembered[at + 1] = modifier;
  remembered[at + 2] = high;
  remembered[at + 3] = low;
  remembered[at + 4] = result;
  return result;
}

function cipher(data: bigint, modifier: bigint, high: bigint, low: bigint): bigint {
  const key0 = cellsOf(high), key1 = cellsOf(low);
  const modified = cellsOf(BigInt.asUintN(64, high << 63n) | (high >> 1n) ^ (high >> 63n));
  const tweak = cellsOf(modifier), state = cellsOf(data ^ high);
  for (let round = 0; round <= 4; round++) {
    mixIn(state, key1);
    mixIn(state, tweak);
    mixIn(state, ROUND_CONSTANTS[round]);
    if (round > 0) {
      permute(state, SHUFFLE);
      multiply(state);
    }
    substitute(state, SUB);
    nextTweak(tweak);
  }
  mixIn(state, modified);
  mixIn(state, tweak);
  permute(state, SHUFFLE);
  multiply(state);
  substitute(state, SUB);
  permute(state, SHUFFLE);
  multiply(state);
  mixIn(state, key1);
  permute(state, INVERSE_SHUFFLE);
  substitute(state, INVERSE_SUB);
  multiply(state);
  permute(state, INVERSE_SHUFFLE);
  mixIn(state, key0);
  mixIn(state, tweak);
  for (let round = 4; round >= 0; round--) {
    substitute(state, INVERSE_SUB);
    if (round > 0) {
      multiply(state);
      permute(state, INVERSE_SHUFFLE);
    }
    previousTweak(tweak);
    mixIn(state, key1);
    mixIn(state, tweak);
    mixIn(state, ROUND_CONSTANTS[round]);
    mixIn(state, ALPHA);
  }
  mixIn(state, modified);
  return valueOf(state);
}
