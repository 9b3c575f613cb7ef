import { beginOperation, type FpBase, returnZeroDifference } from "./fp_base.ts";
import {
  both,
  c64,
  either,
  FPSR,
  isInfinity,
  isZero,
  keep,
  raise,
  returnInvalid,
  roundingMode,
  shiftRightJam,
  signBit,
  unpack,
  type Unpacked,
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
 * FPAdd(), FPSub(), FPMul(), FPMulX(), FPDiv() and FPSqrt() on integers: for all operands, rounding
 * modes and FPCR (Arm ARM J1, shared/functions/float). `fp_native.ts` handles the usual cases.
 */

/** A function of two operands with its locals. */
interface Binary {
  readonly reference: FunctionReference;
  readonly f: FunctionBuilder;
  readonly a: Local;
  readonly b: Local;
  readonly rounding: Local;
}

function binary(m: ModuleBuilder, base: FpBase): Binary {
  const { reference, body: f } = m.function(["i64", "i64"], "i64");
  const a = f.parameter(0), b = f.parameter(1);
  beginOperation(f, base, [a, b]);
  return { reference, f, a, b, rounding: roundingMode(f) };
}

function signOfProduct(base: FpBase, a: Expression, b: Expression): Expression {
  return signBit(base, op("i64.xor", a, b));
}

/** FPAdd() or FPSub(). */
export function defineAdd(m: ModuleBuilder, base: FpBase, subtract: boolean): FunctionReference {
  const { reference, f, a, b, rounding } = binary(m, base);
  if (subtract) f.set(b, op("i64.xor", b, c64(base.sign)));
  const same = op("i64.eq", a, b);
  f.if(isInfinity(base, a), () => {
    f.if(both(isInfinity(base, b), op("i32.eqz", same)), () => returnInvalid(f, base));
    f.return(a);
  });
  f.if(isInfinity(base, b), () => f.return(b));
  f.if(isZero(base, a), () => {
    f.if(op("i32.eqz", isZero(base, b)), () => f.return(b));
    f.if(same, () => f.return(a));
    returnZeroDifference(f, base, rounding);
  });
  f.if(isZero(base, b), () => f.return(a));
  // Both have their leading bits at 62.
  const x = unpack(f, base, a), y = unpack(f, base, b);
  const room = i64(BigInt(62 - base.fractionBits));
  for (const { significand } of [x, y]) f.set(significand, op("i64.shl", significand, room));
  f.if(op("i32.lt_s", x.exponent, y.exponent), () => exchange(f, x, y));
  const distance = keep(f, op("i32.sub", x.exponent, y.exponent));
  shiftRightJam(f, y.significand, distance);
  addSigned(f, x, y);
  f.if(op("i64.eqz", x.significand), () => returnZeroDifference(f, base, rounding));
  const exponent = op("i32.sub", x.exponent, i32(base.bias + 62));
  f.return(call(base.round, x.sign, exponent, x.significand, rounding));
  return reference;
}

function exchange(f: FunctionBuilder, x: Unpacked, y: Unpacked): void {
  for (const part of ["sign", "exponent", "significand"] as const) {
    const old = keep(f, x[part]);
    f.set(x[part], y[part]);
    f.set(y[part], old);
  }
}

/** `x += y`, of significands of 63 bits in the same place. */
function addSigned(f: FunctionBuilder, x: Unpacked, y: Unpacked): void {
  f.if(op("i32.eq", x.sign, y.sign), () => {
    f.set(x.significand, op("i64.add", x.significand, y.significand));
  }, () => {
    f.set(x.significand, op("i64.sub", x.significand, y.significand));
    f.if(op("i64.lt_s", x.significand, i64(0n)), () => {
      f.set(x.significand, op("i64.sub", i64(0n), x.significand));
      f.set(x.sign, y.sign);
    });
  });
}

/** The 128 bits of `a * b`. */
export function product128(
  f: FunctionBuilder,
  a: Expression,
  b: Expression,
): { high: Local; low: Local } {
  const half = (value: Expression) => keep(f, op("i64.and", value, c64(0xffff_ffffn)));
  const upper = (value: Expression) => keep(f, op("i64.shr_u", value, i64(32n)));
  const times = (x: Expression, y: Expression) => op("i64.mul", x, y);
  const a0 = half(a), a1 = upper(a), b0 = half(b), b1 = upper(b);
  const first = keep(f, times(a0, b0));
  const middle = keep(f, op("i64.add", times(a1, b0), upper(first)));
  const other = keep(f, op("i64.add", times(a0, b1), half(middle)));
  const top = op("i64.add", times(a1, b1), upper(middle));
  return { high: keep(f, op("i64.add", top, upper(other))), low: keep(f, times(a, b)) };
}

/** FPMul(), or FPMulX(), which makes 2 of a zero times an infinity. */
export function defineMultiply(
  m: ModuleBuilder,
  base: FpBase,
  extended: boolean,
): FunctionReference {
  const { reference, f, a, b, rounding } = binary(m, base);
  const sign = keep(f, signOfProduct(base, a, b));
  const anyZero = either(isZero(base, a), isZero(base, b));
  f.if(either(isInfinity(base, a), isInfinity(base, b)), () => {
    f.if(anyZero, () => {
      const two = BigInt(base.bias + 1) * base.leading;
      if (extended) f.return(op("i64.or", sign, c64(two)));
      else returnInvalid(f, base);
    });
    f.return(op("i64.or", sign, c64(base.infinity)));
  });
  f.if(anyZero, () => f.return(sign));
  const x = unpack(f, base, a), y = unpack(f, base, b);
  const isNegative = op("i32.xor", x.sign, y.sign);
  const exponents = op("i32.add", x.exponent, y.exponent);
  if (base.bits !== 64) {
    const scale = op("i32.sub", exponents, i32(2 * (base.bias + base.fractionBits)));
    const product = op("i64.mul", x.significand, y.significand);
    f.return(call(base.round, isNegative, scale, product, rounding));
    return reference;
  }
  // Leading bits at 63, so that what counts of the product is in its upper half.
  const shifted = (part: Local) => op("i64.shl", part, i64(11n));
  const { high, low } = product128(f, shifted(x.significand), shifted(y.significand));
  const jam = op("i64.extend_i32_u", op("i64.ne", low, i64(0n)));
  const scale = op("i32.sub", exponents, i32(2 * base.bias + 62));
  f.return(call(base.round, isNegative, scale, op("i64.or", high, jam), rounding));
  return reference;
}

/** FPDiv(). */
export function defineDivide(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, f, a, b, rounding } = binary(m, base);
  const sign = keep(f, signOfProduct(base, a, b));
  const infinity = op("i64.or", sign, c64(base.infinity));
  f.if(isInfinity(base, a), () => {
    f.if(isInfinity(base, b), () => returnInvalid(f, base));
    f.return(infinity);
  });
  f.if(isInfinity(base, b), () => f.return(sign));
  f.if(isZero(base, b), () => {
    f.if(isZero(base, a), () => returnInvalid(f, base));
    raise(f, FPSR.dzc);
    f.return(infinity);
  });
  f.if(isZero(base, a), () => f.return(sign));
  const x = unpack(f, base, a), y = unpack(f, base, b);
  // A digit of so many bits of the quotient at a time: what remains is below the divisor.
  const digitBits = 63 - base.fractionBits;
  const digits = Math.ceil((base.fractionBits + 3) / digitBits);
  const rest = keep(f, op("i64.rem_u", x.significand, y.significand));
  const quotient = keep(f, op("i64.div_u", x.significand, y.significand));
  for (let n = 0; n < digits; n++) {
    f.set(rest, op("i64.shl", rest, i64(BigInt(digitBits))));
    const digit = op("i64.div_u", rest, y.significand);
    f.set(quotient, op("i64.add", op("i64.shl", quotient, i64(BigInt(digitBits))), digit));
    f.set(rest, op("i64.rem_u", rest, y.significand));
  }
  const jam = op("i64.extend_i32_u", op("i64.ne", rest, i64(0n)));
  const exponent = op("i32.sub", op("i32.sub", x.exponent, y.exponent), i32(digits * digitBits));
  const isNegative = op("i32.xor", x.sign, y.sign);
  f.return(call(base.round, isNegative, exponent, op("i64.or", quotient, jam), rounding));
  return reference;
}

/** FPSqrt(). */
export function defineSquareRoot(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  beginOperation(f, base, [a]);
  f.if(isZero(base, a), () => f.return(a));
  f.if(op("i64.ne", signBit(base, a), i64(0n)), () => returnInvalid(f, base));
  f.if(isInfinity(base, a), () => f.return(a));
  const { exponent, significand } = unpack(f, base, a);
  f.set(exponent, op("i32.sub", exponent, i32(base.bias)));
  // The radicand is in [1, 4) with its point at `point`, its exponent even.
  const point = base.fractionBits + 4;
  f.set(significand, op("i64.shl", significand, i64(4n)));
  const isOddExponent = op("i32.and", exponent, i32(1));
  f.set(significand, op("i64.shl", significand, op("i64.extend_i32_u", isOddExponent)));
  const root = f.local("i64"), twice = f.local("i64"), trial = f.local("i64");
  const bit = keep(f, c64(1n << BigInt(point)));
  // Bit by bit: `twice` is double the root so far, the significand what remains, doubled each time.
  f.loop((next) => {
    f.set(trial, op("i64.add", twice, bit));
    f.if(op("i64.ge_u", significand, trial), () => {
      f.set(twice, op("i64.add", trial, bit));
      f.set(significand, op("i64.sub", significand, trial));
      f.set(root, op("i64.or", root, bit));
    });
    f.set(significand, op("i64.shl", significand, i64(1n)));
    f.set(bit, op("i64.shr_u", bit, i64(1n)));
    f.branchIf(next, op("i64.ne", bit, i64(0n)));
  });
  const jam = select(i64(1n), i64(0n), op("i64.ne", significand, i64(0n)));
  const half = op("i32.shr_s", exponent, i32(1));
  const scale = op("i32.sub", half, i32(point));
  f.return(call(base.round, i32(0), scale, op("i64.or", root, jam), roundingMode(f)));
  return reference;
}
