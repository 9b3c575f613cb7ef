import { ImageError } from "./image_error.ts";

/**
 * Bounded reads from an untrusted file. Every read names what it wanted, so that a
 * truncated file gives one clear line instead of a RangeError.
 */
export class ByteReader {
  /** Next offset that a sequential read takes. */
  offset: number;
  /** First offset that may not be read. */
  readonly end: number;
  /** What the bytes are, for messages: `ELF file`, `.debug_line`. */
  readonly what: string;
  /** Numbers have their lowest byte first. */
  littleEndian = true;
  #view: DataView;
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array, what: string, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.what = what;
    this.offset = start;
    this.end = end;
  }

  /** Bytes left before the end. */
  get left(): number {
    return this.end - this.offset;
  }

  /** A reader of the next `length` bytes alone; this one continues behind them. */
  slice(length: number): ByteReader {
    const start = this.#take(length);
    const part = new ByteReader(this.#bytes, this.what, start, start + length);
    part.littleEndian = this.littleEndian;
    return part;
  }

  /** Reads an unsigned byte. */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** Reads a signed byte. */
  s8(): number {
    return this.#view.getInt8(this.#take(1));
  }

  /** Reads an unsigned 16-bit number. */
  u16(): number {
    return this.#view.getUint16(this.#take(2), this.littleEndian);
  }

  /** Reads an unsigned 32-bit number. */
  u32(): number {
    return this.#view.getUint32(this.#take(4), this.littleEndian);
  }

  /** Reads an unsigned 64-bit number. */
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), this.littleEndian);
  }

  /** Reads a 64-bit offset or size; one past 2^53 cannot lie inside any file and is refused. */
  size(): number {
    const at = this.offset;
    const value = this.u64();
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw new ImageError(
      `${this.what}: offset or size 0x${
        value.toString(16)
      } at byte ${at} is past the end of any file`,
    );
  }

  /** Reads an unsigned LEB128 number, modulo 2^64. */
  uleb(): bigint {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = this.u8();
      if (shift < 64n) value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
  }

  /** Reads a signed LEB128 number of at most 64 bits. */
  sleb(): bigint {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.u8();
      if (shift < 64n) value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (byte < 0x80) {
        const width = shift < 64n ? Number(shift) : 64;
        return BigInt.asIntN(width, value);
      }
    }
  }

  /** Reads `length` bytes, without copying them. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Reads a zero-terminated string (UTF-8, invalid bytes replaced). */
  text(): string {
    const start = this.offset;
    this.skipText();
    return new TextDecoder().decode(this.#bytes.subarray(start, this.offset - 1));
  }

  /** Passes over a zero-terminated string. */
  skipText(): void {
    const stop = this.#bytes.indexOf(0, this.offset);
    if (stop < 0 || stop >= this.end) {
      throw new ImageError(
        `${this.what}: string at byte ${this.offset} has no end before byte ${this.end}`,
      );
    }
    this.offset = stop + 1;
  }

  #take(length: number): number {
    const start = this.offset;
    if (!(length >= 0 && length <= this.end - start)) {
      throw new ImageError(
        `${this.what}: ${length} bytes wanted at byte ${start}, but it ends at byte ${this.end}`,
      );
    }
    this.offset = start + length;
    return start;
  }
}
