import {
  type Format,
  FpContext,
  fpDefaultNaN,
  fpInfinity,
  fpProcessNaN,
  fpRound,
  fpUnpack,
  isNaN,
  topBit,
  type Unpacked,
} from "./fp_pseudocode.ts";
import { add, log2, multiply, negate, type Rational } from "./fp_rational.ts";

/** Functions of BFloat16 on exact rationals (Arm ARM J1, shared/functions/float). */

const BRAIN: Format = { N: 16, E: 8, F: 7 };

/** FPConvertBF(). */
function convert(c: FpContext, f: Format, op: bigint): bigint {
  const a = fpUnpack(c, f, op);
  if (isNaN(a)) return fpProcessNaN(c, f, a, op) >> 16n;
  if (a.type === "Infinity") return fpInfinity(BRAIN, a.sign);
  if (a.type === "Zero") return topBit(BRAIN, a.sign);
  // Alternative half precision and FZ16 mean nothing here.
  const plain = new FpContext(c.fpcr & ~(1n << 26n | 1n << 24n | 1n << 19n));
  const result = fpRound(plain, BRAIN, a.value, c.rounding);
  c.flags |= plain.flags;
  return result;
}

/** FPRound() to odd, without denormalized numbers, with infinities. */
function round(f: Format, value: Rational): bigint {
  const sign = value.n < 0n ? 1n : 0n;
  const exponent = log2(sign ? negate(value) : value);
  if (exponent < -126) return topBit(f, sign);
  if (exponent > 127) return fpInfinity(f, sign);
  return fpRound(new FpContext(0n), f, value, "ODD");
}

/** FPUnpack() with denormalized numbers as zeros. */
function unpack(f: Format, op: bigint): Unpacked {
  return fpUnpack(new FpContext(1n << 24n), f, op);
}

function product(f: Format, op1: bigint, op2: bigint): bigint {
  const a = unpack(f, op1), b = unpack(f, op2), types = [a.type, b.type];
  if (isNaN(a) || isNaN(b)) return fpDefaultNaN(f);
  const sign = a.sign ^ b.sign;
  if (types.includes("Infinity")) {
    return types.includes("Zero") ? fpDefaultNaN(f) : fpInfinity(f, sign);
  }
  return types.includes("Zero") ? topBit(f, sign) : round(f, multiply(a.value, b.value));
}

function sum(f: Format, op1: bigint, op2: bigint): bigint {
  const a = unpack(f, op1), b = unpack(f, op2);
  if (isNaN(a) || isNaN(b)) return fpDefaultNaN(f);
  if (a.type === "Infinity" && b.type === "Infinity" && a.sign !== b.sign) return fpDefaultNaN(f);
  const infinity = [a, b].find(({ type }) => type === "Infinity");
  if (infinity) return fpInfinity(f, infinity.sign);
  if (a.type === "Zero" && b.type === "Zero") return topBit(f, a.sign & b.sign);
  const value = add(a.value, b.value);
  return value.n === 0n ? 0n : round(f, value);
}

/** BFDotAdd(), which does not depend on FPCR. */
function dotAdd(_: FpContext, f: Format, addend: bigint, n: bigint, m: bigint): bigint {
  const low = (x: bigint) => (x & 0xffffn) << 16n, high = (x: bigint) => x & 0xffff_0000n;
  return sum(f, addend, sum(f, product(f, low(n), low(m)), product(f, high(n), high(m))));
}

/** By name without the number of bits. */
export const BRAIN_FUNCTIONS = { FPConvertBF: convert, BFDotAdd: dotAdd };
