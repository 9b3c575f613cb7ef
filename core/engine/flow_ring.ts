import { type CpuState, SLOT } from "../state.ts";
import type { CodeCache } from "./code_cache.ts";
import { FLOW_RING } from "./layout.ts";

/**
 * What was executed, on its way from generated code to its observer: the flow ring (`layout.ts`),
 * the contexts that it names, and the words of instructions that were changed after they ran.
 */

/** Receives every executed run, in order. */
export interface FlowObserver {
  /**
   * Pairs of u32: `[start, end)` record addresses of a run, `[0, context]` for the context of the
   * runs that follow, `[1, n]` for n exception entries that retired nothing. Valid during the call.
   */
  flow(entries: Uint32Array): void;
  /** The records `[start, end)` are about to stand for other bytes; runs before were delivered. */
  codeChanged(start: number, end: number): void;
  /**
   * A segment of the ring is full: which one (`FLOW_RING.segments`) may be written next. Left out
   * where nothing is kept of the entries behind {@linkcode flow}.
   */
  nextSegment?(full: number): number;
}

/** Receives what records and contexts stand for before runs of them: enough to do without {@linkcode FlowSource}. */
export interface CodeObserver {
  /**
   * The records from `start` on stand for `words` from now on; `kinds` are their block kinds. Valid
   * during the call.
   */
  code(start: number, words: Uint32Array, kinds: Uint8Array): void;
  /** The context with this number. */
  context(id: number, context: FlowContext): void;
}

/** What an observer may ask about the records that it is given. */
export interface FlowSource {
  /** Tells everything that is decoded and each change of it; left out where that cannot be told. */
  follow?(observer: CodeObserver | null): void;
  /** Memory that the entries given to `FlowObserver.flow` stand in; left out where that is none in particular. */
  readonly flowMemory?: WebAssembly.Memory | undefined;
  /** First address of all records, and bytes from there. */
  readonly arenaBase: number;
  /** See {@linkcode arenaBase}. */
  readonly arenaSize: number;
  /** The context with this number. */
  context(id: number): FlowContext;
  /** The bytes executed as records `[start, end)`, four per record. */
  code(start: number, end: number): Uint8Array;
  /** Block kind ({@linkcode BLOCK_KIND}) of a record's instruction. */
  kindOf(record: number): number;
}

/** Where a page of records is mapped: `pc = page + (record - recordBase) / 4`. */
export interface FlowContext {
  /** Exception level. */
  readonly regime: number;
  /** Virtual address of the page. */
  readonly page: bigint;
  /** Address of the page's first record. */
  readonly recordBase: number;
}

/** How the block that a record ends goes on: the numbers that traces use. */
export const BLOCK_KIND = {
  sequential: 0,
  direct: 1,
  conditional: 2,
  call: 3,
  indirect: 4,
  "indirect-call": 5,
  return: 6,
  exception: 7,
} as const;

/** Bytes of the records of a 64-byte line. */
const LINE_RECORDS = 16 * 16;

/** Whether a segment is full when the next entry would stand at `at`. */
function isFull(at: number): boolean {
  return at % FLOW_RING.segmentBytes >= FLOW_RING.limit;
}

/** See the top of this file. */
export class FlowRing implements FlowSource {
  /** Where runs go; null where nobody wants them. */
  observer: FlowObserver | null = null;
  /** What generated code writes to; shared, so that other threads can read it there. */
  readonly flowMemory: WebAssembly.Memory | undefined;
  readonly arenaBase: number;
  readonly arenaSize: number;
  readonly #u32: Uint32Array;
  readonly #records: CodeCache;
  readonly #state: () => CpuState;
  readonly #kinds: Uint8Array;
  /** Byte behind the last entry that was handed over. */
  #delivered = 0;
  /** Where code and contexts go. */
  #code: CodeObserver | null = null;
  #contexts: FlowContext[] = [];
  /** Their numbers by `recordBase`: a page is mapped at few addresses. */
  readonly #contextIds = new Map<number, number[]>();
  /** Words, as they were executed, of records of the run in hand that were changed since. */
  readonly #overrides = new Map<number, number>();

  /**
   * @param exists whether generated code writes to it
   * @param state that of the CPU that runs
   * @param kinds block kinds by handler; of handlers behind them `sequential`
   */
  constructor(
    exists: boolean,
    records: CodeCache,
    state: () => CpuState,
    kinds: Uint8Array = new Uint8Array(0),
  ) {
    const pages = FLOW_RING.bytes / 65536;
    this.flowMemory = exists
      ? new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
      : undefined;
    this.#u32 = new Uint32Array(this.flowMemory?.buffer ?? new ArrayBuffer(0));
    this.#records = records;
    this.#state = state;
    this.#kinds = kinds;
    const { arena, regions, decodedWords } = records.layout;
    this.arenaBase = arena;
    this.arenaSize = (regions || decodedWords) - arena;
  }

  /** See `FlowSource.follow`. */
  follow(observer: CodeObserver | null): void {
    this.#code = observer;
    if (!observer) return;
    this.#contexts.forEach((context, id) => observer.context(id, context));
    for (const line of this.#records.decodedLines()) this.#tellCode(line, line + LINE_RECORDS);
  }

  /** The line of a record was decoded. */
  decoded(record: number): void {
    if (!this.#code) return;
    const line = record - ((this.#records.locate(record).offset & 63) << 2);
    this.#tellCode(line, line + LINE_RECORDS);
  }

  /** Whether instructions of the run in hand were changed after they were executed. */
  get hasChanged(): boolean {
    return this.#overrides.size > 0;
  }

  /** Adds an entry that generated code did not write. */
  append(first: number, second: number): void {
    if (!this.observer) return;
    const state = this.#state();
    const at = state.get32(SLOT.ring);
    this.#u32[at >> 2] = first;
    this.#u32[(at >> 2) + 1] = second;
    state.set32(SLOT.ring, at + 8);
    if (isFull(at + 8)) this.#empty();
  }

  /** Generated code has returned: empties the ring if it is full. */
  afterSlice(): void {
    if (isFull(this.#state().get32(SLOT.ring))) this.#empty();
    else if (this.hasChanged) this.deliver();
  }

  /** The run in hand has ended and was appended. */
  cut(): void {
    if (!this.hasChanged) return;
    this.deliver();
    this.#overrides.clear();
  }

  /** Hands everything executed to the observer. */
  deliver(): void {
    if (this.hasChanged) this.#deliverChanged();
    this.#deliverTo(this.#state().get32(SLOT.ring));
  }

  /** The context with this number. */
  context(id: number): FlowContext {
    return this.#contexts[id];
  }

  /** See `FlowSource`. */
  kindOf(record: number): number {
    return this.#kinds[this.#records.operation(record)] ?? BLOCK_KIND.sequential;
  }

  /** Number of a context; the machine stores it in the fetch lookup entry. */
  contextId(regime: number, page: bigint, recordBase: number): number {
    const ids = this.#contextIds.get(recordBase);
    for (let i = (ids?.length ?? 0) - 1; i >= 0; i--) {
      const { page: at, regime: el } = this.#contexts[ids![i]];
      if (at === page && el === regime) return ids![i];
    }
    const context = { regime, page, recordBase };
    const id = this.#contexts.push(context) - 1;
    this.#code?.context(id, context);
    if (ids) ids.push(id);
    else this.#contextIds.set(recordBase, [id]);
    return id;
  }

  /** All records and contexts are gone. */
  dropContexts(): void {
    this.#contexts = [];
    this.#contextIds.clear();
    this.observer?.codeChanged(this.arenaBase, this.arenaBase + this.arenaSize);
  }

  /** The bytes executed as records `[start, end)` of the run in hand or of one just delivered. */
  code(start: number, end: number): Uint8Array {
    const address = this.#records.instructionAddress(start);
    const bytes = this.#records.bytes(address, (end - start) >> 2);
    if (!this.hasChanged) return bytes;
    const words = new DataView(bytes.buffer);
    for (let record = start; record < end; record += 16) {
      const word = this.#overrides.get(record);
      if (word !== undefined) words.setUint32((record - start) >> 2, word, true);
    }
    return bytes;
  }

  /**
   * Bytes under records change: what was executed of them is remembered until it is delivered.
   *
   * @returns whether that is some of the run in hand, which must then be stopped behind this instruction
   */
  codeChanges(start: number, end: number): boolean {
    if (!this.observer) return false;
    this.deliver();
    const state = this.#state();
    const from = Math.max(start, state.get32(SLOT.runStart));
    const to = Math.min(end, state.get32(SLOT.record) + 16);
    for (let record = from; record < to; record += 16) {
      if (this.#overrides.has(record)) continue;
      this.#overrides.set(record, this.#records.wordAt(record));
    }
    this.observer.codeChanged(start, end);
    return this.hasChanged;
  }

  #empty(): void {
    this.deliver();
    const segment = Math.floor(this.#delivered / FLOW_RING.segmentBytes);
    const next = this.observer?.nextSegment?.(segment) ?? segment;
    this.#delivered = next * FLOW_RING.segmentBytes;
    this.#state().set32(SLOT.ring, this.#delivered);
  }

  #deliverTo(end: number): void {
    if (end <= this.#delivered) return;
    this.observer?.flow(this.#u32.subarray(this.#delivered >> 2, end >> 2));
    this.#delivered = end;
  }

  /**
   * The run whose words {@linkcode #overrides} holds is the first one not yet delivered, if it has
   * ended. Runs behind it may be of the same records, and of the new bytes.
   */
  #deliverChanged(): void {
    const end = this.#state().get32(SLOT.ring);
    let at = this.#delivered;
    while (at < end && this.#u32[at >> 2] < 16) at += 8;
    if (at === end) return;
    const [first, last] = [this.#u32[at >> 2], this.#u32[(at >> 2) + 1]];
    this.#tellCode(first, last);
    this.#deliverTo(at + 8);
    const records = [...this.#overrides.keys()];
    this.#overrides.clear();
    this.observer?.codeChanged(Math.min(...records), Math.max(...records) + 16);
    this.#tellCode(first, last);
  }

  #tellCode(start: number, end: number): void {
    if (!this.#code) return;
    const kinds = new Uint8Array((end - start) / 16);
    for (let i = 0; i < kinds.length; i++) kinds[i] = this.kindOf(start + 16 * i);
    this.#code.code(start, new Uint32Array(this.code(start, end).buffer), kinds);
  }
}
