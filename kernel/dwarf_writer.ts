import type { LineRow, LinkedImage } from "./codegen/mod.ts";

// Constants of the DWARF 4 standard (sections 6.2 and 7).
const VERSION = 4;
const ADDRESS_SIZE = 8;
const INSTRUCTION_SIZE = 4;

enum Tag {
  CompileUnit = 0x11,
  Subprogram = 0x2e,
}

enum Attribute {
  Name = 0x03,
  StatementList = 0x10,
  LowPc = 0x11,
  HighPc = 0x12,
  Language = 0x13,
  Producer = 0x25,
  External = 0x3f,
}

enum Form {
  Address = 0x01,
  Data4 = 0x06,
  Data2 = 0x05,
  String = 0x08,
  SectionOffset = 0x17,
  FlagPresent = 0x19,
}

enum Opcode {
  Extended = 0,
  Copy = 1,
  AdvancePc = 2,
  AdvanceLine = 3,
  SetFile = 4,
}

enum ExtendedOpcode {
  EndSequence = 1,
  SetAddress = 2,
}

/** Numbers of operands of the standard opcodes 1 to 12. */
const STANDARD_OPCODE_LENGTHS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
/** DW_LANG_Mips_Assembler: what assemblers say; there is no code for TypeScript. */
const LANGUAGE = 0x8001;
const DIRECTORY = "kernel";

/**
 * The debug sections of `image`: a compilation unit with its functions and the line table. File
 * names are relative to the project's root, without a compilation directory.
 */
export function writeDebugSections(image: LinkedImage): [name: string, bytes: Uint8Array][] {
  return [
    [".debug_line", writeLines(image)],
    [".debug_info", writeInfo(image)],
    [".debug_abbrev", writeAbbreviations()],
  ];
}

function writeLines(image: LinkedImage): Uint8Array {
  const files = [...new Set(image.lines.map(({ file }) => file))];
  const header = new ByteWriter();
  header.u8(INSTRUCTION_SIZE);
  header.u8(1); // operations per instruction
  header.u8(1); // default_is_stmt
  header.u8(0); // line_base and line_range of special opcodes, which are not used
  header.u8(1);
  header.u8(STANDARD_OPCODE_LENGTHS.length + 1);
  for (const length of STANDARD_OPCODE_LENGTHS) header.u8(length);
  header.string(DIRECTORY);
  header.u8(0);
  for (const file of files) {
    header.string(file.slice(DIRECTORY.length + 1));
    header.uleb(1); // directory
    header.uleb(0); // time
    header.uleb(0); // size
  }
  header.u8(0);

  const unit = new ByteWriter();
  unit.u16(VERSION);
  unit.u32(header.length);
  unit.append(header);
  const text = image.sections[0];
  unit.append(writeLineProgram(image.lines, files, text.address + text.size));
  return withLength(unit);
}

function writeLineProgram(rows: readonly LineRow[], files: string[], end: number): ByteWriter {
  const code = new ByteWriter();
  if (rows.length === 0) return code;
  let { address } = rows[0];
  let line = 1;
  let file = 1;
  code.u8(Opcode.Extended);
  code.uleb(1 + ADDRESS_SIZE);
  code.u8(ExtendedOpcode.SetAddress);
  code.u64(address);
  for (const row of rows) {
    const number = files.indexOf(row.file) + 1;
    if (row.address !== address) {
      code.u8(Opcode.AdvancePc);
      code.uleb((row.address - address) / INSTRUCTION_SIZE);
    }
    if (number !== file) {
      code.u8(Opcode.SetFile);
      code.uleb(number);
    }
    if (row.line !== line) {
      code.u8(Opcode.AdvanceLine);
      code.sleb(row.line - line);
    }
    code.u8(Opcode.Copy);
    ({ address, line } = row);
    file = number;
  }
  code.u8(Opcode.AdvancePc);
  code.uleb((end - address) / INSTRUCTION_SIZE);
  code.u8(Opcode.Extended);
  code.uleb(1);
  code.u8(ExtendedOpcode.EndSequence);
  return code;
}

function writeInfo(image: LinkedImage): Uint8Array {
  const text = image.sections[0];
  const unit = new ByteWriter();
  unit.u16(VERSION);
  unit.u32(0); // .debug_abbrev offset
  unit.u8(ADDRESS_SIZE);
  unit.uleb(1);
  unit.string("kernel/build.ts");
  unit.string("unboot kernel");
  unit.u16(LANGUAGE);
  unit.u64(text.address);
  unit.u32(text.size);
  unit.u32(0); // .debug_line offset
  for (const symbol of image.symbols) {
    if (symbol.type !== "function") continue;
    unit.uleb(2);
    unit.string(symbol.name);
    unit.u64(symbol.address);
    unit.u32(symbol.size);
  }
  unit.u8(0);
  return withLength(unit);
}

function writeAbbreviations(): Uint8Array {
  const writer = new ByteWriter();
  const declare = (code: number, tag: Tag, children: number, attributes: [Attribute, Form][]) => {
    writer.uleb(code);
    writer.uleb(tag);
    writer.u8(children);
    for (const [attribute, form] of attributes) {
      writer.uleb(attribute);
      writer.uleb(form);
    }
    writer.u16(0);
  };
  declare(1, Tag.CompileUnit, 1, [
    [Attribute.Name, Form.String],
    [Attribute.Producer, Form.String],
    [Attribute.Language, Form.Data2],
    [Attribute.LowPc, Form.Address],
    [Attribute.HighPc, Form.Data4],
    [Attribute.StatementList, Form.SectionOffset],
  ]);
  declare(2, Tag.Subprogram, 0, [
    [Attribute.Name, Form.String],
    [Attribute.LowPc, Form.Address],
    [Attribute.HighPc, Form.Data4],
    [Attribute.External, Form.FlagPresent],
  ]);
  writer.u8(0);
  return writer.bytes();
}

/** `unit` with its length in front, as 32-bit DWARF has it. */
function withLength(unit: ByteWriter): Uint8Array {
  const whole = new ByteWriter();
  whole.u32(unit.length);
  whole.append(unit);
  return whole.bytes();
}

class ByteWriter {
  readonly #bytes: number[] = [];

  get length(): number {
    return this.#bytes.length;
  }
  bytes(): Uint8Array {
    return new Uint8Array(this.#bytes);
  }
  append(other: ByteWriter): void {
    this.#bytes.push(...other.#bytes);
  }
  u8(value: number): void {
    this.#bytes.push(value & 0xff);
  }
  u16(value: number): void {
    this.u8(value);
    this.u8(value >>> 8);
  }
  u32(value: number): void {
    this.u16(value);
    this.u16(value >>> 16);
  }
  u64(value: number): void {
    this.u32(value);
    this.u32(Math.floor(value / 2 ** 32));
  }
  string(text: string): void {
    this.#bytes.push(...new TextEncoder().encode(text), 0);
  }
  uleb(value: number): void {
    do {
      const more = value > 0x7f;
      this.u8((value & 0x7f) | (more ? 0x80 : 0));
      value >>>= 7;
    } while (value > 0);
  }
  sleb(value: number): void {
    for (;;) {
      const byte = value & 0x7f;
      value >>= 7;
      const isLast = (value === 0 && (byte & 0x40) === 0) || (value === -1 && (byte & 0x40) !== 0);
      this.u8(isLast ? byte : byte | 0x80);
      if (isLast) return;
    }
  }
}
