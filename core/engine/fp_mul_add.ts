import { product128 } from "./fp_arithmetic.ts";
import { beginOperation, flushOperands, type FpBase, returnZeroDifference } from "./fp_base.ts";
import {
  both,
  c64,
  either,
  isInfinity,
  isNaN,
  isSignallingNaN,
  isZero,
  keep,
  lowBits,
  returnInvalid,
  roundingMode,
  shiftRightJam,
  signBit,
  unpack,
} from "./fp_format.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Local,
  op,
  select,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * FPMulAdd(), FPRecipStepFused() and FPRSqrtStepFused() on integers: a product and a sum with one
 * rounding (Arm ARM J1, shared/functions/float).
 */

/**
 * `(addend, a, b, halve: i32, rounding: i32) → i64`: (addend + a * b) / 2^halve, rounded, of finite
 * numbers of which the product or the addend is not zero.
 */
export function defineFusedSum(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64", "i64", "i32", "i32"], "i64");
  const [addend, a, b, halve, rounding] = [0, 1, 2, 3, 4].map((n) => f.parameter(n));
  const sum = wideSum(f);
  f.if(op("i32.eqz", either(isZero(base, a), isZero(base, b))), () => {
    const x = unpack(f, base, a), y = unpack(f, base, b);
    f.set(sum.sign, op("i32.xor", x.sign, y.sign));
    f.set(sum.exponent, op("i32.add", x.exponent, y.exponent));
    f.set(sum.exponent, op("i32.sub", sum.exponent, i32(base.bias)));
    // The product's leading bit comes to 125 or 126; of the narrow formats the lower half is zero.
    const left = (part: Local, by: number) => op("i64.shl", part, i64(BigInt(by)));
    const to63 = 63 - base.fractionBits;
    if (base.bits === 64) {
      const product = product128(f, left(x.significand, to63), left(y.significand, to63 - 1));
      f.set(sum.high, product.high);
      f.set(sum.low, product.low);
    } else {
      const product = op("i64.mul", x.significand, y.significand);
      f.set(sum.high, op("i64.shl", product, i64(BigInt(61 - 2 * base.fractionBits))));
    }
  });
  f.if(op("i32.eqz", isZero(base, addend)), () => {
    const z = unpack(f, base, addend);
    const other = wideSum(f);
    f.set(other.sign, z.sign);
    f.set(other.exponent, z.exponent);
    f.set(other.high, op("i64.shl", z.significand, i64(BigInt(61 - base.fractionBits))));
    f.if(isWideZero(sum), () => copyWide(f, sum, other), () => addWide(f, sum, other));
  });
  f.if(isWideZero(sum), () => returnZeroDifference(f, base, rounding));
  normalize(f, sum);
  const jam = op("i64.extend_i32_u", op("i64.ne", sum.low, i64(0n)));
  // The significand's bit 61 stands for 2^(exponent - bias).
  const exponent = op("i32.sub", op("i32.sub", sum.exponent, halve), i32(base.bias + 61));
  f.return(call(base.round, sum.sign, exponent, op("i64.or", sum.high, jam), rounding));
  return reference;
}

/** A number with a significand of 128 bits, bit 125 of which is worth 2^(exponent - bias). */
interface Wide {
  readonly sign: Local;
  readonly exponent: Local;
  readonly high: Local;
  readonly low: Local;
}

function wideSum(f: FunctionBuilder): Wide {
  const sign = f.local("i32"), exponent = f.local("i32");
  return { sign, exponent, high: f.local("i64"), low: f.local("i64") };
}

function isWideZero({ high, low }: Wide): Expression {
  return op("i64.eqz", op("i64.or", high, low));
}

function copyWide(f: FunctionBuilder, to: Wide, from: Wide): void {
  for (const part of ["sign", "exponent", "high", "low"] as const) f.set(to[part], from[part]);
}

/** `x += y`; bit 0 of the result may stand for all that is below it. */
function addWide(f: FunctionBuilder, x: Wide, y: Wide): void {
  f.if(op("i32.lt_s", x.exponent, y.exponent), () => {
    const old = wideSum(f);
    copyWide(f, old, x);
    copyWide(f, x, y);
    copyWide(f, y, old);
  });
  shiftWideRightJam(f, y, keep(f, op("i32.sub", x.exponent, y.exponent)));
  f.if(op("i32.eq", x.sign, y.sign), () => {
    const low = keep(f, op("i64.add", x.low, y.low));
    const carry = op("i64.extend_i32_u", op("i64.lt_u", low, x.low));
    f.set(x.high, op("i64.add", op("i64.add", x.high, y.high), carry));
    f.set(x.low, low);
  }, () => {
    const borrow = op("i64.extend_i32_u", op("i64.lt_u", x.low, y.low));
    f.set(x.high, op("i64.sub", op("i64.sub", x.high, y.high), borrow));
    f.set(x.low, op("i64.sub", x.low, y.low));
    f.if(op("i64.lt_s", x.high, i64(0n)), () => {
      const isLowZero = op("i64.extend_i32_u", op("i64.eqz", x.low));
      f.set(x.high, op("i64.add", op("i64.xor", x.high, i64(-1n)), isLowZero));
      f.set(x.low, op("i64.sub", i64(0n), x.low));
      f.set(x.sign, y.sign);
    });
  });
}

function shiftWideRightJam(f: FunctionBuilder, { high, low }: Wide, by: Local): void {
  f.if(op("i32.gt_u", by, i32(63)), () => {
    const jam = op("i64.extend_i32_u", op("i64.ne", low, i64(0n)));
    f.set(low, op("i64.or", high, jam));
    f.set(high, i64(0n));
    f.set(by, op("i32.sub", by, i32(64)));
    shiftRightJam(f, low, by);
  }, () =>
    f.if(by, () => {
      const amount = keep(f, op("i64.extend_i32_u", by));
      const rest = op("i64.sub", i64(64n), amount);
      const lost = op("i64.ne", op("i64.and", low, lowBits(amount)), i64(0n));
      const jam = keep(f, op("i64.extend_i32_u", lost));
      const moved = op("i64.or", op("i64.shl", high, rest), op("i64.shr_u", low, amount));
      f.set(low, op("i64.or", moved, jam));
      f.set(high, op("i64.shr_u", high, amount));
    }));
}

/** Moves the leading bit into the upper half, as high as it can be without loss. */
function normalize(f: FunctionBuilder, { exponent, high, low }: Wide): void {
  f.if(op("i64.eqz", high), () => {
    f.set(high, low);
    f.set(low, i64(0n));
    f.set(exponent, op("i32.sub", exponent, i32(64)));
  });
  const zeros = keep(f, op("i64.clz", high));
  f.if(op("i64.ne", zeros, i64(0n)), () => {
    const carried = op("i64.shr_u", low, op("i64.sub", i64(64n), zeros));
    f.set(high, op("i64.or", op("i64.shl", high, zeros), carried));
    f.set(low, op("i64.shl", low, zeros));
    f.set(exponent, op("i32.sub", exponent, op("i32.wrap_i64", zeros)));
  });
}

/** FPMulAdd(): `(addend, op1, op2)`. */
export function defineMulAdd(
  m: ModuleBuilder,
  base: FpBase,
  fusedSum: FunctionReference,
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64", "i64"], "i64");
  const [addend, a, b] = [0, 1, 2].map((n) => f.parameter(n));
  flushOperands(f, base, [addend, a, b]);
  const rounding = roundingMode(f);
  const [infinity1, infinity2] = [a, b].map((x) => isInfinity(base, x));
  const [zero1, zero2] = [a, b].map((x) => isZero(base, x));
  const zeroTimesInfinity = either(both(infinity1, zero2), both(zero1, infinity2));
  const isQuiet = both(isNaN(base, addend), op("i32.eqz", isSignallingNaN(base, addend)));
  f.if(both(zeroTimesInfinity, isQuiet), () => returnInvalid(f, base));
  const process = call(base.processNaNs3, addend, a, b);
  f.if(either(...[addend, a, b].map((x) => isNaN(base, x))), () => f.return(process));
  f.if(zeroTimesInfinity, () => returnInvalid(f, base));
  const sign = keep(f, signBit(base, op("i64.xor", a, b)));
  f.if(either(infinity1, infinity2), () => {
    const product = keep(f, op("i64.or", sign, c64(base.infinity)));
    const opposite = both(isInfinity(base, addend), op("i64.ne", addend, product));
    f.if(opposite, () => returnInvalid(f, base));
    f.return(product);
  });
  f.if(isInfinity(base, addend), () => f.return(addend));
  f.if(both(either(zero1, zero2), isZero(base, addend)), () => {
    f.if(op("i64.eq", signBit(base, addend), sign), () => f.return(addend));
    returnZeroDifference(f, base, rounding);
  });
  f.return(call(fusedSum, addend, a, b, i32(0), rounding));
  return reference;
}

/** FPRecipStepFused(), 2 - a * b, or FPRSqrtStepFused(), (3 - a * b) / 2. */
export function defineStep(
  m: ModuleBuilder,
  base: FpBase,
  fusedSum: FunctionReference,
  step: "reciprocal" | "reciprocal square root",
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64"], "i64");
  const a = f.parameter(0), b = f.parameter(1);
  f.set(a, op("i64.xor", a, c64(base.sign)));
  beginOperation(f, base, [a, b]);
  const one = BigInt(base.bias) * base.leading;
  const two = one + base.leading, oneAndHalf = one + base.quiet, three = two + base.quiet;
  const isReciprocal = step === "reciprocal";
  const anyZero = either(isZero(base, a), isZero(base, b));
  f.if(either(isInfinity(base, a), isInfinity(base, b)), () => {
    const infinity = op("i64.or", signBit(base, op("i64.xor", a, b)), c64(base.infinity));
    f.return(select(c64(isReciprocal ? two : oneAndHalf), infinity, anyZero));
  });
  const addend = c64(isReciprocal ? two : three);
  f.return(call(fusedSum, addend, a, b, i32(isReciprocal ? 0 : 1), roundingMode(f)));
  return reference;
}
