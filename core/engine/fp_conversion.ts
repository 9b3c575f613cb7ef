import { beginOperation, flushOperands, type FpBase, roundsUp } from "./fp_base.ts";
import {
  both,
  c64,
  exponentOf,
  FPCR,
  fpcr,
  FPSR,
  isInfinity,
  isNaN,
  isSignallingNaN,
  isZero,
  keep,
  lowBits,
  magnitude,
  raise,
  resolveRounding,
  signBit,
  signOf,
  unpack,
} from "./fp_format.ts";
import {
  call,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Local,
  op,
  select,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/** Conversions between formats, and to and from integers (Arm ARM J1, shared/functions/float). */

/** FPConvert(): `(a, rounding: i32) → i64`. */
export function defineConvert(m: ModuleBuilder, from: FpBase, to: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i32"], "i64");
  const a = f.parameter(0), rounding = f.parameter(1);
  const toHalf = to.bits === 16;
  // FPUnpackCV(): no flush of halves.
  if (from.bits !== 16) flushOperands(f, from, [a]);
  const negative = op("i64.extend_i32_u", signOf(from, a));
  const sign = keep(f, op("i64.shl", negative, i64(BigInt(to.bits - 1))));
  const alternative = (then: () => void) => toHalf && f.if(fpcr(FPCR.ahp), then);
  const special = () => {
    f.if(isNaN(from, a), () => {
      alternative(() => {
        raise(f, FPSR.ioc);
        f.return(sign);
      });
      f.if(isSignallingNaN(from, a), () => raise(f, FPSR.ioc));
      f.if(fpcr(FPCR.dn), () => f.return(c64(to.defaultNaN)));
      const by = i64(BigInt(Math.abs(from.fractionBits - to.fractionBits)));
      const fraction = op("i64.and", a, c64(from.quiet - 1n));
      const moved = op(from.bits > to.bits ? "i64.shr_u" : "i64.shl", fraction, by);
      f.return(op("i64.or", op("i64.or", sign, c64(to.infinity | to.quiet)), moved));
    });
    f.if(isInfinity(from, a), () => {
      alternative(() => {
        raise(f, FPSR.ioc);
        f.return(op("i64.or", sign, c64(to.sign - 1n)));
      });
      f.return(op("i64.or", sign, c64(to.infinity)));
    });
  };
  // The alternative half-precision format has neither infinities nor NaNs.
  if (from.bits === 16) f.if(op("i32.eqz", fpcr(FPCR.ahp)), special);
  else special();
  f.if(isZero(from, a), () => f.return(sign));
  resolveRounding(f, rounding);
  const x = unpack(f, from, a);
  const exponent = op("i32.sub", x.exponent, i32(from.bias + from.fractionBits));
  f.return(call(to.roundConverted, x.sign, exponent, x.significand, rounding));
  return reference;
}

/** The integer part of a magnitude and what is rounded away. */
interface Split {
  readonly integer: Local;
  /** i64: the part below the point, and the weight of one half in the same unit. */
  readonly rest: Local;
  readonly half: Local;
}

/** Splits `significand / 2^places`, where places > 0 and the significand is below 2^62. */
function splitInteger(f: FunctionBuilder, significand: Local, places: Local): Split {
  f.if(op("i32.gt_u", places, i32(63)), () => f.set(places, i32(63)));
  const amount = keep(f, op("i64.extend_i32_u", places));
  return {
    integer: keep(f, op("i64.shr_u", significand, amount)),
    rest: keep(f, op("i64.and", significand, lowBits(amount))),
    half: keep(f, op("i64.shl", i64(1n), op("i64.sub", amount, i64(1n)))),
  };
}

function roundSplit(f: FunctionBuilder, rounding: Local, sign: Local, of: Split): Local {
  const isOdd = op("i32.and", op("i32.wrap_i64", of.integer), i32(1));
  return roundsUp(f, rounding, { sign, isOdd, rest: of.rest, half: of.half });
}

/** FPToFixed(): `(a, fbits: i32, unsigned: i32, rounding: i32, intsize: i32) → i64`. */
export function defineToFixed(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i32", "i32", "i32", "i32"], "i64");
  const [a, fbits, unsigned, rounding, size] = [0, 1, 2, 3, 4].map((n) => f.parameter(n));
  flushOperands(f, base, [a]);
  f.if(isNaN(base, a), () => {
    raise(f, FPSR.ioc);
    f.return(i64(0n));
  });
  f.if(isZero(base, a), () => f.return(i64(0n)));
  resolveRounding(f, rounding);
  const { sign, exponent, significand } = unpack(f, base, a);
  const bits = op("i64.extend_i32_u", size);
  const mask = keep(f, op("i64.shr_u", i64(-1n), op("i64.sub", i64(64n), bits)));
  // The largest magnitude: of negative numbers 0 or 2^(intsize - 1).
  const negative = op("i64.extend_i32_u", sign);
  const half = op("i64.shr_u", mask, i64(1n));
  const limit = keep(f, op("i64.add", half, negative));
  f.if(unsigned, () => f.set(limit, select(i64(0n), mask, sign)));
  const signed = (value: Local) =>
    op("i64.and", select(op("i64.sub", i64(0n), value), value, sign), mask);
  const left = keep(
    f,
    op("i32.sub", op("i32.add", exponent, fbits), i32(base.bias + base.fractionBits)),
  );
  const overflow = () => {
    raise(f, FPSR.ioc);
    f.return(signed(limit));
  };
  f.if(op("i32.ge_s", left, i32(0)), () => {
    f.if(op("i32.gt_s", left, i32(63 - base.fractionBits)), overflow);
    if (base.bits === 16) f.if(isInfinity(base, a), overflow);
    f.set(significand, op("i64.shl", significand, op("i64.extend_i32_u", left)));
    f.if(op("i64.gt_u", significand, limit), overflow);
    f.return(signed(significand));
  });
  const split = splitInteger(f, significand, keep(f, op("i32.sub", i32(0), left)));
  const up = roundSplit(f, rounding, sign, split);
  f.set(split.integer, op("i64.add", split.integer, op("i64.extend_i32_u", up)));
  f.if(op("i64.gt_u", split.integer, limit), overflow);
  f.if(op("i64.ne", split.rest, i64(0n)), () => raise(f, FPSR.ixc));
  f.return(signed(split.integer));
  return reference;
}

/** FixedToFP(): `(x, fbits: i32, unsigned: i32, rounding: i32, intsize: i32) → i64`. */
export function defineFromFixed(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i32", "i32", "i32", "i32"], "i64");
  const [x, fbits, unsigned, rounding, size] = [0, 1, 2, 3, 4].map((n) => f.parameter(n));
  const unused = keep(f, op("i64.extend_i32_u", op("i32.sub", i32(64), size)));
  f.set(x, op("i64.shl", x, unused));
  const sign = f.local("i32");
  f.if(unsigned, () => f.set(x, op("i64.shr_u", x, unused)), () => {
    f.set(x, op("i64.shr_s", x, unused));
    f.set(sign, op("i64.lt_s", x, i64(0n)));
    f.if(sign, () => f.set(x, op("i64.sub", i64(0n), x)));
  });
  f.if(op("i64.eqz", x), () => f.return(i64(0n)));
  resolveRounding(f, rounding);
  f.return(call(base.round, sign, op("i32.sub", i32(0), fbits), x, rounding));
  return reference;
}

/** The magnitude of `a`, finite and not zero, rounded to an integer; `inexact` tells whether it was. */
function roundedMagnitude(
  f: FunctionBuilder,
  base: FpBase,
  a: Local,
  rounding: Local,
): { result: Local; inexact: Local } {
  const result = keep(f, magnitude(base, a)), inexact = f.local("i32");
  const exponent = keep(f, exponentOf(base, a));
  f.if(op("i32.lt_s", exponent, i32(base.bias + base.fractionBits)), () => {
    const { sign, exponent: normalized, significand } = unpack(f, base, a);
    const places = keep(f, op("i32.sub", i32(base.bias + base.fractionBits), normalized));
    const split = splitInteger(f, significand, places);
    const up = roundSplit(f, rounding, sign, split);
    f.set(inexact, op("i64.ne", split.rest, i64(0n)));
    const increment = op("i64.extend_i32_u", up);
    const one = c64(BigInt(base.bias) * base.leading);
    f.if(op("i32.lt_s", exponent, i32(base.bias)), () => {
      f.set(result, select(one, i64(0n), up));
    }, () => {
      // A carry out of the fraction goes into the exponent, as it should.
      const amount = op("i64.extend_i32_u", places);
      const integral = op("i64.sub", result, split.rest);
      f.set(result, op("i64.add", integral, op("i64.shl", increment, amount)));
    });
  });
  return { result, inexact };
}

/** FPRoundInt(): `(a, rounding: i32, exact: i32) → i64`. */
export function defineRoundInt(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i32", "i32"], "i64");
  const a = f.parameter(0), rounding = f.parameter(1), exact = f.parameter(2);
  beginOperation(f, base, [a]);
  f.if(isZero(base, a), () => f.return(a));
  resolveRounding(f, rounding);
  const { result, inexact } = roundedMagnitude(f, base, a, rounding);
  f.if(both(inexact, op("i32.ne", exact, i32(0))), () => raise(f, FPSR.ixc));
  f.return(op("i64.or", signBit(base, a), result));
  return reference;
}

/** FPRoundIntN(): `(a, rounding: i32, intsize: i32) → i64`, of FRINT32X and its like. */
export function defineRoundIntSized(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i32", "i32"], "i64");
  const a = f.parameter(0), rounding = f.parameter(1), size = f.parameter(2);
  flushOperands(f, base, [a]);
  f.if(isZero(base, a), () => f.return(a));
  resolveRounding(f, rounding);
  // The pattern of 2^(intsize - 1).
  const exponent = op("i64.extend_i32_u", op("i32.add", size, i32(base.bias - 1)));
  const limit = keep(f, op("i64.shl", exponent, i64(BigInt(base.fractionBits))));
  const { result, inexact } = roundedMagnitude(f, base, a, rounding);
  const most = op("i64.extend_i32_u", op("i32.xor", signOf(base, a), i32(1)));
  const beyond = op("i64.gt_u", result, op("i64.sub", limit, most));
  f.if(op("i32.or", beyond, isNaN(base, a)), () => {
    raise(f, FPSR.ioc);
    f.return(op("i64.or", limit, c64(base.sign)));
  });
  f.if(inexact, () => raise(f, FPSR.ixc));
  f.return(op("i64.or", signBit(base, a), result));
  return reference;
}

/**
 * FPToFixedJS(): `(a) → i64`, the low 32 bits of the truncated double, and in bit 32 whether the
 * double was exactly that number (PSTATE.Z).
 */
export function defineToFixedJavaScript(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  flushOperands(f, base, [a]);
  f.if(isZero(base, a), () => {
    f.return(select(i64(1n << 32n), i64(0n), op("i64.eqz", a)));
  });
  const exponent = keep(f, exponentOf(base, a));
  f.if(op("i32.eq", exponent, i32(2 * base.bias + 1)), () => {
    raise(f, FPSR.ioc);
    f.return(i64(0n));
  });
  const { sign, exponent: normalized, significand } = unpack(f, base, a);
  const left = keep(f, op("i32.sub", normalized, i32(base.bias + base.fractionBits)));
  const integer = f.local("i64"), inexact = f.local("i32");
  f.if(op("i32.ge_s", left, i32(0)), () => {
    const shifted = op("i64.shl", significand, op("i64.extend_i32_u", left));
    f.set(integer, select(i64(0n), shifted, op("i32.gt_u", left, i32(31))));
  }, () => {
    const split = splitInteger(f, significand, keep(f, op("i32.sub", i32(0), left)));
    f.set(integer, split.integer);
    f.set(inexact, op("i64.ne", split.rest, i64(0n)));
  });
  const limit = op("i64.add", i64(0x7fff_ffffn), op("i64.extend_i32_u", sign));
  const beyond = op("i64.gt_u", integer, limit);
  const isLarge = op("i32.or", op("i32.gt_s", left, i32(10)), beyond);
  const low = op(
    "i64.and",
    select(op("i64.sub", i64(0n), integer), integer, sign),
    i64(0xffff_ffffn),
  );
  f.if(isLarge, () => {
    raise(f, FPSR.ioc);
    f.return(low);
  });
  f.if(inexact, () => {
    raise(f, FPSR.ixc);
    f.return(low);
  });
  f.return(op("i64.or", low, i64(1n << 32n)));
  return reference;
}

/**
 * `(a) → i64`: a half as the single of the same value, a signalling NaN as one, for FPMulAddH();
 * denormalized halves are zeros where FPCR.FZ16 says so.
 */
export function defineWidenHalf(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  flushOperands(f, base, [a]);
  const sign = keep(f, op("i64.shl", op("i64.and", a, c64(base.sign)), i64(16n)));
  const rest = keep(f, op("i64.and", a, i64(0x7fffn)));
  const wide = keep(f, op("i64.shl", rest, i64(13n)));
  f.if(op("i64.ge_u", rest, c64(base.infinity)), () => {
    f.return(op("i64.or", sign, op("i64.or", wide, i64(0x7f80_0000n))));
  });
  f.if(op("i64.ge_u", rest, i64(0x400n)), () => {
    f.return(op("i64.or", sign, op("i64.add", wide, i64(112n << 23n))));
  });
  f.if(op("i64.eqz", rest), () => f.return(sign));
  // The leading bit moves to bit 23, where it adds one to the exponent.
  const zeros = keep(f, op("i64.clz", rest));
  const exponent = op("i64.shl", op("i64.sub", i64(165n), zeros), i64(23n));
  const significand = op("i64.shl", rest, op("i64.sub", zeros, i64(40n)));
  f.return(op("i64.or", sign, op("i64.add", exponent, significand)));
  return reference;
}
