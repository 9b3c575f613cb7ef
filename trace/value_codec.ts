/**
 * Codes results of instructions: one 64-bit word after the other, each of a slot.
 *
 * A **slot** is one result of one instruction of a block, numbered in the order in which a window's
 * blocks are first executed, so that each has a past of its own. Four predictors guess its next word: the last
 * one, the last one plus the last difference, what followed the last two words, and what followed
 * the last two differences. The one that was right most guesses; right guesses are counted and
 * only wrong ones stored: which other predictor was right, how far back an equal word was, or the
 * difference from the last word in as many bytes as it takes. Everything is forgotten when a window starts.
 */

import { ByteColumn } from "./columns.ts";
import { TraceError } from "./trace_error.ts";
import {
  buildValueModule,
  VALUE_CHUNK,
  VALUE_MEMORY,
  VALUE_SLOT_BYTES,
  VALUE_STATE,
} from "./value_module.ts";

const WASM_PAGE = 65536;
/** A run that a column gives is shorter. */
const LONGEST_RUN = 1 << 28;
/** Zeros behind columns that are read: a damaged column is found to be too short before it ends. */
const MARGIN = 16;

/** Coded values; byte strings are columns. */
export interface ValueColumns {
  /** uints: right guesses before each wrong one. */
  hits: Uint8Array;
  /** bytes, one per wrong guess: 0 to 3, the predictor that was right; 3 + n: n bytes in `words`; 12: one. */
  choices: Uint8Array;
  /** Differences from the last word, zigzag, little-endian; how many values before an equal one was, less one. */
  words: Uint8Array;
}

let compiled: WebAssembly.Module | undefined;

/** The module with its memory. */
class Codec {
  readonly #memory = new WebAssembly.Memory({
    initial: Math.ceil(VALUE_MEMORY.slots / WASM_PAGE) + 1,
  });
  readonly exports: Record<"encode" | "decode", (pairs: number) => void> & { start(): void };
  u32!: Uint32Array;
  u64!: BigUint64Array;
  bytes!: Uint8Array;

  constructor() {
    compiled ??= new WebAssembly.Module(buildValueModule());
    const instance = new WebAssembly.Instance(compiled, { trace: { memory: this.#memory } });
    this.exports = instance.exports as unknown as Codec["exports"];
    this.refresh();
  }

  /** Forgets everything. */
  reset(): void {
    this.bytes.fill(0, 0, VALUE_MEMORY.segments);
    this.bytes.fill(0, VALUE_MEMORY.slots);
  }

  /** Makes room up to an address. */
  reach(end: number): void {
    if (end <= this.bytes.length) return;
    this.#memory.grow(Math.ceil((end - this.bytes.length) / WASM_PAGE) + 64);
    this.refresh();
  }

  refresh(): void {
    this.u32 = new Uint32Array(this.#memory.buffer);
    this.u64 = new BigUint64Array(this.#memory.buffer);
    this.bytes = new Uint8Array(this.#memory.buffer);
  }

  state(field: number): number {
    return this.u32[(VALUE_MEMORY.state + field) >> 2];
  }

  setState(field: number, value: number): void {
    this.u32[(VALUE_MEMORY.state + field) >> 2] = value;
  }
}

/** Encodes the values of windows. */
export class ValueEncoder {
  readonly #codec = new Codec();
  readonly #hits = new ByteColumn();
  readonly #choices = new ByteColumn();
  readonly #words = new ByteColumn();

  /** A window starts. */
  reset(): void {
    this.#codec.reset();
  }

  /** Bytes since the last take. */
  get length(): number {
    return this.#hits.length + this.#choices.length + this.#words.length;
  }

  /**
   * Encodes values.
   *
   * @param segments pairs (first slot, values of consecutive slots)
   * @param values of all segments, one after the other, at most `VALUE_CHUNK`
   */
  encode(segments: Uint32Array, values: BigUint64Array): void {
    const codec = this.#codec;
    reachSlots(codec, segments);
    codec.u32.set(segments, VALUE_MEMORY.segments >> 2);
    codec.u64.set(values, VALUE_MEMORY.values >> 3);
    const columns = [
      [this.#hits, VALUE_STATE.hits, VALUE_MEMORY.hits],
      [this.#choices, VALUE_STATE.choices, VALUE_MEMORY.choices],
      [this.#words, VALUE_STATE.words, VALUE_MEMORY.words],
    ] as const;
    for (const [, field, base] of columns) codec.setState(field, base);
    codec.exports.encode(segments.length / 2);
    for (const [column, field, base] of columns) {
      column.pushBytes(codec.bytes.subarray(base, codec.state(field)));
    }
  }

  /** The columns since the last take. */
  take(): ValueColumns {
    return { hits: this.#hits.take(), choices: this.#choices.take(), words: this.#words.take() };
  }
}

/** Decodes the values of one window. */
export class ValueDecoder {
  readonly #codec = new Codec();
  readonly #ends: readonly [number, number, number];
  readonly #what: string;

  /**
   * @param slots that the window has
   * @param what names the values in errors
   */
  constructor({ hits, choices, words }: ValueColumns, slots: number, what: string) {
    const codec = this.#codec;
    this.#what = what;
    let at = VALUE_MEMORY.slots + slots * VALUE_SLOT_BYTES;
    const place = (column: Uint8Array): [number, number] => {
      const start = at;
      at += column.length + MARGIN;
      return [start, start + column.length];
    };
    const places = [hits, choices, words].map(place);
    codec.reach(at);
    codec.reset();
    [hits, choices, words].forEach((column, i) => codec.bytes.set(column, places[i][0]));
    codec.setState(VALUE_STATE.hits, places[0][0]);
    codec.setState(VALUE_STATE.hitsEnd, places[0][1]);
    codec.setState(VALUE_STATE.choices, places[1][0]);
    codec.setState(VALUE_STATE.words, places[2][0]);
    this.#ends = [places[0][1], places[1][1], places[2][1]];
    codec.exports.start();
  }

  /** The values of segments, as {@linkcode ValueEncoder.encode} takes them. Valid until the next call. */
  decode(segments: Uint32Array): BigUint64Array {
    const codec = this.#codec;
    codec.u32.set(segments, VALUE_MEMORY.segments >> 2);
    let count = 0;
    for (let i = 1; i < segments.length; i += 2) count += segments[i];
    if (count > VALUE_CHUNK) throw new RangeError(`${count} values at once`);
    try {
      codec.exports.decode(segments.length / 2);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.#fail("columns as long as their values");
    }
    const fields = [VALUE_STATE.hits, VALUE_STATE.choices, VALUE_STATE.words];
    if (fields.some((field, i) => codec.state(field) > this.#ends[i])) {
      this.#fail("columns as long as their values");
    }
    return codec.u64.subarray(VALUE_MEMORY.values >> 3, (VALUE_MEMORY.values >> 3) + count);
  }

  /** Checks that all was read. */
  finish(): void {
    const fields = [VALUE_STATE.hits, VALUE_STATE.choices, VALUE_STATE.words];
    const codec = this.#codec;
    const unread = fields.some((field, i) => codec.state(field) !== this.#ends[i]);
    // Behind the last choice all guesses are right: no column ends the run.
    const counted = codec.state(VALUE_STATE.run) < LONGEST_RUN;
    if (unread || counted) this.#fail("their end");
  }

  #fail(expected: string): never {
    throw new TraceError(`Cannot read ${this.#what}: expected ${expected}`);
  }
}

/** Makes room for the slots of segments. */
function reachSlots(codec: Codec, segments: Uint32Array): void {
  let slots = 0;
  for (let i = 0; i < segments.length; i += 2) {
    slots = Math.max(slots, segments[i] + segments[i + 1]);
  }
  codec.reach(VALUE_MEMORY.slots + slots * VALUE_SLOT_BYTES);
}
