/**
 * Who called whom in a whole boot, and how many steps each took: a tree of functions by the way
 * they were called.
 *
 * Made in one pass over the flow, which needs no re-execution. A block that a call enters begins a
 * function; a branch to a place that was ever called is a call in its caller's stead. A return goes
 * to the innermost caller that waits for its address. One that nobody waits for is a switch of
 * threads: `thread_stacks.ts`. An exception stands below the function that it interrupted, one from
 * a lower exception level at the top, because the stack of its level is empty there.
 */
import type { MachineEvent } from "../../../core/observer.ts";
import { BLOCK_KIND } from "../../../trace/schema.ts";
import type { Trace, WindowFlow } from "../../../trace/mod.ts";
import { release } from "../../../trace/release.ts";
import { CallNodes } from "./call_nodes.ts";
import { CpuStacks } from "./thread_stacks.ts";

/** What a {@linkcode callTree} is asked for. */
export interface CallTreeOptions {
  /** From this position on. */
  readonly from?: number;
  /** Up to, not including, this position. */
  readonly to?: number;
  /** Told of the position reached, now and then. */
  readonly progress?: (position: number) => void;
}

const KINDS = new Set(["exception", "eret", "reset", "turn", "sysreg"] as const);

/** The calls between two positions of a trace. */
export function callTree(trace: Trace, options: CallTreeOptions = {}): CallNodes {
  const { from = 0, to = trace.end } = options;
  const tracer = new Tracer(trace, from, to);
  for (const window of trace.windows) {
    if (window.number === 0 || window.end <= from || window.start >= to) continue;
    const flow = trace.blocks(window.number);
    tracer.window(flow);
    release(flow.blocks);
    options.progress?.(window.end);
  }
  return tracer.nodes;
}

/** Facts of each block, by id, that the pass asks for again and again. */
class BlockFacts {
  steps = new Uint8Array(0);
  kind = new Uint8Array(0);
  /** Where the block begins and what stands behind it: the low 48 bits, as numbers. */
  start = new Float64Array(0);
  /** Function that begins with the block, or -1. */
  entry = new Int32Array(0);
  #known = 0;

  learn({ table }: WindowFlow): void {
    if (table.count > this.steps.length) this.#grow(2 * table.count);
    for (let id = this.#known; id < table.count; id++) {
      this.steps[id] = table.steps(id);
      this.kind[id] = table.kind(id);
      this.start[id] = Number(table.pc(id) & 0xffff_ffff_ffffn);
    }
    this.#known = table.count;
  }

  #grow(size: number): void {
    const { steps, kind, start, entry } = this;
    (this.steps = new Uint8Array(size)).set(steps);
    (this.kind = new Uint8Array(size)).set(kind);
    (this.start = new Float64Array(size)).set(start);
    (this.entry = new Int32Array(size).fill(-1)).set(entry);
  }
}

class Tracer {
  readonly nodes = new CallNodes();
  readonly #facts = new BlockFacts();
  readonly #events: Iterator<MachineEvent>;
  #event: MachineEvent | undefined;
  /** Its position; infinity if there is none. */
  #nextEvent = Infinity;
  readonly #cpus: CpuStacks[];
  #cpu: CpuStacks;

  constructor(trace: Trace, readonly from: number, readonly to: number) {
    this.#cpus = Array.from({ length: trace.header.cpus }, () => new CpuStacks(this.nodes));
    this.#cpu = this.#cpus[0];
    this.#events = trace.events({ kinds: KINDS, to });
    this.#next();
  }

  /** Follows a window. Blocks that change nothing but the steps of the function on top are only added up. */
  window(flow: WindowFlow): void {
    const { blocks, exceptions, table } = flow;
    const facts = this.#facts;
    facts.learn(flow);
    const { steps, kind, start, entry } = facts;
    let position = flow.start, exception = 0, interrupted = exceptions[0]?.before;
    let cpu = this.#cpu, { last } = cpu, since = position;
    for (let i = 0; i < blocks.length && position < this.to; i++) {
      if (i === interrupted || position >= this.#nextEvent) {
        cpu.count(this.#within(since, position));
        while (exceptions[exception]?.before === i) position += exceptions[exception++].count;
        interrupted = exceptions[exception]?.before;
        since = position;
        cpu.last = last;
        cpu = this.#catchUp(position);
        last = cpu.last;
      }
      const id = blocks[i];
      if (cpu.isFresh) cpu.begin(table.regime(id), this.nodes.functionAt(table.pc(id)), position);
      if (last >= BLOCK_KIND.call || last === BLOCK_KIND.direct && entry[id] >= 0) {
        cpu.count(this.#within(since, position));
        since = position;
        this.#enter(cpu, last, id, position, table);
      }
      position += steps[id];
      last = kind[id];
      if (last >= BLOCK_KIND.call) cpu.after = start[id] + 4 * steps[id];
    }
    cpu.count(this.#within(since, position));
    cpu.last = last;
  }

  /** Steps of a stretch that are asked for. */
  #within(from: number, to: number): number {
    return Math.max(0, Math.min(to, this.to) - Math.max(from, this.from));
  }

  /** The transfer of control with which the last block ended, and this one begins. */
  #enter(
    cpu: CpuStacks,
    last: number,
    id: number,
    position: number,
    table: WindowFlow["table"],
  ): void {
    const { entry, start } = this.#facts;
    switch (last) {
      case BLOCK_KIND.call:
      case BLOCK_KIND.indirectCall:
        if (entry[id] < 0) entry[id] = this.nodes.functionAt(table.pc(id));
        return cpu.call(entry[id], cpu.after, position);
      case BLOCK_KIND.return:
        return cpu.return(start[id], () => this.nodes.functionAt(table.pc(id)), position);
      case BLOCK_KIND.direct:
      case BLOCK_KIND.indirect:
        if (entry[id] >= 0) cpu.tailCall(entry[id], position);
    }
  }

  /** Takes the events up to a position, and gives the CPU whose turn it is then. */
  #catchUp(position: number): CpuStacks {
    for (let event = this.#event; event; event = this.#next()) {
      // A turn and a step that an exception entry is stand at their own position.
      if (event.position > position || event.position === position && event.kind !== "turn") break;
      this.#apply(event);
    }
    return this.#cpu;
  }

  #apply(event: MachineEvent): void {
    const cpu = this.#cpus[event.cpu];
    switch (event.kind) {
      case "turn":
        this.#cpu = cpu;
        return;
      case "exception":
        return cpu.exception(event);
      case "eret":
        return cpu.exceptionReturn(event);
      case "reset":
        for (const each of this.#cpus) each.reset();
        return;
      case "sysreg":
        return cpu.registerWritten(event);
    }
  }

  #next(): MachineEvent | undefined {
    const next = this.#events.next();
    this.#event = next.done ? undefined : next.value;
    this.#nextEvent = this.#event?.position ?? Infinity;
    return this.#event;
  }
}
