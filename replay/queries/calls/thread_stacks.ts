/**
 * The stacks of calls of one CPU: one per exception level and thread.
 *
 * What a thread is nobody records. A return to an address that no caller on the stack waits for is
 * taken for a switch: to the thread that the kernel's own register names, if one of those that
 * kernels keep their current thread in was written since the last switch, else to the stack left
 * behind that waits for the address; and if there is none, for a jump. Stacks and how many
 * are remembered are bounded, so the worst a program can do is to be shown at the wrong place.
 */
import type {
  ExceptionEvent,
  ExceptionReturnEvent,
  SystemRegisterEvent,
} from "../../../core/observer.ts";
import { BLOCK_KIND } from "../../../trace/schema.ts";
import { exceptionClassName } from "../../syndrome.ts";
import type { CallNodes } from "./call_nodes.ts";

/** Frames of a stack; what is called deeper counts as the last one's own. */
const MOST_FRAMES = 1000;
/** Stacks remembered per level; the one left longest ago goes first. */
const MOST_STACKS = 256;
/** Registers in which kernels keep what runs: Linux SP_EL0, others a thread pointer. */
const THREAD_REGISTERS = new Set(["SP_EL0", "TPIDR_EL1", "TPIDR_EL2"]);

/** Who waits for what. `nodes[0]` is the base; `returns[n]` is where frame n returns to. */
interface Stack {
  nodes: number[];
  returns: number[];
  /** Calls beyond the last frame. */
  deeper: number;
  /** Where it goes on after an exception to a higher level. */
  resume: number;
}

/** What a CPU does at one exception level. */
interface Level {
  stack: Stack | null;
  /** Stacks left behind: by thread, or by a number. */
  readonly others: Map<string, Stack>;
  /** The thread register's last two values, and whether it was written since the last switch. */
  thread: string;
  threadBefore: string;
  changed: boolean;
}

/** See the top of this file. */
export class CpuStacks {
  /** How the last block ended: BLOCK_KIND. */
  last: number = BLOCK_KIND.sequential;
  /** What stands behind the last block: the low 48 bits of its address. */
  after = 0;
  readonly #nodes: CallNodes;
  #levels: Level[] = [];
  #el = -1;
  #stack!: Stack;
  #top = 0;
  #anonymous = 0;

  constructor(nodes: CallNodes) {
    this.#nodes = nodes;
    this.reset();
  }

  /** Begins anew, as after a reset. */
  reset(): void {
    this.#levels = Array.from({ length: 4 }, () => ({
      stack: null,
      others: new Map(),
      thread: "",
      threadBefore: "",
      changed: false,
    }));
    this.#el = -1;
    this.last = BLOCK_KIND.sequential;
  }

  /** Whether nothing was executed since the beginning, or a reset. */
  get isFresh(): boolean {
    return this.#el < 0;
  }

  /** The first instruction is executed: at an exception level, in a function. */
  begin(el: number, number: number, position: number): void {
    this.#el = el;
    this.#use(newStack(0));
    this.#push(number, NaN, position);
  }

  /** Steps in the function on top. */
  count(steps: number): void {
    this.#nodes.spent(this.#top, steps);
  }

  /** @param after where the call returns to */
  call(number: number, after: number, position: number): void {
    const stack = this.#stack;
    if (stack.nodes.length >= MOST_FRAMES) stack.deeper++;
    else this.#push(number, after, position);
  }

  /** A function goes on as another one, whose return is its own. */
  tailCall(number: number, position: number): void {
    const { nodes, returns } = this.#stack;
    if (this.#nodes.functionOf(this.#top) === number) return;
    if (nodes.length === 1) return this.#push(number, NaN, position);
    const after = returns[returns.length - 1];
    this.#drop(nodes.length - 1);
    this.#push(number, after, position);
  }

  /** @param target gives the function that would begin at `address` */
  return(address: number, target: () => number, position: number): void {
    const stack = this.#stack;
    if (stack.deeper > 0) {
      stack.deeper--;
      return;
    }
    if (this.#unwind(stack, address)) return;
    this.#switch(address, target, position);
  }

  exception(event: ExceptionEvent): void {
    const elr = low(event.elr);
    if (this.isFresh) this.begin(event.fromEl, this.#nodes.functionAt(event.elr), event.position);
    this.#finish(event.elr, event.position);
    const { fromEl, toEl, vector } = event;
    const what = event.type === "sync" ? exceptionClassName(event.esr) : event.type.toUpperCase();
    if (fromEl === toEl) {
      return this.#push(this.#nodes.special("exception", vector, what), elr, event.position);
    }
    this.#stack.resume = elr;
    this.#leave(`#${this.#anonymous++}`);
    this.#el = toEl;
    this.#use(newStack(0));
    const from = `${what} from EL${fromEl}`;
    this.#push(this.#nodes.special("exception", vector, from), NaN, event.position);
  }

  exceptionReturn({ fromEl, toEl, elr, position }: ExceptionReturnEvent): void {
    this.last = BLOCK_KIND.sequential;
    if (this.isFresh) return;
    const address = low(elr);
    const target = () => this.#nodes.functionAt(elr);
    if (fromEl === toEl) {
      const { returns } = this.#stack;
      // A handler may step over the instruction.
      const frame = returns.findLastIndex((each) => address - each === 0 || address - each === 4);
      if (frame >= 1) return this.#drop(frame);
      return this.return(address, target, position);
    }
    const level = this.#levels[toEl];
    this.#el = toEl;
    // A level that never ran: firmware or a boot goes down, and what it called goes on there.
    if (level.stack === null) {
      this.#use(this.#stack);
      return this.return(address, target, position);
    }
    for (const [key, stack] of [...level.others].reverse()) {
      if (stack.resume !== address) continue;
      level.others.delete(key);
      return this.#use(stack);
    }
    this.#use(newStack(0));
    this.#push(this.#nodes.special("thread", elr, `EL${toEl}`), NaN, position);
  }

  registerWritten({ register, new: value }: SystemRegisterEvent): void {
    if (this.isFresh || !THREAD_REGISTERS.has(register)) return;
    const level = this.#levels[this.#el];
    const thread = `${register} ${value}`;
    if (thread === level.thread) return;
    level.threadBefore = level.thread;
    level.thread = thread;
    level.changed = true;
  }

  /** Does what the last block began before an exception came between: its target is what was interrupted. */
  #finish(target: bigint, position: number): void {
    const { last } = this;
    this.last = BLOCK_KIND.sequential;
    if (last === BLOCK_KIND.call || last === BLOCK_KIND.indirectCall) {
      this.call(this.#nodes.functionAt(target), this.after, position);
    } else if (last === BLOCK_KIND.return) {
      this.return(low(target), () => this.#nodes.functionAt(target), position);
    }
  }

  #switch(address: number, target: () => number, position: number): void {
    const level = this.#levels[this.#el];
    const { changed, thread, threadBefore, others } = level;
    level.changed = false;
    const next = changed ? others.get(thread) : undefined;
    const found = next ? [thread, next] as const : this.#waiting(others, address);
    if (found) {
      this.#leave(changed ? threadBefore : `#${this.#anonymous++}`);
      others.delete(found[0]);
      this.#use(found[1]);
      if (!this.#unwind(found[1], address)) this.tailCall(target(), position);
    } else if (changed) {
      this.#leave(threadBefore);
      this.#use(newStack(0));
      const base = this.#nodes.special("thread", this.#nodes.addressOf(target()), "thread");
      this.#push(base, NaN, position);
    } else {
      others.set(`#${this.#anonymous++}`, copyOf(this.#stack));
      this.#trim(others);
      this.tailCall(target(), position);
    }
  }

  /** The stack left last of those with a frame that returns to `address`. */
  #waiting(others: Map<string, Stack>, address: number): [string, Stack] | undefined {
    let found: [string, Stack] | undefined;
    for (const entry of others) if (entry[1].returns.includes(address)) found = entry;
    return found;
  }

  /** Drops the frames above the innermost caller that waits for `address`. */
  #unwind(stack: Stack, address: number): boolean {
    const { returns } = stack;
    const top = returns.length - 1;
    const frame = returns[top] === address ? top : returns.lastIndexOf(address);
    if (frame < 1) return false;
    stack.deeper = 0;
    this.#drop(frame);
    return true;
  }

  #push(number: number, after: number, position: number): void {
    const { nodes, returns } = this.#stack;
    this.#top = this.#nodes.child(this.#top, number, position);
    this.#nodes.called(this.#top);
    nodes.push(this.#top);
    returns.push(after);
  }

  #drop(length: number): void {
    const { nodes, returns } = this.#stack;
    // Mostly one: to set the length costs as much as fifty of them.
    while (nodes.length > length) {
      nodes.pop();
      returns.pop();
    }
    this.#top = nodes[length - 1];
  }

  #use(stack: Stack): void {
    this.#stack = stack;
    this.#levels[this.#el].stack = stack;
    this.#top = stack.nodes[stack.nodes.length - 1];
  }

  /** Keeps the stack in use under a name. */
  #leave(name: string): void {
    const { others } = this.#levels[this.#el];
    others.delete(name);
    others.set(name, this.#stack);
    this.#trim(others);
  }

  #trim(others: Map<string, Stack>): void {
    if (others.size > MOST_STACKS) others.delete(others.keys().next().value!);
  }
}

function newStack(node: number): Stack {
  return { nodes: [node], returns: [NaN], deeper: 0, resume: NaN };
}

function copyOf({ nodes, returns, deeper, resume }: Stack): Stack {
  return { nodes: [...nodes], returns: [...returns], deeper, resume };
}

/** The low 48 bits of an address. */
function low(address: bigint): number {
  return Number(address & 0xffff_ffff_ffffn);
}
