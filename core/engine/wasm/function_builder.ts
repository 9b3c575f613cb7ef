import { ByteWriter } from "./bytes.ts";
import { instruction, VALUE_TYPE, type ValueType } from "./opcodes.ts";

/** An expression: its type, and how to leave its value on the stack. */
export interface Expression {
  readonly type: ValueType;
  emit(f: FunctionBuilder): void;
}

/** A local variable; as an expression it is its current value. */
export interface Local extends Expression {
  readonly index: number;
}

/** A structured-control label: the depth at which it was opened. */
export interface Label {
  readonly depth: number;
}

/** Whether a condition is nearly always true, or nearly never: the host then keeps the rest out of the way. */
export type BranchHint = "mostly" | "rarely";

/** Index of a function in its module, with what it returns. */
export interface FunctionReference {
  readonly index: number;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | "";
}

/** A mutable global of the module. */
export interface GlobalReference {
  readonly index: number;
  readonly type: ValueType;
}

/** `(op operands…)` for any plain instruction of the table, for example `op("i32.add", a, b)`. */
export function op(name: string, ...operands: Expression[]): Expression {
  const { result } = instruction(name);
  if (result === "") throw new Error(`${name} leaves no value`);
  return {
    type: result,
    emit(f) {
      for (const operand of operands) operand.emit(f);
      f.plain(name);
    },
  };
}

/** An instruction with a lane index or the 16 bytes of a shuffle or vector constant. */
export function lanes(
  name: string,
  immediate: number | readonly number[],
  ...operands: Expression[]
): Expression {
  return {
    type: instruction(name).result as ValueType,
    emit(f) {
      for (const operand of operands) operand.emit(f);
      f.plain(name, immediate);
    },
  };
}

/** In the alignment of an access: the number of its memory follows. */
const MEMORY_FOLLOWS = 0x40;

/** A 32-bit constant. */
export function i32(value: number): Expression {
  return { type: "i32", emit: (f) => void f.code.byte(0x41).signed(value) };
}

/** A 64-bit constant. */
export function i64(value: bigint): Expression {
  return { type: "i64", emit: (f) => void f.code.byte(0x42).signed64(value) };
}

/** A load, for example `load("i32.load16_u", address, 2)`; `offset` is in bytes, `memory` by import. */
export function load(name: string, address: Expression, offset = 0, memory = 0): Expression {
  const type = instruction(name).result as ValueType;
  return {
    type,
    emit(f) {
      address.emit(f);
      f.plain(name, offset, memory);
    },
  };
}

/** The value of a call. */
export function call(target: FunctionReference, ...operands: Expression[]): Expression {
  return {
    type: target.result as ValueType,
    emit(f) {
      for (const operand of operands) operand.emit(f);
      f.code.byte(0x10).unsigned(target.index);
    },
  };
}

/** The value of a call of the `index`-th function of the module's table. */
export function callIndirect(
  type: { index: number; result: ValueType },
  index: Expression,
  ...operands: Expression[]
): Expression {
  return {
    type: type.result,
    emit(f) {
      for (const operand of operands) operand.emit(f);
      index.emit(f);
      f.code.byte(0x11).unsigned(type.index).unsigned(0);
    },
  };
}

/** `condition ? whenTrue : whenFalse`, both evaluated. */
export function select(
  whenTrue: Expression,
  whenFalse: Expression,
  condition: Expression,
): Expression {
  return {
    type: whenTrue.type,
    emit(f) {
      whenTrue.emit(f);
      whenFalse.emit(f);
      condition.emit(f);
      if (whenTrue.type === "v128") f.code.byte(0x1c).byte(1).byte(VALUE_TYPE.v128);
      else f.code.byte(0x1b);
    },
  };
}

/** The value of a global. */
export function global(reference: GlobalReference): Expression {
  return { type: reference.type, emit: (f) => void f.code.byte(0x23).unsigned(reference.index) };
}

/**
 * Writes the body of one function: locals, statements and structured control.
 *
 * Statements take {@linkcode Expression}s; nothing is checked beyond what the WebAssembly
 * validator checks, which runs on every module that is built.
 */
export class FunctionBuilder {
  /** The instructions so far. */
  readonly code = new ByteWriter();
  readonly #hints: { at: number; hint: BranchHint }[] = [];
  readonly #locals: ValueType[] = [];
  #depth = 0;

  /** How many blocks are open. */
  get depth(): number {
    return this.#depth;
  }

  constructor(readonly parameters: readonly ValueType[], readonly result: ValueType | "") {}

  /** The n-th parameter. */
  parameter(n: number): Local {
    return this.#local(n, this.parameters[n]);
  }

  /** A new local variable, zero at first. */
  local(type: ValueType): Local {
    this.#locals.push(type);
    return this.#local(this.parameters.length + this.#locals.length - 1, type);
  }

  /**
   * One plain instruction; `immediate` is a memory offset in bytes, a lane index, or the 16 bytes
   * of a shuffle or vector constant.
   */
  plain(name: string, immediate: number | readonly number[] = 0, memory = 0): void {
    const { code, align, lanes } = instruction(name);
    this.code.raw(code);
    if (typeof immediate !== "number") return void this.code.raw(immediate);
    if (align !== undefined) {
      if (memory === 0) this.code.unsigned(align);
      else this.code.unsigned(align | MEMORY_FOLLOWS).unsigned(memory);
      this.code.unsigned(immediate);
    }
    if (lanes !== undefined) this.code.byte(immediate);
  }

  /** Stores `value` to a local. */
  set(target: Local, value: Expression): void {
    value.emit(this);
    this.code.byte(0x21).unsigned(target.index);
  }

  /** Stores `value` to a global. */
  setGlobal(target: GlobalReference, value: Expression): void {
    value.emit(this);
    this.code.byte(0x24).unsigned(target.index);
  }

  /** Stores to memory, for example `store("i64.store", address, value, 8)`. */
  store(name: string, address: Expression, value: Expression, offset = 0, memory = 0): void {
    address.emit(this);
    value.emit(this);
    this.plain(name, offset, memory);
  }

  /** Calls a function and drops what it returns. */
  call(target: FunctionReference, ...operands: Expression[]): void {
    for (const operand of operands) operand.emit(this);
    this.code.byte(0x10).unsigned(target.index);
    if (target.result !== "") this.code.byte(0x1a);
  }

  /** Runs `then` if `condition` is not zero, else `otherwise`. */
  if(condition: Expression, then: () => void, otherwise?: () => void, hint?: BranchHint): void {
    condition.emit(this);
    this.#hint(hint);
    this.code.byte(0x04).byte(0x40);
    this.#depth++;
    then();
    if (otherwise) {
      this.code.byte(0x05);
      otherwise();
    }
    this.#end();
  }

  /** `block … end`: a branch to the label goes behind it. */
  block(body: (label: Label) => void): void {
    this.code.byte(0x02).byte(0x40);
    body({ depth: ++this.#depth });
    this.#end();
  }

  /** `loop … end`: a branch to the label goes to its start; without one the loop is left at its end. */
  loop(body: (label: Label) => void): void {
    this.code.byte(0x03).byte(0x40);
    body({ depth: ++this.#depth });
    this.#end();
  }

  /** Opens a block whose end is written by {@linkcode close}: for more blocks than calls should nest. */
  open(): Label {
    this.code.byte(0x02).byte(0x40);
    return { depth: ++this.#depth };
  }

  /** Ends what {@linkcode open} opened last. */
  close(): void {
    this.#end();
  }

  /** Branches to a label. */
  branch(label: Label): void {
    this.code.byte(0x0c).unsigned(this.#depth - label.depth);
  }

  /** Branches to a label if `condition` is not zero. */
  branchIf(label: Label, condition: Expression, hint?: BranchHint): void {
    condition.emit(this);
    this.#hint(hint);
    this.code.byte(0x0d).unsigned(this.#depth - label.depth);
  }

  /** `br_table`: branches to `labels[index]`, or to `fallback` beyond them. */
  branchTable(index: Expression, labels: readonly Label[], fallback: Label): void {
    index.emit(this);
    this.code.byte(0x0e).unsigned(labels.length);
    for (const label of labels) this.code.unsigned(this.#depth - label.depth);
    this.code.unsigned(this.#depth - fallback.depth);
  }

  /** Returns from the function. */
  return(value?: Expression): void {
    value?.emit(this);
    this.code.byte(0x0f);
  }

  /** Marks a place that is never reached. */
  unreachable(): void {
    this.code.byte(0x00);
  }

  /** The function's entry in the code section: size, locals, instructions. */
  finish(): Uint8Array {
    const body = this.#header().raw(this.code.view()).byte(0x0b);
    return new ByteWriter().unsigned(body.length).raw(body.view()).view();
  }

  /** What is known of its branches: their offsets in the function, and whether each is taken. */
  hints(): { at: number; hint: BranchHint }[] {
    const { length } = this.#header();
    return this.#hints.map(({ at, hint }) => ({ at: at + length, hint }));
  }

  #hint(hint: BranchHint | undefined): void {
    if (hint) this.#hints.push({ at: this.code.length, hint });
  }

  /** The declaration of the locals. */
  #header(): ByteWriter {
    const header = new ByteWriter();
    const runs: [number, ValueType][] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last && last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    header.unsigned(runs.length);
    for (const [count, type] of runs) header.unsigned(count).byte(VALUE_TYPE[type]);
    return header;
  }

  #local(index: number, type: ValueType): Local {
    return { index, type, emit: (f) => void f.code.byte(0x20).unsigned(index) };
  }

  #end(): void {
    this.code.byte(0x0b);
    this.#depth--;
  }
}
