/**
 * Line tables of `.debug_line`, versions 2 to 5 (DWARF 5 standard, section 6.2).
 *
 * The table is untrusted: a program makes at most one row per byte, names are looked up only for
 * files that have rows, and their total length is bounded.
 */
import { ByteReader } from "./byte_reader.ts";
import { ImageError } from "./image_error.ts";
import { type LineHeader, readLineHeader } from "./dwarf_line_header.ts";

/** From `address` up to the next row's address, code comes from this line. */
export interface LineRow {
  /** Virtual address of the first instruction. */
  address: bigint;
  /** Path as the compiler gave it, joined with its directory. Empty where a sequence ends. */
  file: string;
  /** Line from 1; 0 where a sequence ends or the compiler knows none. */
  line: number;
}

/** Sections that a line table is made of. The string sections are only needed by version 5. */
export interface LineSections {
  /** `.debug_line` */
  line: Uint8Array;
  /** `.debug_line_str` */
  lineStrings: Uint8Array | null;
  /** `.debug_str` */
  strings: Uint8Array | null;
  /** They are of a big-endian file. */
  bigEndian?: boolean;
}

/** Bytes of file names accepted beyond the size of the sections. */
const NAME_BUDGET = 64 * 1024 * 1024;

/** Standard opcodes (6.2.5.2). */
const enum Opcode {
  Extended = 0,
  Copy = 1,
  AdvancePc = 2,
  AdvanceLine = 3,
  SetFile = 4,
  ConstAddPc = 8,
  FixedAdvancePc = 9,
}

/** Extended opcodes (6.2.5.3). */
const enum Extended {
  EndSequence = 1,
  SetAddress = 2,
}

/**
 * Reads all line tables and returns their rows by ascending address, without rows that change
 * nothing. The end of a sequence that no other follows directly is a row without file.
 *
 * @param keep says whether a sequence that starts at this address is wanted; linkers leave sequences of removed functions at 0
 * @throws ImageError when a table is damaged
 */
export function parseLines(
  sections: LineSections,
  keep: (start: bigint) => boolean = () => true,
): LineRow[] {
  const reader = new ByteReader(sections.line, ".debug_line");
  reader.littleEndian = !(sections.bigEndian ?? false);
  const budget = { left: NAME_BUDGET + sections.line.length };
  const sequences: LineRow[][] = [];
  while (reader.left > 0) {
    const header = readLineHeader(reader, sections, budget);
    if (header !== null) runProgram(header, keep, sequences);
  }
  sequences.sort((
    a,
    b,
  ) => (a[0].address < b[0].address ? -1 : a[0].address > b[0].address ? 1 : 0));
  return joinSequences(sequences);
}

/** Registers of the line number state machine (6.2.2) that matter for rows. */
class LineState {
  /** Address set last; the current one is `base + offset`, so that rows need little BigInt. */
  base = 0n;
  offset = 0;
  opIndex = 0;
  file = 1;
  line = 1;

  advance(operations: number, header: LineHeader): void {
    const total = this.opIndex + operations;
    this.offset += header.minimumLength * Math.floor(total / header.maximumOperations);
    this.opIndex = total % header.maximumOperations;
  }
}

function runProgram(
  header: LineHeader,
  keep: (start: bigint) => boolean,
  sequences: LineRow[][],
): void {
  const { program } = header;
  let state = new LineState();
  let rows: LineRow[] = [];
  function emit(file: string, line: number): void {
    rows.push({ address: BigInt.asUintN(64, state.base + BigInt(state.offset)), file, line });
  }
  while (program.left > 0) {
    const opcode = program.u8();
    if (opcode >= header.opcodeBase) {
      const adjusted = opcode - header.opcodeBase;
      state.advance(Math.floor(adjusted / header.lineRange), header);
      state.line += header.lineBase + (adjusted % header.lineRange);
      emit(header.fileName(state.file), state.line);
    } else if (opcode === Opcode.Extended) {
      const instruction = program.slice(smallNumber(program));
      const kind = instruction.left > 0 ? instruction.u8() : 0;
      if (kind === Extended.SetAddress) {
        state.base = instruction.left >= 8 ? instruction.u64() : BigInt(instruction.u32());
        state.offset = state.opIndex = 0;
      } else if (kind === Extended.EndSequence) {
        emit("", 0);
        finishSequence(rows, keep, sequences);
        state = new LineState();
        rows = [];
      }
    } else if (opcode === Opcode.Copy) {
      emit(header.fileName(state.file), state.line);
    } else standardOpcode(opcode, state, header);
  }
}

/** Executes the standard opcodes that make no row. */
function standardOpcode(opcode: number, state: LineState, header: LineHeader): void {
  const { program } = header;
  if (opcode === Opcode.AdvancePc) {
    state.advance(smallNumber(program), header);
  } else if (opcode === Opcode.AdvanceLine) {
    state.line = Number(BigInt.asIntN(32, BigInt(state.line) + program.sleb()));
  } else if (opcode === Opcode.SetFile) {
    state.file = smallNumber(program);
  } else if (opcode === Opcode.ConstAddPc) {
    state.advance(Math.floor((255 - header.opcodeBase) / header.lineRange), header);
  } else if (opcode === Opcode.FixedAdvancePc) {
    state.offset += program.u16();
    state.opIndex = 0;
  } else {
    // Opcodes that change columns and flags, and opcodes unknown here, are passed over.
    for (let i = 0; i < header.operandCounts[opcode - 1]; i++) program.uleb();
  }
}

function finishSequence(
  rows: LineRow[],
  keep: (start: bigint) => boolean,
  sequences: LineRow[][],
): void {
  if (rows.length < 2 || !keep(rows[0].address)) return;
  sequences.push(rows);
}

/** An unsigned LEB128 that counts something inside the file. */
function smallNumber(reader: ByteReader): number {
  const at = reader.offset;
  const value = reader.uleb();
  if (value <= 0xffff_ffffn) return Number(value);
  throw new ImageError(`.debug_line: number 0x${value.toString(16)} at byte ${at} is too large`);
}

/** Concatenates sorted sequences, keeping the last row of an address and no repeated lines. */
function joinSequences(sequences: readonly LineRow[][]): LineRow[] {
  const result: LineRow[] = [];
  for (const sequence of sequences) {
    for (const row of sequence) {
      let last = result.at(-1);
      if (last !== undefined && last.address === row.address) {
        // An end does not hide the start of what follows it, nor lines at the same address.
        if (row.file === "" && last.file !== "") continue;
        result.pop();
        last = result.at(-1);
      }
      if (last !== undefined && last.file === row.file && last.line === row.line) continue;
      result.push(row);
    }
  }
  return result;
}
