/**
 * The flow encoder for recording: the same function as `ReferenceFlowEncoder`, in WebAssembly.
 *
 * A run costs one look-up in a side table: `blockAt[(start - arenaBase) / 16]` has the block executed
 * last from that record, and heads a list of all known blocks that start there (usually one). Only a run that is not found there calls
 * back into TypeScript, which identifies it by its bytes. Blocks refer to each other by address, so
 * the loop never multiplies; what a window must forget is forgotten through a generation number.
 * It is compared only where the guess does not come from what the window saw, because there is
 * nothing of a block to be guessed from before its first execution.
 *
 * Memory: counters, indirect table, return stack, state, three outputs, side table, then a
 * heap of block records (64 bytes) and entries of the side table's lists (16 bytes). The flow is read where
 * the source's generated code wrote it (`FlowSource.flowMemory`).
 */

import type { BlockTable } from "./block_table.ts";
import { ByteColumn } from "./columns.ts";
import { BlockDefinitions, type KnownBlocks, RECORD_BYTES } from "./flow_encoder.ts";
import type { FlowEncoder, FlowFields, FlowSource } from "./flow_source.ts";
import type { ImageMemory } from "./image_memory.ts";
import { BLOCK, BLOCK_FLAG, BLOCK_RECORD_BYTES, FLOW_MEMORY, STATE } from "./flow_memory.ts";
import { buildFlowModule } from "./flow_module.ts";
import { KINDS } from "./flow_module_parts.ts";
import { hashId } from "./predictor.ts";
import { MAX_BLOCK_STEPS } from "./schema.ts";

const ENTRY_BYTES = 16;
/** Generation of blocks that are known from a window before: less than that of any window. */
const BEFORE = 1;
const WASM_PAGE = 65536;
/** Pages for the input of sources that have no memory of their own for it. */
const OWN_PAGES = FLOW_MEMORY.inputPairs * 8 / WASM_PAGE;

/** Encodes, or skims, what stands in the input from a byte on. */
type Take = (from: number, pairs: number, arenaBase: number) => void;

let compiled: WebAssembly.Module | undefined;

/** What is known between two windows, to be given to {@linkcode WasmFlowEncoder.adopt}. */
export interface KnownFlow extends KnownBlocks {
  /** In which the runs that follow are. */
  readonly context: number;
}

/** Encodes a flow in WebAssembly. */
export class WasmFlowEncoder implements FlowEncoder {
  readonly #definitions: BlockDefinitions;
  readonly #source: FlowSource;
  readonly #memory: WebAssembly.Memory;
  readonly #input: WebAssembly.Memory;
  readonly #encode: Take;
  readonly #skim: Take;
  readonly #runs = new ByteColumn();
  readonly #misses = new ByteColumn();
  readonly #exceptions = new ByteColumn();
  readonly #heapStart: number;
  #heap: number;
  #free: number[] = [];
  /** Blocks in the table when the window began. */
  #atStart = 0;
  /** Address of each block's record, by id. */
  #records = new Uint32Array(1024);
  #u32!: Uint32Array;
  #bytes!: Uint8Array;

  /** Makes an encoder with an empty block table; `source` answers for the records of the stream */
  constructor(source: FlowSource) {
    this.#source = source;
    this.#definitions = new BlockDefinitions(source);
    const tableBytes = (source.arenaSize / RECORD_BYTES) * 8;
    this.#heapStart = FLOW_MEMORY.blockAt + Math.ceil(tableBytes / 64) * 64;
    this.#heap = this.#heapStart;
    this.#memory = new WebAssembly.Memory({
      initial: Math.ceil(this.#heapStart / WASM_PAGE) + 16,
    });
    this.#refresh();
    this.#input = source.flowMemory ??
      new WebAssembly.Memory({ initial: OWN_PAGES, maximum: OWN_PAGES, shared: true });
    compiled ??= new WebAssembly.Module(buildFlowModule());
    const instance = new WebAssembly.Instance(compiled, {
      trace: {
        memory: this.#memory,
        input: this.#input,
        define: (start: number, end: number, context: number) => this.#define(start, end, context),
      },
    });
    this.#encode = instance.exports.encode as Take;
    this.#skim = instance.exports.skim as Take;
  }

  get steps(): number {
    return this.#state(STATE.steps);
  }

  get pendingBytes(): number {
    return this.#runs.length + this.#misses.length + this.#exceptions.length +
      this.#definitions.pendingBytes;
  }

  get table(): BlockTable {
    return this.#definitions.table;
  }

  useImage(image: ImageMemory): void {
    this.#definitions.useImage(image);
  }

  /**
   * What another thread needs to go on; between windows.
   *
   * @internal
   */
  known(): KnownFlow {
    return { ...this.#definitions.known(), context: this.#state(STATE.context) };
  }

  /**
   * Goes on where another encoder stood; before the first window.
   *
   * @internal
   */
  adopt(known: KnownFlow, image: ImageMemory): void {
    this.#definitions.adopt(known, image);
    this.#setState(STATE.context, known.context);
    for (let id = 0; id < this.table.count; id++) this.#addRecord(id, BEFORE);
  }

  /** Learns the blocks of a window that another encoder encodes, see {@linkcode flow}. */
  skim(entries: Uint32Array): void {
    this.#feed(entries, this.#skim);
  }

  /** Ends a window that was skimmed. */
  endSkimmed(): void {
    this.#definitions.take();
    for (let id = this.#atStart; id < this.table.count; id++) {
      this.#u32[(this.#records[id] + BLOCK.generation) >> 2] = BEFORE;
    }
  }

  /** See `FlowEncoder`; `skimmed` if it is for {@linkcode skim}, which predicts nothing. */
  startWindow(window: number, skimmed = false): void {
    // Memory that was never written is zero: to clear it takes 20 ms of a short recording.
    if (this.#definitions.startWindow(window) && this.#heap > this.#heapStart) {
      this.#u32.fill(0, FLOW_MEMORY.blockAt >> 2, this.#heapStart >> 2);
      this.#heap = this.#heapStart;
      this.#free = [];
    }
    if (!skimmed) this.#bytes.fill(0, FLOW_MEMORY.counters, FLOW_MEMORY.state);
    for (const field of Object.values(STATE)) {
      if (field !== STATE.context) this.#setState(field, 0);
    }
    this.#setState(STATE.generation, window + 1);
    this.#atStart = this.table.count;
  }

  flow(entries: Uint32Array): void {
    this.#feed(entries, this.#encode);
  }

  #feed(entries: Uint32Array, take: Take): void {
    const most = FLOW_MEMORY.inputPairs * 2;
    const inPlace = entries.buffer === this.#input.buffer;
    for (let at = 0; at < entries.length; at += most) {
      const length = Math.min(entries.length - at, most);
      if (!inPlace) this.#copy(entries.subarray(at, at + length));
      const from = inPlace ? entries.byteOffset + 4 * at : 0;
      take(from, length / 2, this.#source.arenaBase);
      this.#drain();
    }
  }

  /** Entries that a source without a memory for them made. */
  #copy(entries: Uint32Array): void {
    if (this.#source.flowMemory) throw new Error("the flow is not in the memory of its source");
    new Uint32Array(this.#input.buffer).set(entries);
  }

  codeChanged(start: number, end: number): void {
    const { arenaBase, arenaSize } = this.#source;
    // A block that starts before the change may reach into it.
    const first = Math.max(arenaBase, start - (MAX_BLOCK_STEPS - 1) * RECORD_BYTES);
    const last = Math.min(arenaBase + arenaSize, end);
    const slotOf = (record: number) =>
      (FLOW_MEMORY.blockAt >> 2) + 2 * Math.floor((record - arenaBase) / RECORD_BYTES);
    for (let slot = slotOf(first); slot < slotOf(last); slot += 2) {
      for (let entry = this.#u32[slot]; entry !== 0; entry = this.#u32[(entry >> 2) + 3]) {
        this.#free.push(entry);
        this.#u32[(this.#u32[(entry >> 2) + 2] + BLOCK.start) >> 2] = 0;
      }
      this.#u32[slot] = 0;
    }
  }

  take(last: boolean): FlowFields {
    if (last) this.#flushExceptions();
    const blocks = this.#state(STATE.blocks);
    this.#setState(STATE.blocks, 0);
    return {
      cpu: 0,
      blocks,
      hits: this.#runs.take(),
      misses: this.#misses.take(),
      exceptions: this.#exceptions.take(),
      ...this.#definitions.take(),
    };
  }

  *executedBlocks(): Iterable<number> {
    const generation = this.#state(STATE.generation);
    for (let id = 0; id < this.table.count; id++) {
      if (this.#u32[(this.#records[id] + BLOCK.generation) >> 2] === generation) yield id;
    }
  }

  /** Called by the module for a run it does not know; returns the address of the block's record. */
  #define(start: number, end: number, context: number): number {
    const known = this.table.count;
    const id = this.#definitions.define(start, end, this.#source.context(context));
    if (id >= known) this.#addRecord(id);
    const record = this.#records[id];
    const slot = (FLOW_MEMORY.blockAt + ((start - this.#source.arenaBase) / RECORD_BYTES) * 8) >> 2;
    const entry = this.#free.pop() ?? this.#allocate(ENTRY_BYTES);
    this.#u32.set([end, context, record, this.#u32[slot]], entry >> 2);
    this.#u32[slot] = entry;
    return record;
  }

  #addRecord(id: number, generation = 0): void {
    if (id >= this.#records.length) {
      const bigger = new Uint32Array(2 * this.#records.length);
      bigger.set(this.#records);
      this.#records = bigger;
    }
    const record = this.#allocate(BLOCK_RECORD_BYTES);
    this.#records[id] = record;
    this.#u32.fill(0, record >> 2, (record + BLOCK_RECORD_BYTES) >> 2);
    this.#u32[(record + BLOCK.id) >> 2] = id;
    this.#u32[(record + BLOCK.generation) >> 2] = generation;
    const kind = this.table.kind(id);
    const flags = (KINDS.indirect >> kind & 1 ? BLOCK_FLAG.indirect : 0) |
      (KINDS.stack >> kind & 1 ? BLOCK_FLAG.stack : 0);
    this.#u32[(record + BLOCK.kindAndHash) >> 2] = kind | flags | hashId(id) << 16;
  }

  #allocate(bytes: number): number {
    const at = this.#heap;
    this.#heap += bytes;
    if (this.#heap > this.#bytes.length) {
      this.#memory.grow(Math.max(16, Math.ceil(this.#bytes.length / WASM_PAGE / 2)));
      this.#refresh();
    }
    return at;
  }

  #flushExceptions(): void {
    const pending = this.#state(STATE.pendingExceptions);
    if (pending === 0) return;
    this.#exceptions.pushUint(this.#state(STATE.sinceException));
    this.#exceptions.pushUint(pending);
    this.#setState(STATE.pendingExceptions, 0);
    this.#setState(STATE.sinceException, 0);
    this.#setState(STATE.interrupted, 0);
  }

  #drain(): void {
    const outputs = [
      [this.#runs, STATE.runs, FLOW_MEMORY.runs],
      [this.#misses, STATE.misses, FLOW_MEMORY.misses],
      [this.#exceptions, STATE.exceptions, FLOW_MEMORY.exceptions],
    ] as const;
    for (const [column, field, base] of outputs) {
      const used = this.#state(field);
      if (used > 0) column.pushBytes(this.#bytes.subarray(base, base + used));
      this.#setState(field, 0);
    }
  }

  #state(field: number): number {
    return this.#u32[(FLOW_MEMORY.state + field) >> 2];
  }

  #setState(field: number, value: number): void {
    this.#u32[(FLOW_MEMORY.state + field) >> 2] = value;
  }

  #refresh(): void {
    this.#u32 = new Uint32Array(this.#memory.buffer);
    this.#bytes = new Uint8Array(this.#memory.buffer);
  }
}
