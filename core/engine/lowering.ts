import { SLOT } from "../state.ts";
import type { Commit, Ops, Statement, StateName, Value } from "../isa/ops.ts";
import {
  type Expression,
  type FunctionBuilder,
  i32,
  i64,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import type { ValueType } from "./wasm/opcodes.ts";
import type { Bound, Frame } from "./frame.ts";
import { CallOutLowering } from "./call_out_lowering.ts";
import { type LoweredValues, MemoryLowering } from "./memory_lowering.ts";
import { LAYOUT } from "./layout.ts";
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

/** What every lowering of a program needs. */
interface Facts {
  readonly uses: ReadonlyMap<Value, number>;
  readonly fields: readonly RecordField[];
}

const factsOfPrograms = new WeakMap<Ops, Facts>();

function factsOf(ops: Ops): Facts {
  let facts = factsOfPrograms.get(ops);
  if (!facts) {
    const uses = countUses(ops);
    factsOfPrograms.set(ops, facts = { uses, fields: layOutRecord(ops, uses.keys()) });
  }
  return facts;
}

/** Lowers one program; afterwards `fields` says what the decoder must put into the record. */
export class Lowering {
  readonly fields: readonly RecordField[];
  readonly #uses: ReadonlyMap<Value, number>;
  readonly #known = new Map<Value, Local>();
  readonly #frame: Frame;
  readonly #f: FunctionBuilder;
  readonly #spBase: boolean;
  readonly #memory: MemoryLowering;
  readonly #callOuts: CallOutLowering;

  constructor(frame: Frame, readonly ops: Ops, options: { spBase: boolean }) {
    this.#frame = frame;
    this.#f = frame.f;
    this.#spBase = options.spBase;
    frame.temporaries.reset();
    const values: LoweredValues = {
      expression: (value) => this.expression(value),
      materialize: (value) => this.#materialize(value),
      local: (value, type) => this.#local(value, type),
      keep: (value, local) => void this.#known.set(value, local),
      field: (name) => this.#field(name, "imm32"),
    };
    this.#memory = new MemoryLowering(frame, values);
    this.#callOuts = new CallOutLowering(frame, values, this.#memory);
    const { uses, fields } = factsOf(ops);
    this.#uses = uses;
    this.fields = fields;
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
    const { helpers } = this.#frame;
    return {
      type,
      emit: (f) => {
        for (const operand of operands) this.#emit(operand);
        helpers.call(f, name, operands.map((operand) => operand.type), type);
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
        return this.#memory.load(statement);
      case "store":
        return this.#memory.store(statement);
      case "call-out": {
        const wanted = (this.#uses.get(statement.result) ?? 0) > 0;
        return this.#callOuts.callOut(statement, wanted);
      }
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

  #checkStackAlignment(): void {
    const mask = load("i32.load", i32(0), SLOT.spAlignMask);
    const { bound, spFault } = this.#frame;
    if (bound) {
      const low = op("i32.wrap_i64", bound.register(SLOT.sp));
      return this.#f.if(
        op("i32.and", low, mask),
        () => {
          this.#frame.spill();
          this.#f.branch(spFault);
        },
        undefined,
        "rarely",
      );
    }
    const low = load("i32.load", i32(0), SLOT.sp);
    this.#f.branchIf(spFault, op("i32.and", low, mask), "rarely");
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
}

function isCheap(value: Value): boolean {
  return value.kind.k === "constant" || value.kind.k === "flag";
}

function widen(value: Expression): Expression {
  return value.type === "i32" ? op("i64.extend_i32_u", value) : value;
}
