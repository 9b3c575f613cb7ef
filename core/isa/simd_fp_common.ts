import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row, RowSpecification } from "./row.ts";
import { row } from "./row.ts";
import { scalar } from "./operands.ts";
import { shapeOf } from "./simd_common.ts";
import { vectorAs } from "./simd_operands.ts";

/**
 * What the rows of floating point in Advanced SIMD share.
 *
 * Every instruction has rows for elements of single, double and half precision. Arithmetic is done
 * by the functions of `core/engine/simd_fp_helpers.ts`, which bear the manual's names without a
 * number of bits; the last operand is a `shape`. A scalar is a shape of one element.
 */

/** A type of elements. */
export interface Elements {
  /** log2 of the element's bytes. */
  readonly size: 1 | 2 | 3;
  readonly letter: "h" | "s" | "d";
  readonly feature?: "FEAT_FP16";
}

/** Half precision. */
export const H: Elements = { size: 1, letter: "h", feature: "FEAT_FP16" };
/** Single precision. */
export const S: Elements = { size: 2, letter: "s" };
/** Double precision. */
export const D: Elements = { size: 3, letter: "d" };
/** All of them. */
export const ELEMENTS: readonly Elements[] = [S, D, H];

/** Vectors, or scalars of one element. */
export type Kind = "vector" | "scalar";

/** The bits that name an instruction: U, the high bit of `size`, and `opcode`. */
export interface Bits {
  readonly U: string;
  readonly a: string;
  readonly opcode: string;
}

/** Reads `U a opcode`. */
export function bitsOf(text: string): Bits {
  const [U, a, opcode] = text.split(" ");
  return { U, a, opcode };
}

/** The fixed bits up to U; two doubles need all 128 bits. */
function start({ size }: Elements, kind: Kind, U: string): string {
  if (kind === "scalar") return `01 ${U} 11110`;
  return `0 ${size === 3 ? "1" : "Q"} ${U} 01110`;
}

/** Advanced SIMD three same, and its form for half precision. */
export function threeSamePattern(type: Elements, kind: Kind, { U, a, opcode }: Bits): string {
  const first = start(type, kind, U);
  if (type === H) return `${first} ${a}10 Rm 00 ${opcode.slice(2)} 1 Rn Rd`;
  return `${first} ${a}${type.size & 1} 1 Rm ${opcode} 1 Rn Rd`;
}

/** Advanced SIMD two-register miscellaneous, and its form for half precision. */
export function twoMiscPattern(type: Elements, kind: Kind, { U, a, opcode }: Bits): string {
  const first = start(type, kind, U);
  if (type === H) return `${first} ${a} 111100 ${opcode} 10 Rn Rd`;
  return `${first} ${a}${type.size & 1} 10000 ${opcode} 10 Rn Rd`;
}

/** A register as assembly names it. */
export function register(type: Elements, kind: Kind, field: string): Operand {
  if (kind === "scalar") return scalar(field, type.letter);
  return vectorAs(field, type.size === 3 ? { size: 3, Q: 1 } : { size: type.size });
}

/** `shape` of a vector. */
export function vectorShape({ size }: Elements): (fields: Fields) => number {
  return ({ Q = 1 }) => shapeOf(size, (8 << Q) >> size);
}

/** What `derive` a row needs for {@linkcode shape}. */
export function shapeDerived(type: Elements, kind: Kind): RowSpecification["derive"] {
  return kind === "vector" ? { shape: vectorShape(type) } : {};
}

/** The shape of the row's operands. */
export function shape(o: Ops, { size }: Elements, kind: Kind): Value {
  return kind === "vector" ? o.immediate("shape") : o.c32(shapeOf(size, 1));
}

/** What vectorised loops are made of: in the interpreter's function but for half precision. */
const COMMON: ReadonlySet<string> = new Set([
  ...["FADD (vector)", "FSUB (vector)", "FMUL (vector)", "FMLA (vector)", "FMLS (vector)"],
  ...["FMUL (by element)", "FMLA (by element)", "FMLS (by element)"],
]);

/** A row of floating point in Advanced SIMD. */
export function simdFloatRow(
  name: string,
  pattern: string,
  { feature }: Pick<Elements, "feature">,
  specification: Omit<RowSpecification, "fp" | "apart" | "feature">,
): Row {
  return row(name, pattern, {
    ...specification,
    fp: true,
    ...(COMMON.has(name) && !feature && pattern.startsWith("0") ? {} : { apart: true }),
    ...(feature ? { feature } : {}),
  });
}
