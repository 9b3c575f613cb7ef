import { elementOf, ones, polynomialProduct } from "./evaluate_elements.ts";

/** The cryptographic helpers that rows call, on BigInts and from the manual's definitions. */

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
export const CRYPTO_HELPERS: Readonly<Record<string, (...operands: bigint[]) => bigint>> = {
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
