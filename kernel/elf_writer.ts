import type { LinkedImage, LinkedSymbol } from "./codegen/mod.ts";
import { writeDebugSections } from "./dwarf_writer.ts";

// Constants of the ELF-64 object file format and of the ELF ABI for AArch64.
const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const SECTION_HEADER_SIZE = 64;
const SYMBOL_SIZE = 24;
const EXECUTABLE = 2;
const MACHINE_AARCH64 = 183;
const SEGMENT_LOAD = 1;
const PAGE = 0x1000;

enum SectionType {
  Null = 0,
  Progbits = 1,
  Symtab = 2,
  Strtab = 3,
  Nobits = 8,
}

enum Flag {
  Write = 1,
  Alloc = 2,
  Execute = 4,
}

enum SegmentFlag {
  Execute = 1,
  Write = 2,
  Read = 4,
}

interface Section {
  readonly name: string;
  readonly type: SectionType;
  readonly flags: number;
  readonly address: number;
  readonly size: number;
  readonly bytes?: Uint8Array;
  readonly alignment: number;
  readonly entrySize: number;
  readonly link: number;
  readonly info: number;
  offset: number;
}

const SECTION_FLAGS: Record<string, number> = {
  ".text": Flag.Alloc | Flag.Execute,
  ".rodata": Flag.Alloc,
  ".data": Flag.Alloc | Flag.Write,
  ".bss": Flag.Alloc | Flag.Write,
};

/**
 * Writes `image` as an ELF64 executable: `.text` and `.rodata` in one segment, `.data` and `.bss`
 * in another, with symbols and a line table. The same image gives the same bytes.
 */
export function writeElf(image: LinkedImage): Uint8Array {
  const sections = listSections(image);
  const names = new StringTable();
  const nameOffsets = [...sections.map(({ name }) => name), ".shstrtab"].map((n) => names.add(n));
  sections.push(section({ name: ".shstrtab", type: SectionType.Strtab, bytes: names.bytes() }));

  let offset = HEADER_SIZE + 2 * PROGRAM_HEADER_SIZE;
  for (const s of sections) {
    // A loaded byte has the same place within its page in the file as in memory.
    offset = s.flags & Flag.Alloc
      ? offset + ((s.address - offset) % PAGE + PAGE) % PAGE
      : alignUp(offset, s.alignment);
    s.offset = offset;
    offset += s.bytes?.length ?? 0;
  }
  const headersAt = alignUp(offset, 8);
  const file = new Uint8Array(headersAt + SECTION_HEADER_SIZE * sections.length);
  for (const s of sections) if (s.bytes) file.set(s.bytes, s.offset);
  const view = new DataView(file.buffer);
  writeHeader(view, image.entry, headersAt, sections.length);
  const byName = (name: string) => sections.find((s) => s.name === name)!;
  const readExecute = SegmentFlag.Read | SegmentFlag.Execute;
  writeSegment(view, 0, readExecute, byName(".text"), byName(".rodata"));
  writeSegment(view, 1, SegmentFlag.Read | SegmentFlag.Write, byName(".data"), byName(".bss"));
  sections.forEach((s, i) => {
    writeSectionHeader(view, headersAt + SECTION_HEADER_SIZE * i, s, nameOffsets[i]);
  });
  return file;
}

function listSections(image: LinkedImage): Section[] {
  const sections: Section[] = [section({ name: "", type: SectionType.Null })];
  for (const { name, address, size, bytes } of image.sections) {
    sections.push(section({
      name,
      type: bytes ? SectionType.Progbits : SectionType.Nobits,
      flags: SECTION_FLAGS[name],
      address,
      size,
      ...(bytes ? { bytes } : {}),
      alignment: name === ".text" ? 0x800 : 16,
    }));
  }
  for (const [name, bytes] of writeDebugSections(image)) {
    sections.push(section({ name, type: SectionType.Progbits, bytes }));
  }
  const strings = new StringTable();
  const symbols = writeSymbols(image.symbols, sections.map(({ name }) => name), strings);
  const locals = 1;
  sections.push(section({
    name: ".symtab",
    type: SectionType.Symtab,
    bytes: symbols,
    alignment: 8,
    entrySize: SYMBOL_SIZE,
    link: sections.length + 1,
    info: locals,
  }));
  sections.push(section({ name: ".strtab", type: SectionType.Strtab, bytes: strings.bytes() }));
  return sections;
}

function section(some: Partial<Section> & Pick<Section, "name" | "type">): Section {
  return {
    flags: 0,
    address: 0,
    size: some.bytes?.length ?? 0,
    alignment: 1,
    entrySize: 0,
    link: 0,
    info: 0,
    offset: 0,
    ...some,
  };
}

function writeHeader(view: DataView, entry: number, headersAt: number, count: number): void {
  const ident = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];
  ident.forEach((byte, i) => view.setUint8(i, byte));
  view.setUint16(16, EXECUTABLE, true);
  view.setUint16(18, MACHINE_AARCH64, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(entry), true);
  view.setBigUint64(32, BigInt(HEADER_SIZE), true);
  view.setBigUint64(40, BigInt(headersAt), true);
  view.setUint16(52, HEADER_SIZE, true);
  view.setUint16(54, PROGRAM_HEADER_SIZE, true);
  view.setUint16(56, 2, true);
  view.setUint16(58, SECTION_HEADER_SIZE, true);
  view.setUint16(60, count, true);
  view.setUint16(62, count - 1, true);
}

/** A segment from the start of `first` to the end of `last`. */
function writeSegment(
  view: DataView,
  index: number,
  flags: number,
  first: Section,
  last: Section,
): void {
  const at = HEADER_SIZE + PROGRAM_HEADER_SIZE * index;
  const memorySize = last.address + last.size - first.address;
  const fileSize = last.bytes ? last.offset + last.size - first.offset : first.size;
  view.setUint32(at, SEGMENT_LOAD, true);
  view.setUint32(at + 4, flags, true);
  const fields = [first.offset, first.address, first.address, fileSize, memorySize, PAGE];
  fields.forEach((value, i) => view.setBigUint64(at + 8 + 8 * i, BigInt(value), true));
}

function writeSectionHeader(view: DataView, at: number, s: Section, name: number): void {
  view.setUint32(at, name, true);
  view.setUint32(at + 4, s.type, true);
  const wide = [s.flags, s.address, s.offset, s.size];
  wide.forEach((value, i) => view.setBigUint64(at + 8 + 8 * i, BigInt(value), true));
  view.setUint32(at + 40, s.link, true);
  view.setUint32(at + 44, s.info, true);
  view.setBigUint64(at + 48, BigInt(s.alignment), true);
  view.setBigUint64(at + 56, BigInt(s.entrySize), true);
}

function writeSymbols(
  symbols: readonly LinkedSymbol[],
  sectionNames: readonly string[],
  strings: StringTable,
): Uint8Array {
  const bytes = new Uint8Array(SYMBOL_SIZE * (symbols.length + 1));
  const view = new DataView(bytes.buffer);
  const types = { label: 0, object: 1, function: 2 };
  const global = 1 << 4;
  symbols.forEach((symbol, i) => {
    const at = SYMBOL_SIZE * (i + 1);
    view.setUint32(at, strings.add(symbol.name), true);
    view.setUint8(at + 4, global | types[symbol.type]);
    view.setUint16(at + 6, sectionNames.indexOf(symbol.section), true);
    view.setBigUint64(at + 8, BigInt(symbol.address), true);
    view.setBigUint64(at + 16, BigInt(symbol.size), true);
  });
  return bytes;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

class StringTable {
  readonly #bytes: number[] = [0];

  /** The offset of `text`. */
  add(text: string): number {
    if (text === "") return 0;
    const offset = this.#bytes.length;
    this.#bytes.push(...new TextEncoder().encode(text), 0);
    return offset;
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#bytes);
  }
}
