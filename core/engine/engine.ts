import { CpuState, SLOT } from "../state.ts";
import { STORED_REGISTERS } from "../sysregs.ts";
import type { Row } from "../isa/row.ts";
import { CodeCache } from "./code_cache.ts";
import { Decoder } from "./decoder.ts";
import { BUILT_IN, type HandlerTable } from "./handlers.ts";
import { interpreterFor, type InterpreterImports } from "./interpreter.ts";
import { LAYOUT, layOut, type MemoryLayout, RESULT_BYTES } from "./layout.ts";
import { LookupCaches } from "./lookup.ts";
import { EXIT } from "./reasons.ts";
import { Translator } from "./translator/translator.ts";

/**
 * Runs instructions: the generated interpreter, its memory, and the exact counting around it.
 *
 * The engine decides nothing about the architecture. It executes until it needs a decision
 * (`EXIT`) or asks for one on the way ({@linkcode EngineHost}), and it always knows how many
 * instructions have retired. What it executed goes to the flow observer, as runs.
 */

/** What the engine asks of the machine while it runs. Answers are of `ANSWER`. */
export interface EngineHost extends Omit<InterpreterImports, "decode"> {
  /** The instruction in hand was changed after it was decoded, without cache maintenance. */
  staleCode(): void;
  /** A slice begins: `retired` instructions will have retired when its budget is just used up. */
  beginSlice(retired: number): void;
}

/** Receives every executed run, in order. */
export interface FlowObserver {
  /**
   * Pairs of u32: `[start, end)` record addresses of a run, `[0, context]` for the context of the
   * runs that follow, `[1, n]` for n exception entries that retired nothing. Valid during the call.
   */
  flow(entries: Uint32Array): void;
  /** The records `[start, end)` are about to stand for other bytes; runs before were delivered. */
  codeChanged(start: number, end: number): void;
}

/** What an observer may ask about the records that it is given. */
export interface FlowSource {
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

/** Longest distance from one possible end of a run to the next. */
const LONGEST_RUN = 1024;
/** The same with a translator: its function may retire as much as a region has before the run begins. */
const LONGEST_TRANSLATED = 2048;
/** Code is translated where two slices have ended before. */
const TRANSLATE: TranslateOptions = { samples: 2 };
/** No instruction writes more words of results than four vectors and a base register have. */
export const MOST_RESULT_STEPS: number = RESULT_BYTES / 128;
/** Slices of translating engines begin this short, so that hot code is found soon. */
const FIRST_SLICE = 1 << 15;
/** A slice is at most this long, so that an optimised version of the function is picked up. */
const SLICE = 1 << 20;
/** The same with a translator, which samples where slices end. */
const SAMPLED_SLICE = 1 << 18;

/** First byte behind the state slots that are in use. */
const STATE_END = Math.max(...STORED_REGISTERS.map(({ slot }) => slot)) + 8;
/** State slots that belong to the engine, whichever CPU runs. */
const ENGINE_SLOTS = [SLOT.budget, SLOT.ring, SLOT.guestBase, SLOT.guestToCode];

/** When code is translated; see `translator/translator.ts`. */
export interface TranslateOptions {
  /** How many slices must have ended at a place before; 0: the first that does is enough. */
  readonly samples: number;
  /** Budget of the first slices; with 1 every run that is not translated is sampled. */
  readonly firstSlice?: number;
}

/** See the top of this file. */
export class Engine implements FlowSource {
  readonly layout: MemoryLayout;
  readonly memory: ArrayBuffer;
  /** The state of each CPU. */
  readonly states: readonly CpuState[];
  /** The lookup caches of each CPU. */
  readonly lookups: readonly LookupCaches[];
  readonly records: CodeCache;
  /** Guest memory. */
  readonly guest: Uint8Array;
  /**
   * A byte per 8 bytes of guest memory, set to 1 by every store to one of them, also of the value
   * that was there; for its user to clear. Empty if nobody asked for it.
   */
  readonly storeMarks: Uint8Array;
  /** The handlers of the machine's instructions. */
  readonly table: HandlerTable;
  /** Where runs go; null where nobody wants them. */
  flowObserver: FlowObserver | null = null;

  readonly #run: () => number;
  readonly #u32: Uint32Array;
  readonly #u64: BigUint64Array;
  readonly #host: EngineHost;
  readonly #kinds: Uint8Array;
  #cpu = 0;
  #delivered: number = LAYOUT.ring;
  #completed = 0;
  #budget = 0;
  /** Record of the stop that {@linkcode stopAfterAccess} planted, or 0. */
  #requested = 0;
  #contexts: FlowContext[] = [];
  readonly #contextIds = new Map<string, number>();
  /** Words, as they were executed, of records of the run in hand that were changed since. */
  readonly #overrides = new Map<number, number>();
  /** The second engine, if it was asked for. */
  readonly translator: Translator | null = null;
  readonly #reserve: number = LONGEST_RUN;
  /** Indirect branches leave PSTATE.BTYPE. */
  readonly #landings: boolean;
  readonly #firstSlice: number;
  #sliceLength: number;

  /**
   * @param options.rows the instructions; engines with the same array share what is generated from it
   * @param options.guestBytes bytes of guest memory, a multiple of 64 KiB
   * @param options.levels exception levels that exist, from EL0
   * @param options.flow whether runs are recorded
   * @param options.storeMarks whether stores are marked: {@linkcode Engine.storeMarks}
   * @param options.results whether what instructions write to registers is kept: {@linkcode Engine.takeResults}
   * @param options.cpus how many CPUs take turns; 1 if left out
   * @param options.translate what is translated; null for nothing
   * @param options.landings whether indirect branches leave PSTATE.BTYPE (FEAT_BTI)
   */
  constructor(
    options: {
      rows: readonly Row[];
      guestBytes: number;
      levels: number;
      flow: boolean;
      storeMarks?: boolean;
      results?: boolean;
      cpus?: number;
      translate?: TranslateOptions | null | undefined;
      landings?: boolean;
    },
    host: EngineHost,
  ) {
    const { results = false, cpus = 1, landings = false } = options;
    // Only the interpreter keeps results.
    const { translate = TRANSLATE } = results ? { translate: null } : options;
    this.#landings = landings;
    this.layout = layOut({ ...options, translate: translate !== null });
    const memory = new WebAssembly.Memory({ initial: this.layout.wasmPages });
    this.memory = memory.buffer as ArrayBuffer;
    const { lookups } = this.layout;
    this.states = lookups.map((_, cpu) =>
      new CpuState(cpu === 0 ? this.memory : new ArrayBuffer(SLOT.end))
    );
    this.lookups = lookups.map((at) => new LookupCaches(this.memory, options.levels, at));
    this.guest = new Uint8Array(this.memory, this.layout.guest, options.guestBytes);
    const { guest, guestBytes, storeMarks } = this.layout;
    this.storeMarks = new Uint8Array(this.memory, storeMarks, storeMarks ? guestBytes / 8 : 0);
    this.#u32 = new Uint32Array(this.memory);
    this.#u64 = new BigUint64Array(this.memory);
    this.#host = host;
    const { arena } = this.layout;
    const regions = translate === null ? undefined : this.layout.regions - arena / 2;
    const interpreter = interpreterFor(options.rows, {
      flow: options.flow,
      landings,
      ...(storeMarks ? { storeMarks: storeMarks - guest / 8 } : {}),
      results: this.layout.results > 0,
      regions,
    });
    const { table, records, module } = interpreter;
    this.table = table;
    this.#kinds = new Uint8Array(table.count);
    for (const { id, row } of table.handlers) {
      this.#kinds[id] = row.ends ? BLOCK_KIND[row.ends] : BLOCK_KIND.sequential;
    }
    this.records = new CodeCache(
      this.memory,
      this.layout,
      new Decoder(this.memory, table, records),
      (start, end) => this.#codeChanges(start, end),
      () => this.#codeDrops(),
      () => host.staleCode(),
    );
    const functions = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
    const instance = new WebAssembly.Instance(module, {
      engine: {
        memory,
        regions: functions,
        decode: () => this.#decode(),
        fetch: () => host.fetch(),
        access: (kind: number) => host.access(kind),
        callOut: (what: number, argument: number) => host.callOut(what, argument),
      },
    });
    this.#run = instance.exports.run as () => number;
    this.#firstSlice = translate?.firstSlice ?? (translate ? FIRST_SLICE : SLICE);
    this.#sliceLength = this.#firstSlice;
    if (translate !== null && regions !== undefined) {
      this.#reserve = LONGEST_TRANSLATED;
      this.translator = new Translator(
        { memory, state: () => this.state, records: this.records, interpreter },
        {
          threshold: translate.samples,
          flow: options.flow,
          turns: cpus > 1,
          landings,
          storeMarks: storeMarks ? storeMarks - guest / 8 : undefined,
          regions,
          table: functions,
        },
      );
      this.translator.connect(instance.exports);
      this.records.onProbe = (record) => this.translator?.watch(record);
    }
    this.state.set32(SLOT.guestBase, this.layout.guest);
    this.state.set32(SLOT.guestToCode, LAYOUT.codeTable);
    this.state.set32(SLOT.ring, LAYOUT.ring);
    this.#u32[LAYOUT.results >> 2] = this.layout.results;
  }

  /**
   * What was written to registers since the last call, in order: a word for a general-purpose
   * register (also for XZR), two for a vector. Valid until the engine runs on; there is room for the results
   * of {@linkcode MOST_RESULT_STEPS} instructions.
   */
  takeResults(): BigUint64Array {
    const { results } = this.layout;
    const end = this.#u32[LAYOUT.results >> 2];
    this.#u32[LAYOUT.results >> 2] = results;
    return this.#u64.subarray(results / 8, end / 8);
  }

  /** State of the CPU that runs. */
  get state(): CpuState {
    return this.states[this.#cpu];
  }

  /** Lookup caches of the CPU that runs. */
  get lookup(): LookupCaches {
    return this.lookups[this.#cpu];
  }

  /** The CPU that runs. */
  get cpu(): number {
    return this.#cpu;
  }

  /** Has another CPU run from here on. Its next instruction is at SLOT.pc and must be entered. */
  switchTo(cpu: number): void {
    this.cut();
    const from = this.state;
    const to = this.states[cpu];
    const { btype } = to;
    for (const slot of ENGINE_SLOTS) to.set32(slot, from.get32(slot));
    to.exchange(from, STATE_END);
    // What stands here is of the time when it ran last; no run is in hand.
    to.set32(SLOT.runStart, to.get32(SLOT.record));
    to.btype = btype;
    this.#cpu = cpu;
  }

  /** Whether execution stands behind the first instruction of a run and before the run's end. */
  get inRun(): boolean {
    return this.#inRun() > 0;
  }

  /** Must be called before guest memory changes other than by an instruction's own store. */
  willWrite(offset: number, length: number): void {
    this.records.willWrite(this.layout.guest + offset, length);
    if (this.layout.storeMarks) this.storeMarks.fill(1, offset >>> 3, (offset + length + 7) >>> 3);
  }

  get arenaBase(): number {
    return this.layout.arena;
  }

  get arenaSize(): number {
    return (this.layout.regions || this.layout.guest) - this.layout.arena;
  }

  /** Instructions retired since the engine was made, exact at any time. */
  get retired(): number {
    const { state } = this;
    return this.#completed + this.#budget - state.get32(SLOT.budget) + this.#inRun();
  }

  /** Sets the count, when a saved state is restored. */
  set retired(count: number) {
    this.#completed += count - this.retired;
  }

  /** Address of the next instruction. */
  get pc(): bigint {
    const record = BigInt(this.state.get32(SLOT.record) >>> 2);
    return BigInt.asUintN(64, this.state.get64(SLOT.pcBase) + record);
  }

  /** Word of the next instruction. */
  get word(): number {
    return this.wordAt(this.state.get32(SLOT.record));
  }

  /**
   * Retires at most `limit` instructions and says why it stopped; `EXIT.budget` and `EXIT.stop`
   * also before the limit is reached. The engine must have been entered.
   *
   * @param turn instructions after which it stops at the next end of a run
   */
  run(limit: number, turn = Infinity): number {
    const { state } = this;
    const inRun = this.#inRun();
    const soft = limit + inRun - this.#reserve;
    if (soft > 0) {
      // Words that were overwritten are kept for the run in hand only: it is delivered at its end.
      const budget = Math.min(soft, this.#sliceLength, Math.max(0, turn + inRun));
      const reason = this.#slice(this.#overrides.size > 0 ? 0 : budget);
      this.#unplantRequest();
      return reason;
    }
    const record = state.get32(SLOT.record);
    const stop = record + limit * 16;
    const inPage = stop <= this.#trailer(record);
    if (inPage) this.records.plant(stop, BUILT_IN.stop);
    const reason = this.#slice(0);
    this.records.unplant(stop);
    this.#unplantRequest();
    return reason;
  }

  /** Has {@linkcode run} return behind the instruction in hand, which must not branch. */
  stopAfterAccess(): void {
    this.#requested = this.state.get32(SLOT.record) + 16;
    this.records.plant(this.#requested, BUILT_IN.stop);
  }

  /**
   * Begins a run at SLOT.pc, which the host's `fetch` makes executable.
   *
   * @returns false if it cannot be fetched
   */
  enter(): boolean {
    const { state } = this;
    const entry = (state.get32(SLOT.fetchLookup) >>> 0) +
      (Number(state.pc >> 12n & BigInt(LAYOUT.fetchLookupEntries - 1)) << 5);
    const known = this.#u64[entry >> 3] === (state.pc & ~0xffcn);
    if (!known && this.#host.fetch() !== 0) return false;
    const pc = state.pc;
    state.set64(SLOT.pcBase, this.#u64[(entry + 8) >> 3]);
    const record = this.#u32[(entry + 16) >> 2] + (Number(pc & 0xffcn) << 2);
    state.set32(SLOT.record, record);
    state.set32(SLOT.runStart, record);
    state.set32(SLOT.guarded, this.#u32[(entry + 24) >> 2]);
    this.#append(0, this.#u32[(entry + 20) >> 2]);
    return true;
  }

  /**
   * Begins a run at SLOT.pc in the page at engine address `host`, without fetching.
   *
   * @param guarded GP (FEAT_BTI)
   */
  enterAt(host: number, guarded: boolean): void {
    const { state } = this;
    state.set32(SLOT.guarded, guarded ? 1 : 0);
    const pc = state.pc;
    const page = pc & ~0xfffn;
    const records = this.records.recordsOf(host);
    state.set64(SLOT.pcBase, BigInt.asUintN(64, page - BigInt(records >>> 2)));
    state.set32(SLOT.record, records + (Number(pc & 0xffcn) << 2));
    state.set32(SLOT.runStart, state.get32(SLOT.record));
    this.#append(0, this.contextId(state.el, page, records));
  }

  /** Ends the run in hand where it is, as if it had ended by itself. */
  cut(): void {
    const { state } = this;
    const record = state.get32(SLOT.record);
    const start = state.get32(SLOT.runStart);
    if (record > start) {
      this.#append(start, record);
      this.#completed += (record - start) >> 4;
      state.set32(SLOT.runStart, record);
      state.btype = 0;
    }
    if (this.#overrides.size === 0) return;
    this.deliver();
    this.#overrides.clear();
  }

  /** The straight line has come to the end of its page: the next instruction is not fetched yet. */
  get atPageEnd(): boolean {
    const record = this.state.get32(SLOT.record);
    return record === this.#trailer(record);
  }

  /** Notes an exception entry that retired nothing. */
  noteEntry(): void {
    this.#append(1, 1);
  }

  /** Retires the instruction at the record, which ends its run: an exception-generating one that completes. */
  retire(): void {
    const { state } = this;
    state.set32(SLOT.record, state.get32(SLOT.record) + 16);
    this.cut();
  }

  /** Hands everything executed to the flow observer. */
  deliver(): void {
    if (this.#overrides.size > 0) this.#deliverChanged();
    this.#deliverTo(this.state.get32(SLOT.ring));
  }

  /** The context with this number. */
  context(id: number): FlowContext {
    return this.#contexts[id];
  }

  /** Number of the context; the machine stores it in the fetch lookup entry. */
  contextId(regime: number, page: bigint, recordBase: number): number {
    const key = `${regime} ${page} ${recordBase}`;
    let id = this.#contextIds.get(key);
    if (id === undefined) {
      id = this.#contexts.push({ regime, page, recordBase }) - 1;
      this.#contextIds.set(key, id);
    }
    return id;
  }

  /** The bytes executed as records `[start, end)` of the run in hand or of one just delivered. */
  code(start: number, end: number): Uint8Array {
    const address = this.records.instructionAddress(start);
    const bytes = new Uint8Array(this.memory, address, (end - start) >> 2).slice();
    if (this.#overrides.size > 0) {
      const words = new DataView(bytes.buffer);
      for (let record = start; record < end; record += 16) {
        const word = this.#overrides.get(record);
        if (word !== undefined) words.setUint32((record - start) >> 2, word, true);
      }
    }
    return bytes;
  }

  /** Block kind (`BLOCK_KIND`) of a record's instruction. */
  kindOf(record: number): number {
    return this.#kinds[this.records.operation(record)] ?? BLOCK_KIND.sequential;
  }

  /** Word of a record's instruction. */
  wordAt(record: number): number {
    return this.#u32[this.records.instructionAddress(record) >>> 2];
  }

  #slice(budget: number): number {
    const { state } = this;
    const { btype } = state;
    state.set32(SLOT.budget, budget);
    if (this.#landings) state.btype = btype;
    this.#budget = budget;
    this.#host.beginSlice(this.#completed + budget);
    const reason = this.#run();
    this.#completed += budget - state.get32(SLOT.budget);
    this.#budget = state.get32(SLOT.budget);
    const ring = state.get32(SLOT.ring);
    if (ring >= LAYOUT.ringLimit) this.#emptyRing();
    else if (this.#overrides.size > 0) this.deliver();
    if (this.translator && budget > 0 && reason === EXIT.budget) this.#sample(this.translator);
    return reason;
  }

  /** Where a slice ends is hot; slices grow while nothing new is found. */
  #sample(translator: Translator): void {
    const { made } = translator.statistics;
    translator.sample();
    const found = translator.statistics.made > made;
    const longer = this.#sliceLength + (this.#sliceLength >> 3);
    this.#sliceLength = found ? this.#firstSlice : Math.min(longer, SAMPLED_SLICE);
  }

  #unplantRequest(): void {
    if (this.#requested === 0) return;
    this.records.unplant(this.#requested);
    this.#requested = 0;
  }

  #emptyRing(): void {
    this.deliver();
    this.state.set32(SLOT.ring, LAYOUT.ring);
    this.#delivered = LAYOUT.ring;
  }

  #deliverTo(end: number): void {
    if (end <= this.#delivered) return;
    this.flowObserver?.flow(this.#u32.subarray(this.#delivered >> 2, end >> 2));
    this.#delivered = end;
  }

  /**
   * The run whose words {@linkcode #overrides} holds is the first one not yet delivered, if it has
   * ended. Runs behind it may be of the same records, and of the new bytes.
   */
  #deliverChanged(): void {
    const end = this.state.get32(SLOT.ring);
    let at = this.#delivered;
    while (at < end && this.#u32[at >> 2] < 16) at += 8;
    if (at === end) return;
    this.#deliverTo(at + 8);
    const records = [...this.#overrides.keys()];
    this.#overrides.clear();
    this.flowObserver?.codeChanged(Math.min(...records), Math.max(...records) + 16);
  }

  #append(first: number, second: number): void {
    if (!this.flowObserver) return;
    const { state } = this;
    const at = state.get32(SLOT.ring);
    this.#u32[at >> 2] = first;
    this.#u32[(at >> 2) + 1] = second;
    state.set32(SLOT.ring, at + 8);
    if (at + 8 >= LAYOUT.ringLimit) this.#emptyRing();
  }

  #inRun(): number {
    return (this.state.get32(SLOT.record) - this.state.get32(SLOT.runStart)) >> 4;
  }

  #trailer(record: number): number {
    const { offset } = this.records.locate(record);
    return record - (offset << 2) + 1024 * 16;
  }

  #decode(): void {
    const record = this.state.get32(SLOT.record);
    if (this.records.decode(record)) {
      const { host } = this.records.locate(record);
      for (const lookup of this.lookups) lookup.flushWritesTo(host);
    }
  }

  /** Bytes under records change: what was executed of them is remembered until it is delivered. */
  #codeChanges(start: number, end: number): void {
    this.translator?.invalidate(start, end);
    if (!this.flowObserver) return;
    this.deliver();
    const { state } = this;
    const from = Math.max(start, state.get32(SLOT.runStart));
    const to = Math.min(end, state.get32(SLOT.record) + 16);
    for (let record = from; record < to; record += 16) {
      if (!this.#overrides.has(record)) this.#overrides.set(record, this.wordAt(record));
    }
    if (this.#overrides.size > 0) this.stopAfterAccess();
    this.flowObserver.codeChanged(start, end);
  }

  #codeDrops(): void {
    this.translator?.clear();
    this.deliver();
    for (const lookup of this.lookups) lookup.flushFetches();
    this.#contexts = [];
    this.#contextIds.clear();
    this.flowObserver?.codeChanged(this.arenaBase, this.arenaBase + this.arenaSize);
  }
}
