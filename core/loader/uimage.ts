/**
 * Legacy U-Boot images (U-Boot `include/image.h`, `struct legacy_img_hdr`): a kernel with the
 * addresses that it is loaded to and entered at, as the reference takes them.
 */
import { gunzip, isGzip } from "./gzip.ts";
import { ImageError } from "./image_error.ts";

const HEADER_SIZE = 64;
const MAGIC = 0x2705_1956;
/** Image types. The second is placed by the loader, and its entry point counts from there. */
const KERNEL = 2, KERNEL_NOLOAD = 14;
const NOT_COMPRESSED = 0, GZIP = 1;
const LINUX = 5, VXWORKS = 14, ARM64 = 22;
/** Where the reference puts an image without an address, from the start of RAM. */
const NOLOAD_OFFSET = 0x200_0000;

/** What an image says. */
export interface UImage {
  /** The kernel, unpacked. */
  readonly bytes: Uint8Array;
  /** Physical address of its first byte. */
  readonly address: number;
  /** Physical address of its first instruction. */
  readonly entry: number;
  /** It is booted by the Linux protocol. */
  readonly isLinux: boolean;
}

/** Whether a file has the magic of a U-Boot image. */
export function isUImage(file: Uint8Array): boolean {
  return file.length >= 4 && view(file).getUint32(0) === MAGIC;
}

/**
 * Reads an image.
 *
 * @param ramBase physical address of RAM
 * @param limit bytes that it may unpack to
 * @throws ImageError where it is no kernel, damaged, or packed in another way than by gzip
 */
export function readUImage(file: Uint8Array, ramBase: number, limit: number): UImage {
  if (file.length < HEADER_SIZE) {
    throw new ImageError(`uImage: ${file.length} bytes, expected a header of ${HEADER_SIZE}`);
  }
  const header = view(file);
  const size = header.getUint32(12), [os, arch, type, packing] = file.subarray(28, 32);
  if (type !== KERNEL && type !== KERNEL_NOLOAD) {
    throw new ImageError(`uImage: type ${type}, expected a kernel (2 or 14)`);
  }
  if (packing !== NOT_COMPRESSED && packing !== GZIP) {
    throw new ImageError(`uImage: compression ${packing}, expected none (0) or gzip (1)`);
  }
  const data = file.subarray(HEADER_SIZE, HEADER_SIZE + size);
  if (data.length < size) {
    throw new ImageError(`uImage: ${data.length} bytes of data, expected ${size}`);
  }
  if (packing === GZIP && !isGzip(data)) throw new ImageError("uImage: no gzip data");
  const base = type === KERNEL ? 0 : ramBase + NOLOAD_OFFSET + HEADER_SIZE;
  return {
    bytes: packing === GZIP ? gunzip(data, limit) : data,
    address: base || header.getUint32(16),
    entry: base + header.getUint32(20),
    isLinux: os === LINUX || os === VXWORKS && arch === ARM64,
  };
}

function view(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}
