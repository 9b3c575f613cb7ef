import { BRAIN_FUNCTIONS } from "./fp_evaluator_brain.ts";
import { evaluateConversion } from "./fp_evaluator_conversions.ts";
import {
  type Format,
  FORMATS,
  FpContext,
  fpDefaultNaN,
  fpInfinity,
  fpProcessNaN,
  fpProcessNaNs,
  fpRound,
  fpUnpack,
  isNaN,
  topBit,
  type Unpacked,
} from "./fp_pseudocode.ts";
import { evaluateEstimate } from "./fp_evaluator_estimates.ts";
import {
  add,
  compare,
  divide,
  multiply,
  negate,
  type Rational,
  rational,
  squareRoot,
} from "./fp_rational.ts";

/**
 * The floating-point functions that rows call, by the same names, on exact rationals (Arm ARM J1,
 * shared/functions/float).
 */

/** A result, zero-extended, and the bits of FPSR that it set. */
export interface FpResult {
  readonly value: bigint;
  readonly flags: number;
}

type Function = (c: FpContext, f: Format, ...operands: bigint[]) => bigint;

/**
 * Evaluates a function, for example `FPAdd64`; operands are zero-extended bits, `rounding` and its
 * like whole numbers.
 */
export function evaluateFp(name: string, operands: readonly bigint[], fpcr: bigint): FpResult {
  const c = new FpContext(fpcr);
  const converted = evaluateConversion(c, name, operands) ?? evaluateEstimate(c, name, operands);
  if (converted !== undefined) return { value: converted, flags: c.flags };
  const [, which, bits] = /^(\w+?)(16|32|64)$/.exec(name) ?? [];
  const evaluate = FUNCTIONS[which];
  if (!evaluate) throw new Error(`no floating-point function is named ${name}`);
  return { value: evaluate(c, FORMATS[bits], ...operands), flags: c.flags };
}

function invalid(c: FpContext, f: Format): bigint {
  c.raise("invalidOp");
  return fpDefaultNaN(f);
}

/** The result of an exact value, with the sign of a zero that the rounding mode decides. */
function roundValue(c: FpContext, f: Format, value: Rational): bigint {
  if (value.n === 0n) return topBit(f, c.rounding === "NEGINF" ? 1n : 0n);
  return fpRound(c, f, value, c.rounding);
}

/** Unpacks two operands, handles NaNs, then goes on. */
function binary(
  compute: (c: FpContext, f: Format, a: Unpacked, b: Unpacked) => bigint,
): Function {
  return (c, f, op1, op2) => {
    const a = fpUnpack(c, f, op1), b = fpUnpack(c, f, op2);
    return fpProcessNaNs(c, f, [[a, op1], [b, op2]]) ?? compute(c, f, a, b);
  };
}

function opposite(a: Unpacked): Unpacked {
  return { ...a, sign: 1n - a.sign, value: negate(a.value) };
}

function sum(c: FpContext, f: Format, a: Unpacked, b: Unpacked): bigint {
  if (a.type === "Infinity" && b.type === "Infinity" && a.sign !== b.sign) return invalid(c, f);
  const infinity = [a, b].find(({ type }) => type === "Infinity");
  if (infinity) return fpInfinity(f, infinity.sign);
  if (a.type === "Zero" && b.type === "Zero" && a.sign === b.sign) return topBit(f, a.sign);
  return roundValue(c, f, add(a.value, b.value));
}

function product(extended: boolean): Function {
  return binary((c, f, a, b) => {
    const types = [a.type, b.type], sign = a.sign ^ b.sign;
    if (types.includes("Infinity") && types.includes("Zero")) {
      return extended ? fpRound(c, f, rational(sign ? -2n : 2n), "TIEEVEN") : invalid(c, f);
    }
    if (types.includes("Infinity")) return fpInfinity(f, sign);
    if (types.includes("Zero")) return topBit(f, sign);
    return fpRound(c, f, multiply(a.value, b.value), c.rounding);
  });
}

function quotient(c: FpContext, f: Format, a: Unpacked, b: Unpacked): bigint {
  const sign = a.sign ^ b.sign;
  if (a.type === b.type && (a.type === "Infinity" || a.type === "Zero")) return invalid(c, f);
  if (a.type === "Infinity" || b.type === "Zero") {
    if (a.type !== "Infinity") c.raise("divideByZero");
    return fpInfinity(f, sign);
  }
  if (a.type === "Zero" || b.type === "Infinity") return topBit(f, sign);
  return fpRound(c, f, divide(a.value, b.value), c.rounding);
}

/** FPMax() where `which` is 1, FPMin() where it is -1. */
function extreme(which: 1 | -1): Function {
  return binary((c, f, a, b) => {
    const first = Math.sign(Number(compare(a.value, b.value))) === which;
    const { type, sign, value } = first ? a : b;
    if (type === "Infinity") return fpInfinity(f, sign);
    if (type === "Zero") return topBit(f, which === 1 ? a.sign & b.sign : a.sign | b.sign);
    return fpRound(c, f, value, c.rounding);
  });
}

/** FPMaxNum(), FPMinNum(). */
function extremeNumber(which: 1 | -1): Function {
  return (c, f, op1, op2) => {
    const loser = fpInfinity(f, which === 1 ? 1n : 0n);
    const quiet1 = fpUnpack(c, f, op1).type === "QNaN",
      quiet2 = fpUnpack(c, f, op2).type === "QNaN";
    if (quiet1 && !quiet2) op1 = loser;
    else if (quiet2 && !quiet1) op2 = loser;
    return extreme(which)(c, f, op1, op2);
  };
}

function mulAdd(c: FpContext, f: Format, addend: bigint, op1: bigint, op2: bigint): bigint {
  const A = fpUnpack(c, f, addend), a = fpUnpack(c, f, op1), b = fpUnpack(c, f, op2);
  const types = [a.type, b.type];
  const zeroTimesInfinity = types.includes("Infinity") && types.includes("Zero");
  const nan = fpProcessNaNs(c, f, [[A, addend], [a, op1], [b, op2]]);
  if (A.type === "QNaN" && zeroTimesInfinity) return invalid(c, f);
  if (nan !== undefined) return nan;
  const signP = a.sign ^ b.sign;
  const infP = types.includes("Infinity"), zeroP = types.includes("Zero");
  if (zeroTimesInfinity) return invalid(c, f);
  if (A.type === "Infinity" && infP && A.sign !== signP) return invalid(c, f);
  if (A.type === "Infinity") return fpInfinity(f, A.sign);
  if (infP) return fpInfinity(f, signP);
  if (A.type === "Zero" && zeroP && A.sign === signP) return topBit(f, A.sign);
  return roundValue(c, f, add(A.value, multiply(a.value, b.value)));
}

/** FPRecipStepFused() and FPRSqrtStepFused(): (constant + a * b) / divisor with a negated. */
function step(constant: bigint, divisor: bigint): Function {
  return (c, f, op1, op2) =>
    binary((c, f, a, b) => {
      const types = [a.type, b.type];
      if (types.includes("Infinity")) {
        if (!types.includes("Zero")) return fpInfinity(f, a.sign ^ b.sign);
        return fpRound(c, f, rational(constant, divisor), "TIEEVEN");
      }
      const value = add(rational(constant), multiply(a.value, b.value));
      return roundValue(c, f, divide(value, rational(divisor)));
    })(c, f, op1 ^ topBit(f, 1n), op2);
}

function root(c: FpContext, f: Format, op: bigint): bigint {
  const a = fpUnpack(c, f, op);
  if (isNaN(a)) return fpProcessNaN(c, f, a, op);
  if (a.type === "Zero") return topBit(f, a.sign);
  if (a.sign) return invalid(c, f);
  if (a.type === "Infinity") return fpInfinity(f, 0n);
  return fpRound(c, f, squareRoot(a.value), c.rounding);
}

function compareFlags(c: FpContext, f: Format, op1: bigint, op2: bigint, signal: bigint): bigint {
  const a = fpUnpack(c, f, op1), b = fpUnpack(c, f, op2);
  if (isNaN(a) || isNaN(b)) {
    if (a.type === "SNaN" || b.type === "SNaN" || signal) c.raise("invalidOp");
    return 0b0011n;
  }
  const order = compare(a.value, b.value);
  return order === 0n ? 0b0110n : order < 0n ? 0b1000n : 0b0010n;
}

function comparison(holds: (order: bigint) => boolean, signals: boolean): Function {
  return (c, f, op1, op2) => {
    const a = fpUnpack(c, f, op1), b = fpUnpack(c, f, op2);
    if (isNaN(a) || isNaN(b)) {
      if (signals || a.type === "SNaN" || b.type === "SNaN") c.raise("invalidOp");
      return 0n;
    }
    return holds(compare(a.value, b.value)) ? 1n : 0n;
  };
}

const FUNCTIONS: Readonly<Record<string, Function>> = {
  FPAdd: binary(sum),
  FPSub: binary((c, f, a, b) => sum(c, f, a, opposite(b))),
  FPMul: product(false),
  FPMulX: product(true),
  FPDiv: binary(quotient),
  FPMax: extreme(1),
  FPMin: extreme(-1),
  FPMaxNum: extremeNumber(1),
  FPMinNum: extremeNumber(-1),
  FPMulAdd: mulAdd,
  FPRecipStepFused: step(2n, 1n),
  FPRSqrtStepFused: step(3n, 2n),
  FPSqrt: root,
  ...BRAIN_FUNCTIONS,
  FPCompare: compareFlags,
  FPCompareEQ: comparison((order) => order === 0n, false),
  FPCompareGE: comparison((order) => order >= 0n, true),
  FPCompareGT: comparison((order) => order > 0n, true),
};
