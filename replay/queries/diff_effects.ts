/**
 * What a boot does to the world, in order: stores outside its stacks, system register writes,
 * maintenance, writes to devices, console lines, exceptions.
 *
 * That is what two boots of differently compiled programs have in common: registers, spills, return
 * addresses and branches are the compiler's. A store is on a stack if its address lies between SP
 * and the top of the stack that SP is in; the tops are learned as SP moves.
 *
 * Stores that go on where the last one ended, with the same value, are one effect: clearing memory
 * is one thing, whatever loop does it. The effects of interrupt handlers are left out: when an
 * interrupt comes depends on how many instructions were executed, not on what they do. Exceptions
 * that handlers take count.
 *
 * Effects are produced as they are asked for, by executing again, and those that were compared are
 * forgotten. Cost: about a microsecond per access to memory.
 */
import { type MemoryWatch, PAGE_BYTES, type WatchedAccess } from "../../core/memory/memory.ts";
import type { ExceptionEvent, MachineEvent } from "../../core/observer.ts";
import { translationOf } from "../guest_view.ts";
import { ReplayError } from "../replay_error.ts";
import { Session } from "../session.ts";
import { describeSyndrome, exceptionClass, hasFaultAddress } from "../syndrome.ts";
import type { Trace } from "../../trace/mod.ts";
import { effectsOf } from "./writers_effects.ts";

/**
 * What an effect is; `exception` includes SVC and the like, `return` is ERET. A `branch` is none, but
 * is shown like one.
 */
export type EffectKind =
  | "store"
  | "sysreg"
  | "maintenance"
  | "mmio"
  | "console"
  | "exception"
  | "return"
  | "branch";

/** One effect. */
export interface Effect {
  readonly kind: EffectKind;
  /** Steps before the instruction; of a console line, of its first byte. */
  readonly position: number;
  readonly pc: bigint;
  /** Register, operation, line of text, kind of exception; empty for stores. */
  readonly name: string;
  /** Physical address written, where there is one; else 0. */
  readonly address: number;
  /** Bytes of one store. */
  readonly size: number;
  /** Bytes written: more than `size` for a run of equal stores. */
  length: number;
  /** What was written; FAR of an exception. */
  readonly value: bigint;
  /** The register's value before; 0 for others. */
  readonly old: bigint;
}

/** Steps executed at a time. */
const CHUNK = 1 << 18;
/** A stack pointer farther than this from all known stacks is in a new one. */
const NEAR_STACK = 1 << 16;
/** Compared effects that are kept before they are dropped. */
const MOST_PAST = 1 << 15;

interface Stack {
  /** Lowest and highest address known. */
  low: number;
  top: number;
}

/** See the top of this file. */
export class EffectReader {
  readonly session: Session;
  /** Effects of interrupt handlers, which were left out. */
  leftOut = 0;
  /** Called now and then while executing. */
  progress: () => void = () => {};
  /** Effects dropped from the front. */
  #base = 0;
  #effects: Effect[] = [];
  readonly #stacks: Stack[] = [];
  /** Physical pages that hold nothing but stack, with their virtual addresses. */
  readonly #stackPages = new Map<number, number>();
  /** By address of an instruction: whether its base register is SP. */
  readonly #onStack = new Map<bigint, boolean>();
  /** Types of the exceptions being handled. */
  readonly #handling: string[] = [];
  #line: { position: number; pc: bigint; bytes: number[] } | undefined;
  /** Position of the last console byte. */
  #sent = -1;
  #done = false;
  readonly #cpu: number | undefined;

  /**
   * Begins at `#0`.
   *
   * @param cpu the only CPU whose effects are wanted
   */
  constructor(trace: Trace, cpu?: number) {
    this.session = new Session(trace);
    this.#cpu = cpu;
  }

  /** Begins behind a window instead. */
  skipTo(window: number): void {
    this.session.loadKeyframe(window);
  }

  /** The effect with an index; undefined behind the last one. It must not have been forgotten. */
  at(index: number): Effect | undefined {
    // The last one may still grow.
    while (!this.#done && index + 1 >= this.#base + this.#effects.length) this.#execute();
    return this.#effects[index - this.#base];
  }

  /** Effects from one index to another, as far as there are any. */
  slice(from: number, to: number): Effect[] {
    this.at(to);
    return this.#effects.slice(from - this.#base, to - this.#base);
  }

  /** Gives up effects before an index. */
  forget(before: number): void {
    if (before - this.#base < MOST_PAST) return;
    this.#effects = this.#effects.slice(before - this.#base);
    this.#base = before;
  }

  /** Whether an address is on a stack that is known so far. */
  isStack(address: number): boolean {
    return this.#stacks.some(({ low, top }) => address >= low && address <= top);
  }

  #execute(): void {
    const { session } = this;
    const { end } = session.trace;
    this.progress();
    const to = Math.min(end, session.position + CHUNK);
    if (session.position < to) {
      // What is only stack need not be seen, which makes it fast. The set must not change meanwhile.
      const unseen = this.#pagesOfStack();
      const watch: MemoryWatch = {
        writesOnly: true,
        covers: (page) => session.machine.memory.contains(page) && !unseen.has(page),
        accessed: (access) => access.write && access.by !== "walker" && this.#store(access),
      };
      session.observe(to, { watch, events: { event: (event) => this.#event(event) } });
      if (session.position < to) {
        throw new ReplayError(
          `The re-execution differs from the trace: the machine ended at #${session.position}, ` +
            `expected it to go on to #${to}; verify finds the first difference`,
        );
      }
    }
    if (session.position >= end) {
      this.#endLine();
      this.#done = true;
    }
  }

  /** Physical pages of the stack in use; others may have become something else. */
  #pagesOfStack(): Set<number> {
    const { machine } = this.session;
    const sp = low48(machine.cpus[this.#cpu ?? 0].processor.state.sp);
    const stack = this.#stacks.find(({ low, top }) => sp >= low && sp <= top);
    const pages = [...this.#stackPages].filter(([, va]) =>
      stack !== undefined && va >= stack.low && va + PAGE_BYTES <= stack.top
    );
    return new Set(pages.map(([page]) => page));
  }

  #add(effect: Effect): void {
    const inHandler = this.#handling.includes("irq") || this.#handling.includes("fiq");
    // An exception there is a fault, and what comes of it is not the interrupt's business any more.
    if (inHandler && effect.kind !== "exception") this.leftOut++;
    else this.#effects.push(effect);
  }

  /** Whether what a CPU does is wanted. */
  #isWanted(cpu: number): boolean {
    return this.#cpu === undefined || this.#cpu === cpu;
  }

  #store({ address, va, bytes, by }: WatchedAccess): void {
    if (!this.#isWanted(this.session.machine.cpu.index)) return;
    if (va !== undefined && by !== "dma" && this.#isStackStore(low48(va), bytes.length)) {
      const [first, page] = [low48(va) - low48(va) % PAGE_BYTES, address - address % PAGE_BYTES];
      const isInside = this.#stacks.some(({ low, top }) =>
        first >= low && first + PAGE_BYTES <= top
      );
      if (isInside) this.#stackPages.set(page, first);
      return;
    }
    const { position, pc } = this.session.machine.processor.here();
    for (let at = 0; at < bytes.length; at += 8) {
      const part = bytes.subarray(at, at + 8);
      const value = littleEndian(part);
      if (this.#extends(address + at, part.length, value)) continue;
      const own = { position, pc, address: address + at, size: part.length, length: part.length };
      this.#add({ kind: "store", name: "", value, old: 0n, ...own });
    }
  }

  /** Whether a store goes on with the run that the last effect is; then it is part of it. */
  #extends(address: number, size: number, value: bigint): boolean {
    const last = this.#effects[this.#effects.length - 1];
    if (last?.kind !== "store" || last.value !== value || last.address + last.length !== address) {
      return false;
    }
    if (last.size !== size && value !== 0n) return false;
    last.length += size;
    return true;
  }

  #isStackStore(va: number, length: number): boolean {
    const { machine } = this.session;
    const sp = low48(machine.processor.state.sp);
    const { pc } = machine.processor;
    let own = this.#onStack.get(pc);
    if (own === undefined) {
      const { pa } = translationOf(machine, pc);
      own = pa !== null && machine.memory.contains(pa, 4) &&
        effectsOf(machine.memory.word(pa)).base === "sp";
      this.#onStack.set(pc, own);
    }
    if (!own && this.#stacks.length === 0) return false;
    let stack = this.#stacks.find(({ low, top }) => sp >= low - NEAR_STACK && sp <= top + 4096);
    if (!stack) {
      if (!own) return false;
      this.#stacks.push(stack = { low: sp, top: sp });
    }
    if (own) {
      stack.low = Math.min(stack.low, va, sp);
      stack.top = Math.max(stack.top, va + length, sp);
      return true;
    }
    return va >= sp && va + length <= stack.top;
  }

  #event(event: MachineEvent): void {
    if (!this.#isWanted(event.cpu)) return;
    const { position, pc } = event;
    const plain = { position, pc, address: 0, size: 0, length: 0, old: 0n };
    switch (event.kind) {
      case "sysreg":
        this.#add({
          ...plain,
          kind: "sysreg",
          name: event.register,
          value: event.new,
          old: event.old,
        });
        return;
      case "tlbi":
      case "cache":
      case "barrier":
        this.#add({ ...plain, kind: "maintenance", name: event.operation, value: event.value });
        return;
      case "mmio": {
        const { address, size, value } = event;
        if (!event.write || position === this.#sent) return;
        this.#add({ ...plain, kind: "mmio", name: "", address, size, length: size, value });
        return;
      }
      case "console":
        return this.#console(event.byte, position, pc);
      case "exception":
        this.#exception(event);
        return;
      case "eret":
        this.#handling.pop();
        this.#add({ ...plain, kind: "return", name: `ERET to EL${event.toEl}`, value: 0n });
        return;
    }
  }

  #exception(event: ExceptionEvent): void {
    const { type, esr, far, pc, position } = event;
    if (type === "irq" || type === "fiq") {
      this.#handling.push(type);
      return;
    }
    const name = type === "serror" ? "SError" : describeSyndrome(esr);
    const value = hasFaultAddress(esr) ? far : 0n;
    const size = exceptionClass(esr);
    this.#add({
      kind: "exception",
      position,
      pc,
      name,
      address: 0,
      size,
      length: 0,
      value,
      old: 0n,
    });
    this.#handling.push(type);
  }

  /** The store that sent a byte is replaced by the line that the byte is in. */
  #console(byte: number, position: number, pc: bigint): void {
    const last = this.#effects[this.#effects.length - 1];
    if (last?.kind === "mmio" && last.position === position) this.#effects.pop();
    this.#sent = position;
    this.#line ??= { position, pc, bytes: [] };
    if (byte !== 10) this.#line.bytes.push(byte);
    if (byte === 10 || this.#line.bytes.length >= 1000) this.#endLine();
  }

  #endLine(): void {
    if (!this.#line) return;
    const { position, pc, bytes } = this.#line;
    this.#line = undefined;
    const name = new TextDecoder().decode(new Uint8Array(bytes)).trimEnd();
    if (name === "") return;
    const plain = { address: 0, size: 0, length: 0, value: 0n, old: 0n };
    this.#add({ kind: "console", position, pc, name, ...plain });
  }
}

/** The address without what distinguishes the upper half. */
function low48(address: bigint): number {
  return Number(BigInt.asUintN(48, address));
}

function littleEndian(bytes: Uint8Array): bigint {
  let low = 0;
  let high = 0;
  for (let i = Math.min(bytes.length, 8) - 1; i >= 0; i--) {
    if (i >= 4) high = high * 256 + bytes[i];
    else low = low * 256 + bytes[i];
  }
  return high === 0 ? BigInt(low) : BigInt(high) << 32n | BigInt(low);
}
