/**
 * Gives the decoded flow of any window, and with it the block table as far as it was defined.
 */

import { BlockTable } from "./block_table.ts";
import type { Fields } from "./fields.ts";
import {
  decodeFlow,
  type FlowColumns,
  type ImageBytes,
  readDefinitions,
  type WindowFlow,
} from "./flow_decoder.ts";
import { MAX_TABLE_BLOCKS, MAX_TABLE_STEPS, MAX_WINDOW_STEPS } from "./schema.ts";
import { TraceError } from "./trace_error.ts";
import type { WindowInfo } from "./window_index.ts";

/** Columns cannot be longer than this many bytes per step. */
const MAX_COLUMN_BYTES_PER_STEP = 10;

/** Decodes windows; keeps the block table of the part of the trace it read last. */
export class BlockReader {
  readonly #windows: readonly WindowInfo[];
  readonly #items: (window: WindowInfo) => Iterable<Fields>;
  readonly #image: ImageBytes;
  #table = new BlockTable();
  /** Window in which the table started; and blocks in it at the end of that window and the next ones. */
  #tableStart = 0;
  #counts: number[] = [];

  /**
   * @param items gives the `flow` items of a window
   * @param image gives the memory at #0
   */
  constructor(
    windows: readonly WindowInfo[],
    items: (window: WindowInfo) => Iterable<Fields>,
    image: ImageBytes,
  ) {
    this.#windows = windows;
    this.#items = items;
    this.#image = image;
  }

  /** The flow of a window. Its block table may go on to grow, but what is in it stays. */
  read(window: WindowInfo): WindowFlow {
    const what = `the flow of window ${window.number}`;
    const { columns, table } = this.#columns(window, what);
    this.#load(checkedTable(table, window, what), window.number);
    const index = window.number - table;
    const ids = { before: index === 0 ? 0 : this.#counts[index - 1], after: this.#counts[index] };
    const position = { start: window.start, steps: window.end - window.start };
    return decodeFlow(columns, this.#table, ids, position, what);
  }

  /** The block table, and the blocks in it at the end of a window: only definitions are read. */
  table(window: WindowInfo): { table: BlockTable; count: number } {
    const what = `the flow of window ${window.number}`;
    for (const fields of this.#items(window)) {
      const start = checkedTable(fields.uint("table"), window, what);
      this.#load(start, window.number);
      return { table: this.#table, count: this.#counts[window.number - start] };
    }
    throw new TraceError(`Cannot read ${what}: expected a flow, found none`);
  }

  #load(start: number, last: number): void {
    if (this.#tableStart !== start) {
      this.#table = new BlockTable();
      this.#tableStart = start;
      this.#counts = [];
    }
    while (start + this.#counts.length <= last) {
      const window = this.#windows[start + this.#counts.length];
      const steps = this.#table.totalSteps;
      for (const fields of this.#items(window)) {
        if (fields.uint("table") !== start) {
          throw new TraceError(
            `Cannot read ${fields.what}: expected the block table of window ${start}`,
          );
        }
        readDefinitions(fields, this.#table, this.#image);
        if (this.#table.totalSteps - steps > window.end - window.start) {
          throw new TraceError(
            `Cannot read ${fields.what}: expected every new block to be executed`,
          );
        }
      }
      if (
        this.#table.count > MAX_TABLE_BLOCKS + MAX_WINDOW_STEPS ||
        this.#table.totalSteps > MAX_TABLE_STEPS + MAX_WINDOW_STEPS
      ) {
        throw new TraceError(
          `Cannot read window ${window.number}: expected at most ${MAX_TABLE_BLOCKS} blocks`,
        );
      }
      this.#counts.push(this.#table.count);
    }
  }

  #columns(window: WindowInfo, what: string): { columns: FlowColumns; table: number } {
    const steps = window.end - window.start;
    const parts: FlowColumns[] = [];
    let table = -1;
    let sequential = false;
    let size = 0;
    let blocks = 0;
    for (const fields of this.#items(window)) {
      if (fields.uint("cpu") !== 0) continue;
      table = fields.uint("table");
      // Before 1.3 the column had another name and what is in it another meaning.
      if (parts.length === 0) sequential = !fields.has("runs");
      const part = {
        hits: fields.bytes(sequential ? "hits" : "runs"),
        misses: fields.bytes("misses"),
        exceptions: fields.bytes("exceptions"),
        blocks: fields.uint("blocks", steps),
        sequential,
      };
      parts.push(part);
      blocks += part.blocks;
      size += part.hits.length + part.misses.length + part.exceptions.length;
      if (blocks > steps || size > steps * MAX_COLUMN_BYTES_PER_STEP + 64) {
        throw new TraceError(`Cannot read ${what}: expected no more than ${steps} blocks`);
      }
    }
    if (parts.length === 0) {
      throw new TraceError(`Cannot read ${what}: expected a flow, found none`);
    }
    const join = (name: "hits" | "misses" | "exceptions") => concat(parts.map((p) => p[name]));
    const columns = {
      hits: join("hits"),
      misses: join("misses"),
      exceptions: join("exceptions"),
      blocks,
      sequential,
    };
    return { columns, table };
  }
}

/** The window in which a block table started, which an item of a window names. */
function checkedTable(table: number, { number }: WindowInfo, what: string): number {
  if (table >= 1 && table <= number) return table;
  throw new TraceError(
    `Cannot read ${what}: expected a table of window 1 to ${number}, found ${table}`,
  );
}

function concat(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
