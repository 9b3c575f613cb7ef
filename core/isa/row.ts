import { parsePattern, type Pattern } from "./pattern.ts";
import type { Ops } from "./ops.ts";

/**
 * The instruction table's row: one encoding of the Arm ARM.
 *
 * From a row come the decoder, the assembler, the disassembler and the handlers of every engine.
 * A row says
 *
 * - `pattern`: the encoding's bits (`pattern.ts`);
 * - `static`: the fields that choose a handler. `execute` sees their values in `s`; every
 *   combination becomes a handler of its own, so keep them few. All other fields are data, read
 *   through `Ops` from the decoded record;
 * - `when`: what else must hold for the encoding to be allocated (UNDEFINED otherwise);
 * - `derive`: values computed once, when the instruction is decoded;
 * - `assembly`: the syntaxes, preferred disassembly first;
 * - `execute`: the semantics, in the manual's pseudocode names.
 */

/** The fields of one instruction word by name. */
export type Fields = Readonly<Record<string, number>>;

/** A 64-bit value computed at decode time, as two unsigned 32-bit words. */
export type Wide = readonly [low: number, high: number];

/**
 * How a block that ends with this instruction goes on. `sequential` does not branch but ends a
 * block all the same (ISB, a system register write); rows that do not end a block leave it out.
 */
export type BlockEnd =
  | "sequential"
  | "direct"
  | "conditional"
  | "call"
  | "indirect"
  | "indirect-call"
  | "return"
  | "exception";

/** Reads and writes one operand of the assembly syntax. See `operands.ts`. */
export interface Operand {
  /** The text, or undefined where the operand is left out. `pc` is the instruction's address. */
  format(fields: Fields, pc: bigint): string | undefined;
  /**
   * The fields that `text` stands for, or undefined if it does not fit. `text` is undefined where
   * nothing is left to read; `fields` holds what earlier operands and the syntax have set.
   */
  parse(text: string | undefined, pc: bigint, fields: Fields): Record<string, number> | undefined;
}

/** One way to write an instruction. */
export interface Syntax {
  /** Lower case, for example `add` or `b.eq`. */
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
  /** The fields for which the disassembler uses it; an encoding's last syntax needs none. */
  readonly when?: (fields: Fields) => boolean;
  /** Fields that the assembler sets besides those the operands give. */
  readonly set?: Readonly<Record<string, number>>;
}

/** What a row is made from. */
export interface RowSpecification {
  /** Fields that choose the handler. */
  readonly static?: readonly string[];
  /** Which handlers exist; combinations for which it is false are never decoded. */
  readonly when?: (fields: Fields) => boolean;
  readonly derive?: Readonly<Record<string, (fields: Fields) => number | Wide>>;
  readonly assembly: readonly Syntax[];
  readonly ends?: BlockEnd;
  /** It uses the FP/SIMD registers: trapped where CPACR_EL1.FPEN says so. */
  readonly fp?: true;
  /**
   * Its handlers stand in a function of their own, which costs them a call and keeps the
   * interpreter's function small: for rows with `fp` that neither branch nor touch the flags.
   */
  readonly apart?: true;
  /**
   * The extension it came with, for example `FEAT_FP16`, if that is not in Armv8.0-A: UNDEFINED on
   * a machine without it.
   */
  readonly feature?: string;
  /** With `feature`: a hint, which does nothing on a machine without it. */
  readonly hint?: true;
  execute(o: Ops, s: Fields): void;
}

/** One encoding. */
export interface Row extends RowSpecification {
  /** As the manual heads it, for example `ADD (immediate)`. */
  readonly name: string;
  readonly pattern: Pattern;
}

/** An encoding that is known and not supported: decoded, named in events, UNDEFINED. */
export interface UnsupportedRow {
  readonly name: string;
  readonly pattern: Pattern;
  /** Why, for example `FEAT_SVE is not supported`. */
  readonly reason: string;
}

/** Makes a row. */
export function row(name: string, pattern: string, specification: RowSpecification): Row {
  const parsed = parsePattern(pattern);
  for (const field of specification.static ?? []) {
    if (!parsed.fields.some((f) => f.name === field)) {
      throw new Error(`row ${name}: static field ${field} is not in its pattern`);
    }
  }
  if (specification.apart && !specification.fp) throw new Error(`row ${name}: apart without fp`);
  return { ...specification, name, pattern: parsed };
}

/** Lists an encoding as not supported. */
export function unsupported(name: string, pattern: string, reason: string): UnsupportedRow {
  return { name, pattern: parsePattern(pattern), reason };
}
