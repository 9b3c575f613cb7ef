import type { Statement } from "../../isa/ops.ts";
import { directRead } from "../direct_reads.ts";
import { SLOT } from "../../state.ts";
import type { CodeCache } from "../code_cache.ts";
import type { Handler } from "../handlers.ts";
import type { Interpreter } from "../interpreter.ts";
import { LAYOUT, RECORD_SLOT_BYTES } from "../layout.ts";
import type { CpuState } from "../../state.ts";
import type { TranslateOptions } from "../engine_options.ts";
import type { CodeOptions } from "../generated_code.ts";
import { type Block, type CodeSource, findRegion, isTranslatable, slotsOf } from "./region.ts";
import { buildRegion } from "./region_module.ts";
import { type Structure, structureOf } from "./structure.ts";

/**
 * The second engine: hot regions of code, translated to WebAssembly from the same rows.
 *
 * **A region** is a set of runs that direct branches reach from a seed (`region.ts`), within a page
 * or over pages. Its function keeps the guest's registers and flags in locals; loops are real loops
 * (`structure.ts`); operands are constants, taken from the decoded records. Vector registers stay in
 * the state. It puts the same runs in the flow ring and takes them off the same budget as the
 * interpreter does, so that nobody who reads either can tell the two apart.
 *
 * **It never calls TypeScript.** An access that misses its lookup entry, a branch to a page that is
 * not in the lookup cache: the function writes its locals to the state with the record pointer at that
 * very instruction, which has committed nothing yet, and the interpreter executes it. So all that is rare or observable — faults, devices, watched memory,
 * writes to decoded code, TLB fills, exceptions, system instructions — exists once, and no code can
 * go away while it runs.
 *
 * **A way in** is a record whose handler is `BUILT_IN.region`, with what was under it in the region
 * table (`layout.ts`). The interpreter enters there if a run begins at it and the budget is not
 * spent; it is spent throughout the last stretch before an exact stop, so planted stops need no
 * attention. Ways are the seed, the headers of loops, and where calls return to. The budget is
 * looked at on edges back and through the dispatcher; what can retire in between is bounded by
 * the size of a region, which the engine's reserve allows for. A region to which the probe comes
 * gets a second function, where blocks have a copy that keeps the registers in the state too.
 *
 * **Found** by sampling where slices end, which costs the hot path nothing. When a region is made
 * depends on nothing but the guest's own instructions, yet nothing may depend on it.
 *
 * **Valid** while its records are: a write to decoded words drops the regions that have some, and
 * all go when the records do. Code inside a page does not depend on where the page is mapped, and a
 * branch to another page goes through the fetch lookup cache like the interpreter's, so neither the TLB nor
 * the ASID has anything to invalidate here. All regions are dropped when they are too large together.
 */
export class Translator {
  readonly #table: WebAssembly.Table;
  readonly #regions = new Set<Region>();
  /** Those whose function looks for the probe. */
  readonly #watched = new Set<Region>();
  /** Regions by the slot of the arena that they have records of. */
  readonly #bySlot = new Map<number, Set<Region>>();
  readonly #samples = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #u32: Uint32Array;
  readonly #u64: BigUint64Array;
  readonly #source: CodeSource;
  #exports: WebAssembly.Exports = {};
  #bytes = 0;
  /** Steps since the last sample. */
  #passed = 0;
  /** Record at which the probe stands or stood last, or 0. */
  #probe = 0;
  /** How long a slice may be. */
  sliceLength: number;
  /** Regions made and dropped so far. */
  readonly statistics = { made: 0, dropped: 0 };

  constructor(readonly engine: TranslatedEngine, readonly options: TranslatorOptions) {
    this.#table = options.table;
    this.sliceLength = options.firstSlice ?? FIRST_SLICE;
    this.#u32 = new Uint32Array(engine.memory.buffer);
    this.#u64 = new BigUint64Array(engine.memory.buffer);
    this.#source = {
      records: engine.records,
      handlerOf: (record) => this.#handlerOf(record),
      programOf: ({ program }) => program,
      targetOf: (record, pcBase) => this.#targetOf(record, pcBase),
      pageBehind: (record, pcBase) => this.#pageBehind(record, pcBase),
    };
  }

  /** Takes what translated code may call, of which there may be more later; gives itself. */
  connect(exports: WebAssembly.Exports): this {
    this.#exports = exports;
    this.engine.records.onProbe = (record) => this.watch(record);
    return this;
  }

  /**
   * Where a slice ended is hot; slices grow while nothing new is found. Of those that end early, as
   * where CPUs take turns, only some count.
   *
   * @param steps those of the slice
   */
  sample(steps: number): void {
    this.#passed += steps;
    if (2 * this.#passed < this.sliceLength) return;
    this.#passed = 0;
    const { made } = this.statistics;
    this.#sample();
    const { firstSlice = FIRST_SLICE } = this.options;
    const longer = Math.min(this.sliceLength + (this.sliceLength >> 3), LONGEST_SLICE);
    this.sliceLength = this.statistics.made > made ? firstSlice : longer;
  }

  /** If it ended at the beginning of a run, the region there is made once that happened often enough. */
  #sample(): void {
    const { records } = this.engine;
    const state = this.engine.state();
    const record = state.get32(SLOT.record);
    if (record !== state.get32(SLOT.runStart) || records.hasWay(record)) return;
    if (this.#samples.size >= MOST_SAMPLES) this.#samples.clear();
    const count = (this.#samples.get(record) ?? 0) + 1;
    this.#samples.set(record, count);
    if (count > this.options.samples) this.#translate(record);
  }

  /** Records `[start, end)` change: drops what was made of them. */
  invalidate(start: number, end: number): void {
    const slot = Math.floor((start - this.engine.records.layout.arena) / RECORD_SLOT_BYTES);
    for (const region of this.#bySlot.get(slot) ?? []) {
      if (region.blocks.some((block) => block.start < end && start < block.end)) {
        this.#drop(region);
      }
    }
  }

  /** The probe goes to a record: the region around it must look for it. */
  watch(record: number): void {
    for (const region of this.#watched) {
      if (!contains(region, record)) this.#watch(region, false);
    }
    const slot = Math.floor((record - this.engine.records.layout.arena) / RECORD_SLOT_BYTES);
    for (const region of this.#bySlot.get(slot) ?? []) {
      if (contains(region, record)) this.#watch(region, true);
    }
    this.#probe = record;
  }

  /** Has a region's other function run from here on. */
  #watch(region: Region, watched: boolean): void {
    if (this.#watched.has(region) === watched) return;
    this.#closeWays(region);
    if (watched) this.#watched.add(region);
    else this.#watched.delete(region);
    this.#openWays(region);
  }

  /** Drops all regions. */
  clear(): void {
    for (const region of [...this.#regions]) this.#drop(region);
    this.#samples.clear();
  }

  #translate(seed: number): void {
    if (this.#bytes >= MOST_BYTES) this.clear();
    this.#samples.delete(seed);
    const state = this.engine.state();
    const blocks = findRegion(this.#source, seed, state.get64(SLOT.pcBase));
    const worth = blocks.some(({ branch }) => branch !== undefined);
    if (!worth) return void this.#samples.set(seed, -NEVER);
    const returning = blocks.some(({ branch }) =>
      branch !== undefined && this.#handlerOf(branch)!.row.ends === "return"
    );
    const returns = returning ? blocks.flatMap(({ after }) => after ?? []) : [];
    const structure = structureOf(blocks[0], returns);
    const region: Region = { blocks, structure, functions: new Map(), bytes: 0 };
    this.#add(region);
    this.statistics.made++;
    if (contains(region, this.#probe)) this.#watched.add(region);
    this.#openWays(region);
  }

  #openWays(region: Region): void {
    const { records } = this.engine;
    const index = this.#functionOf(region);
    region.structure.ways.forEach(({ start }, way) => {
      if (records.hasWay(start)) records.closeWay(start);
      records.openWay(start, index, way);
    });
  }

  #closeWays({ structure, functions }: Region): void {
    const { records } = this.engine;
    const own = [...functions.values()];
    for (const { start } of structure.ways) {
      if (own.includes(records.wayInto(start))) records.closeWay(start);
    }
  }

  /** Index of the region's function, watched or not; makes it first. */
  #functionOf(region: Region): number {
    const watched = this.#watched.has(region);
    const known = region.functions.get(watched);
    if (known !== undefined) return known;
    const index = this.#free.pop() ?? this.#table.grow(1);
    const { flow, turns, storeMarks, regions } = this.options;
    const bytes = buildRegion({
      index,
      structure: region.structure,
      flow,
      turns,
      storeMarks,
      regions,
      watched,
      memory: this.engine.memory.buffer,
      helperType: (name) => this.engine.interpreter.apart.helpers.get(name)!,
      handlerOf: (record) => this.#handlerOf(record)!,
      programOf: ({ program }) => program,
      fieldsOf: (handler) => this.engine.interpreter.fieldsOf(handler),
    });
    const module = new WebAssembly.Module(bytes);
    const { memory, flow: ring } = this.engine;
    const engine = { ...this.#exports, memory, ...(ring && { flow: ring }) };
    const instance = new WebAssembly.Instance(module, { engine });
    this.#table.set(index, instance.exports.region as () => number);
    region.functions.set(watched, index);
    region.bytes += bytes.length;
    this.#bytes += bytes.length;
    return index;
  }

  #add(region: Region): void {
    this.#regions.add(region);
    for (const slot of slotsOf(region.blocks, this.engine.records.layout.arena)) {
      const others = this.#bySlot.get(slot) ?? new Set();
      this.#bySlot.set(slot, others.add(region));
    }
  }

  #drop(region: Region): void {
    const { records } = this.engine;
    this.#closeWays(region);
    for (const index of region.functions.values()) {
      this.#table.set(index, null);
      this.#free.push(index);
    }
    this.#watched.delete(region);
    this.#regions.delete(region);
    for (const slot of slotsOf(region.blocks, records.layout.arena)) {
      this.#bySlot.get(slot)?.delete(region);
    }
    this.#bytes -= region.bytes;
    this.statistics.dropped++;
  }

  #handlerOf(record: number): Handler | undefined {
    const handler = this.engine.interpreter.handler(this.engine.records.operation(record));
    if (!handler || this.#guards(handler)) return undefined;
    const ops = handler.program;
    if (handler.row.ends && !ops.transfer) return undefined;
    const isDirect = ({ name, argument }: Extract<Statement, { k: "call-out" }>) =>
      name === "dc-zva" || name === "barrier" || (name === "mrs" && argument.kind.k === "field" &&
        directRead(this.#field(record, handler, argument.kind.name)) !== undefined);
    return isTranslatable(ops, isDirect) ? handler : undefined;
  }

  /** What a record's field of 32 bits holds. */
  #field(record: number, handler: Handler, field: string): number {
    const fields = this.engine.interpreter.fieldsOf(handler);
    const { offset } = fields.find(({ name }) => name === field)!;
    return this.#u32[(record + offset) >> 2] | 0;
  }

  /** What enters other pages is the interpreter's where it has to note whether they are guarded. */
  #guards(handler: Handler): boolean {
    if (!this.options.landings) return false;
    return handler.far || handler.program.transfer?.k === "absolute";
  }

  /** The target of the relative branch at a record, if its page can be entered now. */
  #targetOf(record: number, pcBase: bigint): { record: number; pcBase: bigint } | undefined {
    const handler = this.#handlerOf(record)!;
    const distance = this.#field(record, handler, handler.target!);
    if (!handler.far) return { record: record + distance, pcBase };
    return this.#recordAt(BigInt.asUintN(64, pcBase + BigInt(record >>> 2) + BigInt(distance)));
  }

  /** What follows the page of a record, if it can be entered now. */
  #pageBehind(record: number, pcBase: bigint): { record: number; pcBase: bigint } | undefined {
    if (this.options.landings) return undefined;
    const end = this.engine.records.pageEnd(record);
    return this.#recordAt(BigInt.asUintN(64, pcBase + BigInt(end >>> 2)));
  }

  /** The record of an address, and its page's `pcBase`, if the page can be entered now. */
  #recordAt(pc: bigint): { record: number; pcBase: bigint } | undefined {
    const entry = (this.engine.state().get32(SLOT.fetchLookup) >>> 0) +
      (Number(pc >> 12n & BigInt(LAYOUT.fetchLookupEntries - 1)) << 5);
    if (this.#u64[entry >> 3] !== (pc & ~0xfffn)) return undefined;
    return {
      record: this.#u32[(entry + 16) >> 2] + (Number(pc & 0xffcn) << 2),
      pcBase: this.#u64[(entry + 8) >> 3],
    };
  }
}

/** What the translator needs of the engine. */
export interface TranslatedEngine {
  readonly memory: WebAssembly.Memory;
  /** The flow ring, if there is one. */
  readonly flow: WebAssembly.Memory | undefined;
  /** That of the CPU that runs. */
  state(): CpuState;
  readonly records: CodeCache;
  readonly interpreter: Interpreter;
}

/** How it translates. */
export interface TranslatorOptions extends TranslateOptions, CodeOptions {
  /** Whether CPUs take turns, which end at the first end of a run where the budget is spent. */
  readonly turns: boolean;
  readonly table: WebAssembly.Table;
}

interface Region {
  readonly blocks: readonly Block[];
  readonly structure: Structure;
  /** Indices of its functions in the table: that which looks for the probe, and that which does not. */
  readonly functions: Map<boolean, number>;
  /** Size of their modules. */
  bytes: number;
}

function contains({ blocks }: Region, record: number): boolean {
  return blocks.some(({ start, end }) => start <= record && record < end);
}

/** Code is translated where four slices have ended before. */
export const TRANSLATE: TranslateOptions = { samples: 4 };
/** Slices begin this short, so that hot code is found soon. */
const FIRST_SLICE = 1 << 15;
/** Slices are at most this long, so that there are enough samples. */
const LONGEST_SLICE = 1 << 18;
/** Bytes of modules before all are dropped: what the host makes of them is some times that. */
const MOST_BYTES = 16 << 20;
/** Places sampled before all counts are forgotten. */
const MOST_SAMPLES = 1 << 16;
/** Added to the count of a place that is not worth it. */
const NEVER = 1 << 30;
