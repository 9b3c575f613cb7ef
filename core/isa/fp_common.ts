import type { Ops, Value } from "./ops.ts";
import { type Row, row, type RowSpecification } from "./row.ts";

/**
 * What the rows of scalar floating point share (Arm ARM C4.1.96, from "Conversion between
 * floating-point and fixed-point" on).
 *
 * Every row comes once for each type of number. Arithmetic is done by the functions of
 * `core/engine/fp_*.ts`, which bear the manual's names and the number of bits, take and give bits
 * in an i64, read FPCR and set the cumulative bits of FPSR.
 */

/** A type of floating-point number. */
export interface FloatType {
  readonly bits: 16 | 32 | 64;
  /** The field of that name. */
  readonly ptype: "00" | "01" | "11";
  /** Of scalars in assembly. */
  readonly letter: "h" | "s" | "d";
  /** What arithmetic on it needs. */
  readonly feature?: "FEAT_FP16";
}

/** Single precision. */
export const SINGLE: FloatType = { bits: 32, ptype: "00", letter: "s" };
/** Double precision. */
export const DOUBLE: FloatType = { bits: 64, ptype: "01", letter: "d" };
/** Half precision. */
export const HALF: FloatType = { bits: 16, ptype: "11", letter: "h", feature: "FEAT_FP16" };
/** All of them. */
export const FLOATS: readonly FloatType[] = [SINGLE, DOUBLE, HALF];

/** FPRounding as the functions take it, and FPCR.RMode has it. */
export const ROUNDING = {
  tieEven: 0,
  plusInfinity: 1,
  minusInfinity: 2,
  zero: 3,
  tieAway: 4,
  odd: 5,
  fpcr: -1,
} as const;

/** The number in a register, as an i64 with zeros above. */
export function number(o: Ops, field: string, { bits }: FloatType): Value {
  if (bits === 64) return o.vLow(field);
  const word = o.vLow(field, 0);
  return o.extendU(bits === 32 ? word : o.and(word, o.c32(0xffff)));
}

/** The sign bit of a type. */
export function signBit(o: Ops, { bits }: FloatType): Value {
  return o.c64(1n << BigInt(bits - 1));
}

/** FPNeg(). */
export function negated(o: Ops, value: Value, type: FloatType): Value {
  return o.xor(value, signBit(o, type));
}

/** FPAbs(). */
export function absolute(o: Ops, value: Value, { bits }: FloatType): Value {
  return o.and(value, o.c64((1n << BigInt(bits - 1)) - 1n));
}

/** Calls a function on a type's numbers, for example `FPAdd` on doubles. */
export function arithmetic(o: Ops, name: string, { bits }: FloatType, ...operands: Value[]): Value {
  return o.cumulative(name + bits, "i64", ...operands);
}

/** Where a row's handlers stand: in the interpreter's function if they are common in user code. */
export type Place = "common" | "rare";

/** A row of scalar floating point. */
export function floatRow(
  name: string,
  pattern: string,
  { feature }: Pick<FloatType, "feature">,
  place: Place,
  specification: Omit<RowSpecification, "fp" | "apart" | "feature">,
): Row {
  return row(name, pattern, {
    ...specification,
    fp: true,
    ...(feature ? { feature } : {}),
    ...(place === "rare" ? { apart: true } : {}),
  });
}
