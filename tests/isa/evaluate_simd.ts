/**
 * The helpers that rows of Advanced SIMD call, on BigInts and from the manual's definitions: exact
 * integers, rounded and saturated as the pseudocode says (J1, shared/functions).
 *
 * A `shape` is log2 of the element's bytes, and above it the number of elements.
 */

type Reading = "s" | "u" | "S" | "U";
type Result = "same" | "wide";

function elementOf(vector: bigint, i: number, bits: number, isSigned: boolean): bigint {
  const raw = vector >> BigInt(i * bits);
  return isSigned ? BigInt.asIntN(bits, raw) : BigInt.asUintN(bits, raw);
}

/** Applies `each` to the elements that `readings` tell; capitals are elements of twice the size. */
function elementwise(
  readings: string,
  each: (bits: number, ...operands: bigint[]) => bigint,
  result: Result = "same",
): (...operands: bigint[]) => bigint {
  return (...operands) => {
    const shape = Number(operands[operands.length - 1]);
    const bits = 8 << (shape & 3), count = shape >> 2;
    const out = result === "wide" ? 2 * bits : bits;
    let all = 0n;
    for (let i = 0; i < count; i++) {
      const values = [...readings as Iterable<Reading>].map((reading, n) =>
        elementOf(
          operands[n],
          i,
          /[SU]/.test(reading) ? 2 * bits : bits,
          reading.toLowerCase() === "s",
        )
      );
      all |= BigInt.asUintN(out, each(bits, ...values)) << BigInt(i * out);
    }
    return all;
  };
}

/** The manual's shifts by a signed amount: to the right by a negative one, rounded or not. */
function shifted(value: bigint, amount: bigint, round: boolean): bigint {
  if (amount >= 0n) return value << amount;
  const rounding = round ? 1n << (-amount - 1n) : 0n;
  return (value + rounding) >> -amount;
}

function shiftByRegister(reading: "s" | "u", round: boolean) {
  return elementwise(
    reading + "s",
    (_, a, b) => shifted(a, BigInt.asIntN(8, b), round),
  );
}

function polynomialProduct(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let i = 0n; b >> i > 0n; i++) if (b >> i & 1n) product ^= a << i;
  return product;
}

function leadingZeros(a: bigint, bits: number): bigint {
  return a === 0n ? BigInt(bits) : BigInt(bits - a.toString(2).length);
}

function ones(bits: number | bigint): bigint {
  return (1n << BigInt(bits)) - 1n;
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

// ---- cryptography ----

function bytesOf(vector: bigint): number[] {
  return Array.from({ length: 16 }, (_, i) => Number(vector >> BigInt(8 * i) & 0xffn));
}

function vectorOf(parts: readonly (number | bigint)[], bits: bigint): bigint {
  return parts.reduceRight<bigint>((high, part) => high << bits | BigInt(part), 0n);
}

/** The product in GF(2^8), by the polynomial of AES if none is named. */
function fieldProduct(a: number, b: number, polynomial = 0x11b): number {
  let product = Number(polynomialProduct(BigInt(a), BigInt(b)));
  for (let bit = 14; bit >= 8; bit--) if (product >> bit & 1) product ^= polynomial << (bit - 8);
  return product;
}

const BOX: readonly number[] = Array.from({ length: 256 }, (_, a) => {
  const inverse = Array.from({ length: 256 }, (_, b) => b)
    .find((b) => fieldProduct(a, b) === 1) ?? 0;
  const bit = (i: number) => inverse >> (i % 8) & 1;
  let mapped = 0;
  for (let i = 0; i < 8; i++) {
    mapped |= (bit(i) ^ bit(i + 4) ^ bit(i + 5) ^ bit(i + 6) ^ bit(i + 7) ^ (0x63 >> i & 1)) << i;
  }
  return mapped;
});

function encryptionRound(d: bigint, n: bigint): bigint {
  const state = bytesOf(d ^ n);
  return vectorOf(state.map((_, i) => BOX[state[(i + 4 * (i % 4)) % 16]]), 8n);
}

function decryptionRound(d: bigint, n: bigint): bigint {
  const state = bytesOf(d ^ n);
  return vectorOf(state.map((_, i) => BOX.indexOf(state[(i + 12 * (i % 4)) % 16])), 8n);
}

function mixColumns(factors: readonly number[]) {
  return (n: bigint) => {
    const state = bytesOf(n);
    const mixed = state.map((_, i) =>
      factors.reduce((sum, factor, k) => sum ^ fieldProduct(factor, state[i & 12 | (i + k) & 3]), 0)
    );
    return vectorOf(mixed, 8n);
  };
}

type Mix = (x: bigint, y: bigint, z: bigint) => bigint;

const choose: Mix = (x, y, z) => (y ^ z) & x ^ z;
const parity: Mix = (x, y, z) => x ^ y ^ z;
const majority: Mix = (x, y, z) => x & y | (x | y) & z;

function word(vector: bigint, i: number): bigint {
  return elementOf(vector, i, 32, false);
}

function rotatedLeft(value: bigint, by: number, bits = 32): bigint {
  const n = BigInt(by);
  return BigInt.asUintN(bits, value << n) | value >> (BigInt(bits) - n);
}

/** SHA1C, SHA1P, SHA1M with ROL(Y:X, 32) as the manual has it. */
function sha1(mix: Mix) {
  return (hash: bigint, n: bigint, schedule: bigint) => {
    let x = hash, y = word(n, 0);
    for (let e = 0; e < 4; e++) {
      const t = mix(word(x, 1), word(x, 2), word(x, 3));
      y = BigInt.asUintN(32, y + rotatedLeft(word(x, 0), 5) + t + word(schedule, e));
      x = x & ~(ones(32) << 32n) | rotatedLeft(word(x, 1), 30) << 32n;
      const both = rotatedLeft(y << 128n | x, 32, 160);
      y = both >> 128n;
      x = BigInt.asUintN(128, both);
    }
    return x;
  };
}

/** SHA256hash(). */
function sha256(x: bigint, y: bigint, schedule: bigint, part1: boolean): bigint {
  const sum = (value: bigint, by: readonly number[]) =>
    by.reduce((all, n) => all ^ rotatedLeft(value, 32 - n), 0n);
  for (let e = 0; e < 4; e++) {
    const chosen = choose(word(y, 0), word(y, 1), word(y, 2));
    const most = majority(word(x, 0), word(x, 1), word(x, 2));
    const t = word(y, 3) + sum(word(y, 0), [6, 11, 25]) + chosen + word(schedule, e);
    const high = (vector: bigint, value: bigint) =>
      vector & ones(96) | BigInt.asUintN(32, value) << 96n;
    const nextX = high(x, t + word(x, 3));
    y = high(y, t + sum(word(x, 0), [2, 13, 22]) + most);
    const both = rotatedLeft(y << 128n | nextX, 32, 256);
    y = both >> 128n;
    x = BigInt.asUintN(128, both);
  }
  return part1 ? x : y;
}

/** The S-box of SM4: an affine map, the inverse in GF(2^8), the same map. */
const SM4_BOX: readonly number[] = Array.from({ length: 256 }, (_, a) => {
  const map = (x: number) => {
    let mapped = 0;
    for (let i = 0; i < 8; i++) {
      const row = (0xa7 << i | 0xa7 >> (8 - i)) & 0xff;
      const isOdd = (row & x).toString(2).replaceAll("0", "").length % 2;
      mapped |= (isOdd ^ (0xd3 >> i & 1)) << i;
    }
    return mapped;
  };
  const mapped = map(a);
  const inverse = Array.from({ length: 256 }, (_, b) => b)
    .find((b) => fieldProduct(mapped, b, 0x1f5) === 1) ?? 0;
  return map(inverse);
});

/** SM4E and SM4EKEY with the rotations of their linear transformation. */
function sm4(by: readonly number[]) {
  return (state: bigint, keys: bigint) => {
    let x = state;
    for (let e = 0; e < 4; e++) {
      const mixed = word(x, 3) ^ word(x, 2) ^ word(x, 1) ^ word(keys, e);
      const substituted = vectorOf(
        [0n, 8n, 16n, 24n].map((shift) => SM4_BOX[Number(mixed >> shift & 0xffn)]),
        8n,
      );
      const next = by.reduce((all, n) => all ^ rotatedLeft(substituted, n), substituted);
      x = x >> 32n | (next ^ word(x, 0)) << 96n;
    }
    return x;
  };
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
  aese: encryptionRound,
  aesd: decryptionRound,
  aesmc: mixColumns([2, 3, 1, 1]),
  aesimc: mixColumns([14, 11, 13, 9]),
  sha1c: sha1(choose),
  sha1p: sha1(parity),
  sha1m: sha1(majority),
  sha256h: (d, n, m) => sha256(d, n, m, true),
  sha256h2: (d, n, m) => sha256(n, d, m, false),
  sm4e: sm4([2, 10, 18, 24]),
  sm4ekey: sm4([13, 23]),
};

/** What a helper of {@linkcode SATURATING_HELPERS} gives. */
export interface Saturating {
  readonly value: bigint;
  /** FPSR.QC is set. */
  readonly saturated: boolean;
}

/** Saturates what `each` gives to signed (`s`) or unsigned (`u`) elements. */
function saturating(
  readings: string,
  to: "s" | "u",
  each: (bits: number, ...operands: bigint[]) => bigint,
  result: Result = "same",
): (...operands: bigint[]) => Saturating {
  return (...operands) => {
    let saturated = false;
    const value = elementwise(readings, (bits, ...values) => {
      const limited = saturate(each(bits, ...values), result === "wide" ? 2 * bits : bits, to);
      saturated ||= limited.saturated;
      return limited.value;
    }, result)(...operands);
    return { value, saturated };
  };
}

/** SatQ(). */
function saturate(value: bigint, bits: number, to: "s" | "u"): Saturating {
  const most = to === "s" ? ones(bits - 1) : ones(bits), least = to === "s" ? -most - 1n : 0n;
  if (value > most) return { value: most, saturated: true };
  return value < least ? { value: least, saturated: true } : { value, saturated: false };
}

function saturatingShift(reading: "s" | "u", to: "s" | "u", round: boolean) {
  return saturating(
    reading + "s",
    to,
    (_, a, b) => shifted(a, BigInt.asIntN(8, b), round),
  );
}

function narrowing(reading: "S" | "U", to: "s" | "u", round: boolean) {
  return saturating(reading + "u", to, (_, a, n) => {
    const by = n & 255n;
    return shifted(a, -by, round && by > 0n);
  });
}

/** SQDMLAL and SQDMLSL saturate the product, then the sum. */
function doublingSum(sign: bigint): (...operands: bigint[]) => Saturating {
  return (...operands) => {
    let saturated = false;
    const sum = saturating("ssS", "s", (bits, a, b, d) => {
      const product = saturate(2n * a * b, 2 * bits, "s");
      saturated ||= product.saturated;
      return d + sign * product.value;
    }, "wide")(...operands);
    return { value: sum.value, saturated: saturated || sum.saturated };
  };
}

function accumulatingHighHalf(sign: bigint): (...operands: bigint[]) => Saturating {
  return saturating("sss", "s", (w, a, b, d) => {
    const sum = (d << BigInt(w)) + sign * 2n * a * b + (1n << BigInt(w - 1));
    return sum >> BigInt(w);
  });
}

/** `Ops.cumulative` functions. */
export const SATURATING_HELPERS: Readonly<Record<string, (...operands: bigint[]) => Saturating>> = {
  sqadd: saturating("ss", "s", (_, a, b) => a + b),
  uqadd: saturating("uu", "u", (_, a, b) => a + b),
  sqsub: saturating("ss", "s", (_, a, b) => a - b),
  uqsub: saturating("uu", "u", (_, a, b) => a - b),
  suqadd: saturating("us", "s", (_, a, d) => a + d),
  usqadd: saturating("su", "u", (_, a, d) => a + d),
  sqabs: saturating("s", "s", (_, a) => a < 0n ? -a : a),
  sqneg: saturating("s", "s", (_, a) => -a),
  sqshl: saturatingShift("s", "s", false),
  uqshl: saturatingShift("u", "u", false),
  sqrshl: saturatingShift("s", "s", true),
  uqrshl: saturatingShift("u", "u", true),
  sqshlu: saturatingShift("s", "u", false),
  sqshrn: narrowing("S", "s", false),
  uqshrn: narrowing("U", "u", false),
  sqshrun: narrowing("S", "u", false),
  sqrshrn: narrowing("S", "s", true),
  uqrshrn: narrowing("U", "u", true),
  sqrshrun: narrowing("S", "u", true),
  sqdmulh: saturating("ss", "s", (w, a, b) => 2n * a * b >> BigInt(w)),
  sqrdmulh: saturating("ss", "s", (w, a, b) => (2n * a * b + (1n << BigInt(w - 1))) >> BigInt(w)),
  sqrdmlah: accumulatingHighHalf(1n),
  sqrdmlsh: accumulatingHighHalf(-1n),
  sqdmull: saturating("ss", "s", (_, a, b) => 2n * a * b, "wide"),
  sqdmlal: doublingSum(1n),
  sqdmlsl: doublingSum(-1n),
};
