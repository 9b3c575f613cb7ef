import type { Ops, Value } from "./ops.ts";
import type { Operand, Row } from "./row.ts";
import { decimal, scalar } from "./operands.ts";
import { fromHalves, lowHalf, simdRow, zeroVector } from "./simd_common.ts";
import { rotatedLeft, words, xor } from "./simd_crypto.ts";
import { elementAt, indexField, vectorFixed } from "./simd_operands.ts";

/**
 * The Cryptographic Extension of Armv8.2 (Arm ARM C4.1.96): FEAT_SHA512, FEAT_SHA3, FEAT_SM3,
 * FEAT_SM4.
 */

function operands(arrangement: string, ...fields: string[]): readonly Operand[] {
  return fields.map((field) => vectorFixed(field, arrangement));
}

function cryptoRow(
  name: string,
  pattern: string,
  feature: string,
  syntax: readonly Operand[],
  result: (o: Ops) => Value,
): Row {
  return simdRow(name, pattern, {
    feature,
    assembly: [{ mnemonic: name.toLowerCase(), operands: syntax }],
    execute: (o) => o.setV("Rd", result(o)),
  });
}

// ---- SHA-512 ----

interface Halves {
  readonly low: Value;
  readonly high: Value;
}

function halves(o: Ops, field: string): Halves {
  const vector = o.v(field);
  return { low: lowHalf(o, vector), high: o.lane("i64x2.extract_lane", 1, vector) };
}

function sum(o: Ops, ...terms: Value[]): Value {
  return terms.reduce((a, b) => o.add(a, b));
}

/** XOR of the value rotated right by each. */
function rotations(o: Ops, value: Value, by: readonly number[]): Value {
  return by.map((n) => o.rotr(value, o.c64(n))).reduce((a, b) => o.xor(a, b));
}

function sigma(o: Ops, value: Value, by: readonly number[], shift: number): Value {
  return o.xor(rotations(o, value, by), o.shrU(value, o.c64(shift)));
}

function choose(o: Ops, x: Value, y: Value, z: Value): Value {
  return o.xor(o.and(o.xor(y, z), x), z);
}

function majority(o: Ops, x: Value, y: Value, z: Value): Value {
  return o.or(o.and(x, y), o.and(o.or(x, y), z));
}

function sha512h(o: Ops): Value {
  const x = halves(o, "Rn"), y = halves(o, "Rm"), w = halves(o, "Rd");
  const by = [14, 18, 41];
  const high = sum(o, choose(o, y.high, x.low, x.high), rotations(o, y.high, by), w.high);
  const next = sum(o, high, y.low);
  const low = sum(o, choose(o, next, y.high, x.low), rotations(o, next, by), w.low);
  return fromHalves(o, low, high);
}

function sha512h2(o: Ops): Value {
  const x = halves(o, "Rn"), y = halves(o, "Rm"), w = halves(o, "Rd");
  const by = [28, 34, 39];
  const high = sum(o, majority(o, x.low, y.high, y.low), rotations(o, y.low, by), w.high);
  const low = sum(o, majority(o, high, y.low, y.high), rotations(o, high, by), w.low);
  return fromHalves(o, low, high);
}

function sha512Schedule0(o: Ops): Value {
  const w = halves(o, "Rd"), x = halves(o, "Rn");
  const sigma0 = (value: Value) => sigma(o, value, [1, 8], 7);
  return fromHalves(o, o.add(w.low, sigma0(w.high)), o.add(w.high, sigma0(x.low)));
}

function sha512Schedule1(o: Ops): Value {
  const w = halves(o, "Rd"), x = halves(o, "Rn"), y = halves(o, "Rm");
  const sigma1 = (value: Value) => sigma(o, value, [19, 61], 6);
  return fromHalves(
    o,
    sum(o, w.low, sigma1(x.low), y.low),
    sum(o, w.high, sigma1(x.high), y.high),
  );
}

// ---- SHA-3 ----

/** RAX1 and XAR. */
function rotatedHalves(o: Ops, value: Value, by: (half: Value) => Value): Value {
  const high = o.lane("i64x2.extract_lane", 1, value);
  return fromHalves(o, by(lowHalf(o, value)), by(high));
}

function exclusiveOr3(o: Ops): Value {
  return xor(o, o.v("Rn"), o.v("Rm"), o.v("Ra"));
}

function bitClearOr(o: Ops): Value {
  return xor(o, o.v("Rn"), o.plain("v128.andnot", o.v("Rm"), o.v("Ra")));
}

// ---- SM3 ----

function word(o: Ops, field: string, n: number): Value {
  return o.lane("i32x4.extract_lane", n, o.v(field));
}

function rotl(o: Ops, value: Value, by: number): Value {
  return o.plain("i32.rotl", value, o.c32(by));
}

function topWord(o: Ops, value: Value, below: Value): Value {
  return o.lane("i32x4.replace_lane", 3, below, value);
}

function sm3ss1(o: Ops): Value {
  const mixed = sum(o, rotl(o, word(o, "Rn", 3), 12), word(o, "Rm", 3), word(o, "Ra", 3));
  return topWord(o, rotl(o, mixed, 7), zeroVector(o));
}

/** What the first two rounds' functions of SM3 have in common. */
function sm3Round(o: Ops, by: number, top: Value): Value {
  const moved = words(o, o.v("Rd"), zeroVector(o), [1, 2, 3, 4]);
  const turned = o.lane("i32x4.replace_lane", 1, moved, rotl(o, word(o, "Rd", 2), by));
  return topWord(o, top, turned);
}

type Mix = (o: Ops, x: Value, y: Value, z: Value) => Value;

const parity: Mix = (o, x, y, z) => o.xor(o.xor(x, y), z);

/** SM3TT1A, SM3TT1B: `element` is Wj'. */
function sm3tt1(mix: Mix) {
  return (o: Ops, element: Value) => {
    const [a, b, c, d] = [3, 2, 1, 0].map((n) => word(o, "Rd", n));
    const ss2 = o.xor(word(o, "Rn", 3), rotl(o, a, 12));
    return sm3Round(o, 9, sum(o, mix(o, a, b, c), d, ss2, element));
  };
}

/** SM3TT2A, SM3TT2B: `element` is Wj. */
function sm3tt2(mix: Mix) {
  return (o: Ops, element: Value) => {
    const [a, b, c, d] = [3, 2, 1, 0].map((n) => word(o, "Rd", n));
    const tt2 = sum(o, mix(o, a, b, c), d, word(o, "Rn", 3), element);
    return sm3Round(o, 19, parity(o, tt2, rotl(o, tt2, 9), rotl(o, tt2, 17)));
  };
}

/** P1 of SM3 on words. */
function sm3p1(o: Ops, value: Value): Value {
  return xor(o, value, rotatedLeft(o, value, 15), rotatedLeft(o, value, 23));
}

/** The last word needs the first of the result. */
function sm3PartW1(o: Ops): Value {
  const zero = zeroVector(o);
  const turned = rotatedLeft(o, words(o, o.v("Rm"), zero, [1, 2, 3, 4]), 15);
  const mixed = xor(o, o.v("Rd"), o.v("Rn"), turned);
  const first = words(o, sm3p1(o, mixed), zero, [4, 4, 4, 0]);
  return sm3p1(o, xor(o, mixed, rotatedLeft(o, first, 15)));
}

function sm3PartW2(o: Ops): Value {
  const mixed = xor(o, o.v("Rn"), rotatedLeft(o, o.v("Rm"), 7));
  const first = rotatedLeft(o, words(o, mixed, zeroVector(o), [4, 4, 4, 0]), 15);
  return xor(o, o.v("Rd"), mixed, sm3p1(o, first));
}

function indexedRow(
  name: string,
  opcode: string,
  result: (o: Ops, element: Value) => Value,
): Row {
  return simdRow(name, `11001110010 Rm 10 imm2:2 ${opcode} Rn Rd`, {
    feature: "FEAT_SM3",
    derive: { offset: ({ imm2 }) => imm2 << 2 },
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [...operands("4s", "Rd", "Rn"), elementAt("Rm", "s", indexField("imm2", 2))],
    }],
    execute: (o) => o.setV("Rd", result(o, o.vPart("i32.load", "Rm", "offset"))),
  });
}

const THREE = "11001110011 Rm 1", TWO = "11001110110000001000", FOUR = "110011100";

const SHA: readonly Row[] = [
  cryptoRow(
    "SHA512H",
    `${THREE} 0 00 00 Rn Rd`,
    "FEAT_SHA512",
    [...["Rd", "Rn"].map((field) => scalar(field, "q")), vectorFixed("Rm", "2d")],
    sha512h,
  ),
  cryptoRow(
    "SHA512H2",
    `${THREE} 0 00 01 Rn Rd`,
    "FEAT_SHA512",
    [...["Rd", "Rn"].map((field) => scalar(field, "q")), vectorFixed("Rm", "2d")],
    sha512h2,
  ),
  cryptoRow(
    "SHA512SU1",
    `${THREE} 0 00 10 Rn Rd`,
    "FEAT_SHA512",
    operands("2d", "Rd", "Rn", "Rm"),
    sha512Schedule1,
  ),
  cryptoRow(
    "SHA512SU0",
    `${TWO} 00 Rn Rd`,
    "FEAT_SHA512",
    operands("2d", "Rd", "Rn"),
    sha512Schedule0,
  ),
  cryptoRow(
    "RAX1",
    `${THREE} 0 00 11 Rn Rd`,
    "FEAT_SHA3",
    operands("2d", "Rd", "Rn", "Rm"),
    (o) => xor(o, o.v("Rn"), rotatedHalves(o, o.v("Rm"), (half) => o.rotr(half, o.c64(63)))),
  ),
  cryptoRow(
    "EOR3",
    `${FOUR} 00 Rm 0 Ra Rn Rd`,
    "FEAT_SHA3",
    operands("16b", "Rd", "Rn", "Rm", "Ra"),
    exclusiveOr3,
  ),
  cryptoRow(
    "BCAX",
    `${FOUR} 01 Rm 0 Ra Rn Rd`,
    "FEAT_SHA3",
    operands("16b", "Rd", "Rn", "Rm", "Ra"),
    bitClearOr,
  ),
  cryptoRow(
    "XAR",
    "11001110100 Rm imm6:6 Rn Rd",
    "FEAT_SHA3",
    [...operands("2d", "Rd", "Rn", "Rm"), decimal("imm6")],
    (o) => {
      const by = o.extendU(o.immediate("imm6"));
      return rotatedHalves(o, xor(o, o.v("Rn"), o.v("Rm")), (half) => o.rotr(half, by));
    },
  ),
];

const SM: readonly Row[] = [
  cryptoRow(
    "SM3SS1",
    `${FOUR} 10 Rm 0 Ra Rn Rd`,
    "FEAT_SM3",
    operands("4s", "Rd", "Rn", "Rm", "Ra"),
    sm3ss1,
  ),
  indexedRow("SM3TT1A", "00", sm3tt1(parity)),
  indexedRow("SM3TT1B", "01", sm3tt1(majority)),
  indexedRow("SM3TT2A", "10", sm3tt2(parity)),
  indexedRow("SM3TT2B", "11", sm3tt2(choose)),
  cryptoRow(
    "SM3PARTW1",
    `${THREE} 1 00 00 Rn Rd`,
    "FEAT_SM3",
    operands("4s", "Rd", "Rn", "Rm"),
    sm3PartW1,
  ),
  cryptoRow(
    "SM3PARTW2",
    `${THREE} 1 00 01 Rn Rd`,
    "FEAT_SM3",
    operands("4s", "Rd", "Rn", "Rm"),
    sm3PartW2,
  ),
  cryptoRow(
    "SM4EKEY",
    `${THREE} 1 00 10 Rn Rd`,
    "FEAT_SM4",
    operands("4s", "Rd", "Rn", "Rm"),
    (o) => o.helper("sm4ekey", "v128", o.v("Rn"), o.v("Rm")),
  ),
  cryptoRow(
    "SM4E",
    `${TWO} 01 Rn Rd`,
    "FEAT_SM4",
    operands("4s", "Rd", "Rn"),
    (o) => o.helper("sm4e", "v128", o.v("Rd"), o.v("Rn")),
  ),
];

/** All of them. */
export const SIMD_CRYPTO_LATER: readonly Row[] = [...SHA, ...SM];
