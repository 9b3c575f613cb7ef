import type { Ops, Value } from "./ops.ts";
import type { Operand, Row } from "./row.ts";
import { scalar } from "./operands.ts";
import { shuffle, simdRow, zeroVector } from "./simd_common.ts";
import { vectorFixed } from "./simd_operands.ts";

/** The Cryptographic Extension of Armv8.0-A: AES, SHA-1, SHA-256 (Arm ARM C4.1.96). */

function aesRow(name: string, opcode: string, execute: (o: Ops, helper: string) => Value): Row {
  const helper = name.toLowerCase();
  return simdRow(name, `01001110 00 10100 ${opcode} 10 Rn Rd`, {
    assembly: [{
      mnemonic: helper,
      operands: [vectorFixed("Rd", "16b"), vectorFixed("Rn", "16b")],
    }],
    execute: (o) => o.setV("Rd", execute(o, helper)),
  });
}

function round(o: Ops, helper: string): Value {
  return o.helper(helper, "v128", o.v("Rd"), o.v("Rn"));
}

function mix(o: Ops, helper: string): Value {
  return o.helper(helper, "v128", o.v("Rn"));
}

function threeRegisterRow(
  name: string,
  opcode: string,
  [d, n]: readonly [Operand, Operand],
  result: (o: Ops) => Value,
): Row {
  return simdRow(name, `01011110 00 0 Rm 0 ${opcode} 00 Rn Rd`, {
    assembly: [{ mnemonic: name.toLowerCase(), operands: [d, n, vectorFixed("Rm", "4s")] }],
    execute: (o) => o.setV("Rd", result(o)),
  });
}

function twoRegisterRow(
  name: string,
  opcode: string,
  operands: readonly Operand[],
  result: (o: Ops) => Value,
): Row {
  return simdRow(name, `01011110 00 10100 ${opcode} 10 Rn Rd`, {
    assembly: [{ mnemonic: name.toLowerCase(), operands }],
    execute: (o) => o.setV("Rd", result(o)),
  });
}

/** Hash rounds: a helper of that name. */
function hash(helper: string): (o: Ops) => Value {
  return (o) => o.helper(helper, "v128", o.v("Rd"), o.v("Rn"), o.v("Rm"));
}

/** The exclusive or of vectors. */
export function xor(o: Ops, ...values: Value[]): Value {
  return values.reduce((a, b) => o.plain("v128.xor", a, b));
}

/** Every word rotated left. */
export function rotatedLeft(o: Ops, value: Value, by: number): Value {
  const left = o.plain("i32x4.shl", value, o.c32(by));
  return o.plain("v128.or", left, o.plain("i32x4.shr_u", value, o.c32(32 - by)));
}

/** Words of `a` (0 to 3) and `b` (4 to 7). */
export function words(o: Ops, a: Value, b: Value, which: readonly number[]): Value {
  return shuffle(o, a, b, (i) => which[i >> 2] * 4 + (i & 3));
}

function sha1Schedule0(o: Ops): Value {
  const d = o.v("Rd");
  return xor(o, words(o, d, o.v("Rn"), [2, 3, 4, 5]), d, o.v("Rm"));
}

function sha1Schedule1(o: Ops): Value {
  const zero = zeroVector(o);
  const sum = xor(o, o.v("Rd"), words(o, o.v("Rn"), zero, [1, 2, 3, 4]));
  const first = words(o, rotatedLeft(o, sum, 2), zero, [4, 4, 4, 0]);
  return xor(o, rotatedLeft(o, sum, 1), first);
}

/** The message schedule's sigma functions: two rotations to the right and a shift. */
function sigma(o: Ops, value: Value, [a, b, shift]: readonly [number, number, number]): Value {
  const shifted = o.plain("i32x4.shr_u", value, o.c32(shift));
  return xor(o, rotatedLeft(o, value, 32 - a), rotatedLeft(o, value, 32 - b), shifted);
}

function sha256Schedule0(o: Ops): Value {
  const d = o.v("Rd");
  const next = words(o, d, o.v("Rn"), [1, 2, 3, 4]);
  return o.plain("i32x4.add", d, sigma(o, next, [7, 18, 3]));
}

/** Two words at a time: the last two follow from the first two. */
function sha256Schedule1(o: Ops): Value {
  const m = o.v("Rm"), zero = zeroVector(o);
  const base = o.plain("i32x4.add", o.v("Rd"), words(o, o.v("Rn"), m, [1, 2, 3, 4]));
  const first = o.plain("i32x4.add", base, sigma(o, words(o, m, zero, [2, 3, 4, 4]), [17, 19, 10]));
  const last = sigma(o, words(o, first, zero, [4, 4, 0, 1]), [17, 19, 10]);
  return o.plain("i32x4.add", first, last);
}

const QUAD = scalar("Rd", "q"), WORDS = vectorFixed("Rd", "4s");
const HASH: readonly [Operand, Operand] = [QUAD, scalar("Rn", "s")];
const HASH_256: readonly [Operand, Operand] = [QUAD, scalar("Rn", "q")];
const SCHEDULE: readonly [Operand, Operand] = [WORDS, vectorFixed("Rn", "4s")];

/** All of them. */
export const SIMD_CRYPTO: readonly Row[] = [
  aesRow("AESE", "00100", round),
  aesRow("AESD", "00101", round),
  aesRow("AESMC", "00110", mix),
  aesRow("AESIMC", "00111", mix),
  threeRegisterRow("SHA1C", "000", HASH, hash("sha1c")),
  threeRegisterRow("SHA1P", "001", HASH, hash("sha1p")),
  threeRegisterRow("SHA1M", "010", HASH, hash("sha1m")),
  threeRegisterRow("SHA1SU0", "011", SCHEDULE, sha1Schedule0),
  threeRegisterRow("SHA256H", "100", HASH_256, hash("sha256h")),
  threeRegisterRow("SHA256H2", "101", HASH_256, hash("sha256h2")),
  threeRegisterRow("SHA256SU1", "110", SCHEDULE, sha256Schedule1),
  twoRegisterRow(
    "SHA1H",
    "00000",
    [scalar("Rd", "s"), scalar("Rn", "s")],
    (o) => o.plain("i32.rotl", o.vLow("Rn", 0), o.c32(30)),
  ),
  twoRegisterRow("SHA1SU1", "00001", SCHEDULE, sha1Schedule1),
  twoRegisterRow("SHA256SU0", "00010", SCHEDULE, sha256Schedule0),
];
