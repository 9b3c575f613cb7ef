/**
 * Bodies with encoding 1: exactly one zstd frame (RFC 8878 section 3.1.1).
 *
 * `zstdCompressSync` of Deno 2.9.6 appends an empty frame to some outputs (from about 150 KB of
 * content on; which lengths is chance). Most decompressors read on through several frames, some stop
 * after the first, so the writer keeps the first alone and the reader accepts nothing behind it.
 */

import { nodeZlib } from "../core/node_builtins.ts";
import { TraceError } from "./trace_error.ts";

/** Largest window that a frame may ask a decoder for: what RFC 8878 recommends to support. */
export const MAX_ZSTD_WINDOW = 8 << 20;

/** Content is unpacked in parts of so many bytes at the most: one, mostly. */
const MOST_AT_ONCE = 1 << 22;

/** Bytes of the frame header's content size by its two-bit flag. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

/** An empty frame: magic number, single segment of 0 bytes, one raw last block of 0 bytes. */
const EMPTY_FRAME = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00]);

/**
 * Packs a content into one frame.
 *
 * @param level zstd level
 * @returns the frame, or null if zstd made anything but one frame and empty ones behind it
 */
export function packFrame(content: Uint8Array, level: number): Uint8Array | null {
  const packed = nodeZlib().zstdCompressSync(content, {
    params: { [nodeZlib().constants.ZSTD_c_compressionLevel]: level },
  });
  const length = frameLength(packed);
  const rest = packed.subarray(length);
  if (rest.length % EMPTY_FRAME.length !== 0) return null;
  if (rest.some((byte, i) => byte !== EMPTY_FRAME[i % EMPTY_FRAME.length])) return null;
  return packed.subarray(0, length);
}

/**
 * Unpacks a body that must be one frame of `size` bytes of content.
 *
 * @param what names the item in errors
 * @throws TraceError if it is not one whole frame, has anything behind it, needs a dictionary or too
 * large a window, or unpacks to another size; never holds more than `size` bytes of output
 */
export function unpackFrame(body: Uint8Array, size: number, what: string): Uint8Array {
  let content: Uint8Array;
  try {
    const length = frameLength(body);
    if (length !== body.length) {
      throw new TraceError(`found ${body.length - length} bytes behind its only frame`);
    }
    // Room for one byte more shows zlib the end, without another part.
    const chunkSize = Math.max(64, Math.min(size + 1, MOST_AT_ONCE));
    const unpacked = nodeZlib().zstdDecompressSync(body, {
      maxOutputLength: Math.max(1, size),
      chunkSize,
    });
    content = new Uint8Array(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    const reason = code === "ERR_BUFFER_TOO_LARGE" ? "found more" : message;
    throw new TraceError(`Cannot unpack ${what}: expected ${size} bytes of zstd, ${reason}`);
  }
  if (content.length !== size) {
    throw new TraceError(
      `Cannot unpack ${what}: expected ${size} bytes of zstd, found ${content.length}`,
    );
  }
  return content;
}

/**
 * Length of the frame that `bytes` start with, found by walking its blocks.
 *
 * @throws TraceError if there is no whole frame, or one that a trace may not hold
 */
export function frameLength(bytes: Uint8Array): number {
  const byte = (at: number): number => {
    if (at >= bytes.length) throw new TraceError("found a frame that is cut off");
    return bytes[at];
  };
  for (let i = 0; i < 4; i++) {
    if (byte(i) !== EMPTY_FRAME[i]) throw new TraceError("found no zstd frame");
  }
  const descriptor = byte(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  if (descriptor & 3) throw new TraceError("found a frame with a dictionary");
  let at = 5;
  if (!singleSegment) {
    // RFC 8878 section 3.1.1.1.2: exponent in the high five bits, mantissa in the low three.
    const window = 2 ** (10 + (byte(at) >> 3)) * (1 + (byte(at) & 7) / 8);
    if (window > MAX_ZSTD_WINDOW) throw new TraceError(`found a window of ${window} bytes`);
    at++;
  }
  const sizeFlag = descriptor >> 6;
  at += sizeFlag === 0 && singleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag];
  for (let last = false; !last;) {
    const head = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16);
    last = (head & 1) !== 0;
    const type = (head >> 1) & 3;
    if (type === 3) throw new TraceError("found a reserved zstd block");
    // A block of type 1 is one byte, repeated.
    at += 3 + (type === 1 ? 1 : head >>> 3);
  }
  if (descriptor & 4) at += 4;
  if (at > bytes.length) throw new TraceError("found a frame that is cut off");
  return at;
}
