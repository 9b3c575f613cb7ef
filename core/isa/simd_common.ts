import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row, RowSpecification, Syntax } from "./row.ts";
import { row } from "./row.ts";
import { elementSize } from "./simd_operands.ts";

/**
 * What the rows of Advanced SIMD share.
 *
 * A vector instruction works on 64 or 128 bits (Q). Where the low half of the result depends on the
 * low halves of the operands alone, one handler serves both: the result is computed in 128 bits and
 * {@linkcode setVector} clears its high half by the derived value {@linkcode KEEP}. Operations that
 * WebAssembly lacks are helpers that get {@linkcode SHAPE}.
 */

/** WebAssembly's names of vectors with elements of 1, 2, 4 and 8 bytes. */
export const LANES: readonly string[] = ["i8x16", "i16x8", "i32x4", "i64x2"];

type Derived = Required<RowSpecification>["derive"];

/** `keep`: -1 where the high half of the result counts, else 0. */
export const KEEP: Derived = { keep: ({ Q }) => -Q };

/** `half`: the byte at which the half that is read begins, 8 for the instructions ending in 2. */
export const HALF: Derived = { half: ({ Q }) => 8 * Q };

/** `shape` of a vector: what the helpers take, see `core/engine/simd_helpers.ts`. */
export const SHAPE: Derived = {
  shape: (f) => shapeOf(elementSize(f), (8 << f.Q) >> elementSize(f)),
};

/** `shape` where one side has elements of twice the size: as many as fit in 64 bits of the other. */
export const HALF_SHAPE: Derived = { shape: (f) => shapeOf(elementSize(f), 8 >> elementSize(f)) };

/** `shape` of a scalar. */
export const SCALAR_SHAPE: Derived = { shape: (f) => shapeOf(elementSize(f), 1) };

/** log2 of the element's bytes, and how many elements. */
export function shapeOf(size: number, count: number): number {
  return size | count << 2;
}

/** A vector of these 16 bytes. */
export function constant(o: Ops, byte: (i: number) => number): Value {
  return o.bytes("v128.const", Array.from({ length: 16 }, (_, i) => byte(i) & 0xff));
}

/** All bits zero. */
export function zeroVector(o: Ops): Value {
  return constant(o, () => 0);
}

/** Rearranges the bytes of `a` (0 to 15) and `b` (16 to 31). */
export function shuffle(o: Ops, a: Value, b: Value, from: (i: number) => number): Value {
  return o.bytes("i8x16.shuffle", Array.from({ length: 16 }, (_, i) => from(i)), a, b);
}

/** Sets Rd; the high half becomes zero where `keep` says so. */
export function setVector(o: Ops, result: Value): void {
  o.setV("Rd", keepHalf(o, result));
}

/** `vector`, its high half zero where `keep` says so. */
export function keepHalf(o: Ops, vector: Value): Value {
  const keep = o.extendS(o.immediate("keep"));
  return o.plain(
    "v128.and",
    vector,
    o.lane("i64x2.replace_lane", 1, constant(o, () => -1), keep),
  );
}

/** The low 64 bits of a vector. */
export function lowHalf(o: Ops, vector: Value): Value {
  return o.lane("i64x2.extract_lane", 0, vector);
}

/** A vector of two halves. */
export function fromHalves(o: Ops, low: Value, high: Value): Value {
  return o.lane("i64x2.replace_lane", 1, o.plain("i64x2.splat", low), high);
}

/** Sets the half of Rd that `keep` names to the low half of `result`; the low half clears the high. */
export function setNarrow(o: Ops, result: Value, keep = o.immediate("keep")): void {
  const narrow = lowHalf(o, result);
  const low = o.select(keep, o.vLow("Rd"), narrow);
  o.setV("Rd", fromHalves(o, low, o.and(narrow, o.extendS(keep))));
}

/** The half of a register that `half` names, in the low half of a vector. */
export function halfOf(o: Ops, field: string): Value {
  return o.vPart("v128.load64_zero", field, "half");
}

/** The half of a register that `half` names, its elements of 2^size bytes widened. */
export function widenedHalf(o: Ops, field: string, size: number, sign: "s" | "u"): Value {
  return o.vPart(`v128.load${["8x8", "16x4", "32x2"][size]}_${sign}`, field, "half");
}

/** The two syntaxes of an instruction that reads or writes a half: `saddl` and `saddl2`. */
export function halfSyntaxes(mnemonic: string, operands: readonly Operand[]): readonly Syntax[] {
  return [0, 1].map((Q) => ({
    mnemonic: Q ? `${mnemonic}2` : mnemonic,
    operands,
    set: { Q },
    when: (f: Fields) => f.Q === Q,
  }));
}

/**
 * What string functions of libraries and vectorised loops are made of: their handlers stand in the
 * interpreter's function, those of all other rows apart.
 */
const COMMON: ReadonlySet<string> = new Set([
  ..."CNT NOT EXT TBL ZIP1 ZIP2 UZP1 UZP2 UMOV REV64 ADDV UADDLV UMAXP UMAXV SSHR USHR SHL".split(
    " ",
  ),
  ...["DUP (element)", "DUP (general)", "INS (element)", "INS (general)"],
  ...["MOVI (8-bit)", "MOVI (32-bit shifted)", "MVNI (32-bit shifted)", "MOVI (64-bit)"],
  ...["AND (vector)", "BIC (vector, register)", "ORR (vector, register)", "ORN (vector)"],
  ...["EOR (vector)", "BSL", "BIT", "BIF"],
  ...["ADD (vector)", "SUB (vector)", "ADDP (vector)", "ADDP (scalar)", "MUL (vector)"],
  ...["CMEQ (register)", "CMGT (register)", "CMHI (register)", "CMHS (register)", "CMEQ (zero)"],
  ...["XTN, XTN2", "SHRN, SHRN2", "SSHLL, SSHLL2", "USHLL, USHLL2"],
  ...["LD1 (multiple structures)", "ST1 (multiple structures)", "LD1R"],
]);

/** A row of Advanced SIMD. */
export function simdRow(
  name: string,
  pattern: string,
  specification: Omit<RowSpecification, "fp" | "apart">,
): Row {
  return row(name, pattern, {
    ...specification,
    fp: true,
    ...(COMMON.has(name) ? {} : { apart: true }),
  });
}
