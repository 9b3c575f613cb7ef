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
 * Effects are produced a chunk of steps at a time, by executing again. Cost: about a microsecond per
 * store outside the stacks.
 */
import { type MemoryWatch, PAGE_BYTES, type WatchedAccess } from "../../core/memory/memory.ts";
import type { ExceptionEvent, MachineEvent } from "../../core/observer.ts";
import { translationOf } from "../guest_view.ts";
import { ReplayError } from "../replay_error.ts";
import { Session } from "../session.ts";
import { describeSyndrome, exceptionClass, hasFaultAddress } from "../syndrome.ts";
import type { EventKind, Trace } from "../../trace/mod.ts";
import { EffectColumns, type PackedEffects } from "./diff_columns.ts";
import { TableFinder, type Tables } from "./diff_tables.ts";
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

/** Windows in which tables are looked for ahead of the steps that are executed. */
const TABLE_WINDOWS = 2;
/** Eight bytes as a number, as two, and as they are. */
const LONG = new BigUint64Array(1);
const HALVES = new Uint32Array(LONG.buffer);
const HALF_BYTES = new Uint8Array(LONG.buffer);
/** Events that say whether an interrupt is being handled. */
const HANDLING: ReadonlySet<EventKind> = new Set(["exception", "eret"]);
/** Steps executed at a time. */
const CHUNK = 1 << 18;
/** A stack pointer farther than this from all known stacks is in a new one. */
const NEAR_STACK = 1 << 16;

/** Addresses of a stack, as far as they are known. */
export interface Stack {
  /** Lowest and highest. */
  low: number;
  top: number;
}

/** What a boot did in some steps. */
export interface EffectChunk {
  /** What it did; the last ones, so many as are held, may still grow, and come again. */
  readonly effects: PackedEffects;
  readonly held: number;
  /** Where the steps end. */
  readonly position: number;
  /** Effects of interrupt handlers, which were left out. */
  readonly leftOut: number;
  /** The stacks that are known there. */
  readonly stacks: readonly Stack[];
  /** The translation tables that are known there; absent where they are the same as before. */
  readonly tables?: Tables;
  /** Whether the boot ends there. */
  readonly isLast: boolean;
}

/** Gives chunks of effects, in order. */
export interface EffectChunks {
  /** Effects that can be given without waiting; Infinity if there is nothing to wait for. */
  readonly ready: number;
  /** The next chunk; it must be ready. */
  next(): EffectChunk;
  /** Goes on behind a window instead. What is held of effects is dropped. */
  skipTo(window: number): void;
}

/** See the top of this file. */
export class EffectReader implements EffectChunks {
  readonly ready = Infinity;
  readonly session: Session;
  readonly #tables: TableFinder;
  #hasNewTables = false;
  #leftOut = 0;
  readonly #effects = new EffectColumns();
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
  readonly #cpu: number | undefined;

  /**
   * Begins at `#0`.
   *
   * @param cpu the only CPU whose effects are wanted
   */
  constructor(trace: Trace, cpu?: number) {
    this.session = new Session(trace, { forward: true, watched: true });
    this.#tables = new TableFinder(this.session);
    this.#cpu = cpu;
  }

  skipTo(window: number): void {
    this.#findTables(this.session.trace.windows[window].end);
    this.session.loadKeyframe(window);
    this.#effects.take(0);
    this.#line = undefined;
    this.#handling.length = 0;
    const { trace, position } = this.session;
    const filter = { kinds: HANDLING, to: position };
    for (const event of position === 0 ? [] : trace.events(filter)) {
      if (!this.#isWanted(event.cpu)) continue;
      if (event.kind === "eret") this.#handling.pop();
      if (event.kind === "exception") this.#handling.push(event.type);
    }
    // It goes on from here: what is behind is not wanted again.
    trace.dropPages();
  }

  next(): EffectChunk {
    const { session } = this;
    const { trace, position: from } = session;
    const window = from / trace.header.windowSteps;
    if (Number.isInteger(window) && this.#findTables(from)) {
      session.loadKeyframe(window);
      trace.dropPages();
    }
    this.#leftOut = 0;
    this.#execute();
    const { position } = session;
    const isLast = position >= trace.end;
    if (isLast) this.#endLine();
    const growing = isLast || this.#effects.count === 0 ? 0 : 1;
    const line = this.#lineSoFar();
    if (line) this.#effects.add(line);
    const held = line ? growing + 1 : growing;
    const effects = this.#effects.take(held);
    if (line) this.#effects.pop();
    const found = this.#hasNewTables ? { tables: this.#tables.tables } : {};
    this.#hasNewTables = false;
    const own = { position, leftOut: this.#leftOut, stacks: this.#stacks, isLast };
    return { effects, held, ...own, ...found };
  }

  /** Looks for the tables of the steps behind a position; gives whether the cursor moved. */
  #findTables(position: number): boolean {
    const ahead = TABLE_WINDOWS * this.session.trace.header.windowSteps;
    const found = this.#tables.findUpTo(position + ahead);
    this.#hasNewTables ||= found;
    return found;
  }

  #execute(): void {
    const { session } = this;
    const { end, header } = session.trace;
    const to = Math.min(end, session.position + Math.min(CHUNK, header.windowSteps));
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
    // An exception there is a fault, and what comes of it is not the interrupt's business any more.
    if (effect.kind !== "exception" && this.#isHandlingInterrupt) this.#leftOut++;
    else this.#effects.add(effect);
  }

  get #isHandlingInterrupt(): boolean {
    return this.#handling.includes("irq") || this.#handling.includes("fiq");
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
    const inHandler = this.#isHandlingInterrupt;
    for (let at = 0; at < bytes.length; at += 8) {
      const size = Math.min(8, bytes.length - at);
      const value = littleEndian(bytes, at, size);
      if (this.#effects.extend(address + at, size, value)) continue;
      if (inHandler) this.#leftOut++;
      else this.#effects.addStore({ position, pc, address: address + at, size, value });
    }
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
    const { last } = this.#effects;
    if (last?.kind === "mmio" && last.position === position) this.#effects.pop();
    this.#sent = position;
    this.#line ??= { position, pc, bytes: [] };
    if (byte !== 10) this.#line.bytes.push(byte);
    if (byte === 10 || this.#line.bytes.length >= 1000) this.#endLine();
  }

  #endLine(): void {
    const line = this.#lineSoFar();
    this.#line = undefined;
    if (line) this.#add(line);
  }

  #lineSoFar(): Effect | undefined {
    if (!this.#line) return undefined;
    const { position, pc, bytes } = this.#line;
    const name = new TextDecoder().decode(new Uint8Array(bytes)).trimEnd();
    if (name === "") return undefined;
    const plain = { address: 0, size: 0, length: 0, value: 0n, old: 0n };
    return { kind: "console", position, pc, name, ...plain };
  }
}

/** The address without what distinguishes the upper half. */
function low48(address: bigint): number {
  LONG[0] = address;
  return HALVES[0] + (HALVES[1] & 0xffff) * 2 ** 32;
}

function littleEndian(bytes: Uint8Array, from: number, size: number): bigint {
  HALVES[0] = HALVES[1] = 0;
  for (let i = 0; i < size; i++) HALF_BYTES[i] = bytes[from + i];
  return LONG[0];
}
