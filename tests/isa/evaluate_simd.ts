import { CRYPTO_HELPERS } from "./evaluate_crypto.ts";
import { elementOf, elementwise, ones, polynomialProduct, shifted } from "./evaluate_elements.ts";

/**
 * The helpers that rows of Advanced SIMD call, on BigInts and from the manual's definitions: exact
 * integers, rounded and saturated as the pseudocode says (J1, shared/functions).
 */

function shiftByRegister(reading: "s" | "u", round: boolean) {
  return elementwise(
    reading + "s",
    (_, a, b) => shifted(a, BigInt.asIntN(8, b), round),
  );
}

function leadingZeros(a: bigint, bits: number): bigint {
  return a === 0n ? BigInt(bits) : BigInt(bits - a.toString(2).length);
}

/** The low `count` vectors of four, one after the other, and what the last two operands ask for. */
function structures(
  vectors: readonly bigint[],
  size: bigint,
  part: bigint,
): { bits: number; count: number; which: number } {
  if (vectors.length !== 4) throw new Error("four vectors are expected");
  return { bits: 8 << Number(size), count: Number(part >> 8n), which: Number(part >> 4n & 15n) };
}

/** Register `which` of structures of `count` elements in memory. */
function deinterleave(...operands: bigint[]): bigint {
  const vectors = operands.slice(0, 4);
  const { bits, count, which } = structures(vectors, operands[4], operands[5]);
  const memory = vectors.reduceRight((high, v) => high << 128n | v, 0n);
  let all = 0n;
  for (let e = 0; e < 128 / bits; e++) {
    all |= elementOf(memory, e * count + which, bits, false) << BigInt(e * bits);
  }
  return all;
}

/** 16 bytes number `which` of the structures that the registers make. */
function interleave(...operands: bigint[]): bigint {
  const vectors = operands.slice(0, 4);
  const { bits, count, which } = structures(vectors, operands[4], operands[5]);
  let memory = 0n;
  for (let e = 0; e < 128 / bits; e++) {
    for (let r = 0; r < count; r++) {
      memory |= elementOf(vectors[r], e, bits, false) << BigInt((e * count + r) * bits);
    }
  }
  return BigInt.asUintN(128, memory >> BigInt(128 * which));
}

/** The extreme of all elements. */
function extreme(isSigned: boolean, prefers: (a: bigint, b: bigint) => boolean) {
  return (vector: bigint, size: bigint) => {
    const bits = 8 << Number(size);
    const values = Array.from(
      { length: 128 / bits },
      (_, i) => elementOf(vector, i, bits, isSigned),
    );
    return BigInt.asUintN(bits, values.reduce((a, b) => prefers(b, a) ? b : a));
  };
}

// ---- estimates ----

/** UnsignedRecipEstimate(). */
function reciprocalEstimate(a: bigint): bigint {
  if (!(a >> 31n)) return ones(32);
  const input = (a >> 23n) * 2n + 1n;
  return ((1n << 19n) / input + 1n) / 2n << 23n;
}

/** UnsignedRSqrtEstimate(). */
function rootEstimate(operand: bigint): bigint {
  if (!(operand >> 30n)) return ones(32);
  let a = operand >> 23n;
  a = a < 256n ? a * 2n + 1n : ((a >> 1n << 1n) + 1n) * 2n;
  let b = 512n;
  while (a * (b + 1n) * (b + 1n) < 1n << 28n) b++;
  return (b + 1n) / 2n << 23n;
}

/** `Ops.helper` functions. */
export const SIMD_HELPERS: Readonly<Record<string, (...operands: bigint[]) => bigint>> = {
  shadd: elementwise("ss", (_, a, b) => (a + b) >> 1n),
  uhadd: elementwise("uu", (_, a, b) => (a + b) >> 1n),
  srhadd: elementwise("ss", (_, a, b) => (a + b + 1n) >> 1n),
  urhadd: elementwise("uu", (_, a, b) => (a + b + 1n) >> 1n),
  shsub: elementwise("ss", (_, a, b) => (a - b) >> 1n),
  uhsub: elementwise("uu", (_, a, b) => (a - b) >> 1n),
  sshl: shiftByRegister("s", false),
  ushl: shiftByRegister("u", false),
  srshl: shiftByRegister("s", true),
  urshl: shiftByRegister("u", true),
  add: elementwise("uu", (_, a, b) => a + b),
  addhn: elementwise("UU", (w, a, b) => (a + b) >> BigInt(w)),
  raddhn: elementwise("UU", (w, a, b) => (a + b + (1n << BigInt(w - 1))) >> BigInt(w)),
  subhn: elementwise("UU", (w, a, b) => (a - b) >> BigInt(w)),
  rsubhn: elementwise("UU", (w, a, b) => (a - b + (1n << BigInt(w - 1))) >> BigInt(w)),
  sli: elementwise("uuu", (_, a, d, n) => a << (n & 255n) | d & ones(n & 255n)),
  sri: elementwise("uuu", (w, a, d, n) => {
    const by = n & 255n;
    return a >> by | d & ~(ones(w) >> by);
  }),
  pmul: elementwise("uu", (_, a, b) => polynomialProduct(a, b)),
  pmull: elementwise("uu", (_, a, b) => polynomialProduct(a, b), "wide"),
  pmull64: polynomialProduct,
  clz: elementwise("u", (w, a) => leadingZeros(a, w)),
  cls: elementwise("s", (w, a) => leadingZeros(a < 0n ? ~a : a, w) - 1n),
  urecpe: elementwise("u", (_, a) => reciprocalEstimate(a)),
  ursqrte: elementwise("u", (_, a) => rootEstimate(a)),
  smaxv: extreme(true, (a, b) => a > b),
  sminv: extreme(true, (a, b) => a < b),
  umaxv: extreme(false, (a, b) => a > b),
  uminv: extreme(false, (a, b) => a < b),
  deinterleave,
  interleave,
  ...CRYPTO_HELPERS,
};
