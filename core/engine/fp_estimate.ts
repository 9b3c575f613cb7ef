import { beginOperation, type FpBase } from "./fp_base.ts";
import {
  both,
  c64,
  either,
  exponentOf,
  f64,
  FPCR,
  fpcr,
  FPSR,
  isInfinity,
  isZero,
  keep,
  magnitude,
  raise,
  returnInvalid,
  ROUNDING,
  roundingMode,
  signBit,
  signOf,
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

/** Estimates of the reciprocal and of its square root (Arm ARM J1, shared/functions/float). */

/** RecipEstimate(): `(a: i32) → i32`, 9 bits from 256 in and out. */
export function defineRecipEstimate(m: ModuleBuilder): FunctionReference {
  const { reference, body: f } = m.function(["i32"], "i32");
  const a = f.parameter(0);
  const divisor = op("i32.add", op("i32.shl", a, i32(1)), i32(1));
  const quotient = op("i32.div_u", i32(1 << 19), divisor);
  f.return(op("i32.shr_u", op("i32.add", quotient, i32(1)), i32(1)));
  return reference;
}

/** RecipSqrtEstimate(): `(a: i32) → i32`, 128 to 511 in, 256 to 511 out. */
export function defineRecipSqrtEstimate(m: ModuleBuilder): FunctionReference {
  const { reference, body: f } = m.function(["i32"], "i32");
  const a = f.parameter(0);
  const twice = op("i32.shl", a, i32(1));
  const coarse = op("i32.shl", op("i32.or", a, i32(1)), i32(1));
  f.set(a, select(op("i32.or", twice, i32(1)), coarse, op("i32.lt_u", a, i32(256))));
  // The manual counts b up from 512; here from just below where it ends: 2^14 / sqrt(a) or one less,
  // which adding 2^52 leaves in the low bits.
  const ratio = op("f64.div", f64(2 ** 28), op("f64.convert_i32_u", a));
  const rounded = op("i64.reinterpret_f64", op("f64.add", op("f64.sqrt", ratio), f64(2 ** 52)));
  const b = keep(f, op("i32.sub", op("i32.wrap_i64", rounded), i32(2))), square = f.local("i32");
  f.block((done) =>
    f.loop((next) => {
      // Below 2^29: it ends with the first that reaches 2^28.
      const above = op("i32.add", b, i32(1));
      f.set(square, op("i32.mul", op("i32.mul", above, above), a));
      f.branchIf(done, op("i32.ge_u", square, i32(1 << 28)));
      f.set(b, above);
      f.branch(next);
    })
  );
  f.return(op("i32.shr_u", op("i32.add", b, i32(1)), i32(1)));
  return reference;
}

/** UnsignedRecipEstimate() or UnsignedRSqrtEstimate(): `(a: i32) → i32`. */
export function defineUnsignedEstimate(
  m: ModuleBuilder,
  estimate: FunctionReference,
  least: number,
): FunctionReference {
  const { reference, body: f } = m.function(["i32"], "i32");
  const a = f.parameter(0);
  f.if(op("i32.lt_u", a, i32(least)), () => f.return(i32(-1)));
  f.return(op("i32.shl", call(estimate, op("i32.shr_u", a, i32(23))), i32(23)));
  return reference;
}

/** The upper `count` bits of the fraction of a number taken apart, with the leading one, as an i32. */
function leadingBits(base: FpBase, significand: Expression, count: number): Expression {
  const dropped = i64(BigInt(base.fractionBits - count));
  return op("i32.wrap_i64", op("i64.shr_u", significand, dropped));
}

/** FPRecipEstimate(). */
export function defineFpRecipEstimate(
  m: ModuleBuilder,
  base: FpBase,
  estimate: FunctionReference,
): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  beginOperation(f, base, [a]);
  const sign = keep(f, signBit(base, a));
  f.if(isInfinity(base, a), () => f.return(sign));
  f.if(isZero(base, a), () => {
    raise(f, FPSR.dzc);
    f.return(op("i64.or", sign, c64(base.infinity)));
  });
  // Less than 2^-(bias + 1): below the upper half of the largest denormalized numbers' half.
  f.if(op("i64.lt_u", magnitude(base, a), c64(base.leading >> 2n)), () => {
    raise(f, FPSR.ofc | FPSR.ixc);
    f.return(op("i64.or", sign, overflowed(f, base, a)));
  });
  const exponent = keep(f, exponentOf(base, a));
  const flushes = fpcr(base.bits === 16 ? FPCR.fz16 : FPCR.fz);
  f.if(op("i32.ge_u", exponent, i32(2 * base.bias - 1)), () =>
    f.if(flushes, () => {
      raise(f, FPSR.ufc);
      f.return(sign);
    }));
  const { exponent: normalized, significand } = unpack(f, base, a);
  const nine = call(estimate, leadingBits(base, significand, 8));
  const resultExponent = keep(f, op("i32.sub", i32(2 * base.bias - 1), normalized));
  const fraction = keep(
    f,
    op("i64.shl", op("i64.extend_i32_u", nine), i64(BigInt(base.fractionBits - 8))),
  );
  // Denormalized results: the leading one is stored, one or two places below its own.
  f.if(op("i32.lt_s", resultExponent, i32(1)), () => {
    const by = op("i64.extend_i32_u", op("i32.sub", i32(1), resultExponent));
    f.return(op("i64.or", sign, op("i64.shr_u", fraction, by)));
  });
  const packed = op(
    "i64.shl",
    op("i64.extend_i32_u", resultExponent),
    i64(BigInt(base.fractionBits)),
  );
  const stored = op("i64.and", fraction, c64(base.leading - 1n));
  f.return(op("i64.or", op("i64.or", sign, packed), stored));
  return reference;
}

/** The magnitude that an overflow gives with FPCR.RMode. */
function overflowed(f: FunctionBuilder, base: FpBase, a: Local): Expression {
  const rounding = roundingMode(f);
  const negative = signOf(base, a);
  const is = (mode: number) => op("i32.eq", rounding, i32(mode));
  const toInfinity = either(
    is(ROUNDING.tieEven),
    both(is(ROUNDING.positiveInfinity), op("i32.eqz", negative)),
    both(is(ROUNDING.negativeInfinity), negative),
  );
  return select(c64(base.infinity), c64(base.infinity - 1n), toInfinity);
}

/** FPRSqrtEstimate(). */
export function defineFpRSqrtEstimate(
  m: ModuleBuilder,
  base: FpBase,
  estimate: FunctionReference,
): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  beginOperation(f, base, [a]);
  const sign = keep(f, signBit(base, a));
  f.if(isZero(base, a), () => {
    raise(f, FPSR.dzc);
    f.return(op("i64.or", sign, c64(base.infinity)));
  });
  f.if(op("i64.ne", sign, i64(0n)), () => returnInvalid(f, base));
  f.if(isInfinity(base, a), () => f.return(i64(0n)));
  const { exponent, significand } = unpack(f, base, a);
  const nine = leadingBits(base, significand, 8), eight = leadingBits(base, significand, 7);
  const isOdd = op("i32.and", exponent, i32(1));
  const bits = op("i32.and", call(estimate, select(eight, nine, isOdd)), i32(0xff));
  const fraction = op("i64.shl", op("i64.extend_i32_u", bits), i64(BigInt(base.fractionBits - 8)));
  const half = op("i32.shr_s", op("i32.sub", i32(3 * base.bias - 1), exponent), i32(1));
  const packed = op("i64.shl", op("i64.extend_i32_u", half), i64(BigInt(base.fractionBits)));
  f.return(op("i64.or", packed, fraction));
  return reference;
}

/** FPRecpX(): the exponent inverted. */
export function defineRecpX(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  beginOperation(f, base, [a]);
  // Of zeros and denormalized numbers the largest exponent of a number.
  const inverted = op("i64.and", op("i64.xor", a, c64(base.infinity)), c64(base.infinity));
  const isSmall = op("i32.eqz", exponentOf(base, a));
  const result = select(c64(base.infinity - base.leading), inverted, isSmall);
  f.return(op("i64.or", signBit(base, a), result));
  return reference;
}
