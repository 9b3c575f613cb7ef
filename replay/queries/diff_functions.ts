/**
 * Functions as a boot shows them: where calls go, where it starts, where exceptions enter.
 *
 * For images without symbols they stand in for names. The flow is gone through once, as far as is
 * wanted, and that of windows that are the same in both boots once for both; the addresses are
 * virtual, without the bits that distinguish halves. Cost: a look at a byte for each block.
 */
import { BLOCK_KIND } from "../../trace/schema.ts";
import type { BlockTable, Trace, WindowFlow } from "../../trace/mod.ts";

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

/** What a boot executed up to some position. */
export interface Executed {
  readonly trace: Trace;
  /** Windows that start at or behind this position are not read. */
  readonly end: number;
}

/**
 * Goes through the flow of two boots.
 *
 * @param isEqual whether a window is the same in both
 */
export function functionsOfBoth(
  a: Executed,
  b: Executed,
  isEqual: (window: number) => boolean,
): { readonly a: Functions; readonly b: Functions } {
  const [own, other] = [new Functions(a.trace), new Functions(b.trace)];
  const scans = { both: new FlowScan(a.trace), a: new FlowScan(a.trace), b: new FlowScan(b.trace) };
  const isRead = ({ trace, end }: Executed, number: number) =>
    number < trace.windows.length && trace.windows[number].start < end;
  const count = Math.max(a.trace.windows.length, b.trace.windows.length);
  for (let number = 1; number < count; number++) {
    const [inA, inB] = [isRead(a, number), isRead(b, number)];
    if (isEqual(number) && (inA || inB)) {
      const found = scans.both.read(number);
      if (inA) own.add(found);
      if (inB) other.add(found);
      continue;
    }
    if (inA) own.add(scans.a.read(number));
    if (inB) other.add(scans.b.read(number));
  }
  return { a: own, b: other };
}

/** See the top of this file. */
export class Functions {
  readonly #addresses: Set<number>;
  #entries: Float64Array | undefined;
  readonly #calls: Call[] = [];
  readonly #masks: Mask[] = [];
  readonly #known = new Set<string>();

  /** Begins with where a boot starts. */
  constructor(trace: Trace) {
    this.#addresses = new Set([Number(trace.image.pc & LOW_48)]);
  }

  /** Adds what a window shows; windows must come in order. */
  add({ entries, calls, masks }: Found): void {
    this.#entries = undefined;
    for (const entry of entries) this.#addresses.add(entry);
    for (const mask of masks) {
      if (!this.#masks.some(({ pc }) => pc === mask.pc)) this.#masks.push(mask);
    }
    for (const call of calls) {
      const key = `${call.pc},${call.target}`;
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      this.#calls.push(call);
      this.#addresses.add(Number(call.target & LOW_48));
    }
  }

  /** The entry of the function that an address is in. */
  entryOf(address: number): number | undefined {
    const index = this.#below(address);
    const entry = this.#sorted[index];
    return index < 0 || address - entry > MOST_BYTES ? undefined : entry;
  }

  /** The first entry behind an address; Infinity behind the last one. */
  entryBehind(address: number): number {
    return this.#sorted[this.#below(address) + 1] ?? Infinity;
  }

  /** The first execution of each instruction that masks or unmasks interrupts, in order. */
  get masks(): readonly Mask[] {
    return this.#masks;
  }

  /** The first call of each pair of call and target, in order. */
  get calls(): readonly Call[] {
    return this.#calls;
  }

  get #sorted(): Float64Array {
    return this.#entries ??= Float64Array.from(this.#addresses).sort();
  }

  #below(address: number): number {
    const entries = this.#sorted;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle] <= address) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** What a window shows that the windows read before by the same scan did not. */
interface Found {
  readonly entries: number[];
  readonly calls: Call[];
  readonly masks: Mask[];
}

/** What a block is looked at for, as bits. */
const LOOK = { call: 1, mask: 2 } as const;
/** Blocks of a table at the most, so that two ids are one safe integer. */
const MOST_BLOCKS = 2 ** 26;

/** Reads windows of a trace, ascending. What is the same block again is known by its number. */
class FlowScan {
  readonly #trace: Trace;
  #table: BlockTable | undefined;
  /** Of each block of the table: `LOOK`, and 1 + the block that was last called from it. */
  #looks = new Uint8Array(0);
  #called = new Int32Array(0);
  /** Pairs of blocks: a call and what was called. */
  #pairs = new Set<number>();

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  read(window: number): Found {
    const flow = this.#trace.blocks(window);
    const { blocks, exceptions, table } = flow;
    this.#learn(table);
    const found: Found = { entries: [], calls: [], masks: [] };
    for (const { before } of exceptions) {
      if (before < blocks.length) found.entries.push(Number(table.pc(blocks[before]) & LOW_48));
    }
    const at = new Positions(flow);
    const looks = this.#looks, called = this.#called;
    for (let i = 0; i + 1 < blocks.length; i++) {
      const id = blocks[i];
      const look = looks[id];
      if (look === 0) continue;
      if (look & LOOK.mask) this.#mask(table, id, at.of(i), found);
      if (!(look & LOOK.call) || called[id] === blocks[i + 1] + 1) continue;
      if (at.isEntered(i + 1)) continue;
      called[id] = blocks[i + 1] + 1;
      const pair = id * MOST_BLOCKS + blocks[i + 1];
      if (this.#pairs.has(pair)) continue;
      this.#pairs.add(pair);
      const steps = table.steps(id);
      const pc = BigInt.asUintN(64, table.pc(id) + BigInt(4 * (steps - 1)));
      found.calls.push({ position: at.of(i) + steps - 1, pc, target: table.pc(blocks[i + 1]) });
    }
    // There are as many blocks as an eighth of the steps: the garbage collector would find them late.
    (blocks.buffer as ArrayBuffer).transfer(0);
    return found;
  }

  #mask(table: BlockTable, id: number, position: number, { masks }: Found): void {
    const n = maskOf(table, id);
    const pc = BigInt.asUintN(64, table.pc(id) + BigInt(4 * n));
    masks.push({ position: position + n, pc, word: table.word(id, n) });
    this.#looks[id] &= ~LOOK.mask;
  }

  /** Looks at the blocks that the table has more than it had. */
  #learn(table: BlockTable): void {
    if (table !== this.#table) {
      this.#table = table;
      this.#looks = new Uint8Array(0);
      this.#called = new Int32Array(0);
      this.#pairs = new Set();
    }
    const known = this.#looks.length;
    if (known === table.count) return;
    const looks = new Uint8Array(table.count), called = new Int32Array(table.count);
    looks.set(this.#looks);
    called.set(this.#called);
    for (let id = known; id < table.count; id++) {
      const kind = table.kind(id);
      if (kind === BLOCK_KIND.call || kind === BLOCK_KIND.indirectCall) looks[id] |= LOOK.call;
      if (maskOf(table, id) >= 0) looks[id] |= LOOK.mask;
    }
    this.#looks = looks;
    this.#called = called;
  }
}

/** Positions of a window's blocks; what is asked must ascend. */
class Positions {
  readonly #flow: WindowFlow;
  #index = 0;
  #exception = 0;
  #position: number;

  constructor(flow: WindowFlow) {
    this.#flow = flow;
    this.#position = flow.start;
  }

  /** The position of a block. */
  of(index: number): number {
    const { blocks, table } = this.#flow;
    for (; this.#index < index; this.#index++) {
      this.#passEntries();
      this.#position += table.steps(blocks[this.#index]);
    }
    this.#passEntries();
    return this.#position;
  }

  /** Whether exceptions are entered right before a block. */
  isEntered(index: number): boolean {
    const { exceptions } = this.#flow;
    let low = 0, high = exceptions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (exceptions[middle].before < index) low = middle + 1;
      else high = middle;
    }
    return exceptions[low]?.before === index;
  }

  #passEntries(): void {
    const entry = this.#flow.exceptions[this.#exception];
    if (entry?.before !== this.#index) return;
    this.#position += entry.count;
    this.#exception++;
  }
}

/** The number of a block's first instruction that masks or unmasks interrupts; -1 without one. */
function maskOf(table: BlockTable, id: number): number {
  for (let n = 0; n < table.steps(id); n++) if (isMask(table.word(id, n))) return n;
  return -1;
}

function isMask(word: number): boolean {
  const fixed = (word & 0xffff_f0ff) >>> 0;
  return fixed === 0xd503_40df || fixed === 0xd503_40ff ||
    (word & 0xffff_ffe0) >>> 0 === 0xd51b_4220;
}
