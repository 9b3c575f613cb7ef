import type { Row, Syntax } from "./row.ts";
import type { Pattern } from "./pattern.ts";
import { isSupported } from "./table.ts";
import { fieldsOf, findRow, isAllocated } from "./decode_tree.ts";
import { formatOperands } from "./operands.ts";

/**
 * The instruction's text as GNU objdump writes it, with preferred aliases, for example
 * `add x0, x1, #0x10`. `pc` is its address: targets of PC-relative instructions are printed as
 * addresses.
 *
 * A word without a supported encoding gives `.inst 0x…`, followed by `; undefined` or by the name
 * of the encoding that it has in later architectures or in parts that are not supported yet.
 */
export function disassemble(word: number, pc = 0n): string {
  const row = findRow(word);
  const raw = `.inst 0x${(word >>> 0).toString(16).padStart(8, "0")} ; `;
  if (!row) return raw + "undefined";
  if (!isSupported(row)) return raw + row.name;
  if (!isAllocated(row, word)) return raw + "undefined";
  const fields = fieldsOf(row, word);
  const syntax = syntaxOf(row, word);
  const operands = formatOperands(syntax.operands, fields, pc);
  return operands === "" ? syntax.mnemonic : `${syntax.mnemonic} ${operands}`;
}

/** The word as the assembler would make it: "should be" bits as they should be. */
export function canonicalWord(pattern: Pattern, word: number): number {
  const shouldBe = ~pattern.fields.reduce(
    (mask, { shift, width }) => mask | (width === 32 ? -1 : ((1 << width) - 1) << shift),
    0,
  );
  return ((word & ~shouldBe) | pattern.canonical) >>> 0;
}

function syntaxOf(row: Row, word: number): Syntax {
  const fields = fieldsOf(row, word);
  const syntax = row.assembly.find(({ when }) => !when || when(fields));
  if (!syntax) throw new Error(`row ${row.name}: no syntax fits 0x${(word >>> 0).toString(16)}`);
  return syntax;
}
