/**
 * Columns: many values of one kind, side by side in one byte string, before zstd sees them.
 *
 * Three encodings, and no others:
 * - **bytes**: one byte per value;
 * - **uints**: unsigned LEB128 (at most 2^53 - 1), one per value;
 * - **deltas**: 64-bit words, each as the difference from the one before it (the first from 0),
 *   modulo 2^64, read as signed, zigzag-mapped, in LEB128 of at most ten bytes.
 *
 * Writers append in the machine's hot paths, so they only store numbers; words are encoded when
 * the column is taken, with 32-bit arithmetic, because BigInt arithmetic is some fifty times slower.
 */

import { TraceError } from "./trace_error.ts";

/** Longest LEB128: ten bytes hold 64 bits. */
const MAX_LEB128 = 10;

/** A growable column of bytes. */
export class ByteColumn {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends one byte. */
  push(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  /** Appends an unsigned integer as LEB128. */
  pushUint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.push((rest % 0x80) | 0x80);
      rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    this.push(rest);
  }

  /** Appends bytes. */
  pushBytes(values: Uint8Array): void {
    if (this.#length + values.length > this.#bytes.length) this.#grow(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
  }

  /** Returns what was appended, as a copy, and empties the column. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #grow(by: number): void {
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + by));
    bigger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bigger;
  }
}

/** A growable column of 64-bit words, encoded as deltas when taken. */
export class WordColumn {
  #words = new BigUint64Array(16);
  #halves = new Uint32Array(this.#words.buffer);
  #length = 0;

  /** Words so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends a word. */
  push(value: bigint): void {
    if (this.#length === this.#words.length) this.#grow();
    this.#words[this.#length++] = value;
  }

  /** Appends a word given as an unsigned number of at most 53 bits. */
  pushNumber(value: number): void {
    if (this.#length === this.#words.length) this.#grow();
    this.#halves[2 * this.#length] = value >>> 0;
    this.#halves[2 * this.#length + 1] = value / 0x1_0000_0000;
    this.#length++;
  }

  /** Returns the column's encoding and empties it. */
  take(): Uint8Array {
    const out = new ByteColumn();
    const halves = this.#halves;
    let beforeLow = 0;
    let beforeHigh = 0;
    for (let i = 0; i < this.#length; i++) {
      const low = halves[2 * i];
      const high = halves[2 * i + 1];
      const deltaLow = (low - beforeLow) >>> 0;
      const deltaHigh = (high - beforeHigh - (low < beforeLow ? 1 : 0)) >>> 0;
      pushZigzag(out, deltaLow, deltaHigh);
      beforeLow = low;
      beforeHigh = high;
    }
    this.#length = 0;
    return out.take();
  }

  #grow(): void {
    const bigger = new BigUint64Array(this.#words.length * 2);
    bigger.set(this.#words);
    this.#words = bigger;
    this.#halves = new Uint32Array(bigger.buffer);
  }
}

function pushZigzag(out: ByteColumn, deltaLow: number, deltaHigh: number): void {
  const sign = (deltaHigh | 0) >> 31;
  let low = ((deltaLow << 1) ^ sign) >>> 0;
  let high = (((deltaHigh << 1) | (deltaLow >>> 31)) ^ sign) >>> 0;
  while (high !== 0) {
    out.push((low & 0x7f) | 0x80);
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  while (low >= 0x80) {
    out.push((low & 0x7f) | 0x80);
    low >>>= 7;
  }
  out.push(low);
}

/** Reads one column from front to back. Reading past its end is a {@linkcode TraceError}. */
export class ColumnReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;
  #word = 0n;

  /** @param what names the column in errors */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  /** Whether everything was read. */
  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Reads one byte. */
  byte(): number {
    if (this.#at >= this.#bytes.length) this.#fail("another byte");
    return this.#bytes[this.#at++];
  }

  /** Reads an unsigned LEB128 of at most `limit`, which may be longer than needed: up to ten bytes. */
  uint(limit = Number.MAX_SAFE_INTEGER): number {
    const start = this.#at;
    let value = this.byte();
    if (value >= 0x80) {
      value &= 0x7f;
      for (let scale = 0x80;; scale *= 0x80) {
        const byte = this.byte();
        value += (byte & 0x7f) * scale;
        if (value > Number.MAX_SAFE_INTEGER) break;
        if (byte < 0x80) break;
        if (this.#at - start >= MAX_LEB128) this.#fail("an integer of at most ten bytes");
      }
    }
    if (value > limit) {
      this.#at = start;
      this.#fail(`an integer of at most ${limit}`);
    }
    return value;
  }

  /** Reads the next word of a delta column. */
  word(): bigint {
    let low = 0;
    let high = 0n;
    let shift = 0;
    for (;;) {
      const byte = this.byte();
      const bits = byte & 0x7f;
      // Up to 49 bits fit a number; most deltas end there and never make a second BigInt.
      if (shift < 49) low += bits * 2 ** shift;
      else if (shift === 63 && byte > 1) this.#fail("a 64-bit difference");
      else high |= BigInt(bits) << BigInt(shift);
      if (byte < 0x80) break;
      shift += 7;
    }
    const zigzag = BigInt(low) | high;
    const delta = (zigzag >> 1n) ^ -(zigzag & 1n);
    this.#word = BigInt.asUintN(64, this.#word + delta);
    return this.#word;
  }

  /** Reads `count` bytes as a view. */
  view(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) this.#fail(`${count} more bytes`);
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** Checks that everything was read. */
  finish(): void {
    if (!this.done) this.#fail("its end");
  }

  #fail(expected: string): never {
    throw new TraceError(`Cannot read ${this.#what} at byte ${this.#at}: expected ${expected}`);
  }
}
