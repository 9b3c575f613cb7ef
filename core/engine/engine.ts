import { CpuState, SLOT } from "../state.ts";
import { STATE_END } from "../system/sysregs.ts";
import { CodeCache } from "./code_cache.ts";
import { Decoder } from "./decoder.ts";
import { BUILT_IN } from "./handlers.ts";
import type { Interpreter } from "./interpreter.ts";
import { blockKinds, generatedCode, instantiate } from "./generated_code.ts";
import { LAYOUT, layOut, type MemoryLayout } from "./layout.ts";
import { LookupCaches } from "./lookup.ts";
import type { EngineHost, EngineOptions } from "./engine_options.ts";
import { FlowRing } from "./flow_ring.ts";
import { EXIT } from "./reasons.ts";
import { ReportedBarriers } from "./reported_barriers.ts";
import { MOST_INSTRUCTIONS } from "./translator/region.ts";
import { TRANSLATE, Translator } from "./translator/translator.ts";

/**
 * Runs instructions: the generated interpreter, its memory, and the exact counting around it.
 *
 * The engine decides nothing about the architecture. It executes until it needs a decision
 * (`EXIT`) or asks for one on the way (`EngineHost`), and it always knows how many
 * instructions have retired. What it executed goes to the flow observer, as runs.
 */

/** Longest distance from one possible end of a run to the next. */
const LONGEST_RUN = 1024;
/** A slice is at most this long, so that an optimised version of the function is picked up. */
const SLICE = 1 << 20;

/** Words of the CPU that runs, whose state stands at address 0: asked for at every event. */
const BUDGET = SLOT.budget >> 2, RECORD = SLOT.record >> 2, RUN_START = SLOT.runStart >> 2;
/** State slots that belong to the engine, whichever CPU runs. */
const ENGINE_SLOTS = [SLOT.budget, SLOT.ring];

/** See the top of this file. */
export class Engine {
  readonly layout: MemoryLayout;
  readonly memory: ArrayBuffer;
  /** The state of each CPU. */
  readonly states: readonly CpuState[];
  /** The lookup caches of each CPU. */
  readonly lookups: readonly LookupCaches[];
  readonly records: CodeCache;
  readonly barriers: ReportedBarriers;
  /** Guest memory. */
  readonly guest: Uint8Array;
  /**
   * A byte per 8 bytes of guest memory, set to 1 by every store to one of them, also of the value
   * that was there; for its user to clear. Empty if nobody asked for it.
   */
  readonly storeMarks: Uint8Array;
  /** The handlers of the machine's instructions. */
  readonly interpreter: Interpreter;
  /** What was executed. */
  readonly flow: FlowRing;
  readonly #run: () => number;
  readonly #u32: Uint32Array;
  readonly #i32: Int32Array;
  readonly #u64: BigUint64Array;
  readonly #host: EngineHost;
  #cpu = 0;
  #completed = 0;
  #budget = 0;
  /** Record of the stop that {@linkcode stopAfterAccess} planted, or 0. */
  #requested = 0;
  /** The second engine, if it was asked for. */
  readonly translator: Translator | null = null;
  readonly #reserve: number = LONGEST_RUN;
  /** Indirect branches leave PSTATE.BTYPE. */
  readonly #landings: boolean;

  /** Makes an engine with empty memory. */
  constructor(options: EngineOptions, host: EngineHost) {
    const { results = false, cpus = 1, landings = false } = options;
    // Only the interpreter keeps results.
    const { translate = TRANSLATE } = results ? { translate: null } : options;
    this.#landings = landings;
    this.layout = layOut({ ...options, translate: translate !== null });
    const memory = new WebAssembly.Memory({ initial: this.layout.wasmPages });
    this.memory = memory.buffer as ArrayBuffer;
    const { lookups, guestBytes, storeMarks } = this.layout;
    this.states = lookups.map((_, cpu) =>
      new CpuState(cpu === 0 ? this.memory : new ArrayBuffer(SLOT.end))
    );
    this.lookups = lookups.map((at) => new LookupCaches(this.memory, options.levels, at));
    this.guest = new Uint8Array(this.memory, this.layout.guest, guestBytes);
    this.storeMarks = new Uint8Array(this.memory, storeMarks, storeMarks ? guestBytes / 8 : 0);
    this.#u32 = new Uint32Array(this.memory);
    this.#i32 = new Int32Array(this.memory);
    this.#u64 = new BigUint64Array(this.memory);
    this.#host = host;
    this.barriers = new ReportedBarriers(this.memory);
    const generated = generatedCode(options, this.layout, translate !== null);
    const interpreter = this.interpreter = generated.interpreter;
    this.records = new CodeCache(
      this.memory,
      this.layout,
      new Decoder(this.memory, interpreter, () => instance.addApart()),
      (start, end) => this.#codeChanges(start, end),
      () => this.#codeDrops(),
      () => host.staleCode(),
    );
    const kinds = blockKinds(interpreter.table);
    this.flow = new FlowRing(options.flow, this.records, () => this.state, kinds);
    const { flowMemory: flow } = this.flow;
    const imports = { ...host, decode: () => this.#decode() };
    const instance = instantiate(interpreter, memory, flow, imports);
    this.#run = instance.run;
    if (translate !== null) {
      // A region may retire as much before the run begins.
      this.#reserve = LONGEST_RUN + MOST_INSTRUCTIONS;
      const { records } = this, { functions: table } = instance;
      this.translator = new Translator(
        { memory, flow, state: () => this.state, records, ...generated },
        { ...generated.options, ...translate, turns: cpus > 1, table },
      ).connect(instance.exports);
    }
    this.#u32[LAYOUT.results >> 2] = this.layout.results;
  }

  /**
   * What was written to registers since the last call, in order: a word for a general-purpose
   * register (also for XZR), two for a vector. Valid until the engine runs on; there is room for the results
   * of {@linkcode MOST_RESULT_STEPS} instructions.
   */
  takeResults(): BigUint64Array {
    const { results } = this.layout, end = this.#u32[LAYOUT.results >> 2];
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

  /** Instructions retired since the engine was made, exact at any time. */
  get retired(): number {
    return this.#completed + this.#budget - this.#i32[BUDGET] + this.#inRun();
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
    return this.records.wordAt(this.state.get32(SLOT.record));
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
      const slice = this.translator?.sliceLength ?? SLICE;
      const budget = Math.min(soft, slice, Math.max(0, turn + inRun));
      const reason = this.#slice(this.flow.hasChanged ? 0 : budget);
      this.#unplantRequest();
      return reason;
    }
    const record = state.get32(SLOT.record);
    const stop = record + limit * 16;
    if (stop <= this.records.pageEnd(record)) this.records.plant(stop, BUILT_IN.stop);
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
    const entry = ((state.get32(SLOT.fetchLookup) >>> 0) +
      ((state.get32(SLOT.pc) >>> 12 & LAYOUT.fetchLookupEntries - 1) << 5)) >> 2;
    const known = this.#u32[entry] === (state.get32(SLOT.pc) & ~0xffc) >>> 0 &&
      this.#u32[entry + 1] === state.get32(SLOT.pc + 4) >>> 0;
    if (!known && this.#host.fetch() !== 0) return false;
    state.set32(SLOT.pcBase, this.#u32[entry + 2]);
    state.set32(SLOT.pcBase + 4, this.#u32[entry + 3]);
    const record = this.#u32[entry + 4] + ((state.get32(SLOT.pc) & 0xffc) << 2);
    state.set32(SLOT.record, record);
    state.set32(SLOT.runStart, record);
    state.set32(SLOT.guarded, this.#u32[entry + 6]);
    this.flow.append(0, this.#u32[entry + 5]);
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
    this.flow.append(0, this.flow.contextId(state.el, page, records));
  }

  /** Ends the run in hand where it is, as if it had ended by itself. */
  cut(): void {
    const { state } = this;
    const record = state.get32(SLOT.record), start = state.get32(SLOT.runStart);
    if (record > start) {
      this.flow.append(start, record);
      this.#completed += (record - start) >> 4;
      state.set32(SLOT.runStart, record);
      state.btype = 0;
    }
    this.flow.cut();
  }

  /** The straight line has come to the end of its page: the next instruction is not fetched yet. */
  get atPageEnd(): boolean {
    const record = this.state.get32(SLOT.record);
    return record === this.records.pageEnd(record);
  }

  /** Notes an exception entry that retired nothing. */
  noteEntry(): void {
    this.flow.append(1, 1);
  }

  /** Retires the instruction at the record, which ends its run: an exception-generating one that completes. */
  retire(): void {
    const { state } = this;
    state.set32(SLOT.record, state.get32(SLOT.record) + 16);
    this.cut();
  }

  #slice(budget: number): number {
    const btype = this.#landings ? this.state.btype : 0;
    this.#i32[BUDGET] = budget;
    if (this.#landings) this.state.btype = btype;
    this.#budget = budget;
    this.#host.beginSlice(this.#completed + budget);
    const reason = this.#run();
    this.#budget = this.#i32[BUDGET];
    this.#completed += budget - this.#budget;
    this.flow.afterSlice();
    if (budget > 0 && reason === EXIT.budget) this.translator?.sample(budget - this.#budget);
    return reason;
  }

  #unplantRequest(): void {
    if (this.#requested === 0) return;
    this.records.unplant(this.#requested);
    this.#requested = 0;
  }

  #inRun(): number {
    return (this.#i32[RECORD] - this.#i32[RUN_START]) >> 4;
  }

  #decode(): void {
    const record = this.state.get32(SLOT.record);
    if (this.records.decode(record)) {
      const { host } = this.records.locate(record);
      for (const lookup of this.lookups) lookup.flushWritesTo(host);
    }
    this.flow.decoded(record);
  }

  /** Bytes under records change. */
  #codeChanges(start: number, end: number): void {
    this.translator?.invalidate(start, end);
    if (this.flow.codeChanges(start, end)) this.stopAfterAccess();
  }

  #codeDrops(): void {
    this.translator?.clear();
    this.flow.deliver();
    for (const lookup of this.lookups) {
      lookup.flushFetches();
      lookup.flushWrites();
    }
    this.flow.dropContexts();
  }
}
