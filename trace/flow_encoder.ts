/**
 * The flow encoder in TypeScript: the definition that the WebAssembly encoder is tested against.
 */

import { type AllBlocks, BlockTable } from "./block_table.ts";
import { ByteColumn, WordColumn } from "./columns.ts";
import { CodeOrigins } from "./code_origins.ts";
import type { FlowContext, FlowEncoder, FlowFields, FlowSource } from "./flow_source.ts";
import type { ImageMemory } from "./image_memory.ts";
import { Predictor } from "./predictor.ts";
import { MAX_BLOCK_STEPS, MAX_TABLE_BLOCKS, MAX_TABLE_STEPS } from "./schema.ts";

/** Bytes of a decoded record. */
export const RECORD_BYTES = 16;

/**
 * Codes of the `misses` column; a larger value is {@linkcode MISS.id} plus the distance of the block's
 * id from the current one's, even if it is ahead, or in formats before 1.3 plus the id itself.
 */
export const MISS = { other: 0, new: 1, id: 2 } as const;

/** The code of a miss by distance: from block `current` (-1 for none) to block `id`. */
export function distanceCode(current: number, id: number): number {
  const distance = id - current;
  return MISS.id + (distance < 0 ? -2 * distance - 1 : 2 * distance);
}

/** What is known between two windows, to be given to {@linkcode BlockDefinitions.adopt}. */
export interface KnownBlocks {
  readonly blocks: AllBlocks;
  readonly startedIn: number;
  /** See `CodeOrigins`. */
  readonly distances: readonly number[];
}

/** Collects the definitions of new blocks, for both encoders. */
export class BlockDefinitions {
  /** All blocks since the table was last emptied. */
  readonly table = new BlockTable();
  readonly #source: FlowSource | undefined;
  readonly #regimes = new ByteColumn();
  readonly #kinds = new ByteColumn();
  readonly #pcs = new WordColumn();
  readonly #steps = new ByteColumn();
  readonly #origins = new WordColumn();
  readonly #code = new ByteColumn();
  #found: CodeOrigins | undefined;
  #startedIn = 0;

  /** @param source what {@linkcode define} asks */
  constructor(source?: FlowSource) {
    this.#source = source;
  }

  /** About how many bytes {@linkcode take} would give. */
  get pendingBytes(): number {
    return this.#code.length + 8 * this.#kinds.length;
  }

  /** Code that is as in the memory at #0 is stored as its place from now on. */
  useImage(image: ImageMemory): void {
    this.#found = new CodeOrigins(image);
  }

  /** What another thread needs to go on; between windows. */
  known(): KnownBlocks {
    return {
      blocks: this.table.all(),
      startedIn: this.#startedIn,
      distances: this.#found?.distances ?? [],
    };
  }

  /** Goes on where another one stood; before the first window. */
  adopt({ blocks, startedIn, distances }: KnownBlocks, image: ImageMemory): void {
    this.table.addAll(blocks);
    this.#startedIn = startedIn;
    this.#found = new CodeOrigins(image, distances);
  }

  /** Empties the table if it has grown beyond its limits, or `anew`. Gives true if it did. */
  startWindow(window: number, anew = false): boolean {
    const { count, totalSteps } = this.table;
    if (!anew && count > 0 && count < MAX_TABLE_BLOCKS && totalSteps < MAX_TABLE_STEPS) {
      return false;
    }
    this.table.clear();
    this.#startedIn = window;
    return true;
  }

  /** The id of the block in records `[start, end)`; a new block is added to the definitions. */
  define(start: number, end: number, context: FlowContext): number {
    const { regime, page, recordBase } = context;
    const pc = page + BigInt((start - recordBase) / 4);
    const code = this.#source!.code(start, end);
    const known = this.table.find(regime, pc, code);
    return known >= 0
      ? known
      : this.add(regime, pc, this.#source!.kindOf(end - RECORD_BYTES), code);
  }

  /** Adds a block that is not in the table; gives its id. */
  add(regime: number, pc: bigint, kind: number, code: Uint8Array): number {
    this.#regimes.push(regime);
    this.#kinds.push(kind);
    this.#pcs.push(pc);
    this.#steps.push(code.length / 4);
    const origin = this.#found?.find(pc, code) ?? 0n;
    this.#origins.push(origin);
    if (origin === 0n) this.#code.pushBytes(code);
    return this.table.add(regime, pc, kind, code);
  }

  /** The definitions since the last take. */
  take(): Pick<FlowFields, "table" | "regimes" | "kinds" | "pcs" | "steps" | "origins" | "code"> {
    return {
      table: this.#startedIn,
      regimes: this.#regimes.take(),
      kinds: this.#kinds.take(),
      pcs: this.#pcs.take(),
      steps: this.#steps.take(),
      origins: this.#origins.take(),
      code: this.#code.take(),
    };
  }
}

/** Encodes a sequence of blocks, one after the other, by the book. */
export class BlockSequence {
  readonly #predictor = new Predictor();
  readonly #hits = new ByteColumn();
  readonly #misses = new ByteColumn();
  readonly #exceptions = new ByteColumn();
  #run = 0;
  #blocks = 0;
  #sinceException = 0;
  #pendingExceptions = 0;

  /** Bytes of the columns so far. */
  get length(): number {
    return this.#hits.length + this.#misses.length + this.#exceptions.length;
  }

  /** A window starts. */
  reset(): void {
    this.#predictor.reset();
    this.#run = 0;
    this.#sinceException = 0;
  }

  /** A block was executed; `isNew` if it was defined just now. */
  block(id: number, kind: number, isNew: boolean): void {
    this.#flushExceptions();
    if (this.#predictor.predict() === id) {
      this.#run++;
    } else {
      this.#hits.pushUint(this.#run);
      this.#run = 0;
      if (isNew) this.#misses.pushUint(MISS.new);
      else if (id === this.#predictor.other()) this.#misses.pushUint(MISS.other);
      else this.#misses.pushUint(distanceCode(this.#predictor.current, id));
    }
    this.#predictor.advance(id, kind);
    this.#blocks++;
    this.#sinceException++;
  }

  /** Exception entries happened that retired nothing. */
  exceptions(count: number): void {
    if (count === 0) return;
    this.#pendingExceptions += count;
    this.#predictor.interrupt();
  }

  /** The columns since the last take; `last` ends the window. */
  take(last: boolean): Pick<FlowFields, "blocks" | "hits" | "misses" | "exceptions"> {
    if (last) this.#flushExceptions();
    const blocks = this.#blocks;
    this.#blocks = 0;
    return {
      blocks,
      hits: this.#hits.take(),
      misses: this.#misses.take(),
      exceptions: this.#exceptions.take(),
    };
  }

  /** Entries are written once the next block or the end shows that no more of them join. */
  #flushExceptions(): void {
    if (this.#pendingExceptions === 0) return;
    this.#exceptions.pushUint(this.#sinceException);
    this.#exceptions.pushUint(this.#pendingExceptions);
    this.#pendingExceptions = 0;
    this.#sinceException = 0;
  }
}

/** Encodes a machine's flow with {@linkcode BlockSequence}. */
export class ReferenceFlowEncoder implements FlowEncoder {
  readonly #definitions: BlockDefinitions;
  readonly #source: FlowSource;
  readonly #sequence = new BlockSequence();
  readonly #executed = new Set<number>();
  #context: FlowContext | undefined;
  #steps = 0;

  constructor(source: FlowSource) {
    this.#source = source;
    this.#definitions = new BlockDefinitions(source);
  }

  get steps(): number {
    return this.#steps;
  }

  get pendingBytes(): number {
    return this.#sequence.length + this.#definitions.pendingBytes;
  }

  get table(): BlockTable {
    return this.#definitions.table;
  }

  useImage(image: ImageMemory): void {
    this.#definitions.useImage(image);
  }

  startWindow(window: number): void {
    this.#definitions.startWindow(window);
    this.#sequence.reset();
    this.#executed.clear();
    this.#steps = 0;
  }

  flow(entries: Uint32Array): void {
    for (let i = 0; i < entries.length; i += 2) {
      const [start, end] = [entries[i], entries[i + 1]];
      if (start === 0) {
        this.#context = this.#source.context(end);
      } else if (start === 1) {
        this.#sequence.exceptions(end);
        this.#steps += end;
      } else {
        this.#run(start, end);
      }
    }
  }

  codeChanged(_start: number, _end: number): void {
    // Nothing is cached here: every run is looked up by its bytes.
  }

  take(last: boolean): FlowFields {
    return { cpu: 0, ...this.#sequence.take(last), ...this.#definitions.take() };
  }

  executedBlocks(): Iterable<number> {
    return this.#executed;
  }

  #run(start: number, end: number): void {
    for (let at = start; at < end; at += MAX_BLOCK_STEPS * RECORD_BYTES) {
      this.#block(at, Math.min(end, at + MAX_BLOCK_STEPS * RECORD_BYTES));
    }
  }

  #block(start: number, end: number): void {
    const known = this.table.count;
    const id = this.#definitions.define(start, end, this.#context!);
    this.#sequence.block(id, this.table.kind(id), id >= known);
    this.#executed.add(id);
    this.#steps += (end - start) / RECORD_BYTES;
  }
}
