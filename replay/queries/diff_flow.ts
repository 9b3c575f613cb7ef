/**
 * The flow of a boot as what is between two branches: runs of instructions that end in a branch.
 *
 * Interrupt handlers are left out, and what they interrupted is joined again: when an interrupt
 * comes depends on how many instructions were executed. A run that ends for another reason than a
 * branch (a fault, another thread that the handler returned to, the end of the trace) is `broken`.
 *
 * Cost: some nanoseconds per block, one decoded window in memory.
 */
import { BLOCK_KIND } from "../../trace/schema.ts";
import type { BlockTable, Trace, WindowFlow } from "../../trace/mod.ts";

const LOW_48 = 0xffff_ffff_ffffn;
const BROKEN = -1;
const NONE = -1;

/** Entries into exceptions and returns from them, in order. */
export interface Handled {
  /** Positions of the entry or of ERET. */
  readonly positions: readonly number[];
  /** 0: return, 1: entry, 2: entry by an interrupt. */
  readonly kinds: readonly number[];
}

/**
 * Finds what a cursor needs to know about exceptions.
 *
 * @param cpu the only CPU whose they are
 */
export function findHandled(trace: Trace, cpu?: number): Handled {
  const positions: number[] = [];
  const kinds: number[] = [];
  const own = cpu === undefined ? {} : { cpu };
  for (const event of trace.events({ kinds: new Set(["exception", "eret"]), ...own })) {
    if (event.kind !== "exception" && event.kind !== "eret") continue;
    const isInterrupt = event.kind === "exception" &&
      (event.type === "irq" || event.type === "fiq");
    positions.push(event.position);
    kinds.push(event.kind === "eret" ? 0 : isInterrupt ? 2 : 1);
  }
  return { positions, kinds };
}

/** See the top of this file. Addresses are virtual, without the bits that distinguish halves. */
export class FlowCursor {
  /** Position of the run's first instruction. */
  position = 0;
  /** Address of the run's first instruction. */
  start = 0;
  /** Instructions, the branch included. */
  steps = 0;
  /** Position and address of the last instruction. */
  last = 0;
  pc = 0;
  /** The last instruction. */
  word = 0;
  /** `BLOCK_KIND` of the branch; -1 for a run that is broken off. */
  kind = BROKEN;
  /**
   * Whether the run reads a counter or waits: MRS of a counter, WFE, WFI, YIELD; of one of several
   * CPUs also where it may wait for another: load-acquire, exclusives, CAS.
   */
  waits = false;
  /** Interrupts that were left out so far. */
  interrupts = 0;

  readonly trace: Trace;
  readonly #handled: Handled;
  readonly #cpu: number | undefined;
  #window = 0;
  #flow: WindowFlow | undefined;
  #index = 0;
  #exception = 0;
  /** Position of the block at `#index`. */
  #at = 0;
  #event = 0;
  #stack: number[] = [];
  /** A block that was taken from the flow, but belongs to the next run. */
  #pending = NONE;
  /** Position of the block that was taken last. */
  #takenAt = 0;
  #pcs: { table: BlockTable | undefined; starts: Float64Array; waits: Uint8Array } = {
    table: undefined,
    starts: new Float64Array(0),
    waits: new Uint8Array(0),
  };

  /**
   * Stands before the first run: {@linkcode next} goes to it.
   *
   * @param cpu the only CPU whose runs are wanted
   */
  constructor(trace: Trace, handled: Handled, cpu?: number) {
    this.trace = trace;
    this.#handled = handled;
    this.#cpu = cpu;
  }

  /** A cursor at the same place that goes its own way. */
  clone(): FlowCursor {
    const copy = new FlowCursor(this.trace, this.#handled, this.#cpu);
    const { position, start, steps, last, pc, word, kind, waits, interrupts } = this;
    Object.assign(copy, { position, start, steps, last, pc, word, kind, waits, interrupts });
    copy.#window = this.#window;
    copy.#flow = this.#flow;
    copy.#index = this.#index;
    copy.#exception = this.#exception;
    copy.#at = this.#at;
    copy.#event = this.#event;
    copy.#stack = [...this.#stack];
    copy.#pending = this.#pending;
    copy.#takenAt = this.#takenAt;
    copy.#pcs = this.#pcs;
    return copy;
  }

  /** Goes to the run that executes the instruction at a position, which must not lie behind. */
  seek(position: number): boolean {
    if (position > this.last || !this.#flow) this.#skip(position);
    while (this.last < position || this.steps === 0) if (!this.next()) return false;
    return this.position <= position;
  }

  /** Goes to the next run; false at the end. */
  next(): boolean {
    this.steps = 0;
    this.waits = false;
    this.kind = BROKEN;
    for (;;) {
      const id = this.#pending === NONE ? this.#take() : this.#pending;
      this.#pending = NONE;
      if (id === NONE) return this.steps > 0;
      const at = this.#takenAt;
      const { table } = this.#flow!;
      const start = this.#startOf(table, id);
      const steps = table.steps(id);
      if (this.steps === 0) {
        this.position = at;
        this.start = start;
      } else if (start !== this.pc + 4) {
        this.#pending = id;
        return true;
      }
      this.steps += steps;
      this.last = at + steps - 1;
      this.pc = start + 4 * (steps - 1);
      if (this.#pcs.waits[id] === 1) this.waits = true;
      const kind = table.kind(id);
      if (kind === BLOCK_KIND.sequential) continue;
      this.kind = kind;
      this.word = table.word(id, steps - 1);
      return true;
    }
  }

  /** Skips whole windows that end before a position. */
  #skip(position: number): void {
    const { number } = this.trace.windowAt(position);
    if (number <= this.#window || this.#pending !== NONE) return;
    const { start } = this.trace.windows[number];
    while (this.#handled.positions[this.#event] < start) this.#handle();
    this.#open(number);
  }

  #open(number: number): void {
    this.#window = number;
    this.#flow = this.trace.blocks(number);
    this.#index = 0;
    this.#exception = 0;
    this.#at = this.#flow.start;
  }

  /** The next block outside interrupt handlers; -1 at the end. */
  #take(): number {
    for (;;) {
      while (!this.#flow || this.#index >= this.#flow.blocks.length) {
        if (this.#window + 1 >= this.trace.windows.length) return NONE;
        this.#open(this.#window + 1);
      }
      const { blocks, exceptions, table } = this.#flow;
      if (exceptions[this.#exception]?.before === this.#index) {
        this.#at += exceptions[this.#exception++].count;
      }
      const at = this.#at;
      const { positions } = this.#handled;
      while (positions[this.#event] < at) this.#handle();
      const inHandler = this.#stack.length > 0 && this.#stack.includes(2);
      const id = blocks[this.#index++];
      this.#at += table.steps(id);
      while (positions[this.#event] < this.#at) this.#handle();
      if (inHandler) continue;
      if (this.#cpu !== undefined && this.trace.turns.cpuAt(at) !== this.#cpu) continue;
      this.#takenAt = at;
      return id;
    }
  }

  #handle(): void {
    const kind = this.#handled.kinds[this.#event++];
    if (kind === 0) this.#stack.pop();
    else this.#stack.push(kind);
    if (kind === 2) this.interrupts++;
  }

  #startOf(table: BlockTable, id: number): number {
    const known = this.#pcs;
    if (known.table !== table || id >= known.starts.length) {
      const { count } = table;
      const starts = new Float64Array(count);
      const waits = new Uint8Array(count);
      for (let n = 0; n < count; n++) {
        starts[n] = Number(table.pc(n) & LOW_48);
        for (let i = 0; i < table.steps(n); i++) {
          const word = table.word(n, i);
          if (isWait(word) || (this.#cpu !== undefined && isShared(word))) waits[n] = 1;
        }
      }
      this.#pcs = { table, starts, waits };
    }
    return this.#pcs.starts[id];
  }
}

/** MRS of a counter or timer (CRn = c14), YIELD, WFE, WFI. */
function isWait(word: number): boolean {
  return (word & 0xffff_f000) >>> 0 === 0xd53b_e000 || (word & 0xffff_ff9f) >>> 0 === 0xd503_201f &&
      word !== 0xd503_201f;
}

/** Load-acquire, exclusive and compare-and-swap (Arm ARM C4.1.88): what other CPUs change. */
function isShared(word: number): boolean {
  return (word & 0x3f00_0000) === 0x0800_0000;
}
