import {
  type Format,
  FORMATS,
  type FpContext,
  fpDefaultNaN,
  fpInfinity,
  fpMaxNormal,
  fpProcessNaN,
  fpUnpack,
  isNaN,
  ones,
  topBit,
} from "./fp_pseudocode.ts";
import { log2 } from "./fp_rational.ts";

/** Estimates of `fp_evaluator.ts`; undefined for other names. */
export function evaluateEstimate(
  c: FpContext,
  name: string,
  [op]: readonly bigint[],
): bigint | undefined {
  const operand = BigInt.asUintN(32, op);
  if (name === "UnsignedRecipEstimate") {
    return operand >> 31n ? recipEstimate(operand >> 23n) << 23n : ones(32);
  }
  if (name === "UnsignedRSqrtEstimate") {
    return operand >> 30n ? recipSqrtEstimate(operand >> 23n) << 23n : ones(32);
  }
  const [, which, bits] = /^(\w+?)(16|32|64)$/.exec(name) ?? [];
  const evaluate = FUNCTIONS[which];
  return evaluate && evaluate(c, FORMATS[bits], op);
}

/** RecipEstimate(): 256 to 511 in and out. */
function recipEstimate(a: bigint): bigint {
  const b = (1n << 19n) / (a * 2n + 1n);
  return (b + 1n) / 2n;
}

/** RecipSqrtEstimate(): 128 to 511 in, 256 to 511 out. */
function recipSqrtEstimate(a: bigint): bigint {
  a = a < 256n ? a * 2n + 1n : ((a >> 1n << 1n) + 1n) * 2n;
  let b = 512n;
  while (a * (b + 1n) * (b + 1n) < 1n << 28n) b++;
  return (b + 1n) / 2n;
}

/** The fraction of 52 bits, left-aligned. */
function fractionOf(f: Format, op: bigint): bigint {
  return (op & ones(f.F)) << BigInt(52 - f.F);
}

function fpRecipEstimate(c: FpContext, f: Format, op: bigint): bigint {
  const a = fpUnpack(c, f, op);
  if (isNaN(a)) return fpProcessNaN(c, f, a, op);
  if (a.type === "Infinity") return topBit(f, a.sign);
  if (a.type === "Zero") {
    c.raise("divideByZero");
    return fpInfinity(f, a.sign);
  }
  const bias = 2 ** (f.E - 1) - 1;
  const magnitude = log2(a.sign ? { n: -a.value.n, d: a.value.d } : a.value);
  if (magnitude < -bias - 1) {
    c.raise("overflow");
    c.raise("inexact");
    const toInfinity = c.rounding === "TIEEVEN" ||
      c.rounding === (a.sign ? "NEGINF" : "POSINF");
    return toInfinity ? fpInfinity(f, a.sign) : fpMaxNormal(f, a.sign);
  }
  if ((f.N === 16 ? c.fz16 : c.fz) && magnitude >= bias - 1) {
    c.raise("underflow");
    return topBit(f, a.sign);
  }
  let fraction = fractionOf(f, op);
  let exp = op >> BigInt(f.F) & ones(f.E);
  if (exp === 0n) {
    if (fraction >> 51n) fraction <<= 1n;
    else {
      exp = -1n;
      fraction <<= 2n;
    }
    fraction &= ones(52);
  }
  let resultExp = BigInt(2 * bias - 1) - exp;
  const estimate = recipEstimate(256n | fraction >> 44n);
  fraction = (estimate & 255n) << 44n;
  if (resultExp === 0n) fraction = 1n << 51n | fraction >> 1n;
  else if (resultExp === -1n) {
    fraction = 1n << 50n | fraction >> 2n;
    resultExp = 0n;
  }
  return topBit(f, a.sign) | resultExp << BigInt(f.F) | fraction >> BigInt(52 - f.F);
}

function fpRSqrtEstimate(c: FpContext, f: Format, op: bigint): bigint {
  const a = fpUnpack(c, f, op);
  if (isNaN(a)) return fpProcessNaN(c, f, a, op);
  if (a.type === "Zero") {
    c.raise("divideByZero");
    return fpInfinity(f, a.sign);
  }
  if (a.sign) {
    c.raise("invalidOp");
    return fpDefaultNaN(f);
  }
  if (a.type === "Infinity") return 0n;
  let fraction = fractionOf(f, op);
  let exp = Number(op >> BigInt(f.F) & ones(f.E));
  if (exp === 0) {
    while (!(fraction >> 51n)) {
      fraction <<= 1n;
      exp--;
    }
    fraction = fraction << 1n & ones(52);
  }
  const scaled = exp & 1 ? 128n | fraction >> 45n : 256n | fraction >> 44n;
  const resultExp = Math.floor((3 * (2 ** (f.E - 1) - 1) - 1 - exp) / 2);
  const estimate = recipSqrtEstimate(scaled) & 255n;
  return BigInt(resultExp) << BigInt(f.F) | estimate << BigInt(f.F - 8);
}

function fpRecpX(c: FpContext, f: Format, op: bigint): bigint {
  const a = fpUnpack(c, f, op);
  if (isNaN(a)) return fpProcessNaN(c, f, a, op);
  const exp = op >> BigInt(f.F) & ones(f.E);
  const result = exp === 0n ? ones(f.E) - 1n : exp ^ ones(f.E);
  return topBit(f, a.sign) | result << BigInt(f.F);
}

const FUNCTIONS: Readonly<Record<string, (c: FpContext, f: Format, op: bigint) => bigint>> = {
  FPRecipEstimate: fpRecipEstimate,
  FPRSqrtEstimate: fpRSqrtEstimate,
  FPRecpX: fpRecpX,
};
