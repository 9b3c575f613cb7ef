/**
 * A strict reader of ELF64 AArch64 executables of either byte order (System V gABI chapters 4 and 5, and
 * "ELF for the Arm 64-bit Architecture"). Nothing in the file is trusted: every offset, size and
 * count is checked against the file before it is used.
 */
import { ByteReader } from "./byte_reader.ts";
import { ImageError } from "./image_error.ts";

/** A symbol of `.symtab`. */
export interface GuestSymbol {
  /** Name as in the string table. */
  name: string;
  /** `st_value`: a virtual address. */
  address: bigint;
  /** Bytes, 0 when the file does not say. */
  size: number;
  /** Code, data, or a label without type. */
  type: "function" | "object" | "none";
}

/** A loadable segment (`PT_LOAD`). */
export interface ElfSegment {
  /** Index in the program header table. */
  index: number;
  /** `p_vaddr`: where the program runs. */
  virtualAddress: bigint;
  /** `p_paddr`: where a loader puts it. */
  physicalAddress: bigint;
  /** The `p_filesz` bytes of the file. */
  bytes: Uint8Array;
  /** Bytes in memory, at least `bytes.length`; the rest is zero. */
  memorySize: bigint;
  /** Flag `PF_X`. */
  executable: boolean;
}

/** A section header. Read the contents with {@linkcode ElfFile.section}. */
export interface ElfSection {
  /** Name, empty without a name table. */
  name: string;
  /** `sh_type` */
  type: number;
  /** `sh_flags` */
  flags: bigint;
  /** `sh_addr`, 0 for a section that is not loaded. */
  address: bigint;
  /** Place in the file, in bytes. */
  offset: number;
  /** Length in bytes. */
  size: number;
  /** Index of a related section, for example a symbol table's strings. */
  link: number;
  /** Bytes per entry of a table, else 0. */
  entrySize: number;
}

/** What an executable says. */
export interface ElfFile {
  /** `e_type`: a fixed-address executable, or position-independent. */
  type: "executable" | "dynamic";
  /** `EI_DATA`: data is big-endian. */
  bigEndian: boolean;
  /** `e_entry`, a virtual address. */
  entry: bigint;
  /** Loadable segments in table order. */
  segments: ElfSegment[];
  /** Every section header in table order. */
  sections: ElfSection[];
  /** Bytes of the first section of that name, or null. Contents stay compressed if they are. */
  section(name: string): Uint8Array | null;
  /** Symbols with a name and a defined section, in table order. Mapping symbols (`$x`) are left out. */
  symbols(): GuestSymbol[];
}

const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const SHDR_SIZE = 64;
const SYM_SIZE = 24;
const EM_AARCH64 = 183;
const PT_LOAD = 1;
const PF_X = 1;
const PN_XNUM = 0xffff;
const SHN_XINDEX = 0xffff;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHN_UNDEF = 0;

/** Names of `e_machine` values that people bring by mistake. */
const MACHINES: Record<number, string> = {
  3: "i386",
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC64",
  40: "32-bit Arm",
  62: "x86-64",
  243: "RISC-V",
  258: "LoongArch",
};

/** Whether the file starts with the ELF magic. */
export function isElf(file: Uint8Array): boolean {
  return file.length >= 4 && file[0] === 0x7f && file[1] === 0x45 && file[2] === 0x4c &&
    file[3] === 0x46;
}

/**
 * Parses an AArch64 executable. Segment and section bytes alias `file`.
 *
 * @throws ImageError naming the field, its place and what was expected
 */
export function parseElf(file: Uint8Array): ElfFile {
  checkIdentification(file);
  const reader = readerOf(file, "ELF header", 16);
  const type = reader.u16();
  const machine = reader.u16();
  if (machine !== EM_AARCH64) {
    const name = MACHINES[machine] ?? "unknown";
    throw new ImageError(
      `ELF header: machine is ${machine} (${name}), expected ${EM_AARCH64} (AArch64)`,
    );
  }
  checkType(type);
  reader.u32();
  const entry = reader.u64();
  const programOffset = reader.size();
  const sectionOffset = reader.size();
  reader.u32();
  reader.u16();
  const tables = readCounts(reader, file, programOffset, sectionOffset);
  const segments = readSegments(file, programOffset, tables.programs);
  const sections = readSections(file, sectionOffset, tables.sections, tables.names);
  return {
    type: type === 2 ? "executable" : "dynamic",
    bigEndian: isBigEndian(file),
    entry,
    segments,
    sections,
    section: (name) => sectionBytes(file, sections.find((section) => section.name === name)),
    symbols: () => readSymbols(file, sections),
  };
}

function checkIdentification(file: Uint8Array): void {
  if (!isElf(file)) throw new ImageError("ELF header: magic is missing at byte 0");
  if (file.length < EHDR_SIZE) {
    throw new ImageError(`ELF header: file has ${file.length} bytes, expected at least 64`);
  }
  if (file[4] !== 2) {
    const found = file[4] === 1 ? "32-bit" : `class ${file[4]}`;
    throw new ImageError(`ELF header: file is ${found}, expected 64-bit (AArch64)`);
  }
  if (file[5] !== 1 && file[5] !== 2) {
    throw new ImageError(`ELF header: data encoding is ${file[5]}, expected 1 or 2`);
  }
  if (file[6] !== 1) throw new ImageError(`ELF header: version is ${file[6]}, expected 1`);
}

function isBigEndian(file: Uint8Array): boolean {
  return file[5] === 2;
}

/** A reader of a part of the file, or of one of its sections. */
function readerOf(file: Uint8Array, what: string, start: number, bytes = file): ByteReader {
  const reader = new ByteReader(bytes, what, start);
  reader.littleEndian = !isBigEndian(file);
  return reader;
}

function checkType(type: number): void {
  if (type === 2 || type === 3) return;
  const found = type === 1
    ? "a relocatable object (ET_REL): link it first"
    : type === 4
    ? "a core dump (ET_CORE)"
    : `type ${type}`;
  throw new ImageError(`ELF header: file is ${found}; expected an executable`);
}

interface Counts {
  programs: number;
  sections: number;
  names: number;
}

/** Reads the counts at the end of the header. Counts that do not fit stand in section header 0. */
function readCounts(
  reader: ByteReader,
  file: Uint8Array,
  programOffset: number,
  sectionOffset: number,
): Counts {
  const programSize = reader.u16();
  let programs = reader.u16();
  const sectionSize = reader.u16();
  let sections = reader.u16();
  let names = reader.u16();
  if (sectionOffset !== 0 && (sections === 0 || programs === PN_XNUM || names === SHN_XINDEX)) {
    const first = readerOf(file, "ELF section header 0", 0);
    first.offset = checkedRange(file, "ELF section header table", sectionOffset, SHDR_SIZE);
    first.offset += 32;
    const size = first.size();
    const link = first.u32();
    const info = first.u32();
    if (sections === 0) sections = size;
    if (names === SHN_XINDEX) names = link;
    if (programs === PN_XNUM) programs = info;
  }
  if (programs > 0 && programSize !== PHDR_SIZE) {
    throw new ImageError(
      `ELF header: program header size is ${programSize}, expected ${PHDR_SIZE}`,
    );
  }
  if (sections > 0 && sectionSize !== SHDR_SIZE) {
    throw new ImageError(
      `ELF header: section header size is ${sectionSize}, expected ${SHDR_SIZE}`,
    );
  }
  checkedRange(file, "ELF program header table", programOffset, programs * PHDR_SIZE);
  checkedRange(file, "ELF section header table", sectionOffset, sections * SHDR_SIZE);
  return { programs, sections, names };
}

/** Returns `offset` if `size` bytes from there lie inside the file. */
function checkedRange(file: Uint8Array, what: string, offset: number, size: number): number {
  if (size === 0 || offset + size <= file.length) return offset;
  throw new ImageError(
    `${what}: needs ${size} bytes at byte ${offset}, but the file ends at byte ${file.length}`,
  );
}

function readSegments(file: Uint8Array, offset: number, count: number): ElfSegment[] {
  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const what = `ELF program header ${index}`;
    const reader = readerOf(file, what, offset + index * PHDR_SIZE);
    if (reader.u32() !== PT_LOAD) continue;
    const flags = reader.u32();
    const dataOffset = reader.size();
    const virtualAddress = reader.u64();
    const physicalAddress = reader.u64();
    const fileSize = reader.size();
    const memorySize = reader.u64();
    if (BigInt(fileSize) > memorySize) {
      throw new ImageError(
        `${what}: file size ${fileSize} is larger than memory size ${memorySize}`,
      );
    }
    checkedRange(file, `${what} (segment data)`, dataOffset, fileSize);
    segments.push({
      index,
      virtualAddress,
      physicalAddress,
      bytes: file.subarray(dataOffset, dataOffset + fileSize),
      memorySize,
      executable: (flags & PF_X) !== 0,
    });
  }
  return segments;
}

function readSections(
  file: Uint8Array,
  offset: number,
  count: number,
  namesIndex: number,
): ElfSection[] {
  const nameOffsets: number[] = [];
  const sections: ElfSection[] = [];
  for (let index = 0; index < count; index++) {
    const reader = readerOf(file, `ELF section header ${index}`, offset + index * SHDR_SIZE);
    nameOffsets.push(reader.u32());
    const type = reader.u32();
    const flags = reader.u64();
    const address = reader.u64();
    const dataOffset = reader.size();
    const size = reader.size();
    const link = reader.u32();
    reader.u32();
    reader.u64();
    const entrySize = reader.size();
    sections.push({ name: "", type, flags, address, offset: dataOffset, size, link, entrySize });
  }
  if (namesIndex === SHN_UNDEF || count === 0) return sections;
  const names = sectionBytes(file, sections[namesIndex]);
  if (names === null) {
    throw new ImageError(
      `ELF header: section name table is section ${namesIndex}, but there are ${count} sections`,
    );
  }
  const table = new StringTable(names);
  sections.forEach((section, index) => {
    section.name = table.at(nameOffsets[index], `ELF section header ${index}`);
  });
  return sections;
}

function sectionBytes(file: Uint8Array, section: ElfSection | undefined): Uint8Array | null {
  if (section === undefined) return null;
  if (section.type === SHT_NOBITS) return new Uint8Array(0);
  checkedRange(file, `ELF section ${section.name}`.trim(), section.offset, section.size);
  return file.subarray(section.offset, section.offset + section.size);
}

/** Longest symbol or section name kept, in bytes. */
const NAME_LIMIT = 4096;
/** Bytes of names that even a small file may have. */
const NAME_BUDGET = 16 * 1024 * 1024;

/** Names of a string table. Entries may share bytes, so their total length is bounded on its own. */
class StringTable {
  #bytes: Uint8Array;
  #left: number;
  #decoder = new TextDecoder();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#left = NAME_BUDGET + 4 * bytes.length;
  }

  at(offset: number, what: string): string {
    const { length } = this.#bytes;
    if (offset >= length) {
      if (offset === 0) return "";
      throw new ImageError(
        `${what}: name at byte ${offset} is past the end (${length}) of the string table`,
      );
    }
    const stop = this.#bytes.indexOf(0, offset);
    const end = Math.min(stop < 0 ? length : stop, offset + NAME_LIMIT);
    this.#left -= end - offset;
    if (this.#left < 0) throw new ImageError(`${what}: names are too long in total`);
    return this.#decoder.decode(this.#bytes.subarray(offset, end));
  }
}

function readSymbols(file: Uint8Array, sections: readonly ElfSection[]): GuestSymbol[] {
  const table = sections.find((section) => section.type === SHT_SYMTAB);
  if (table === undefined) return [];
  const bytes = sectionBytes(file, table)!;
  const names = sectionBytes(file, sections[table.link]);
  if (names === null) {
    throw new ImageError(
      `ELF symbol table: string table is section ${table.link}, but there are ${sections.length} sections`,
    );
  }
  const reader = readerOf(file, "ELF symbol table", 0, bytes);
  const strings = new StringTable(names);
  const symbols: GuestSymbol[] = [];
  for (let index = 0; reader.left >= SYM_SIZE; index++) {
    const nameOffset = reader.u32();
    const type = reader.u8() & 0xf;
    reader.u8();
    const section = reader.u16();
    const address = reader.u64();
    const size = reader.u64();
    // Types: NOTYPE, OBJECT, FUNC. Sections and files are of no use to a reader of a trace.
    if (section === SHN_UNDEF || type > 2) continue;
    const name = strings.at(nameOffset, `ELF symbol ${index}`);
    if (name === "" || isMappingSymbol(name)) continue;
    symbols.push({
      name,
      address,
      size: size < 0x1_0000_0000_0000n ? Number(size) : 0,
      type: type === 2 ? "function" : type === 1 ? "object" : "none",
    });
  }
  return symbols;
}

/** `$x`, `$d` and `$x.suffix` mark code and data (ELF for the Arm 64-bit Architecture, 5.5.4). */
function isMappingSymbol(name: string): boolean {
  return /^\$[xd](\.|$)/.test(name);
}
