/** The header of a line number program (DWARF 5 standard, sections 6.2.4 and 7.5.6). */
import { ByteReader } from "./byte_reader.ts";
import type { LineSections } from "./dwarf_line.ts";
import { ImageError } from "./image_error.ts";

/** What a line number program needs of its header. */
export interface LineHeader {
  /** Reader of the program's bytes alone. */
  program: ByteReader;
  /** Bytes per instruction step. */
  minimumLength: number;
  /** Operations per instruction, 1 except on VLIW machines. */
  maximumOperations: number;
  lineBase: number;
  lineRange: number;
  opcodeBase: number;
  /** Operands of standard opcode n at index n - 1. */
  operandCounts: number[];
  /** The path of a file number as the program uses it. */
  fileName(index: number): string;
}

/** Bytes of names that may still be made. */
export interface NameBudget {
  left: number;
}

/** Longest name kept, in bytes. */
const NAME_LIMIT = 4096;

/** A name that is decoded when it is first needed, and the number of its directory. */
interface Entry {
  name: () => string;
  directory: number;
}

/** DW_LNCT codes. */
const CONTENT_PATH = 1;
const CONTENT_DIRECTORY = 2;

/** DW_FORM codes that line tables use. */
const enum Form {
  Data2 = 0x05,
  Data4 = 0x06,
  Data8 = 0x07,
  String = 0x08,
  Block = 0x09,
  Block1 = 0x0a,
  Data1 = 0x0b,
  Strp = 0x0e,
  Udata = 0x0f,
  Data16 = 0x1e,
  LineStrp = 0x1f,
}

/**
 * Reads the next unit: its header, and a reader of its program. Leaves `reader` behind the unit.
 *
 * @returns null for a unit of a version that is not known, which is passed over
 * @throws ImageError when the header is damaged
 */
export function readLineHeader(
  reader: ByteReader,
  sections: LineSections,
  budget: NameBudget,
): LineHeader | null {
  const start = reader.offset;
  let length = reader.u32();
  const wide = length === 0xffff_ffff;
  if (wide) length = reader.size();
  const unit = reader.slice(length);
  const version = unit.u16();
  if (version < 2 || version > 5) return null;
  if (version === 5) unit.u16();
  const headerLength = wide ? unit.size() : unit.u32();
  const header = unit.slice(headerLength);
  const minimumLength = header.u8();
  const maximumOperations = version >= 4 ? header.u8() : 1;
  header.u8();
  const lineBase = header.s8();
  const lineRange = header.u8();
  const opcodeBase = header.u8();
  if (lineRange === 0 || opcodeBase === 0 || maximumOperations === 0) {
    throw new ImageError(
      `.debug_line: unit at byte ${start} has line range ${lineRange}, opcode base ${opcodeBase}, ` +
        `${maximumOperations} operations per instruction; expected none to be 0`,
    );
  }
  const operandCounts = Array.from(header.bytes(opcodeBase - 1));
  const names = version === 5
    ? readEntries5(header, sections, wide, budget)
    : readEntries2(header, budget);
  const program = unit;
  const fileName = nameCache(names, version);
  return {
    program,
    minimumLength,
    maximumOperations,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
    fileName,
  };
}

interface Names {
  directories: Entry[];
  files: Entry[];
}

function nameCache({ directories, files }: Names, version: number): (index: number) => string {
  const cache = new Map<number, string>();
  // Before version 5 files and directories count from 1, and directory 0 is the compiler's own.
  const first = version === 5 ? 0 : 1;
  function directoryName(index: number): string {
    const name = directories[index - first]?.name() ?? "";
    return version === 5 && index > 0 ? join(directories[0].name(), name) : name;
  }
  return (index) => {
    const known = cache.get(index);
    if (known !== undefined) return known;
    const file = files[index - first];
    const name = file === undefined ? "?" : join(directoryName(file.directory), file.name());
    cache.set(index, name);
    return name;
  };
}

function join(directory: string, name: string): string {
  return directory === "" || name.startsWith("/") ? name : `${directory}/${name}`;
}

/** Versions 2 to 4: strings in place, an empty one ends each list. */
function readEntries2(header: ByteReader, budget: NameBudget): Names {
  const directories: Entry[] = [];
  const files: Entry[] = [];
  for (;;) {
    const name = inlineName(header, budget);
    if (name === null) break;
    directories.push({ name, directory: 0 });
  }
  for (;;) {
    const name = inlineName(header, budget);
    if (name === null) break;
    const directory = Number(BigInt.asUintN(32, header.uleb()));
    header.uleb();
    header.uleb();
    files.push({ name, directory });
  }
  return { directories, files };
}

/** A string in place, decoded later; null if it is empty. */
function inlineName(header: ByteReader, budget: NameBudget): (() => string) | null {
  const start = header.offset;
  header.skipText();
  const length = header.offset - start - 1;
  if (length === 0) return null;
  header.offset = start;
  const bytes = header.bytes(length);
  header.u8();
  return () => decodeName(bytes, 0, budget);
}

/** Version 5: lists described by formats. */
function readEntries5(
  header: ByteReader,
  sections: LineSections,
  wide: boolean,
  budget: NameBudget,
): Names {
  function list(): Entry[] {
    const formats: { content: number; form: number }[] = [];
    for (let count = header.u8(); count > 0; count--) {
      const content = Number(BigInt.asUintN(32, header.uleb()));
      formats.push({ content, form: Number(BigInt.asUintN(32, header.uleb())) });
    }
    const count = header.uleb();
    // Every form takes at least one byte, so this bounds the list by the file's size.
    if (count > 0n && (formats.length === 0 || count > BigInt(header.left))) {
      throw new ImageError(
        `.debug_line: ${count} names wanted at byte ${header.offset}, but ${header.left} bytes are left`,
      );
    }
    const entries: Entry[] = [];
    for (let i = 0; i < Number(count); i++) {
      const entry: Entry = { name: () => "", directory: 0 };
      for (const { content, form } of formats) {
        const value = readForm(header, form, sections, wide, budget);
        if (content === CONTENT_PATH && typeof value === "function") entry.name = value;
        if (content === CONTENT_DIRECTORY && typeof value === "number") entry.directory = value;
      }
      entries.push(entry);
    }
    return entries;
  }
  const directories = list();
  if (directories.length === 0) directories.push({ name: () => "", directory: 0 });
  return { directories, files: list() };
}

/** Reads one attribute: a name, a number, or null for anything else. */
function readForm(
  header: ByteReader,
  form: number,
  sections: LineSections,
  wide: boolean,
  budget: NameBudget,
): (() => string) | number | null {
  switch (form) {
    case Form.String:
      return inlineName(header, budget) ?? (() => "");
    case Form.LineStrp:
    case Form.Strp: {
      const offset = wide ? header.size() : header.u32();
      const table = form === Form.Strp ? sections.strings : sections.lineStrings;
      return () => decodeName(table, offset, budget);
    }
    case Form.Udata:
      return Number(BigInt.asUintN(32, header.uleb()));
    case Form.Data1:
      return header.u8();
    case Form.Data2:
      return header.u16();
    case Form.Data4:
      return header.u32();
    case Form.Data8:
      header.u64();
      return null;
    case Form.Data16:
      header.bytes(16);
      return null;
    case Form.Block:
      header.bytes(Number(BigInt.asUintN(32, header.uleb())));
      return null;
    case Form.Block1:
      header.bytes(header.u8());
      return null;
    default:
      throw new ImageError(
        `.debug_line: form 0x${
          form.toString(16)
        } at byte ${header.offset} is not one of a line table`,
      );
  }
}

function decodeName(table: Uint8Array | null, offset: number, budget: NameBudget): string {
  if (table === null || offset >= table.length) {
    throw new ImageError(
      `.debug_line: name at byte ${offset} is past the string section (${
        table?.length ?? 0
      } bytes)`,
    );
  }
  const stop = table.indexOf(0, offset);
  const end = Math.min(stop < 0 ? table.length : stop, offset + NAME_LIMIT);
  budget.left -= end - offset;
  if (budget.left < 0) throw new ImageError(".debug_line: file names are too long in total");
  return new TextDecoder().decode(table.subarray(offset, end));
}
