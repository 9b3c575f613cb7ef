/**
 * Functions as a boot shows them: where calls go, where it starts, where exceptions enter.
 *
 * For images without symbols they stand in for names. The flow is gone through once, as far as is
 * wanted; the addresses are virtual, without the bits that distinguish halves.
 */
import { BLOCK_KIND } from "../../trace/schema.ts";
import type { BlockTable, Trace } from "../../trace/mod.ts";

const LOW_48 = 0xffff_ffff_ffffn;
/** An address farther behind an entry than this is in no function that is known. */
const MOST_BYTES = 1 << 16;

/** The first call from one instruction to one function. */
export interface Call {
  /** Steps before the call. */
  readonly position: number;
  /** Address of BL or BLR, with all its bits. */
  readonly pc: bigint;
  /** Address of what is called. */
  readonly target: bigint;
}

/** An MSR DAIFSet, MSR DAIFClr or MSR DAIF. */
export interface Mask {
  readonly position: number;
  readonly pc: bigint;
  readonly word: number;
}

/** See the top of this file. */
export class Functions {
  readonly #entries: Float64Array;
  readonly #calls: Call[] = [];
  readonly #masks: Mask[] = [];
  readonly #known = new Set<string>();
  /** Entries that were known at the end of the window up to which another boot is the same. */
  #shared: number[] = [];

  /**
   * Goes through the flow of a boot.
   *
   * @param end windows that start at or behind this position are not read
   * @param equal a boot that is the same up to the end of a window, which is not read again; or null
   * if this boot is to be that one
   */
  constructor(
    trace: Trace,
    end = Infinity,
    equal: { readonly window: number; readonly functions: Functions | null } | null = null,
  ) {
    const entries = new Set<number>([Number(trace.image.pc & LOW_48)]);
    const window = equal?.window ?? 0;
    if (equal?.functions) this.#copy(equal.functions, trace.windows[window].end, entries);
    for (const { number, start } of trace.windows) {
      if (number === 0 || start >= end) continue;
      if (number > window || !equal?.functions) this.#read(trace, number, entries);
      if (number === window) this.#shared = [...entries];
    }
    this.#entries = Float64Array.from(entries).sort();
  }

  #copy(other: Functions, end: number, entries: Set<number>): void {
    for (const entry of other.#shared) entries.add(entry);
    this.#masks.push(...other.masks.filter(({ position }) => position < end));
    for (const call of other.calls) if (call.position < end) this.#add(call, entries);
  }

  /** The entry of the function that an address is in. */
  entryOf(address: number): number | undefined {
    const index = this.#below(address);
    const entry = this.#entries[index];
    return index < 0 || address - entry > MOST_BYTES ? undefined : entry;
  }

  /** The first entry behind an address; Infinity behind the last one. */
  entryBehind(address: number): number {
    return this.#entries[this.#below(address) + 1] ?? Infinity;
  }

  /** The first execution of each instruction that masks or unmasks interrupts, in order. */
  get masks(): readonly Mask[] {
    return this.#masks;
  }

  /** The first call of each pair of call and target, in order. */
  get calls(): readonly Call[] {
    return this.#calls;
  }

  #below(address: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entries[middle] <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #read(trace: Trace, window: number, entries: Set<number>): void {
    const { blocks, exceptions, table, start } = trace.blocks(window);
    const isCall = new Uint8Array(table.count);
    for (let id = 0; id < table.count; id++) {
      const kind = table.kind(id);
      if (kind === BLOCK_KIND.call) isCall[id] = 1;
      if (kind === BLOCK_KIND.indirectCall) isCall[id] = 2;
    }
    const masks = maskBlocks(table);
    for (const { before } of exceptions) {
      if (before < blocks.length) entries.add(Number(table.pc(blocks[before]) & LOW_48));
    }
    /** By block: 1 + the block that was last called from it. */
    const called = new Int32Array(table.count);
    let position = start;
    let exception = 0;
    for (let i = 0; i + 1 < blocks.length; i++) {
      const isEntered = exceptions[exception]?.before === i;
      if (isEntered) position += exceptions[exception++].count;
      const id = blocks[i];
      const steps = table.steps(id);
      const next = blocks[i + 1];
      if (masks[id] > 0) {
        const n = masks[id] - 1;
        this.#mask({
          position: position + n,
          pc: BigInt.asUintN(64, table.pc(id) + BigInt(4 * n)),
          word: table.word(id, n),
        });
        masks[id] = 0;
      }
      position += steps;
      if (isCall[id] === 0 || called[id] === next + 1) continue;
      if (exceptions[exception]?.before === i + 1) continue;
      called[id] = next + 1;
      const pc = BigInt.asUintN(64, table.pc(id) + BigInt(4 * (steps - 1)));
      this.#add({ position: position - 1, pc, target: table.pc(next) }, entries);
    }
  }

  #mask(mask: Mask): void {
    if (!this.#masks.some(({ pc }) => pc === mask.pc)) this.#masks.push(mask);
  }

  #add(call: Call, entries: Set<number>): void {
    const key = `${call.pc},${call.target}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#calls.push(call);
    entries.add(Number(call.target & LOW_48));
  }
}

/** By block: 1 + the number of the instruction that masks or unmasks interrupts; 0 without one. */
function maskBlocks(table: BlockTable): Uint8Array {
  const found = new Uint8Array(table.count);
  for (let id = 0; id < table.count; id++) {
    for (let n = 0; n < table.steps(id) && found[id] === 0; n++) {
      if (isMask(table.word(id, n))) found[id] = n + 1;
    }
  }
  return found;
}

function isMask(word: number): boolean {
  const fixed = (word & 0xffff_f0ff) >>> 0;
  return fixed === 0xd503_40df || fixed === 0xd503_40ff ||
    (word & 0xffff_ffe0) >>> 0 === 0xd51b_4220;
}
