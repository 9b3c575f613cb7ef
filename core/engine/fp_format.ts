import { SLOT } from "../state.ts";
import {
  type Expression,
  type FunctionBuilder,
  i32,
  i64,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";

/**
 * What the floating-point functions (`fp_*.ts`) are put together from: the formats, and code on
 * i64 that hold the bits of one number, zero-extended.
 */

/** A floating-point format (Arm ARM A1.4). */
export interface FpFormat {
  /** The manual's N. */
  readonly bits: 16 | 32 | 64;
  /** The manual's E. */
  readonly exponentBits: number;
  /** Bits of the stored fraction, the manual's F. */
  readonly fractionBits: number;
  /** What the stored exponent is above the true one. */
  readonly bias: number;
  /** The pattern of the sign bit. */
  readonly sign: bigint;
  /** The pattern of +infinity. */
  readonly infinity: bigint;
  /** The fraction's highest bit, which makes a NaN quiet. */
  readonly quiet: bigint;
  /** The pattern of FPDefaultNaN(). */
  readonly defaultNaN: bigint;
  /** 2^F: the smallest normal number's pattern, and the leading bit that is not stored. */
  readonly leading: bigint;
}

function format(bits: 16 | 32 | 64, exponentBits: number): FpFormat {
  const fractionBits = bits - 1 - exponentBits;
  const leading = 1n << BigInt(fractionBits);
  const infinity = ((1n << BigInt(exponentBits)) - 1n) * leading;
  const quiet = leading >> 1n;
  return {
    bits,
    exponentBits,
    fractionBits,
    bias: 2 ** (exponentBits - 1) - 1,
    sign: 1n << BigInt(bits - 1),
    infinity,
    quiet,
    defaultNaN: infinity | quiet,
    leading,
  };
}

/** Half precision, the IEEE format. */
export const HALF: FpFormat = format(16, 5);
/** Single precision. */
export const SINGLE: FpFormat = format(32, 8);
/** Double precision. */
export const DOUBLE: FpFormat = format(64, 11);

/** Cumulative bits of FPSR (Arm ARM C5.2.9). */
export const FPSR = {
  ioc: 1 << 0,
  dzc: 1 << 1,
  ofc: 1 << 2,
  ufc: 1 << 3,
  ixc: 1 << 4,
  idc: 1 << 7,
} as const;

/** Bits of FPCR (Arm ARM C5.2.8). */
export const FPCR = {
  fz16: 1 << 19,
  rmode: 3 << 22,
  fz: 1 << 24,
  dn: 1 << 25,
  ahp: 1 << 26,
} as const;

/** The manual's FPRounding, as the functions' parameter `rounding` has it. */
export const ROUNDING = {
  tieEven: 0,
  positiveInfinity: 1,
  negativeInfinity: 2,
  zero: 3,
  tieAway: 4,
  odd: 5,
  /** What FPCR.RMode says. */
  fromFpcr: -1,
} as const;

/** An i64 constant given as an unsigned number of 64 bits. */
export function c64(value: bigint): Expression {
  return i64(BigInt.asIntN(64, value));
}

/** A constant of type f64. */
export function f64(value: number): Expression {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  return op("f64.reinterpret_i64", i64(bits.getBigInt64(0)));
}

/** The bits of FPCR in `mask`, in place. */
export function fpcr(mask: number): Expression {
  return op("i32.and", load("i32.load", i32(0), SLOT.fpcr), i32(mask));
}

/** Sets bits of FPSR; the manual's FPProcessException(). */
export function raise(f: FunctionBuilder, flags: number | Expression): void {
  const bits = typeof flags === "number" ? i32(flags) : flags;
  f.store("i32.store", i32(0), op("i32.or", load("i32.load", i32(0), SLOT.fpsr), bits), SLOT.fpsr);
}

/** A local with FPRoundingMode(): FPCR.RMode. */
export function roundingMode(f: FunctionBuilder): Local {
  return keep(f, op("i32.shr_u", fpcr(FPCR.rmode), i32(22)));
}

/** A parameter `rounding`, with FPCR.RMode in place of -1. */
export function resolveRounding(f: FunctionBuilder, rounding: Local): void {
  f.if(op("i32.lt_s", rounding, i32(0)), () => {
    f.set(rounding, op("i32.shr_u", fpcr(FPCR.rmode), i32(22)));
  });
}

/** A new local that holds `value`. */
export function keep(f: FunctionBuilder, value: Expression): Local {
  const local = f.local(value.type);
  f.set(local, value);
  return local;
}

/** The conjunction of i32 that are 0 or 1. */
export function both(...conditions: Expression[]): Expression {
  return conditions.reduce((a, b) => op("i32.and", a, b));
}

/** The disjunction of i32 that are 0 or 1. */
export function either(...conditions: Expression[]): Expression {
  return conditions.reduce((a, b) => op("i32.or", a, b));
}

/** `a` without its sign. */
export function magnitude(format: FpFormat, a: Expression): Expression {
  return op("i64.and", a, c64(format.sign - 1n));
}

/** The sign bit of `a`, in place. */
export function signBit(format: FpFormat, a: Expression): Expression {
  return op("i64.and", a, c64(format.sign));
}

/** The sign bit of `a` as an i32 of 0 or 1. */
export function signOf(format: FpFormat, a: Expression): Expression {
  return op("i32.wrap_i64", op("i64.shr_u", a, c64(BigInt(format.bits - 1))));
}

/** The biased exponent of `a` as an i32. */
export function exponentOf(format: FpFormat, a: Expression): Expression {
  const shifted = op("i32.wrap_i64", op("i64.shr_u", a, c64(BigInt(format.fractionBits))));
  return op("i32.and", shifted, i32(2 ** format.exponentBits - 1));
}

/** The stored fraction of `a` as an i64. */
export function fractionOf(format: FpFormat, a: Expression): Expression {
  return op("i64.and", a, c64(format.leading - 1n));
}

/** Whether `a` is a NaN of either kind. */
export function isNaN(format: FpFormat, a: Expression): Expression {
  return op("i64.gt_u", magnitude(format, a), c64(format.infinity));
}

/** Whether `a` is a signalling NaN. */
export function isSignallingNaN(format: FpFormat, a: Expression): Expression {
  return both(isNaN(format, a), op("i64.eqz", op("i64.and", a, c64(format.quiet))));
}

/** Whether `a` is an infinity. */
export function isInfinity(format: FpFormat, a: Expression): Expression {
  return op("i64.eq", magnitude(format, a), c64(format.infinity));
}

/** Whether `a` is a zero. */
export function isZero(format: FpFormat, a: Expression): Expression {
  return op("i64.eqz", magnitude(format, a));
}

/** Returns FPDefaultNaN() after InvalidOp. */
export function returnInvalid(f: FunctionBuilder, format: FpFormat): void {
  raise(f, FPSR.ioc);
  f.return(c64(format.defaultNaN));
}

/** A finite number that is not zero: `significand * 2^(exponent - bias - F)`. */
export interface Unpacked {
  /** i32: 0 or 1. */
  readonly sign: Local;
  /** i32: biased; below 1 for denormalized numbers. */
  readonly exponent: Local;
  /** i64: leading bit at F. */
  readonly significand: Local;
}

/** Takes a finite number that is not zero apart. */
export function unpack(f: FunctionBuilder, format: FpFormat, a: Expression): Unpacked {
  const sign = keep(f, signOf(format, a));
  const exponent = keep(f, exponentOf(format, a));
  const significand = keep(f, fractionOf(format, a));
  f.if(exponent, () => {
    f.set(significand, op("i64.or", significand, c64(format.leading)));
  }, () => {
    const zeros = i64(BigInt(63 - format.fractionBits));
    const shift = keep(f, op("i64.sub", op("i64.clz", significand), zeros));
    f.set(significand, op("i64.shl", significand, shift));
    f.set(exponent, op("i32.sub", i32(1), op("i32.wrap_i64", shift)));
  });
  return { sign, exponent, significand };
}

/** `value >> by` for any `by` from 0, with bit 0 telling also whether a one was shifted out. */
export function shiftRightJam(f: FunctionBuilder, value: Local, by: Local): void {
  f.if(op("i32.gt_u", by, i32(63)), () => f.set(by, i32(63)));
  const amount = keep(f, op("i64.extend_i32_u", by));
  const lost = keep(f, op("i64.and", value, lowBits(amount)));
  const jam = op("i64.extend_i32_u", op("i64.ne", lost, i64(0n)));
  f.set(value, op("i64.or", op("i64.shr_u", value, amount), jam));
}

/** 2^count - 1, for a count below 64. */
export function lowBits(count: Expression): Expression {
  return op("i64.sub", op("i64.shl", i64(1n), count), i64(1n));
}
