/**
 * `who-wrote`: the last write of memory, a register or a system register before a position, and the
 * writes before that one.
 */
import { systemRegisterByName } from "../../core/system/sysregs.ts";
import type { EventColumns, Trace, WindowFlow, WindowInfo } from "../../trace/mod.ts";
import { indexOf } from "../index/trace_index.ts";
import { effectsOf } from "./writers_effects.ts";
import { type MemoryWriter, type PhysicalRange, writesBefore } from "./writers.ts";
import { copySource } from "./who_wrote_copy.ts";
import type { Session } from "../session.ts";

/** What is asked about. */
export type Written =
  | { readonly kind: "memory"; readonly range: PhysicalRange }
  /** `x0` to `x30`, `sp`, `v0` to `v31`, `nzcv`. */
  | { readonly kind: "register"; readonly name: string }
  /** Manual name in capitals. */
  | { readonly kind: "system"; readonly name: string };

/** Who wrote. For registers: an instruction, MSR, or an exception entry or return. */
export type Writer = MemoryWriter | "instruction" | "msr" | "exception";

/** One write, as an answer shows it. */
export interface WriteAnswer {
  /** What kind of write. */
  readonly by: Writer;
  /** Steps before the one that wrote; 0 for what was there at `#0`. */
  readonly position: number;
  /** Address of the instruction; null where none wrote. */
  readonly pc: bigint | null;
  /** Value before; null where there was none. */
  readonly old: bigint | null;
  /** Value after; null where it is not known. */
  readonly new: bigint | null;
  /** Bytes of the values; 8 for registers. */
  readonly size: number;
  /** Physical address that `old` and `new` are the value of. */
  readonly address: number | null;
  /** The virtual address that the instruction used; null where none wrote, and for registers. */
  readonly va: bigint | null;
  /** Physical address of the bytes that this write copied, where a load just before gave them. */
  readonly copiedFrom: number | null;
}

/** How far to go back. */
export interface WhoWroteOptions {
  /** Writes of the steps before this position count. */
  readonly before: number;
  /** Writes given at most; 1 if left out. */
  readonly limit?: number;
  /** Whose register is asked about; that of the CPU whose step is at `before` if left out. */
  readonly cpu?: number;
  /** Behind a write that copied bytes, give the write of what it copied, and so on. */
  readonly throughCopies?: boolean;
}

/** Longest chain of copies that is followed. */
const MOST_COPIES = 64;

/** The writes of what is asked about, latest first. */
export function* whoWrote(
  session: Session,
  written: Written,
  options: WhoWroteOptions,
): Generator<WriteAnswer> {
  const { limit = 1 } = options;
  let left = limit;
  for (const answer of answers(session, written, options)) {
    yield answer;
    // Before another is asked for: finding it may take long.
    if (--left <= 0) return;
  }
}

function answers(
  session: Session,
  written: Written,
  options: WhoWroteOptions,
): Generator<WriteAnswer> {
  switch (written.kind) {
    case "memory":
      return memoryWrites(session, written.range, options);
    case "register":
      return registerWrites(session, written.name, options);
    case "system":
      return systemWrites(session, written.name, options);
  }
}

function* memoryWrites(
  session: Session,
  range: PhysicalRange,
  { before, limit = 1, throughCopies = false }: WhoWroteOptions,
): Generator<WriteAnswer> {
  for (const write of writesBefore(session, range, before, limit)) {
    const answer = memoryAnswer(range, write);
    if (!throughCopies) {
      yield answer;
      continue;
    }
    yield* throughCopiesOf(session, range, answer);
  }
}

/** A write, and behind it the writes of the bytes that it copied, hop by hop. */
function* throughCopiesOf(
  session: Session,
  range: PhysicalRange,
  first: WriteAnswer,
): Generator<WriteAnswer> {
  let answer: WriteAnswer | undefined = first;
  let wanted = range;
  for (let hops = 0; answer && hops < MOST_COPIES; hops++) {
    const source: PhysicalRange | undefined = answer.by === "store" || answer.by === "atomic"
      ? copySource(session, answer, wanted)
      : undefined;
    yield { ...answer, copiedFrom: source?.address ?? null };
    if (!source) return;
    const { position } = answer;
    wanted = source;
    const [write] = writesBefore(session, wanted, position, 1);
    answer = write && memoryAnswer(wanted, write);
  }
}

/** A write in terms of what was asked: see {@linkcode shownRange}. */
export function memoryAnswer(
  range: PhysicalRange,
  write: { by: MemoryWriter; position: number; pc: bigint | null; va: bigint | null } & {
    readonly address: number;
    readonly old: Uint8Array;
    readonly bytes: Uint8Array;
  },
): WriteAnswer {
  const { by, position, pc, va, address, old, bytes } = write;
  const start = bytes.length <= 8 ? address : Math.max(address, align(range.address));
  const length = bytes.length <= 8 ? bytes.length : Math.min(8, address + bytes.length - start);
  const from = start - address;
  const part = (whole: Uint8Array) => littleEndian(whole.subarray(from, from + length));
  return {
    by,
    position,
    pc,
    old: by === "loader" || by === "reset" ? null : part(old),
    new: part(bytes),
    size: length,
    address: start,
    va: va === null ? null : va + BigInt(from),
    copiedFrom: null,
  };
}

function align(address: number): number {
  return address - address % 8;
}

/** The unsigned number that bytes are, lowest first. */
export function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
}

/** Exceptions and returns switch the stack pointer and flags. */
const SWITCHED = new Set(["sp", "nzcv"]);

function* registerWrites(
  session: Session,
  name: string,
  { before, cpu = session.trace.turns.cpuAt(before) }: WhoWroteOptions,
): Generator<WriteAnswer> {
  const { turns } = session.trace;
  for (const { by, position, pc } of registerSteps(session.trace, name, before)) {
    if (turns.cpuAt(position) !== cpu) continue;
    const old = registerAt(session, name, position, cpu);
    const now = registerAt(session, name, position + 1, cpu);
    if (by === "exception" && old === now) continue;
    yield { ...EMPTY, by, position, pc, old, new: now };
  }
  yield initial(registerAt(session, name, 0, cpu));
}

/** A step that writes a register. */
interface RegisterStep {
  readonly by: "instruction" | "exception";
  readonly position: number;
  readonly pc: bigint;
}

/** Steps that write a register, latest first; of exceptions and returns those that may. */
function* registerSteps(trace: Trace, name: string, before: number): Generator<RegisterStep> {
  const index = indexOf(trace);
  for (let number = trace.windows.length - 1; number > 0; number--) {
    const window = trace.windows[number];
    if (window.start >= before) continue;
    const { start } = window;
    const to = Math.min(window.end, before);
    const switches = SWITCHED.has(name) ? exceptionPositions(trace, name, start, to) : [];
    const known = index?.writesRegister(number, name);
    if (known === false) {
      yield* switches.reverse();
      continue;
    }
    if (known === undefined) index?.missed();
    for (const step of instructionsThatWrite(trace.blocks(number), window, name)) {
      if (step.position >= before) continue;
      while (switches.length > 0 && switches[switches.length - 1].position > step.position) {
        yield switches.pop()!;
      }
      yield step;
    }
    yield* switches.reverse();
  }
}

/** Instructions of a window that write a register, latest first. */
function* instructionsThatWrite(
  { blocks, exceptions, table }: WindowFlow,
  { end }: WindowInfo,
  name: string,
): Generator<RegisterStep> {
  /** By block, steps into it that write the register, latest first; made when it is met. */
  const writes = new Array<number[] | undefined>(table.count);
  let position = end;
  let exception = exceptions.length - 1;
  for (let i = blocks.length; i >= 0; i--) {
    if (i < blocks.length) {
      const id = blocks[i];
      position -= table.steps(id);
      for (const n of writes[id] ??= stepsThatWrite(table, id, name)) {
        const pc = BigInt.asUintN(64, table.pc(id) + BigInt(4 * n));
        yield { by: "instruction", position: position + n, pc };
      }
    }
    if (exception >= 0 && exceptions[exception].before === i) {
      position -= exceptions[exception--].count;
    }
  }
}

function stepsThatWrite(table: WindowFlow["table"], id: number, name: string): number[] {
  const steps: number[] = [];
  for (let n = table.steps(id) - 1; n >= 0; n--) {
    if (effectsOf(table.word(id, n)).writes.has(name)) steps.push(n);
  }
  return steps;
}

const EMPTY: WriteAnswer = {
  by: "reset",
  position: 0,
  pc: null,
  old: null,
  new: null,
  size: 8,
  address: null,
  va: null,
  copiedFrom: null,
};

/** A register as the boot protocol left it: what is not zero was put there by the loader. */
function initial(value: bigint): WriteAnswer {
  return { ...EMPTY, by: value === 0n ? "reset" : "loader", new: value };
}

function exceptionPositions(trace: Trace, name: string, from: number, to: number): RegisterStep[] {
  const kinds = new Set(["exception", "eret"] as const);
  const steps: RegisterStep[] = [];
  for (const event of trace.events({ kinds, from, to })) {
    if (event.kind !== "exception" && event.kind !== "eret") continue;
    // Entries keep the flags. Within a level SP stays where the other side used SP_ELx, too.
    const may = name === "nzcv"
      ? event.kind === "eret"
      : event.fromEl !== event.toEl || (event.spsr & 1n) === 0n;
    if (may) steps.push({ by: "exception", position: event.position, pc: event.pc });
  }
  return steps;
}

function registerAt(session: Session, name: string, position: number, index: number): bigint {
  session.seek(position);
  const cpu = session.state().cpus[index];
  if (name === "sp") return cpu.sp;
  if (name === "nzcv") return cpu.pstate >> 28n & 15n;
  const number = Number(name.slice(1));
  return name[0] === "v"
    ? littleEndian(cpu.v.subarray(16 * number, 16 * number + 16))
    : cpu.x[number];
}

/** Registers that an exception entry writes (Arm ARM D1.10.4), and the event's field. */
const BY_EXCEPTION: Readonly<Record<string, "elr" | "spsr" | "esr" | "far">> = {
  ELR_EL1: "elr",
  SPSR_EL1: "spsr",
  ESR_EL1: "esr",
  FAR_EL1: "far",
};

function* systemWrites(
  session: Session,
  name: string,
  { before, cpu = session.trace.turns.cpuAt(before) }: WhoWroteOptions,
): Generator<WriteAnswer> {
  const { trace } = session;
  const field = BY_EXCEPTION[name];
  const kinds = new Set(field ? ["sysreg", "exception"] as const : ["sysreg"] as const);
  const mayMatter = ({ strings, has }: EventColumns) =>
    strings.includes(name) || (field !== undefined && has("exception"));
  for (const event of trace.eventsBackwards({ kinds, to: before, mayMatter })) {
    const { position, pc } = event;
    if (event.cpu !== cpu) continue;
    if (event.kind === "sysreg" && event.register === name) {
      yield { ...EMPTY, by: "msr", position, pc, old: event.old, new: event.new };
    } else if (event.kind === "exception" && writesSyndrome(event.type, field)) {
      const old = systemAt(session, name, position, cpu);
      const now = systemAt(session, name, position + 1, cpu);
      yield { ...EMPTY, by: "exception", position, pc, old, new: now };
    }
  }
  yield { ...EMPTY, new: systemAt(session, name, 0, cpu) };
}

function writesSyndrome(type: string, field: string | undefined): boolean {
  if (field === undefined) return false;
  return field === "elr" || field === "spsr" || type === "sync" || type === "serror";
}

/** A stored system register of a CPU at a position. */
export function systemAt(
  session: Session,
  name: string,
  position: number,
  cpu: number,
): bigint | null {
  session.seek(position);
  return session.state().cpus[cpu].system[name] ?? systemRegisterByName(name)?.reset ?? null;
}
