/**
 * The arm64 Linux `Image` header (Linux `Documentation/arch/arm64/booting.rst`, section 4).
 */

const HEADER_SIZE = 64;
const MAGIC_OFFSET = 56;
/** "ARM\x64" */
const MAGIC = 0x644d5241;

/** Fields of the header that a boot loader needs. */
export interface LinuxImageHeader {
  /** Wanted distance of the image from a 2 MiB boundary, in bytes. Valid if `imageSize` is not 0. */
  textOffset: bigint;
  /** Bytes of memory the kernel needs from its start, including what is not in the file. */
  imageSize: bigint;
  /** Flags bit 0. */
  bigEndian: boolean;
  /** Flags bits 2:1: page size in bytes, or null when unspecified. */
  pageSize: 4096 | 16384 | 65536 | null;
  /** Flags bit 3: may be placed anywhere, not only near the start of RAM. */
  anywhere: boolean;
}

/** Reads the header, or returns null where the magic is missing. */
export function parseLinuxHeader(file: Uint8Array): LinuxImageHeader | null {
  // The reference wants one byte more than the header's magic; shorter files are flat binaries.
  if (file.length <= MAGIC_OFFSET + 4) return null;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(MAGIC_OFFSET, true) !== MAGIC) return null;
  const flags = file.length >= HEADER_SIZE ? view.getUint32(24, true) : 0;
  const pageSizes = [null, 4096, 16384, 65536] as const;
  return {
    textOffset: view.getBigUint64(8, true),
    imageSize: view.getBigUint64(16, true),
    bigEndian: (flags & 1) !== 0,
    pageSize: pageSizes[(flags >> 1) & 3],
    anywhere: (flags & 8) !== 0,
  };
}
