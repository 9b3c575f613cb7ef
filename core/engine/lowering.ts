import { SLOT } from "../state.ts";
import type { Access, Commit, Flag, Ops, Statement, StateName, Value } from "../isa/ops.ts";
import {
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Label,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import { instruction, type ValueType } from "./wasm/opcodes.ts";
import { ACCESS, ANSWER } from "./reasons.ts";
import type { CounterReads } from "./counter_reads.ts";
import { CLOCK, LAYOUT } from "./layout.ts";
import { layOutRecord, type RecordField } from "./record_layout.ts";
import { countUses } from "./use_counts.ts";

/**
 * Lowers one instruction's program (`ops.ts`) to WebAssembly: inside the interpreter's function with
 * operands read from the record, inside a translated function with the record's content bound.
 *
 * A value used more than once is computed once, into a temporary local. Memory accesses look their
 * page up in line and call TypeScript only on a miss. Commits are computed first and written
 * together at the end, so that an instruction which faults changes nothing.
 */

/** What translated code knows of the instruction in hand: its record, and where registers are kept. */
export interface Bound {
  /** The record's content at a byte offset. */
  u16(offset: number): number;
  i32(offset: number): number;
  i64(offset: number): bigint;
  /** The local that stands for the general-purpose register, or SP, with this slot. */
  register(slot: number): Local;
  /** Called behind each write of such a local. */
  wrote(slot: number): void;
  /** The instruction's address. */
  pc(): Expression;
}

/** What the function offers to every instruction in it. */
export interface Frame {
  readonly f: FunctionBuilder;
  readonly record: Local;
  readonly pcBase: Local;
  readonly flags: Readonly<Record<Flag, Local>>;
  readonly helpers: ReadonlyMap<string, FunctionReference>;
  readonly slowLoad: FunctionReference;
  readonly slowStore: FunctionReference;
  /** Address of the mark of address 0 of this memory, where stores are marked (`layout.ts`). */
  readonly storeMarks: number | undefined;
  /** Whether what is written to registers also goes to the results (`layout.ts`). */
  readonly results?: boolean;
  readonly callOut: FunctionReference;
  /** How reads of the counter are answered without a call; left out where they are not. */
  readonly counter?: CounterReads;
  /** Numbers of the call-outs by name. */
  readonly callOuts: Readonly<Record<string, number>>;
  /** Writes what TypeScript must be able to see to the state. */
  spill(): void;
  /** Taken with the record unchanged when an access faulted. */
  readonly dataFault: Label;
  /** Taken with scratch filled in when SP is misaligned. */
  readonly spFault: Label;
  /** Taken when a call-out answered {@linkcode ANSWER.exception}. */
  readonly callOutException: Label;
  /** i32: set when a call-out answered {@linkcode ANSWER.leave}. */
  readonly leaving: Local;
  readonly temporaries: Temporaries;
  /** Only in translated code. */
  readonly bound?: Bound;
}

/** Locals that handlers reuse, since only one handler runs at a time. */
export class Temporaries {
  readonly #locals = new Map<ValueType, Local[]>();
  readonly #used = new Map<ValueType, number>();

  constructor(readonly f: FunctionBuilder) {}

  /** Makes all of them free again. */
  reset(): void {
    this.#used.clear();
  }

  /** One that no earlier caller since {@linkcode reset} has. */
  take(type: ValueType): Local {
    const n = this.#used.get(type) ?? 0;
    this.#used.set(type, n + 1);
    const locals = this.#locals.get(type) ?? [];
    this.#locals.set(type, locals);
    return locals[n] ??= this.f.local(type);
  }
}

const STATE: Readonly<Record<StateName, number>> = {
  "exclusive-address": SLOT.exclusiveAddress,
  "exclusive-size": SLOT.exclusiveSize,
  "exclusive-low": SLOT.exclusiveLow,
  "exclusive-high": SLOT.exclusiveHigh,
  fpcr: SLOT.fpcr,
  "fpcr-bits": SLOT.fpcrBits,
  fpsr: SLOT.fpsr,
};

/** All but one have 64 bits. */
function stateLoad(name: StateName): string {
  return name === "fpcr-bits" ? "i64.load32_u" : "i64.load";
}

/** Lowers one program; afterwards `fields` says what the decoder must put into the record. */
export class Lowering {
  readonly fields: readonly RecordField[];
  readonly #uses: ReadonlyMap<Value, number>;
  readonly #known = new Map<Value, Local>();
  readonly #frame: Frame;
  readonly #f: FunctionBuilder;
  readonly #spBase: boolean;

  constructor(frame: Frame, readonly ops: Ops, options: { spBase: boolean }) {
    this.#frame = frame;
    this.#f = frame.f;
    this.#spBase = options.spBase;
    frame.temporaries.reset();
    this.#uses = countUses(ops);
    this.fields = layOutRecord(ops, this.#uses.keys());
  }

  /** Emits the ordered effects. */
  effects(): void {
    if (this.#spBase) this.#checkStackAlignment();
    const { anyBaseField } = this.ops;
    if (anyBaseField !== undefined) {
      const isSp = op("i32.eq", this.#slotValue(anyBaseField, "xsp"), i32(SLOT.sp));
      this.#f.if(isSp, () => this.#checkStackAlignment());
    }
    this.#statements(this.ops.statements);
  }

  /** Emits the commits: all values first, then all writes. */
  commits(): void {
    const { commits } = this.ops;
    if (commits.length === 1) return this.#commit(commits[0], this.expression(commits[0].value));
    const values = commits.map((commit) => this.#materialize(commit.value));
    commits.forEach((commit, i) => this.#commit(commit, values[i]));
  }

  /** A value as an expression. */
  expression(value: Value): Expression {
    return { type: value.type, emit: () => this.#emit(value) };
  }

  /** A value computed now, into a local. */
  materialize(value: Value): Expression {
    return this.#materialize(value);
  }

  /** The record's field of this name, as an i32 or i64. */
  immediate(name: string, as: "imm32" | "imm64" = "imm32"): Expression {
    const offset = this.#field(name, as);
    const { bound } = this.#frame;
    if (bound) return as === "imm64" ? i64(bound.i64(offset)) : i32(bound.i32(offset));
    return load(as === "imm64" ? "i64.load" : "i32.load", this.#frame.record, offset);
  }

  // ---- values ----

  #emit(value: Value): void {
    const known = this.#known.get(value);
    if (known) return known.emit(this.#f);
    if ((this.#uses.get(value) ?? 0) > 1 && !isCheap(value)) {
      return this.#materialize(value).emit(this.#f);
    }
    this.#compute(value);
  }

  #materialize(value: Value): Expression {
    const known = this.#known.get(value);
    if (known) return known;
    if (value.kind.k === "constant") return this.expression(value);
    const local = this.#frame.temporaries.take(value.type);
    this.#compute(value);
    this.#f.code.byte(0x21).unsigned(local.index);
    this.#known.set(value, local);
    return local;
  }

  #compute(value: Value): void {
    const { kind, operands } = value;
    const f = this.#f;
    switch (kind.k) {
      case "plain":
        for (const operand of operands) this.#emit(operand);
        return f.plain(kind.name, kind.immediate);
      case "constant":
        return (value.type === "i32" ? i32(Number(kind.value)) : i64(kind.value)).emit(f);
      case "select":
        for (const operand of operands) this.#emit(operand);
        return void (value.type === "v128"
          ? f.code.byte(0x1c).byte(1).byte(0x7b)
          : f.code.byte(0x1b));
      case "register": {
        const file = kind.file === "base" ? "xsp" : kind.file;
        const { bound } = this.#frame;
        if (bound && file !== "v") {
          return this.#boundRegister(bound, kind.field, file, value).emit(f);
        }
        return load(`${value.type}.load`, this.#slot(kind.field, file, kind.next)).emit(f);
      }
      case "part": {
        const at = op(
          "i32.add",
          this.#slot(kind.field, "v", kind.next),
          this.immediate(kind.offset),
        );
        return load(kind.name, at).emit(f);
      }
      case "field":
        return this.immediate(kind.name, value.type === "i64" ? "imm64" : "imm32").emit(f);
      case "pc":
        return this.#pc().emit(f);
      case "flag":
        return this.#frame.flags[kind.flag].emit(f);
      case "state":
        return load(stateLoad(kind.name), i32(STATE[kind.name])).emit(f);
      case "helper":
        return this.#call(kind.name, operands, value.type).emit(f);
      case "variable":
      case "result":
        throw new Error(`${kind.k} ${kind.id} is used before it is set`);
    }
  }

  #boundRegister(bound: Bound, field: string, file: "x" | "xsp", value: Value): Expression {
    const slot = bound.u16(this.#field(field, file));
    if (slot === SLOT.zero) return value.type === "i32" ? i32(0) : i64(0n);
    const register = bound.register(slot);
    return value.type === "i32" ? op("i32.wrap_i64", register) : register;
  }

  /** The address in the record. */
  #slotValue(field: string, as: "x" | "xsp" | "v", destination = false): Expression {
    const offset = this.#field(field, as, destination);
    const { bound } = this.#frame;
    return bound ? i32(bound.u16(offset)) : load("i32.load16_u", this.#frame.record, offset);
  }

  /** Address of a register: that in the record, or for `next` > 0 of a vector register behind it. */
  #slot(field: string, as: "x" | "xsp" | "v", next = 0, destination = false): Expression {
    const { bound } = this.#frame;
    if (bound) {
      const slot = bound.u16(this.#field(field, as, destination));
      return i32(next === 0 ? slot : ((slot + 16 * next) & 0x1ff) | SLOT.v);
    }
    const slot = this.#slotValue(field, as, destination);
    if (next === 0) return slot;
    // The vector registers' slots are 512 bytes at a multiple of 512.
    const offset = op("i32.and", op("i32.add", slot, i32(16 * next)), i32(0x1ff));
    return op("i32.or", offset, i32(SLOT.v));
  }

  #pc(): Expression {
    const { bound } = this.#frame;
    if (bound) return bound.pc();
    const quarter = op("i32.shr_u", this.#frame.record, i32(2));
    return op("i64.add", this.#frame.pcBase, op("i64.extend_i32_u", quarter));
  }

  #call(name: string, operands: readonly Value[], type: ValueType): Expression {
    const helper = this.#frame.helpers.get(name);
    if (!helper) throw new Error(`no helper function is named ${name}`);
    return {
      type,
      emit: (f) => {
        for (const operand of operands) this.#emit(operand);
        f.code.byte(0x10).unsigned(helper.index);
      },
    };
  }

  // ---- statements ----

  #statements(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    switch (statement.k) {
      case "load":
        return this.#load(statement);
      case "store":
        return this.#store(statement);
      case "call-out":
        return this.#callOut(statement);
      case "cumulative": {
        const { name, operands, result } = statement;
        const local = this.#frame.temporaries.take(result.type);
        this.#f.set(local, this.#call(name, operands, result.type));
        this.#known.set(result, local);
        return;
      }
      case "assign": {
        const local = this.#known.get(statement.variable) ??
          this.#frame.temporaries.take(statement.variable.type);
        this.#f.set(local, this.expression(statement.value));
        this.#known.set(statement.variable, local);
        return;
      }
      case "when": {
        const condition = this.expression(statement.condition);
        this.#f.if(condition, () => {
          const before = new Set(this.#known.keys());
          this.#statements(statement.body);
          for (const value of this.#known.keys()) if (!before.has(value)) this.#known.delete(value);
        });
      }
    }
  }

  #load({ address, access, results }: Extract<Statement, { k: "load" }>): void {
    const f = this.#f;
    const va = this.#local(address, "i64");
    const locals = results.map((result) => {
      const local = this.#frame.temporaries.take(result.type);
      this.#known.set(result, local);
      return local;
    });
    if (access.alignedTo) this.#local(access.alignedTo, "i32");
    const entry = this.#lookup(va, access);
    f.if(this.#hit(va, entry, access, access.asWrite ? 8 : 0), () => {
      const host = this.#host(va, entry);
      locals.forEach((local, i) =>
        f.set(local, load(loadName(access, local.type), host, i * access.size))
      );
    }, () => {
      this.#frame.spill();
      locals.forEach((local, i) => {
        this.#slow(this.#frame.slowLoad, va, access, i, 0);
        f.set(local, load(loadName(access, local.type), i32(SLOT.scratch), i * 16));
      });
    });
  }

  #store({ address, access, values }: Extract<Statement, { k: "store" }>): void {
    const f = this.#f;
    const va = this.#local(address, "i64");
    const sources = values.map((value) => this.#materialize(value));
    if (access.alignedTo) this.#local(access.alignedTo, "i32");
    const entry = this.#lookup(va, access);
    f.if(this.#hit(va, entry, access, 8), () => {
      const host = this.#host(va, entry);
      sources.forEach((source, i) =>
        f.store(storeName(access, source.type), host, source, i * access.size)
      );
      const { storeMarks } = this.#frame;
      if (storeMarks !== undefined) markStore(f, host, access.size * values.length, storeMarks);
    }, () => {
      this.#frame.spill();
      sources.forEach((source, i) => {
        f.store(storeName(access, source.type), i32(SLOT.scratch), source, i * 16);
        this.#slow(this.#frame.slowStore, va, access, i, ACCESS.write);
      });
    });
  }

  /** One element through the slow path; 16 bytes go as two halves. */
  #slow(target: FunctionReference, va: Local, access: Access, element: number, bits: number): void {
    const halves = access.size === 16 ? 2 : 1;
    const size = access.size / halves;
    const total = access.size * (access.count ?? 1);
    let kind = bits | Math.log2(size);
    if (access.unprivileged) kind |= ACCESS.unprivileged;
    if (access.asWrite) kind |= ACCESS.asWrite;
    if (access.comparison) kind |= ACCESS.comparison;
    if (access.alignment === "natural") kind |= ACCESS.natural;
    if (access.alignment === "ordered") kind |= ACCESS.ordered;
    const { alignedTo } = access;
    if (!alignedTo) kind |= Math.log2(access.alignment ? total : access.size) << ACCESS.alignShift;
    for (let half = 0; half < halves; half++) {
      const offset = element * access.size + half * size;
      const at = offset === 0 ? va : op("i64.add", va, i64(BigInt(offset)));
      const where = (element * 16 + half * 8) << ACCESS.scratchShift;
      at.emit(this.#f);
      i32(kind | where).emit(this.#f);
      if (alignedTo) {
        const bits = op("i32.shl", this.expression(alignedTo), i32(ACCESS.alignShift));
        bits.emit(this.#f);
        this.#f.plain("i32.or");
      }
      this.#f.code.byte(0x10).unsigned(target.index);
      this.#f.code.byte(0x0d).unsigned(this.#depthOf(this.#frame.dataFault));
    }
  }

  #lookup(va: Local, access: Access): Local {
    const entry = this.#frame.temporaries.take("i32");
    const page = op("i32.wrap_i64", op("i64.shr_u", va, i64(12n)));
    const index = op("i32.shl", op("i32.and", page, i32(LAYOUT.dataLookupEntries - 1)), i32(5));
    const base = access.unprivileged ? SLOT.dataLookupEl0 : SLOT.dataLookup;
    this.#f.set(entry, op("i32.add", index, load("i32.load", i32(0), base)));
    return entry;
  }

  /** Tag comparison: same page to the last byte, and aligned; everything else is the slow path's. */
  #hit(va: Local, entry: Local, access: Access, tag: number): Expression {
    const total = access.size * (access.count ?? 1);
    const aligned = access.alignment ? total : access.size;
    const last = total - aligned;
    const end = last === 0 ? va : op("i64.add", va, i64(BigInt(last)));
    const masked = op("i64.and", end, i64(~0xfffn | BigInt(aligned - 1)));
    return op("i64.eq", masked, load("i64.load", entry, tag));
  }

  #host(va: Local, entry: Local): Local {
    const host = this.#frame.temporaries.take("i32");
    this.#f.set(host, op("i32.add", op("i32.wrap_i64", va), load("i32.load", entry, 16)));
    return host;
  }

  #callOut({ name, argument, operand, result }: Extract<Statement, { k: "call-out" }>): void {
    const f = this.#f;
    const { callOut, callOuts, leaving, callOutException, counter } = this.#frame;
    f.store("i64.store", i32(0), this.expression(operand), SLOT.scratch);
    const what = this.#local(argument, "i32");
    const call = () => {
      this.#frame.spill();
      i32(callOuts[name]).emit(f);
      what.emit(f);
      f.code.byte(0x10).unsigned(callOut.index);
      f.code.byte(0x22).unsigned(leaving.index);
      i32(ANSWER.exception).emit(f);
      f.plain("i32.eq");
      f.code.byte(0x0d).unsigned(this.#depthOf(callOutException));
    };
    if (name === "mrs" && counter) {
      f.if(counter.isOpen(what), () => {
        f.store("i64.store", i32(0), counter.ticks, SLOT.scratch);
        const reads = load("i32.load", i32(0), LAYOUT.clock + CLOCK.reads);
        f.store("i32.store", i32(0), op("i32.add", reads, i32(1)), LAYOUT.clock + CLOCK.reads);
      }, call);
    } else call();
    if ((this.#uses.get(result) ?? 0) > 0) {
      const local = this.#frame.temporaries.take("i64");
      f.set(local, load("i64.load", i32(0), SLOT.scratch));
      this.#known.set(result, local);
    }
  }

  #checkStackAlignment(): void {
    const mask = load("i32.load", i32(0), SLOT.spAlignMask);
    const { bound, spFault } = this.#frame;
    if (bound) {
      const low = op("i32.wrap_i64", bound.register(SLOT.sp));
      return this.#f.if(op("i32.and", low, mask), () => {
        this.#frame.spill();
        this.#f.branch(spFault);
      });
    }
    const low = load("i32.load", i32(0), SLOT.sp);
    this.#f.branchIf(spFault, op("i32.and", low, mask));
  }

  // ---- commits ----

  #commit(commit: Commit, value: Expression): void {
    const f = this.#f;
    switch (commit.k) {
      case "register": {
        const file = commit.file === "base" ? "xsp" : commit.file;
        const { bound } = this.#frame;
        if (bound && file !== "v") {
          const slot = bound.u16(this.#field(commit.field, file, true));
          if (slot === SLOT.sink) return;
          f.set(bound.register(slot), widen(value));
          return bound.wrote(slot);
        }
        const slot = this.#slot(commit.field, file, commit.next, true);
        if (file === "v") {
          this.#commitVector(slot, value);
          return this.#result(slot, 2);
        }
        f.store("i64.store", slot, widen(value));
        return this.#result(slot, 1);
      }
      case "part": {
        const slot = this.#slot(commit.field, "v", commit.next);
        f.store(commit.name, op("i32.add", slot, this.immediate(commit.offset)), value);
        return this.#result(slot, 2);
      }
      case "link":
        if (this.#frame.bound) {
          f.set(this.#frame.bound.register(SLOT.x + 8 * 30), value);
          return this.#frame.bound.wrote(SLOT.x + 8 * 30);
        }
        f.store("i64.store", i32(0), value, SLOT.x + 8 * 30);
        return this.#result(i32(SLOT.x + 8 * 30), 1);
      case "flag":
        return f.set(this.#frame.flags[commit.flag], value);
      case "state":
        return f.store("i64.store", i32(0), value, STATE[commit.name]);
    }
  }

  /** Adds what a slot holds now, in words of 64 bits, to the results, if they are wanted. */
  #result(slot: Expression, words: number): void {
    if (!this.#frame.results) return;
    const f = this.#f;
    const next = load("i32.load", i32(0), LAYOUT.results);
    for (let i = 0; i < words; i++) {
      f.store("i64.store", next, load("i64.load", slot, 8 * i), 8 * i);
    }
    f.store("i32.store", i32(0), op("i32.add", next, i32(8 * words)), LAYOUT.results);
  }

  #commitVector(slot: Expression, value: Expression): void {
    const f = this.#f;
    if (value.type === "v128") return f.store("v128.store", slot, value);
    f.store("i64.store", slot, widen(value));
    f.store("i64.store", slot, i64(0n), 8);
  }

  // ---- the record ----

  /**
   * The offset of a field in the record. A destination `x` differs from a source `x` only in what
   * 31 means, so the two are separate fields of the record.
   */
  #field(name: string, as: RecordField["as"], destination = false): number {
    const key = destination && as === "x" ? `${name}>` : name;
    const found = this.fields.find((f) => f.name === key && f.as === as);
    if (found) return found.offset;
    throw new Error(`field ${key} as ${as} was not reserved`);
  }

  #local(value: Value, type: ValueType): Local {
    const known = this.#known.get(value);
    if (known) return known;
    const local = this.#frame.temporaries.take(type);
    this.#f.set(local, this.expression(value));
    this.#known.set(value, local);
    return local;
  }

  #depthOf(label: Label): number {
    return this.#f.depth - label.depth;
  }
}

function isCheap(value: Value): boolean {
  return value.kind.k === "constant" || value.kind.k === "flag";
}

function widen(value: Expression): Expression {
  return value.type === "i32" ? op("i64.extend_i32_u", value) : value;
}

function loadName(access: Access, type: ValueType): string {
  const bits = access.size * 8;
  if (type === "v128") {
    return bits === 128 ? "v128.load" : `v128.load${bits}_zero`;
  }
  const full = type === "i32" ? 32 : 64;
  return bits === full ? `${type}.load` : `${type}.load${bits}_${access.signed ? "s" : "u"}`;
}

/** Marks the 8-byte units that `bytes` bytes at `host` lie in. */
export function markStore(
  f: FunctionBuilder,
  host: Expression,
  bytes: number,
  storeMarks: number,
): void {
  const mark = (offset: number) => {
    const address = offset === 0 ? host : op("i32.add", host, i32(offset));
    f.store("i32.store8", op("i32.shr_u", address, i32(3)), i32(1), storeMarks);
  };
  for (let offset = 0; offset < bytes; offset += 8) mark(offset);
  if (bytes > 1) mark(bytes - 1);
}

function storeName(access: Access, type: ValueType): string {
  const bits = access.size * 8;
  if (type === "v128") {
    if (bits !== 128) throw new Error("a v128 is stored as 16 bytes");
    return "v128.store";
  }
  const full = type === "i32" ? 32 : 64;
  const name = bits === full ? `${type}.store` : `${type}.store${bits}`;
  instruction(name);
  return name;
}
