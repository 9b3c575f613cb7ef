/**
 * Item contents as CBOR (RFC 8949).
 *
 * The reader's input is untrusted, and a CBOR library must not be shown it unprepared: nesting can
 * overflow the stack, tags can make surprising objects, and a declared length can be far beyond
 * the bytes that follow. So {@linkcode decodeContent} walks the heads first, without allocating,
 * and only a well-formed, shallow, tag-free item of definite length reaches `cbor-x`.
 */

import { Decoder } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";
import { TraceError } from "./trace_error.ts";

/** Deepest nesting of arrays and maps in an item's content. */
export const MAX_NESTING = 12;

/** Most CBOR items in an item's content: numbers and strings, arrays and maps, keys included. */
export const MAX_CBOR_ITEMS = 1 << 18;

const OPTIONS = { useRecords: false, tagUint8Array: false, variableMapSize: true } as const;
const encoder = new Encoder(OPTIONS);
const decoder = new Decoder(OPTIONS);

/** A decoded map. */
export type CborMap = { [key: string]: CborValue };

/** What an item may hold. An integer encoded in 8 bytes is a bigint, any other number a number. */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | CborValue[]
  | CborMap;

/** Encodes one value. The result does not share memory with anything. */
export function encodeContent(value: unknown): Uint8Array {
  return new Uint8Array(encoder.encode(value));
}

/**
 * Decodes exactly one value that fills `bytes`.
 *
 * @param what names the item in errors, for example `the flow of window 3`
 * @throws TraceError unless the bytes are one well-formed item within the limits
 */
export function decodeContent(bytes: Uint8Array, what: string): CborValue {
  const end = new Scanner(bytes, what).item(0, 0);
  if (end !== bytes.length) {
    throw new TraceError(
      `Cannot read ${what}: expected one CBOR item of ${bytes.length} bytes, found ${end}`,
    );
  }
  try {
    return decoder.decode(bytes) as CborValue;
  } catch (error) {
    throw new TraceError(`Cannot read ${what}: ${(error as Error).message}`);
  }
}

/** The head of a CBOR item: major type, argument and where the head ends. */
export interface Head {
  major: number;
  /** The argument; beyond 2^53 it is only good for "too large". */
  value: number;
  /** Offset of the first byte after the head. */
  end: number;
  /** The five low bits of the first byte. */
  info: number;
}

/** Reads a head at `offset`, or null if it is cut off, reserved or of indefinite length. */
export function readHead(bytes: Uint8Array, offset: number): Head | null {
  if (offset >= bytes.length) return null;
  const major = bytes[offset] >> 5;
  const info = bytes[offset] & 31;
  if (info < 24) return { major, value: info, end: offset + 1, info };
  if (info > 27) return null;
  const count = 1 << (info - 24);
  if (offset + 1 + count > bytes.length) return null;
  let value = 0;
  for (let i = 1; i <= count; i++) value = value * 256 + bytes[offset + i];
  return { major, value, end: offset + 1 + count, info };
}

/** The shortest head for `major` and `value`, as RFC 8949 section 4.2.1 asks. */
export function writeHead(major: number, value: number): number[] {
  const type = major << 5;
  if (value < 24) return [type | value];
  const count = value < 0x100 ? 1 : value < 0x10000 ? 2 : value < 0x1_0000_0000 ? 4 : 8;
  const head = [type | (24 + Math.log2(count))];
  for (let i = count - 1; i >= 0; i--) head.push(Math.floor(value / 2 ** (8 * i)) % 256);
  return head;
}

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #count = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** Checks the item at `offset` and returns where it ends. */
  item(offset: number, depth: number): number {
    const head = readHead(this.#bytes, offset);
    if (!head) this.#fail(offset, "a complete item of definite length");
    if (++this.#count > MAX_CBOR_ITEMS) this.#fail(offset, `at most ${MAX_CBOR_ITEMS} CBOR items`);
    const { major, value, end, info } = head;
    const left = this.#bytes.length - end;
    if (major <= 1) return end;
    if (major === 2 || major === 3) {
      if (value > left) this.#fail(offset, `a string of ${value} bytes, ${left} left`);
      return end + value;
    }
    if (major === 7) {
      // false, true, null and 64-bit floats; nothing else is ever written.
      if (info !== 20 && info !== 21 && info !== 22 && info !== 27) {
        this.#fail(offset, "false, true, null or a 64-bit float");
      }
      return end;
    }
    if (major === 6) this.#fail(offset, "an item without tags");
    if (depth >= MAX_NESTING) this.#fail(offset, `nesting of at most ${MAX_NESTING}`);
    if (value > left) this.#fail(offset, `${value} entries, ${left} bytes left`);
    return major === 4 ? this.#array(end, value, depth) : this.#map(end, value, depth);
  }

  #array(start: number, count: number, depth: number): number {
    let at = start;
    for (let i = 0; i < count; i++) at = this.item(at, depth + 1);
    return at;
  }

  #map(start: number, count: number, depth: number): number {
    let at = start;
    for (let i = 0; i < count; i++) {
      const key = readHead(this.#bytes, at);
      if (!key || key.major !== 3) this.#fail(at, "a text key");
      at = this.item(this.item(at, depth + 1), depth + 1);
    }
    return at;
  }

  #fail(offset: number, expected: string): never {
    throw new TraceError(`Cannot read ${this.#what} at byte ${offset}: expected ${expected}`);
  }
}
