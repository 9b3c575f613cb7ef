import type { Row, Syntax } from "./row.ts";
import { isSupported, ROWS } from "./table.ts";
import { parseInteger, splitOperands } from "./operands.ts";

/** Text that is no instruction of the table. The message is one line. */
export class AssemblerError extends Error {
  /** For messages. */
  override name: string = "AssemblerError";
}

interface Form {
  readonly row: Row;
  readonly syntax: Syntax;
}

/** What became of one form: the word, or how many operands fitted. */
type Attempt = { readonly word: number; readonly preferred: boolean } | { readonly fitted: number };

const forms = new Map<string, Form[]>();
for (const row of ROWS) {
  if (!isSupported(row)) continue;
  for (const syntax of row.assembly) {
    const known = forms.get(syntax.mnemonic);
    if (known) known.push({ row, syntax });
    else forms.set(syntax.mnemonic, [{ row, syntax }]);
  }
}

/**
 * Assembles one instruction in GNU syntax, for example `add x0, x1, #0x10` or `b 0x40400010`.
 *
 * `pc` is the instruction's address; targets of PC-relative instructions are absolute. Of several
 * encodings the one whose disassembly is this text is taken. `.inst 0x…` gives the word itself.
 * @returns The instruction word, unsigned.
 * @throws {AssemblerError} if no encoding fits.
 */
export function assemble(text: string, pc = 0n): number {
  const [, mnemonic, rest] = /^\s*(\S*)\s*(.*?)\s*$/s.exec(text.toLowerCase())!;
  const operands = splitOperands(rest);
  if (mnemonic === ".inst") return rawWord(text, operands);
  const candidates = forms.get(mnemonic);
  if (!candidates) throw failure(text, `there is no instruction "${mnemonic}"`);
  let fallback: number | undefined, fitted = 0;
  for (const form of candidates) {
    const attempt = attemptForm(form, operands, pc);
    if ("word" in attempt) {
      if (attempt.preferred) return attempt.word;
      fallback ??= attempt.word;
    } else fitted = Math.max(fitted, attempt.fitted);
  }
  if (fallback !== undefined) return fallback;
  throw failure(text, explain(mnemonic, operands, fitted));
}

function attemptForm({ row, syntax }: Form, operands: readonly string[], pc: bigint): Attempt {
  const fields: Record<string, number> = { ...syntax.set };
  for (const [i, operand] of syntax.operands.entries()) {
    const found = operand.parse(operands[i], pc, fields);
    if (!found) return { fitted: i };
    for (const [name, value] of Object.entries(found)) {
      if ((fields[name] ?? value) !== value) return { fitted: i };
      const field = row.pattern.fields.find((f) => f.name === name);
      if (field && value >= 2 ** field.width) return { fitted: i };
      fields[name] = value;
    }
  }
  if (operands.length > syntax.operands.length) return { fitted: syntax.operands.length };
  if (row.when && !row.when(fields)) return { fitted: operands.length };
  return { word: encode(row, fields), preferred: !syntax.when || syntax.when(fields) };
}

/** The word with these fields and the "should be" bits as they should be. */
function encode(row: Row, fields: Readonly<Record<string, number>>): number {
  let word = row.pattern.canonical;
  for (const { name, shift } of row.pattern.fields) {
    const value = fields[name];
    if (value === undefined) throw new Error(`row ${row.name}: its syntax does not set ${name}`);
    word += value * 2 ** shift;
  }
  return word;
}

function rawWord(text: string, operands: readonly string[]): number {
  const value = operands.length === 1 ? parseInteger(operands[0]) : undefined;
  if (value === undefined || value < 0n || value > 0xffff_ffffn) {
    throw failure(text, ".inst takes one 32-bit number");
  }
  return Number(value);
}

function explain(mnemonic: string, operands: readonly string[], fitted: number): string {
  if (fitted < operands.length) {
    return `operand ${fitted + 1} "${operands[fitted]}" fits no form of ${mnemonic}`;
  }
  return operands.length > 0
    ? `no form of ${mnemonic} takes these operands`
    : `${mnemonic} needs operands`;
}

function failure(text: string, why: string): AssemblerError {
  return new AssemblerError(`Cannot assemble "${text.trim()}": ${why}`);
}
