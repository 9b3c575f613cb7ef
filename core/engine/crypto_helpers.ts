import { LAYOUT } from "./layout.ts";
import {
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  lanes,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * Helpers of the Cryptographic Extension: AES, SHA-1, SHA-256, SM4 and the polynomial product of
 * 64 bits (Arm ARM C7.2, shared/functions/crypto). All take and give whole vectors.
 */

/** The S-box of AES (FIPS 197, 5.1.1) and its inverse, 256 bytes each. */
const BOX = LAYOUT.helperTables + 0x1000, INVERSE_BOX = BOX + 0x100;
/** The S-box of SM4 (GB/T 32907-2016, 6.2), 256 bytes. */
const SM4_BOX = BOX + 0x200;
/** Where the 16 bytes stand that are substituted. */
const STATE = LAYOUT.helperTables + 0x8080;

/** Defines them; gives them by name. */
export function defineCryptoHelpers(m: ModuleBuilder): [string, FunctionReference][] {
  const box = makeBox();
  m.data(BOX, box);
  m.data(INVERSE_BOX, Uint8Array.from(box, (_, i) => box.indexOf(i)));
  m.data(SM4_BOX, makeSm4Box());
  return [
    ["aese", defineSubstitution(m, BOX, (i) => (5 * i) % 16)],
    ["aesd", defineSubstitution(m, INVERSE_BOX, (i) => (13 * i) % 16)],
    ["aesmc", defineMixColumns(m, false)],
    ["aesimc", defineMixColumns(m, true)],
    ["sha1c", defineSha1(m, choose)],
    ["sha1p", defineSha1(m, parity)],
    ["sha1m", defineSha1(m, majority)],
    ["sha256h", defineSha256(m, true)],
    ["sha256h2", defineSha256(m, false)],
    ["pmull64", definePolynomialProduct(m)],
    ["sm4e", defineSm4(m, [2, 10, 18, 24])],
    ["sm4ekey", defineSm4(m, [13, 23])],
  ];
}

// ---- AES ----

/** The inverse in GF(2^8) by a polynomial, zero of zero: the 254th power. */
function inverseOf(a: number, polynomial: number): number {
  const product = (a: number, b: number) => {
    let sum = 0;
    for (let x = a, rest = b; rest; rest >>= 1, x = (x << 1) ^ (x & 0x80 ? polynomial : 0)) {
      if (rest & 1) sum ^= x;
    }
    return sum;
  };
  let inverse = 1;
  for (let i = 0; i < 254; i++) inverse = product(inverse, a);
  return inverse;
}

/** FIPS 197, 5.1.1: the inverse in GF(2^8), then an affine map. */
function makeBox(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, a) => {
    const inverse = inverseOf(a, 0x11b);
    let mapped = 0x63;
    for (let by = 0; by < 5; by++) mapped ^= (inverse << by) | (inverse >> (8 - by));
    return mapped & 0xff;
  });
}

/** `SubBytes(ShiftRows(a EOR b))` or its inverse; `from` says where byte i comes from. */
function defineSubstitution(
  m: ModuleBuilder,
  box: number,
  from: (i: number) => number,
): FunctionReference {
  const { reference, body: f } = m.function(["v128", "v128"], "v128");
  const state = op("v128.xor", f.parameter(0), f.parameter(1));
  f.store("v128.store", i32(STATE), state);
  for (let i = 0; i < 16; i++) {
    const substitute = load("i32.load8_u", load("i32.load8_u", i32(STATE + from(i))), box);
    f.store("i32.store8", i32(STATE + 16 + i), substitute);
  }
  f.return(load("v128.load", i32(STATE + 16)));
  return reference;
}

/** The rows of each column rotated: byte i of a column comes from byte i + by. */
function columnsRotated(value: Expression, by: number): Expression {
  const bytes = Array.from({ length: 16 }, (_, i) => (i & 12) | ((i + by) & 3));
  return lanes("i8x16.shuffle", bytes, value, value);
}

/** Every byte times x in GF(2^8). */
function timesX(value: Expression): Expression {
  const carry = op("i8x16.shr_s", value, i32(7));
  const reduction = op("v128.and", carry, op("i8x16.splat", i32(0x1b)));
  return op("v128.xor", op("i8x16.add", value, value), reduction);
}

/** MixColumns(), or its inverse: MixColumns() after adding 4(a + c) to a and c, 4(b + d) to b and d. */
function defineMixColumns(m: ModuleBuilder, inverse: boolean): FunctionReference {
  const { reference, body: f } = m.function(["v128"], "v128");
  const state = f.parameter(0);
  const temporary = f.local("v128");
  if (inverse) {
    f.set(temporary, op("v128.xor", state, columnsRotated(state, 2)));
    f.set(temporary, timesX(temporary));
    f.set(state, op("v128.xor", state, timesX(temporary)));
  }
  const next = columnsRotated(state, 1);
  f.set(temporary, op("v128.xor", state, next));
  const others = op("v128.xor", columnsRotated(state, 2), columnsRotated(state, 3));
  f.return(op("v128.xor", timesX(temporary), op("v128.xor", next, others)));
  return reference;
}

// ---- SHA ----

type Mix = (x: Expression, y: Expression, z: Expression) => Expression;

function choose(x: Expression, y: Expression, z: Expression): Expression {
  return op("i32.xor", op("i32.and", op("i32.xor", y, z), x), z);
}

function parity(x: Expression, y: Expression, z: Expression): Expression {
  return op("i32.xor", op("i32.xor", x, y), z);
}

function majority(x: Expression, y: Expression, z: Expression): Expression {
  return op("i32.or", op("i32.and", x, y), op("i32.and", op("i32.or", x, y), z));
}

function sum(...terms: Expression[]): Expression {
  return terms.reduce((a, b) => op("i32.add", a, b));
}

/** The elements of a vector in locals. */
function wordsOf(f: FunctionBuilder, vector: Expression): Local[] {
  return [0, 1, 2, 3].map((n) => {
    const word = f.local("i32");
    f.set(word, lanes("i32x4.extract_lane", n, vector));
    return word;
  });
}

function vectorOf(words: readonly Expression[]): Expression {
  return words.reduce(
    (vector, word, n) => n === 0 ? vector : lanes("i32x4.replace_lane", n, vector, word),
    op("i32x4.splat", words[0]),
  );
}

/** SHA1C, SHA1P, SHA1M: four rounds on the hash `a`, with `b`'s lowest word and the schedule `c`. */
function defineSha1(m: ModuleBuilder, mix: Mix): FunctionReference {
  const { reference, body: f } = m.function(["v128", "v128", "v128"], "v128");
  let x = wordsOf(f, f.parameter(0)), [y] = wordsOf(f, f.parameter(1));
  const schedule = wordsOf(f, f.parameter(2));
  for (const word of schedule) {
    f.set(y, sum(y, op("i32.rotl", x[0], i32(5)), mix(x[1], x[2], x[3]), word));
    f.set(x[1], op("i32.rotl", x[1], i32(30)));
    [y, x] = [x[3], [y, x[0], x[1], x[2]]];
  }
  f.return(vectorOf(x));
  return reference;
}

/** SHA256H and SHA256H2: SHA256hash() of X `a`, Y `b` and the schedule `c`; gives X or Y. */
function defineSha256(m: ModuleBuilder, first: boolean): FunctionReference {
  const { reference, body: f } = m.function(["v128", "v128", "v128"], "v128");
  let x = wordsOf(f, f.parameter(first ? 0 : 1)), y = wordsOf(f, f.parameter(first ? 1 : 0));
  const schedule = wordsOf(f, f.parameter(2));
  const rotations = (word: Expression, by: readonly number[]) =>
    by.map((n) => op("i32.rotr", word, i32(n))).reduce((a, b) => op("i32.xor", a, b));
  const t = f.local("i32");
  for (const word of schedule) {
    f.set(t, sum(y[3], rotations(y[0], [6, 11, 25]), choose(y[0], y[1], y[2]), word));
    f.set(x[3], sum(t, x[3]));
    f.set(y[3], sum(t, rotations(x[0], [2, 13, 22]), majority(x[0], x[1], x[2])));
    [x, y] = [[y[3], x[0], x[1], x[2]], [x[3], y[0], y[1], y[2]]];
  }
  f.return(vectorOf(first ? x : y));
  return reference;
}

// ---- SM4 ----

/** An affine map, the inverse in GF(2^8), and the same map again. */
function makeSm4Box(): Uint8Array {
  const map = (x: number) => {
    let mapped = 0xd3;
    for (let bit = 0; bit < 8; bit++) {
      let ones = (0xa7 << bit | 0xa7 >> (8 - bit)) & x;
      for (; ones; ones &= ones - 1) mapped ^= 1 << bit;
    }
    return mapped & 0xff;
  };
  return Uint8Array.from({ length: 256 }, (_, a) => map(inverseOf(map(a), 0x1f5)));
}

/** SM4E and SM4EKEY: four rounds on the words `a` with those of `b`; `by` are the rotations. */
function defineSm4(m: ModuleBuilder, by: readonly number[]): FunctionReference {
  const { reference, body: f } = m.function(["v128", "v128"], "v128");
  let x = wordsOf(f, f.parameter(0));
  const keys = wordsOf(f, f.parameter(1)), value = f.local("i32"), substituted = f.local("i32");
  const xor = (...terms: Expression[]) => terms.reduce((a, b) => op("i32.xor", a, b));
  for (const key of keys) {
    f.set(value, xor(x[1], x[2], x[3], key));
    f.set(substituted, i32(0));
    for (const shift of [0, 8, 16, 24]) {
      const byte = op("i32.and", op("i32.shr_u", value, i32(shift)), i32(0xff));
      const substitute = op("i32.shl", load("i32.load8_u", byte, SM4_BOX), i32(shift));
      f.set(substituted, op("i32.or", substituted, substitute));
    }
    const rotated = by.map((n) => op("i32.rotl", substituted, i32(n)));
    f.set(x[0], xor(x[0], substituted, ...rotated));
    x = [x[1], x[2], x[3], x[0]];
  }
  f.return(vectorOf(x));
  return reference;
}

// ---- PMULL ----

/** `(a: i64, b: i64) → v128`: the product of polynomials over {0, 1} of 64 bits. */
function definePolynomialProduct(m: ModuleBuilder): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64"], "v128");
  const a = f.parameter(0), b = f.parameter(1);
  const low = f.local("i64"), high = f.local("i64"), above = f.local("i64"), bit = f.local("i64");
  // `above:a` is the first operand, shifted left once a round.
  f.loop((next) => {
    f.set(bit, op("i64.sub", i64(0n), op("i64.and", b, i64(1n))));
    f.set(low, op("i64.xor", low, op("i64.and", a, bit)));
    f.set(high, op("i64.xor", high, op("i64.and", above, bit)));
    f.set(above, op("i64.or", op("i64.shl", above, i64(1n)), op("i64.shr_u", a, i64(63n))));
    f.set(a, op("i64.shl", a, i64(1n)));
    f.set(b, op("i64.shr_u", b, i64(1n)));
    f.branchIf(next, op("i64.ne", b, i64(0n)));
  });
  f.return(lanes("i64x2.replace_lane", 1, op("i64x2.splat", low), high));
  return reference;
}
