/**
 * Decodes the flow of a window: from `flow` items to the sequence of executed blocks.
 */

import type { BlockTable } from "./block_table.ts";
import { ColumnReader } from "./columns.ts";
import type { Fields } from "./fields.ts";
import { MISS } from "./flow_encoder.ts";
import { decodeInWasm } from "./flow_decoder_wasm.ts";
import { NONE, Predictor } from "./predictor.ts";
import { MAX_BLOCK_STEPS } from "./schema.ts";
import { TraceError } from "./trace_error.ts";

/** What one window executed. */
export interface WindowFlow {
  /** Position of the first step. */
  start: number;
  /** Block ids in order of execution. */
  blocks: Uint32Array;
  /** Exception entries that retired nothing: before which block, and how many. */
  exceptions: ExceptionEntries[];
  /** The blocks' definitions; shared between windows. */
  table: BlockTable;
}

/** `count` exception entries just before `blocks[before]`, or at the end if there is no such block. */
export interface ExceptionEntries {
  /** Index in the window's blocks. */
  before: number;
  /** Steps that they took: one each. */
  count: number;
}

/** Gives bytes of the memory at #0. */
export type ImageBytes = (address: number, length: number) => Uint8Array;

/** Highest physical address that a block's code may have had, plus one. */
const CODE_SPACE = 2n ** 48n - 4096n;

/** Adds the definitions of a `flow` item to the table. */
export function readDefinitions(fields: Fields, table: BlockTable, image: ImageBytes): void {
  const { what } = fields;
  const regimes = fields.bytes("regimes");
  const kinds = fields.bytes("kinds");
  const steps = fields.bytes("steps");
  const pcs = new ColumnReader(fields.bytes("pcs"), `pcs in ${what}`);
  const code = new ColumnReader(fields.bytes("code"), `code in ${what}`);
  const origins = fields.has("origins")
    ? new ColumnReader(fields.bytes("origins"), `origins in ${what}`)
    : undefined;
  if (kinds.length !== regimes.length || steps.length !== regimes.length) {
    throw new TraceError(
      `Cannot read ${what}: expected ${regimes.length} kinds and steps, ` +
        `found ${kinds.length} and ${steps.length}`,
    );
  }
  for (let i = 0; i < regimes.length; i++) {
    if (steps[i] === 0 || steps[i] > MAX_BLOCK_STEPS) {
      throw new TraceError(
        `Cannot read ${what}: expected a block of 1 to ${MAX_BLOCK_STEPS} steps, found ${steps[i]}`,
      );
    }
    const pc = pcs.word();
    const origin = origins?.word() ?? 0n;
    const words = origin === 0n
      ? code.view(4 * steps[i])
      : image(codeAddress(pc, origin, what), 4 * steps[i]);
    table.add(regimes[i], pc, kinds[i], words);
  }
  for (const column of [pcs, code, origins]) column?.finish();
}

function codeAddress(pc: bigint, origin: bigint, what: string): number {
  const address = BigInt.asUintN(64, pc + origin - 1n);
  if (address % 4n !== 0n || address >= CODE_SPACE) {
    throw new TraceError(
      `Cannot read ${what}: expected code at a physical address, found 0x${address.toString(16)}`,
    );
  }
  return Number(address);
}

/** The columns of a window's flow, joined over its items. */
export interface FlowColumns {
  hits: Uint8Array;
  misses: Uint8Array;
  exceptions: Uint8Array;
  blocks: number;
  /** Whether they are of format 1.3 or later. */
  sequential: boolean;
}

/**
 * Decodes a window.
 *
 * @param ids blocks of the table before and after the window's own definitions
 * @param position where the window starts, and its steps, which the result must match
 * @throws TraceError if the columns contradict each other or the table
 */
export function decodeFlow(
  columns: FlowColumns,
  table: BlockTable,
  ids: { before: number; after: number },
  position: { start: number; steps: number },
  what: string,
): WindowFlow {
  const exceptions = readExceptions(columns, position.steps, what);
  const decoded = decodeInWasm(columns, table, ids, exceptions);
  const behind = exceptions.at(-1)?.before === columns.blocks ? exceptions.at(-1)!.count : 0;
  if (decoded && decoded.steps + behind === position.steps && decoded.fresh === ids.after) {
    return { start: position.start, blocks: decoded.blocks, exceptions, table };
  }
  return decodeSlowly(columns, table, ids, position, { exceptions, what });
}

/** The definition, which also says what is wrong. */
export function decodeSlowly(
  columns: FlowColumns,
  table: BlockTable,
  ids: { before: number; after: number },
  position: { start: number; steps: number },
  { exceptions, what }: { exceptions: ExceptionEntries[]; what: string },
): WindowFlow {
  const blocks = new Uint32Array(columns.blocks);
  const runs = new ColumnReader(columns.hits, `hits of ${what}`);
  const misses = new ColumnReader(columns.misses, `misses of ${what}`);
  const predictor = new Predictor(columns.sequential);
  let fresh = ids.before;
  let hits = runs.done ? Infinity : runs.uint();
  let exception = 0;
  let steps = 0;
  for (let i = 0; i < blocks.length; i++) {
    if (exceptions[exception]?.before === i) {
      steps += exceptions[exception++].count;
      predictor.interrupt();
    }
    let id = predictor.predict();
    if (hits > 0) {
      hits--;
      if (id === NONE) throw new TraceError(`Cannot read ${what}: no prediction for block ${i}`);
      if (id === fresh) fresh++;
    } else {
      const miss = misses.uint(2 * ids.after + MISS.id);
      if (miss === MISS.other) id = predictor.other();
      else if (miss === MISS.new) id = fresh++;
      else if (columns.sequential) id = predictor.current + distance(miss - MISS.id);
      else id = miss - MISS.id;
      hits = runs.done ? Infinity : runs.uint();
    }
    if (id < 0 || id >= ids.after || id >= fresh) {
      throw new TraceError(`Cannot read ${what}: expected a known block, found id ${id}`);
    }
    blocks[i] = id;
    steps += table.steps(id);
    predictor.advance(id, table.kind(id));
  }
  if (exceptions[exception]) steps += exceptions[exception++].count;
  runs.finish();
  misses.finish();
  if (steps !== position.steps || exception !== exceptions.length || fresh !== ids.after) {
    throw new TraceError(
      `Cannot read ${what}: expected ${position.steps} steps, found ${steps}, or blocks unused`,
    );
  }
  return { start: position.start, blocks, exceptions, table };
}

/** What `distanceCode` maps to a code. */
function distance(zigzag: number): number {
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}

/** The exception entries of a window. */
export function readExceptions(
  columns: FlowColumns,
  steps: number,
  what: string,
): ExceptionEntries[] {
  const reader = new ColumnReader(columns.exceptions, `exceptions of ${what}`);
  const entries: ExceptionEntries[] = [];
  let before = 0;
  while (!reader.done) {
    const gap = reader.uint(columns.blocks - before);
    if (gap === 0 && entries.length > 0) {
      throw new TraceError(`Cannot read ${what}: expected a block between exception entries`);
    }
    before += gap;
    entries.push({ before, count: reader.uint(steps) });
  }
  return entries;
}
