import type { ValueType } from "../engine/wasm/opcodes.ts";
import { Values } from "./values.ts";
import type {
  Access,
  CallOut,
  Commit,
  ExceptionCause,
  Flag,
  Statement,
  StateName,
  Transfer,
  Value,
} from "./program.ts";

export type * from "./program.ts";

/**
 * What an instruction's semantics are written with: a row's `execute` calls these methods and
 * thereby describes the instruction once, as the program of `program.ts`.
 *
 * Values come from {@linkcode Values}; here are the effects.
 */
export class Ops extends Values {
  readonly commits: Commit[] = [];
  transfer: Transfer | undefined;
  #statements: Statement[] = [];
  #ids = 0;
  #base: string | undefined;
  #anyBase: string | undefined;

  /** The ordered effects so far. */
  get statements(): readonly Statement[] {
    return this.#statements;
  }

  // ---- registers and fields ----

  /** The field that {@linkcode base} was asked for. */
  get baseField(): string | undefined {
    return this.#base;
  }

  /** The base register of an access: `xsp` with CheckSPAlignment() if it is SP. i64. */
  base(field: string): Value {
    this.#base = field;
    return this.leaf({ k: "register", file: "base", field }, "i64");
  }

  /** The field that {@linkcode anyBase} was asked for. */
  get anyBaseField(): string | undefined {
    return this.#anyBase;
  }

  /**
   * {@linkcode base} for rare instructions: one handler serves SP and all other registers, and
   * finds out when it runs.
   */
  anyBase(field: string): Value {
    this.#anyBase = field;
    return this.leaf({ k: "register", file: "base", field }, "i64");
  }

  /** Writes a general-purpose register; 31 drops the write; an i32 is zero-extended. */
  setX(field: string, value: Value): void {
    this.commits.push({ k: "register", file: "x", field, value });
  }

  /** The same with 31 meaning SP. */
  setXsp(field: string, value: Value): void {
    this.commits.push({ k: "register", file: "xsp", field, value });
  }

  /**
   * Writes a vector register, or the one `next` further on; an i32 or i64 is zero-extended to 128
   * bits.
   */
  setV(field: string, value: Value, next = 0): void {
    this.commits.push({ k: "register", file: "v", field, value, next });
  }

  /**
   * Writes part of a vector register and leaves the rest: the WebAssembly store `name` at byte
   * `offset` (a field or derived value) of it, or of the register `next` further on.
   */
  setPart(name: string, field: string, offset: string, value: Value, next = 0): void {
    this.commits.push({ k: "part", name, field, offset, value, next });
  }

  /** Writes X30. */
  setLink(value: Value): void {
    this.commits.push({ k: "link", value });
  }

  /** Writes condition flags in the engines' form, see {@linkcode Flag}. */
  setFlags(flags: Partial<Record<Flag, Value>>): void {
    for (const flag of ["n", "z", "c", "v"] as const) {
      const value = flags[flag];
      if (value) this.commits.push({ k: "flag", flag, value });
    }
  }

  /** Writes architectural state beside the registers. */
  setState(name: StateName, value: Value): void {
    this.commits.push({ k: "state", name, value });
  }

  /**
   * The same for a function that also sets cumulative bits of FPSR. The instruction must not access
   * memory.
   */
  cumulative(name: string, type: ValueType, ...operands: Value[]): Value {
    const result: Value = { kind: { k: "result", id: this.#ids++ }, type, operands: [] };
    this.#statements.push({ k: "cumulative", name, operands, result });
    return result;
  }

  // ---- ordered effects ----

  /** A variable for use around {@linkcode when}; its value is what was assigned last. */
  variable(initial: Value): Value {
    const variable: Value = {
      kind: { k: "variable", id: this.#ids++ },
      type: initial.type,
      operands: [],
    };
    this.assign(variable, initial);
    return variable;
  }

  /** Assigns to a variable. */
  assign(variable: Value, value: Value): void {
    this.#statements.push({ k: "assign", variable, value });
  }

  /** Does what `body` records only if `condition` is not zero. */
  when(condition: Value, body: () => void): void {
    const outer = this.#statements;
    this.#statements = [];
    body();
    const inner = this.#statements;
    this.#statements = outer;
    outer.push({ k: "when", condition, body: inner });
  }

  /** Loads one element. */
  load(address: Value, access: Access): Value {
    return this.loadAll(address, access)[0];
  }

  /** Loads `access.count` consecutive elements. */
  loadAll(address: Value, access: Access): readonly Value[] {
    const type = access.type ?? (access.size === 16 ? "v128" : "i64");
    const id = this.#ids;
    const results = Array.from({ length: access.count ?? 1 }, (): Value => ({
      kind: { k: "result", id: this.#ids++ },
      type,
      operands: [],
    }));
    this.#statements.push({ k: "load", id, address, access, results });
    return results;
  }

  /** Stores one element, or as many as there are values. */
  store(address: Value, value: Value | readonly Value[], access: Access): void {
    const values = Array.isArray(value) ? value as readonly Value[] : [value as Value];
    this.#statements.push({
      k: "store",
      address,
      access: { ...access, count: values.length },
      values,
    });
  }

  /** Has the machine do something in TypeScript; gives an i64 where the call-out returns one. */
  callOut(name: CallOut, argument: Value, operand: Value = this.c64(0)): Value {
    const result: Value = { kind: { k: "result", id: this.#ids++ }, type: "i64", operands: [] };
    this.#statements.push({ k: "call-out", name, argument, operand, result });
    return result;
  }

  // ---- control ----

  /** Branches to `pc + target`, a derived byte offset; if `condition` is given, only where it is not zero. */
  branch(target: string, condition?: Value): void {
    this.transfer = condition ? { k: "relative", target, condition } : { k: "relative", target };
  }

  /** Branches to an address; with `landing`, an i32, as PSTATE.BTYPE (FEAT_BTI). */
  branchTo(address: Value, landing?: Value): void {
    this.transfer = landing ? { k: "absolute", address, landing } : { k: "absolute", address };
  }

  /** Takes an exception; SVC, HVC and SMC complete first. `argument` is the 16-bit immediate. */
  exception(cause: ExceptionCause, argument: Value): void {
    this.transfer = { k: "exception", cause, argument };
  }

  /** Returns from an exception. */
  exceptionReturn(): void {
    this.transfer = { k: "eret" };
  }
}
