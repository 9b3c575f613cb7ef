/** Builds small ELF files for the loader's tests; every header field can be overridden. */

/** A program header to write. */
export interface TestSegment {
  /** Physical address. */
  address: bigint;
  bytes: Uint8Array;
  /** Default: the address. */
  virtualAddress?: bigint;
  /** Default: the length of `bytes`. */
  memorySize?: bigint;
  /** Default 5: readable and executable. */
  flags?: number;
  /** Default 1: PT_LOAD. */
  type?: number;
}

/** A section to write. The first, empty one and the name table are added. */
export interface TestSection {
  name: string;
  type: number;
  bytes: Uint8Array;
  flags?: bigint;
  link?: number;
  entrySize?: number;
}

/** A symbol to write. */
export interface TestSymbol {
  name: string;
  address: bigint;
  size: number;
  /** `st_info` type: 0 none, 1 object, 2 function, 3 section, 4 file. */
  type: number;
  /** `st_shndx`, default 1. */
  section?: number;
}

const EHDR = 64;
const PHDR = 56;
const SHDR = 64;

/** Returns an ELF64 AArch64 executable: header, program headers, section headers, contents. */
export function makeElf(
  entry: bigint,
  segments: readonly TestSegment[],
  sections: readonly TestSection[] = [],
): Uint8Array<ArrayBuffer> {
  const names = "\0" + [...sections.map((section) => section.name), ".shstrtab"].join("\0") + "\0";
  const all: TestSection[] = sections.length === 0 ? [] : [
    { name: "", type: 0, bytes: new Uint8Array(0) },
    ...sections,
    { name: ".shstrtab", type: 3, bytes: new TextEncoder().encode(names) },
  ];
  const sectionTable = EHDR + segments.length * PHDR;
  let end = sectionTable + all.length * SHDR;
  const places = [...segments, ...all].map(({ bytes }) => {
    const at = end;
    end = (end + bytes.length + 7) & ~7;
    return at;
  });
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  [2, 183].forEach((value, index) => view.setUint16(16 + 2 * index, value, true));
  view.setUint32(20, 1, true);
  view.setBigUint64(24, entry, true);
  view.setBigUint64(32, segments.length === 0 ? 0n : BigInt(EHDR), true);
  view.setBigUint64(40, all.length === 0 ? 0n : BigInt(sectionTable), true);
  [EHDR, PHDR, segments.length, SHDR, all.length, Math.max(all.length - 1, 0)]
    .forEach((value, index) => view.setUint16(52 + 2 * index, value, true));
  segments.forEach((segment, index) => {
    const at = EHDR + index * PHDR;
    view.setUint32(at, segment.type ?? 1, true);
    view.setUint32(at + 4, segment.flags ?? 5, true);
    const size = BigInt(segment.bytes.length);
    const virtual = segment.virtualAddress ?? segment.address;
    [BigInt(places[index]), virtual, segment.address, size, segment.memorySize ?? size, 8n]
      .forEach((value, field) => view.setBigUint64(at + 8 + 8 * field, value, true));
    file.set(segment.bytes, places[index]);
  });
  all.forEach((section, index) => {
    const at = sectionTable + index * SHDR;
    const place = places[segments.length + index];
    view.setUint32(at, names.indexOf(`\0${section.name}\0`) + 1, true);
    view.setUint32(at + 4, section.type, true);
    view.setBigUint64(at + 8, section.flags ?? 0n, true);
    view.setBigUint64(at + 24, BigInt(place), true);
    view.setBigUint64(at + 32, BigInt(section.bytes.length), true);
    view.setUint32(at + 40, section.link ?? 0, true);
    view.setBigUint64(at + 56, BigInt(section.entrySize ?? 0), true);
    file.set(section.bytes, place);
  });
  return file;
}

/** Returns the sections of a symbol table; `first` is the index that the table gets. */
export function makeSymbols(symbols: readonly TestSymbol[], first: number): TestSection[] {
  let names = "\0";
  const table = new DataView(new ArrayBuffer(24 * (symbols.length + 1)));
  symbols.forEach((symbol, index) => {
    const at = 24 * (index + 1);
    table.setUint32(at, names.length, true);
    names += symbol.name + "\0";
    table.setUint8(at + 4, 0x10 | symbol.type);
    table.setUint16(at + 6, symbol.section ?? 1, true);
    table.setBigUint64(at + 8, symbol.address, true);
    table.setBigUint64(at + 16, BigInt(symbol.size), true);
  });
  const bytes = new Uint8Array(table.buffer);
  return [
    { name: ".symtab", type: 2, bytes, link: first + 1, entrySize: 24 },
    { name: ".strtab", type: 3, bytes: new TextEncoder().encode(names) },
  ];
}

/** Returns `words` as little-endian bytes, zero-filled to `length` bytes. */
export function code(words: readonly number[], length = words.length * 4): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(length));
  words.forEach((word, index) => view.setUint32(index * 4, word, true));
  return new Uint8Array(view.buffer);
}

/** Returns a Linux `Image`: header fields over `length` bytes of filler. */
export function makeLinuxImage(
  length: number,
  fields: { textOffset: bigint; imageSize: bigint; flags?: bigint },
): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(length).map((_, index) => index * 7);
  const view = new DataView(image.buffer);
  view.setUint32(0, 0x14000000, true);
  view.setBigUint64(8, fields.textOffset, true);
  view.setBigUint64(16, fields.imageSize, true);
  view.setBigUint64(24, fields.flags ?? 0xan, true);
  view.setUint32(56, 0x644d5241, true);
  return image;
}
