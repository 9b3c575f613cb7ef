import {
  type Format,
  FORMATS,
  type FpContext,
  fpDefaultNaN,
  fpInfinity,
  fpProcessNaN,
  fpRound,
  fpUnpack,
  isNaN,
  ones,
  roundToInteger,
  topBit,
} from "./fp_pseudocode.ts";
import { rational, scale } from "./fp_rational.ts";

/** Conversions of `fp_evaluator.ts`; undefined for other names. */
export function evaluateConversion(
  c: FpContext,
  name: string,
  operands: readonly bigint[],
): bigint | undefined {
  if (name === "FPToFixedJS64") return toFixedJs(c, operands[0]);
  if (name === "FPWidenHalf16") return widen(c, operands[0]);
  const pair = /^FPConvert(\d\d)to(\d\d)$/.exec(name);
  if (pair) return convert(c, FORMATS[pair[1]], FORMATS[pair[2]], operands[0], operands[1]);
  const [, which, bits] = /^(\w+?)(16|32|64)$/.exec(name) ?? [];
  const evaluate = FUNCTIONS[which];
  return evaluate && evaluate(c, FORMATS[bits], ...operands);
}

function convert(c: FpContext, from: Format, to: Format, op: bigint, rounding: bigint): bigint {
  const a = fpUnpack(c, from, op, true);
  const alternative = to.N === 16 && c.ahp;
  if (isNaN(a)) {
    if (a.type === "SNaN" || alternative) c.raise("invalidOp");
    if (alternative) return topBit(to, a.sign);
    return c.dn ? fpDefaultNaN(to) : convertNaN(from, to, op);
  }
  if (a.type === "Infinity") {
    if (!alternative) return fpInfinity(to, a.sign);
    c.raise("invalidOp");
    return topBit(to, a.sign) | ones(to.N - 1);
  }
  if (a.type === "Zero") return topBit(to, a.sign);
  return fpRound(c, to, a.value, c.roundingOf(rounding), true);
}

/** FPConvertNaN(): the sign, a quiet NaN, as much of the fraction as there is room for. */
function convertNaN(from: Format, to: Format, op: bigint): bigint {
  const fraction = (op & ones(from.F - 1)) << BigInt(52 - from.F);
  const kept = fraction >> BigInt(52 - to.F);
  return topBit(to, op >> BigInt(from.N - 1)) | ones(to.E + 1) << BigInt(to.F - 1) | kept;
}

/** SatQ(). */
function saturate(i: bigint, bits: number, unsigned: boolean): bigint {
  const most = unsigned ? ones(bits) : ones(bits - 1);
  const least = unsigned ? 0n : -1n - most;
  return i > most ? most : i < least ? least : i;
}

function toFixed(c: FpContext, f: Format, ...operands: bigint[]): bigint {
  const [op, fbits, unsigned, rounding, size] = operands;
  const a = fpUnpack(c, f, op);
  if (isNaN(a)) c.raise("invalidOp");
  const value = scale(a.value, Number(fbits));
  const { integer, exact } = roundToInteger(value, c.roundingOf(rounding));
  const result = saturate(integer, Number(size), unsigned !== 0n);
  if (result !== integer) c.raise("invalidOp");
  else if (!exact) c.raise("inexact");
  return BigInt.asUintN(Number(size), result);
}

function fixedToFp(c: FpContext, f: Format, ...operands: bigint[]): bigint {
  const [x, fbits, unsigned, rounding, size] = operands;
  const integer = unsigned ? BigInt.asUintN(Number(size), x) : BigInt.asIntN(Number(size), x);
  if (integer === 0n) return 0n;
  return fpRound(c, f, scale(rational(integer), -Number(fbits)), c.roundingOf(rounding));
}

function roundInt(c: FpContext, f: Format, op: bigint, rounding: bigint, exact: bigint): bigint {
  const a = fpUnpack(c, f, op);
  if (isNaN(a)) return fpProcessNaN(c, f, a, op);
  if (a.type === "Infinity") return fpInfinity(f, a.sign);
  if (a.type === "Zero") return topBit(f, a.sign);
  const rounded = roundToInteger(a.value, c.roundingOf(rounding));
  if (!rounded.exact && exact) c.raise("inexact");
  if (rounded.integer === 0n) return topBit(f, a.sign);
  return fpRound(c, f, rational(rounded.integer), "ZERO");
}

function roundIntSized(
  c: FpContext,
  f: Format,
  op: bigint,
  rounding: bigint,
  size: bigint,
): bigint {
  const a = fpUnpack(c, f, op);
  const least = -(1n << (size - 1n));
  const outside = () => {
    c.raise("invalidOp");
    return fpRound(c, f, rational(least), "ZERO");
  };
  if (isNaN(a) || a.type === "Infinity") return outside();
  if (a.type === "Zero") return topBit(f, a.sign);
  const { integer, exact } = roundToInteger(a.value, c.roundingOf(rounding));
  if (integer > -least - 1n || integer < least) return outside();
  if (!exact) c.raise("inexact");
  if (integer === 0n) return topBit(f, a.sign);
  return fpRound(c, f, rational(integer), "ZERO");
}

function toFixedJs(c: FpContext, op: bigint): bigint {
  const a = fpUnpack(c, FORMATS[64], op);
  let z = true;
  if (isNaN(a)) {
    c.raise("invalidOp");
    z = false;
  }
  const { integer, exact } = roundToInteger(a.value, "ZERO");
  if (integer < -(1n << 31n) || integer > ones(31)) {
    c.raise("invalidOp");
    z = false;
  } else if (!exact) {
    c.raise("inexact");
    z = false;
  } else if (a.value.n === 0n && a.sign === 1n) {
    z = false;
  }
  const result = a.type === "Infinity" ? 0n : BigInt.asUintN(32, integer);
  return result | (z ? 1n << 32n : 0n);
}

/** A half as a single of the same value; NaNs keep their kind. */
function widen(c: FpContext, op: bigint): bigint {
  const a = fpUnpack(c, FORMATS[16], op);
  if (isNaN(a)) return topBit(FORMATS[32], a.sign) | ones(8) << 23n | (op & ones(10)) << 13n;
  if (a.type === "Infinity") return fpInfinity(FORMATS[32], a.sign);
  if (a.type === "Zero") return topBit(FORMATS[32], a.sign);
  return fpRound(c, FORMATS[32], a.value, "ZERO", true);
}

const FUNCTIONS: Readonly<
  Record<string, (c: FpContext, f: Format, ...operands: bigint[]) => bigint>
> = {
  FPToFixed: toFixed,
  FixedToFP: fixedToFp,
  FPRoundInt: roundInt,
  FPRoundIntSized: roundIntSized,
};
