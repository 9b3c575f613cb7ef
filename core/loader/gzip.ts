/** Unpacking of gzip'd images (RFC 1952). */
import { nodeZlib } from "../node_builtins.ts";
import { ByteReader } from "./byte_reader.ts";
import { ImageError } from "./image_error.ts";

/** Largest file that the reference unpacks, in bytes. */
const GUNZIP_LIMIT = 256 * 1024 * 1024;

const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
const RESERVED_FLAGS = 0xe0;

/** Whether the file starts with the magic of gzip and its one method, deflate. */
export function isGzip(file: Uint8Array): boolean {
  return file.length >= 3 && file[0] === 0x1f && file[1] === 0x8b && file[2] === 8;
}

/**
 * Unpacks the first member of a gzip file into at most `limit` bytes (and at most the 256 MiB of
 * the reference). What follows the member is ignored, as the reference does.
 *
 * @throws ImageError when the data is damaged or unpacks to more
 */
export function gunzip(file: Uint8Array, limit: number): Uint8Array {
  const reader = new ByteReader(file, "gzip image", 3);
  const flags = reader.u8();
  if ((flags & RESERVED_FLAGS) !== 0) {
    throw new ImageError(`gzip image: flags are 0x${flags.toString(16)}, expected at most 0x1f`);
  }
  reader.bytes(6);
  if (flags & FEXTRA) reader.bytes(reader.u16());
  if (flags & FNAME) reader.skipText();
  if (flags & FCOMMENT) reader.skipText();
  if (flags & FHCRC) reader.u16();
  const start = reader.offset;
  const { bytes, used } = inflate(file.subarray(start), Math.min(limit, GUNZIP_LIMIT));
  const trailer = new ByteReader(file, "gzip image", start + used);
  const checksum = trailer.u32();
  const size = trailer.u32();
  if (checksum !== nodeZlib().crc32(bytes) || size !== bytes.length) {
    throw new ImageError(
      `gzip image: checksum or size at byte ${trailer.offset - 8} does not match the data`,
    );
  }
  return bytes;
}

/** Inflates a raw deflate stream; `used` is its length in the input. */
function inflate(data: Uint8Array, bound: number): { bytes: Uint8Array; used: number } {
  try {
    const result = nodeZlib().inflateRawSync(data, {
      maxOutputLength: bound,
      info: true,
    }) as unknown as {
      buffer: Uint8Array;
      engine: { bytesWritten: number };
    };
    const { buffer, byteOffset, byteLength } = result.buffer;
    return {
      bytes: new Uint8Array(buffer, byteOffset, byteLength),
      used: result.engine.bytesWritten,
    };
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") {
      throw new ImageError(`gzip image: unpacks to more than ${bound} bytes, the space for it`);
    }
    throw new ImageError(`gzip image: damaged (${(error as Error).message})`);
  }
}
