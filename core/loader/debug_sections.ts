/** The line table of an executable, from its debug sections, which may be compressed. */
import { nodeZlib } from "../node_builtins.ts";
import { ByteReader } from "./byte_reader.ts";
import { type LineRow, parseLines } from "./dwarf_line.ts";
import type { ElfFile } from "./elf.ts";
import { ImageError } from "./image_error.ts";

const SHF_COMPRESSED = 0x800n;
const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;
/** Largest section that is unpacked, in bytes. */
const SECTION_LIMIT = 256 * 1024 * 1024;

/**
 * Returns the rows of `.debug_line` that lie in a segment, or none without that section.
 *
 * @throws ImageError when a section is damaged
 */
export function debugLines(elf: ElfFile): LineRow[] {
  const line = debugSection(elf, ".debug_line");
  if (line === null) return [];
  const sections = {
    line,
    lineStrings: debugSection(elf, ".debug_line_str"),
    strings: debugSection(elf, ".debug_str"),
    bigEndian: elf.bigEndian,
  };
  return parseLines(
    sections,
    (start) =>
      elf.segments.some(({ virtualAddress, memorySize }) =>
        start >= virtualAddress && start < virtualAddress + memorySize
      ),
  );
}

function debugSection(elf: ElfFile, name: string): Uint8Array | null {
  const bytes = elf.section(name);
  const header = elf.sections.find((section) => section.name === name);
  if (bytes === null || header === undefined) return null;
  return (header.flags & SHF_COMPRESSED) === 0n ? bytes : unpack(bytes, name, elf);
}

/** Unpacks a compressed section (gABI, "Section Compression"). */
function unpack(bytes: Uint8Array, name: string, { bigEndian }: ElfFile): Uint8Array {
  const reader = new ByteReader(bytes, `ELF section ${name}`);
  reader.littleEndian = !bigEndian;
  const type = reader.u32();
  reader.u32();
  const size = reader.size();
  reader.u64();
  const data = reader.bytes(reader.left);
  if (type !== ELFCOMPRESS_ZLIB && type !== ELFCOMPRESS_ZSTD) {
    throw new ImageError(`ELF section ${name}: compression type is ${type}, expected 1 or 2`);
  }
  if (size > SECTION_LIMIT) {
    throw new ImageError(
      `ELF section ${name}: unpacks to ${size} bytes, expected at most ${SECTION_LIMIT}`,
    );
  }
  try {
    const { inflateSync, zstdDecompressSync } = nodeZlib();
    const unpacker = type === ELFCOMPRESS_ZLIB ? inflateSync : zstdDecompressSync;
    return new Uint8Array(unpacker(data, { maxOutputLength: Math.max(size, 1) }));
  } catch (error) {
    throw new ImageError(`ELF section ${name}: cannot be unpacked (${(error as Error).message})`);
  }
}
