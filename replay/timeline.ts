/**
 * What was executed when, read from a trace's flow: nothing is re-executed.
 *
 * Finding where an instruction ran, or the return that belongs to a call, costs a few nanoseconds
 * per block of the windows that can matter; windows whose summary rules the address out are
 * skipped. The windows looked at last stay decoded, because a cursor moves about in one.
 *
 * Calls and returns are matched by counting (BL and BLR against RET: `kinds` in `trace/SPEC.md`), which
 * needs no stack frames and works in both directions; it is off where a program leaves a function
 * otherwise, for example by switching stacks, so a match is checked by its return address.
 */
import type { ExceptionEvent } from "../core/observer.ts";
import type { Trace, WindowFlow, WindowInfo } from "../trace/mod.ts";
import { BLOCK_KIND } from "../trace/schema.ts";
import { indexOf } from "./index/trace_index.ts";

/** Decoded windows that are kept: about 5 MB each. */
const MOST_WINDOWS = 4;
/** Positions that are given first. */
const FIRST_PART = 16;

/** An instruction that was executed. */
export interface TimelineInstruction {
  /** Its address. */
  readonly pc: bigint;
  /** Its encoding. */
  readonly word: number;
  /** Exception level. */
  readonly el: number;
  /** A call: BL or BLR. */
  readonly call: boolean;
}

interface DecodedWindow extends WindowFlow {
  readonly window: WindowInfo;
  /** Steps from the window's start to each block. */
  readonly starts: Uint32Array;
}

/** See the top of this file. */
export class Timeline {
  /** The trace that this is about. */
  readonly trace: Trace;
  readonly #decoded = new Map<number, DecodedWindow>();
  /** What was looked for last: a breakpoint is met again and again. */
  readonly #begun = new Map<string, Uint32Array>();
  #resets: number[] | undefined;

  /** Makes a view of a trace. */
  constructor(trace: Trace) {
    this.trace = trace;
  }

  /** The CPU whose step is the one behind a position. */
  cpuAt(position: number): number {
    return this.trace.turns.cpuAt(position);
  }

  /** Called now and then during long work: what it throws ends that. */
  poll: () => void = () => {};

  /** The instruction that retires in the step behind a position; undefined where none does. */
  instructionAt(position: number): TimelineInstruction | undefined {
    if (position >= this.trace.end) return undefined;
    const flow = this.#at(position);
    const index = blockAt(flow, position);
    const id = flow.blocks[index];
    if (index < 0) return undefined;
    const { table } = flow;
    const n = position - flow.start - flow.starts[index];
    if (n >= table.steps(id)) return undefined;
    return {
      pc: BigInt.asUintN(64, table.pc(id) + BigInt(4 * n)),
      word: table.word(id, n),
      el: table.regime(id),
      call: n === table.steps(id) - 1 && isCall(table.kind(id)),
    };
  }

  /** The exception entry that the step behind a position is; undefined if it is none. */
  entryAt(position: number): ExceptionEvent | undefined {
    for (const event of this.#exceptions(position, position + 1)) {
      if (!event.retires) return event;
    }
    return undefined;
  }

  /** PC at a position; undefined at the end of the trace. */
  pcAt(position: number): bigint | undefined {
    return this.instructionAt(position)?.pc ?? this.entryAt(position)?.pc;
  }

  /**
   * The first position in `[from, to)` at which the instruction at an address begins, whether it
   * retires or faults.
   */
  next(address: bigint, from: number, to = this.trace.end): number | undefined {
    for (const window of this.#windows(from, to)) {
      const [found] = this.#beginnings(window, address, from, to);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The last position in `[from, to)` at which the instruction at an address begins. */
  previous(address: bigint, to: number, from = 0): number | undefined {
    for (const window of this.#windows(from, to).reverse()) {
      const all = this.#all(window, address);
      const end = rank(all, to - window.start);
      if (end > rank(all, from - window.start)) return window.start + all[end - 1];
    }
    return undefined;
  }

  /**
   * All positions in `[from, to)` at which the instruction at an address begins, in parts that grow:
   * the first ones are likely to be enough. Each part ascends, also those backwards.
   */
  *beginnings(address: bigint, from: number, to: number, backwards = false): Generator<number[]> {
    const windows = this.#windows(from, to);
    for (const window of backwards ? windows.reverse() : windows) {
      const { start } = window;
      const all = this.#all(window, address);
      let first = rank(all, from - start);
      let end = rank(all, to - start);
      for (let size = FIRST_PART; first < end; size *= 4) {
        const part = backwards
          ? all.subarray(Math.max(first, end - size), end)
          : all.subarray(first, Math.min(end, first + size));
        yield Array.from(part, (step) => start + step);
        if (backwards) end -= part.length;
        else first += part.length;
      }
    }
  }

  /** Where the call at a position has returned to; undefined if it never did. */
  returnOf(position: number): number | undefined {
    const call = this.instructionAt(position);
    if (!call?.call) return undefined;
    const back = BigInt.asUintN(64, call.pc + 4n);
    return this.#leave(this.#nextOf(position, position + 1), (after) => this.pcAt(after) === back);
  }

  /** Where the function that a position is in has returned to; undefined if it never did. */
  functionEnd(position: number): number | undefined {
    return this.#leave(position, () => true);
  }

  /**
   * The call that entered the function that a position is in; undefined if none is known.
   *
   * @param cpu the CPU that is in the function; the one whose step is there if left out
   */
  functionCall(position: number, cpu = this.cpuAt(position)): number | undefined {
    let depth = 0;
    const [, first] = this.#boot(position);
    for (const { kind, end } of this.#blocksBefore(position, cpu)) {
      if (end <= first) return undefined;
      if (kind === BLOCK_KIND.return) depth++;
      else if (isCall(kind) && depth-- === 0) return end - 1;
    }
    return undefined;
  }

  /** The call that has returned just here; undefined if the step before is not its return. */
  callReturningTo(position: number): number | undefined {
    const cpu = this.cpuAt(position);
    const [last] = this.#blocksBefore(position, cpu);
    const before = this.trace.turns.previous(cpu, position - 1);
    if (last?.kind !== BLOCK_KIND.return || last.end !== before + 1) return undefined;
    const call = this.functionCall(before);
    const pc = this.pcAt(position);
    if (call === undefined || pc === undefined) return undefined;
    return this.pcAt(call) === BigInt.asUintN(64, pc - 4n) ? call : undefined;
  }

  /** The first position behind a return, from `from` on, that leaves more functions than were called. */
  #leave(from: number, accept: (after: number) => boolean): number | undefined {
    let depth = 0;
    const [last] = this.#boot(from);
    for (const { kind, end } of this.#blocksFrom(from)) {
      if (end > last) return undefined;
      if (isCall(kind)) depth++;
      else if (kind === BLOCK_KIND.return && --depth < 0) {
        const after = this.#nextOf(from, end);
        if (accept(after)) return after;
      }
    }
    return undefined;
  }

  /** Where the boot that a position is in ends and begins: nothing returns across a reset. */
  #boot(position: number): [end: number, start: number] {
    this.#resets ??= Array.from(
      this.trace.events({ kinds: new Set(["reset"]) }),
      (event) => event.position + 1,
    );
    const next = this.#resets.find((start) => start > position) ?? Infinity;
    return [next, this.#resets.findLast((start) => start <= position) ?? 0];
  }

  /** The next position, from `from` on, at which the CPU goes on whose step is at `position`. */
  #nextOf(position: number, from: number): number {
    const { turns, end } = this.trace;
    return Math.min(end, turns.next(turns.cpuAt(position), from));
  }

  /** Whether a block that ends at `end` is of a CPU. */
  #isOwn(cpu: number): (end: number) => boolean {
    const { turns, header } = this.trace;
    if (header.cpus === 1) return () => true;
    return (end) => turns.cpuAt(end - 1) === cpu;
  }

  /** Blocks of a position's CPU that end behind it, in order. */
  *#blocksFrom(position: number): Generator<{ kind: number; end: number }> {
    const isOwn = this.#isOwn(this.cpuAt(position));
    for (const window of this.#windows(position, this.trace.end)) {
      const { start, starts, blocks, table } = this.#decode(window);
      const first = position <= start ? 0 : blockAt(this.#decode(window), position);
      for (let i = Math.max(0, first); i < blocks.length; i++) {
        const end = start + starts[i] + table.steps(blocks[i]);
        if (end > position && isOwn(end)) yield { kind: table.kind(blocks[i]), end };
      }
    }
  }

  /** Blocks of a CPU that end at or before a position, the last one first. */
  *#blocksBefore(position: number, cpu: number): Generator<{ kind: number; end: number }> {
    const isOwn = this.#isOwn(cpu);
    for (const window of this.#windows(0, position).reverse()) {
      const flow = this.#decode(window);
      const { start, starts, blocks, table } = flow;
      for (let i = blockAt(flow, position); i >= 0; i--) {
        const end = start + starts[i] + table.steps(blocks[i]);
        if (end <= position && isOwn(end)) yield { kind: table.kind(blocks[i]), end };
      }
    }
  }

  /** Steps into a window at which the instruction at an address begins, ascending. */
  #all(window: WindowInfo, address: bigint): Uint32Array {
    const key = `${window.number} ${address}`;
    let all = this.#begun.get(key);
    if (all) return all;
    const { start, end } = window;
    const steps: number[] = [];
    for (const position of this.#beginnings(window, address, start, end)) {
      steps.push(position - start);
    }
    all = Uint32Array.from(steps);
    if (all.length === 0) return all;
    if (this.#begun.size >= MOST_WINDOWS) this.#begun.delete(this.#begun.keys().next().value!);
    this.#begun.set(key, all);
    return all;
  }

  /** Positions in a window at which the instruction at an address begins, ascending. */
  *#beginnings(
    window: WindowInfo,
    address: bigint,
    from: number,
    to: number,
  ): Generator<number> {
    const first = Math.max(from, window.start);
    const last = Math.min(to, window.end);
    const faults = this.#faults(window, address, first, last);
    let fault = faults.next();
    for (const position of this.#retirements(window, address, first, last)) {
      for (; !fault.done && fault.value < position; fault = faults.next()) yield fault.value;
      yield position;
    }
    for (; !fault.done; fault = faults.next()) yield fault.value;
  }

  *#retirements(
    window: WindowInfo,
    address: bigint,
    from: number,
    to: number,
  ): Generator<number> {
    if (!this.#executes(window, address)) return;
    const flow = this.#decode(window);
    const { start, starts, blocks, table } = flow;
    // Steps into each block at which the address is, plus 1.
    const offsets = new Uint8Array(table.count);
    for (let id = 0; id < table.count; id++) {
      const offset = BigInt.asUintN(64, address - table.pc(id));
      if (offset < 4 * table.steps(id) && (offset & 3n) === 0n) {
        offsets[id] = Number(offset >> 2n) + 1;
      }
    }
    for (let i = Math.max(0, blockAt(flow, from)); i < blocks.length; i++) {
      const offset = offsets[blocks[i]];
      if (offset === 0) continue;
      const position = start + starts[i] + offset - 1;
      if (position >= to) return;
      if (position >= from) yield position;
    }
  }

  *#faults(window: WindowInfo, address: bigint, from: number, to: number): Generator<number> {
    if (!this.trace.summary(window.number).events.exception) return;
    for (const { pc, type, retires, position } of this.#exceptions(from, to)) {
      if (pc === address && type === "sync" && !retires) yield position;
    }
  }

  *#exceptions(from: number, to: number): Generator<ExceptionEvent> {
    const kinds = new Set(["exception"] as const);
    for (const event of this.trace.events({ kinds, from, to })) {
      if (event.kind === "exception") yield event;
    }
  }

  /** Whether a window executes the line of an address, by its summary. */
  #executes({ number }: WindowInfo, address: bigint): boolean {
    const known = indexOf(this.trace)?.executed(number, address);
    if (known !== undefined) return known;
    const page = Number(address >> 12n);
    const line = Number(address >> 6n & 63n);
    return this.trace.summary(number).executed.some((entry) =>
      entry.page === page && (entry.lines[line >> 3] >> (line & 7) & 1) !== 0
    );
  }

  /** Windows with steps in `[from, to)`. */
  #windows(from: number, to: number): WindowInfo[] {
    return this.trace.windows.filter(({ number, start, end }) =>
      number > 0 && start < to && end > from
    );
  }

  #at(position: number): DecodedWindow {
    return this.#decode(this.trace.windowAt(position));
  }

  #decode(window: WindowInfo): DecodedWindow {
    const known = this.#decoded.get(window.number);
    if (known) {
      this.#decoded.delete(window.number);
      this.#decoded.set(window.number, known);
      return known;
    }
    this.poll();
    const flow = this.trace.blocks(window.number);
    const decoded = { ...flow, window, starts: startsOf(flow) };
    if (this.#decoded.size >= MOST_WINDOWS) {
      this.#decoded.delete(this.#decoded.keys().next().value!);
    }
    this.#decoded.set(window.number, decoded);
    return decoded;
  }
}

function startsOf({ blocks, exceptions, table }: WindowFlow): Uint32Array {
  const starts = new Uint32Array(blocks.length);
  let step = 0;
  let exception = 0;
  for (let i = 0; i < blocks.length; i++) {
    if (exceptions[exception]?.before === i) step += exceptions[exception++].count;
    starts[i] = step;
    step += table.steps(blocks[i]);
  }
  return starts;
}

/** How many of some ascending numbers are below another. */
function rank(numbers: Uint32Array, limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the last block that starts at or before a position; -1 if there is none. */
function blockAt({ start, starts }: DecodedWindow, position: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start + starts[middle] <= position) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function isCall(kind: number): boolean {
  return kind === BLOCK_KIND.call || kind === BLOCK_KIND.indirectCall;
}
