/**
 * The `values` items of a window: how many words of results each instruction has, and the words.
 */

import { type Fields } from "./fields.ts";
import type { WindowFlow } from "./flow_decoder.ts";
import { TraceError } from "./trace_error.ts";
import { type ValueColumns, ValueDecoder } from "./value_codec.ts";

/** Most words that an instruction can have: a reader's bound. */
export const MOST_WORDS = 16;

/** Columns cannot be longer than this many bytes per step. */
const MAX_BYTES_PER_STEP = 10 * MOST_WORDS;

/** The columns of a window's values, joined over its items. */
export interface WindowValueColumns extends ValueColumns {
  /** bytes: words of every instruction of the window's blocks, in the order of their first execution. */
  counts: Uint8Array;
}

/** Numbers the slots of a window's blocks. */
export class ValueSlots {
  /** By block: its first slot, or -1 before its first execution; and its words. */
  readonly #first: Int32Array;
  readonly #words: Uint16Array;
  /** Slots so far. */
  count = 0;

  constructor(blocks: number) {
    this.#first = new Int32Array(blocks).fill(-1);
    this.#words = new Uint16Array(blocks);
  }

  /** Whether the block has slots. */
  has(block: number): boolean {
    return this.#first[block] >= 0;
  }

  /** Gives a block its slots. */
  add(block: number, words: number): void {
    this.#first[block] = this.count;
    this.#words[block] = words;
    this.count += words;
  }

  /** The first slot of a block. */
  first(block: number): number {
    return this.#first[block];
  }

  /** Words of a block. */
  words(block: number): number {
    return this.#words[block];
  }
}

/** The results of one instruction. */
export interface InstructionResults {
  /** Position before it. */
  readonly position: number;
  /** What it wrote to registers: a word for a general-purpose one, two for a vector. */
  readonly words: readonly bigint[];
}

/** Joins the items of a window; null if it has none. */
export function joinValues(
  items: Iterable<Fields>,
  steps: number,
  what: string,
): WindowValueColumns | null {
  const parts = [...items].map((fields) => ({
    counts: fields.bytes("counts"),
    hits: fields.bytes("hits"),
    choices: fields.bytes("choices"),
    words: fields.bytes("words"),
  }));
  if (parts.length === 0) return null;
  const join = (name: keyof WindowValueColumns) => {
    const length = parts.reduce((sum, part) => sum + part[name].length, 0);
    if (length > steps * MAX_BYTES_PER_STEP) {
      throw new TraceError(`Cannot read ${what}: expected values of ${steps} steps`);
    }
    const joined = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      joined.set(part[name], at);
      at += part[name].length;
    }
    return joined;
  };
  return {
    counts: join("counts"),
    hits: join("hits"),
    choices: join("choices"),
    words: join("words"),
  };
}

/**
 * The results of a window's instructions in order.
 *
 * @throws TraceError if the columns do not fit the flow
 */
export function* decodeValues(
  columns: WindowValueColumns,
  flow: WindowFlow,
  what: string,
): Generator<InstructionResults> {
  const { blocks, exceptions, table } = flow;
  const { slots, starts } = readCounts(columns.counts, flow, what);
  const decoder = new ValueDecoder(columns, slots.count, what);
  const segment = new Uint32Array(2);
  let position = flow.start, exception = 0;
  for (let i = 0; i < blocks.length; i++) {
    if (exceptions[exception]?.before === i) position += exceptions[exception++].count;
    const block = blocks[i];
    segment[0] = slots.first(block);
    segment[1] = slots.words(block);
    const values = decoder.decode(segment);
    let at = 0;
    for (let n = 0; n < table.steps(block); n++, position++) {
      const count = columns.counts[starts[block] + n];
      yield { position, words: [...values.subarray(at, at + count)] };
      at += count;
    }
  }
  decoder.finish();
}

function readCounts(counts: Uint8Array, { blocks, table }: WindowFlow, what: string) {
  const slots = new ValueSlots(table.count);
  /** By block: where its counts start. */
  const starts = new Uint32Array(table.count);
  let at = 0;
  for (const block of blocks) {
    if (slots.has(block)) continue;
    starts[block] = at;
    let words = 0;
    for (let n = table.steps(block); n > 0; n--) {
      const count = counts[at++];
      if (!(count <= MOST_WORDS)) {
        throw new TraceError(`Cannot read ${what}: expected at most ${MOST_WORDS} words a step`);
      }
      words += count;
    }
    slots.add(block, words);
  }
  if (at !== counts.length) {
    throw new TraceError(`Cannot read ${what}: expected ${at} counts, found ${counts.length}`);
  }
  return { slots, starts };
}
