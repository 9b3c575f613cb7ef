import {
  add,
  compare,
  floor,
  log2,
  negate,
  type Rational,
  rational,
  scale,
} from "./fp_rational.ts";

/**
 * What the floating-point pseudocode is built on (Arm ARM J1, shared/functions/float): FPUnpack(),
 * FPRound(), the NaNs; on exact rationals, written from the manual and from nothing else.
 */

/** The manual's FPExc, as bits of FPSR. */
export const EXCEPTION = {
  invalidOp: 1 << 0,
  divideByZero: 1 << 1,
  overflow: 1 << 2,
  underflow: 1 << 3,
  inexact: 1 << 4,
  inputDenormal: 1 << 7,
} as const;

/** The manual's FPRounding. */
export type Rounding = "TIEEVEN" | "POSINF" | "NEGINF" | "ZERO" | "TIEAWAY" | "ODD";
const ROUNDINGS: readonly Rounding[] = ["TIEEVEN", "POSINF", "NEGINF", "ZERO", "TIEAWAY", "ODD"];

/** The manual's FPType. */
export type FpType = "Nonzero" | "Denormal" | "Zero" | "Infinity" | "QNaN" | "SNaN";

/** What FPUnpack() returns; an infinity's value is larger than anything that is compared with it. */
export interface Unpacked {
  readonly type: FpType;
  readonly sign: bigint;
  readonly value: Rational;
}

const INFINITY = scale(rational(1n), 10_000);

/** FPCR and FPSR as one operation sees them. */
export class FpContext {
  flags = 0;
  constructor(readonly fpcr: bigint) {}

  bit(n: number): boolean {
    return (this.fpcr >> BigInt(n) & 1n) === 1n;
  }
  get ahp(): boolean {
    return this.bit(26);
  }
  get dn(): boolean {
    return this.bit(25);
  }
  get fz(): boolean {
    return this.bit(24);
  }
  get fz16(): boolean {
    return this.bit(19);
  }
  /** FPRoundingMode(). */
  get rounding(): Rounding {
    return ROUNDINGS[Number(this.fpcr >> 22n & 3n)];
  }
  /** The mode that a number names, or FPCR's for -1. */
  roundingOf(number: bigint): Rounding {
    const n = BigInt.asIntN(32, number);
    return n === -1n ? this.rounding : ROUNDINGS[Number(n)];
  }
  /** FPProcessException(). */
  raise(exception: keyof typeof EXCEPTION): void {
    this.flags |= EXCEPTION[exception];
  }
}

/** A format: N, its exponent's and fraction's bits. */
export interface Format {
  readonly N: number;
  readonly E: number;
  readonly F: number;
}

/** The formats, by N. */
export const FORMATS: Readonly<Record<string, Format>> = {
  16: { N: 16, E: 5, F: 10 },
  32: { N: 32, E: 8, F: 23 },
  64: { N: 64, E: 11, F: 52 },
};

/** `count` ones. */
export function ones(count: number): bigint {
  return (1n << BigInt(count)) - 1n;
}

/** The sign bit in place. */
export function topBit({ N }: Format, sign: bigint): bigint {
  return sign << BigInt(N - 1);
}
/** FPInfinity(). */
export function fpInfinity(f: Format, sign: bigint): bigint {
  return topBit(f, sign) | ones(f.E) << BigInt(f.F);
}
/** FPMaxNormal(). */
export function fpMaxNormal(f: Format, sign: bigint): bigint {
  return fpInfinity(f, sign) - 1n;
}
/** FPDefaultNaN(). */
export function fpDefaultNaN(f: Format): bigint {
  return fpInfinity(f, 0n) | 1n << BigInt(f.F - 1);
}
/** Whether a number unpacked was a NaN. */
export function isNaN({ type }: Unpacked): boolean {
  return type === "QNaN" || type === "SNaN";
}

/** FPUnpackBase(); `cv` for FPUnpackCV(). */
export function fpUnpack(c: FpContext, f: Format, op: bigint, cv = false): Unpacked {
  const sign = op >> BigInt(f.N - 1) & 1n;
  const exp = op >> BigInt(f.F) & ones(f.E), frac = op & ones(f.F);
  const bias = 2 ** (f.E - 1) - 1;
  const signed = (value: Rational) => (sign ? negate(value) : value);
  const zero: Unpacked = { type: "Zero", sign, value: rational(0n) };
  if (exp === 0n) {
    if (frac === 0n) return zero;
    if (f.N === 16 ? c.fz16 && !cv : c.fz) {
      if (f.N !== 16) c.raise("inputDenormal");
      return zero;
    }
    return { type: "Denormal", sign, value: signed(scale(rational(frac), 1 - bias - f.F)) };
  }
  if (exp === ones(f.E) && !(f.N === 16 && cv && c.ahp)) {
    if (frac === 0n) return { type: "Infinity", sign, value: signed(INFINITY) };
    const type = frac >> BigInt(f.F - 1) ? "QNaN" : "SNaN";
    return { type, sign, value: rational(0n) };
  }
  const mantissa = frac + (1n << BigInt(f.F));
  return {
    type: "Nonzero",
    sign,
    value: signed(scale(rational(mantissa), Number(exp) - bias - f.F)),
  };
}

/** FPProcessNaN(). */
export function fpProcessNaN(c: FpContext, f: Format, { type }: Unpacked, op: bigint): bigint {
  if (type === "SNaN") c.raise("invalidOp");
  return c.dn ? fpDefaultNaN(f) : op | 1n << BigInt(f.F - 1);
}

/** FPProcessNaNs() and FPProcessNaNs3(); undefined where no operand is a NaN. */
export function fpProcessNaNs(
  c: FpContext,
  f: Format,
  operands: readonly [Unpacked, bigint][],
): bigint | undefined {
  for (const wanted of ["SNaN", "QNaN"]) {
    const found = operands.find(([{ type }]) => type === wanted);
    if (found) return fpProcessNaN(c, f, ...found);
  }
  return undefined;
}

/** The magnitude rounded: whether it goes up from `integer` with `error` left over. */
function goesUp(rounding: Rounding, sign: bigint, integer: bigint, error: Rational): boolean {
  const half = compare(error, rational(1n, 2n)), inexact = error.n !== 0n;
  switch (rounding) {
    case "TIEEVEN":
      return half > 0n || (half === 0n && (integer & 1n) === 1n);
    case "TIEAWAY":
      return half >= 0n;
    case "POSINF":
      return inexact && sign === 0n;
    case "NEGINF":
      return inexact && sign === 1n;
    default:
      return false;
  }
}

/** FPRoundBase() of a number that is not zero; `cv` for FPRoundCV(). */
export function fpRound(
  c: FpContext,
  f: Format,
  op: Rational,
  rounding: Rounding,
  cv = false,
): bigint {
  const { N, E, F } = f;
  const sign = op.n < 0n ? 1n : 0n;
  const mantissa = sign ? negate(op) : op;
  const minimumExp = 2 - 2 ** (E - 1);
  const exponent = log2(mantissa);
  if (exponent < minimumExp && (N === 16 ? c.fz16 && !cv : c.fz)) {
    c.raise("underflow");
    return topBit(f, sign);
  }
  let biasedExp = Math.max(exponent - minimumExp + 1, 0);
  const scaled = scale(mantissa, F - Math.max(exponent, minimumExp));
  let integer = floor(scaled);
  const error = add(scaled, rational(-integer));
  let inexact = error.n !== 0n;
  if (biasedExp === 0 && inexact) c.raise("underflow");
  if (goesUp(rounding, sign, integer, error)) {
    integer++;
    if (integer === 1n << BigInt(F)) biasedExp = 1;
    if (integer === 1n << BigInt(F + 1)) {
      biasedExp++;
      integer /= 2n;
    }
  }
  if (inexact && rounding === "ODD") integer |= 1n;
  let result = topBit(f, sign) | BigInt(biasedExp) << BigInt(F) | (integer & ones(F));
  if (N === 16 && cv && c.ahp) {
    if (biasedExp >= 2 ** E) {
      result = topBit(f, sign) | ones(N - 1);
      c.raise("invalidOp");
      inexact = false;
    }
  } else if (biasedExp >= 2 ** E - 1) {
    const toInfinity = rounding === "TIEEVEN" || rounding === "TIEAWAY" ||
      rounding === (sign ? "NEGINF" : "POSINF");
    result = toInfinity ? fpInfinity(f, sign) : fpMaxNormal(f, sign);
    c.raise("overflow");
    inexact = true;
  }
  if (inexact) c.raise("inexact");
  return result;
}

/** A signed real rounded to an integer, as the functions with FPRounding do it. */
export function roundToInteger(
  value: Rational,
  rounding: Rounding,
): { integer: bigint; exact: boolean } {
  let integer = floor(value);
  const error = add(value, rational(-integer));
  const half = compare(error, rational(1n, 2n)), inexact = error.n !== 0n;
  const up = {
    TIEEVEN: half > 0n || (half === 0n && (integer & 1n) === 1n),
    POSINF: inexact,
    NEGINF: false,
    ZERO: inexact && integer < 0n,
    TIEAWAY: half > 0n || (half === 0n && integer >= 0n),
    ODD: false,
  }[rounding];
  if (up) integer++;
  return { integer, exact: !inexact };
}
