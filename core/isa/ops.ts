import { instruction, type ValueType } from "../engine/wasm/opcodes.ts";
import type {
  Access,
  CallOut,
  Commit,
  ConditionCode,
  ExceptionCause,
  Flag,
  Statement,
  StateName,
  Transfer,
  Value,
  ValueKind,
} from "./program.ts";

export type * from "./program.ts";

/**
 * What an instruction's semantics are written with: a row's `execute` calls these methods and
 * thereby describes the instruction once, as the program of `program.ts`.
 *
 * Arithmetic takes the type of its first operand. Comparisons give an i32 of 0 or 1.
 */
export class Ops {
  readonly commits: Commit[] = [];
  transfer: Transfer | undefined;
  #statements: Statement[] = [];
  #ids = 0;
  #base: string | undefined;
  #anyBase: string | undefined;
  readonly #shared = new Map<string, Value>();

  /** The ordered effects so far. */
  get statements(): readonly Statement[] {
    return this.#statements;
  }

  // ---- registers and fields ----

  /** A general-purpose register; 31 reads as zero. i64, or its low half as i32 if `sf` is 0. */
  x(field: string, sf = 1): Value {
    return this.#leaf({ k: "register", file: "x", field }, sf ? "i64" : "i32");
  }

  /** The same with 31 meaning SP. */
  xsp(field: string, sf = 1): Value {
    return this.#leaf({ k: "register", file: "xsp", field }, sf ? "i64" : "i32");
  }

  /** The field that {@linkcode base} was asked for. */
  get baseField(): string | undefined {
    return this.#base;
  }

  /** The base register of an access: `xsp` with CheckSPAlignment() if it is SP. i64. */
  base(field: string): Value {
    this.#base = field;
    return this.#leaf({ k: "register", file: "base", field }, "i64");
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
    return this.#leaf({ k: "register", file: "base", field }, "i64");
  }

  /** A vector register, all 128 bits, or the one `next` registers further on (modulo 32). */
  v(field: string, next = 0): Value {
    return this.#leaf({ k: "register", file: "v", field, next }, "v128");
  }

  /**
   * Part of a vector register, as the WebAssembly load `name` reads it from byte `offset` (a field
   * or derived value): an element, or half of it widened.
   */
  vPart(name: string, field: string, offset: string, next = 0): Value {
    return this.#leaf(
      { k: "part", name, field, offset, next },
      instruction(name).result as ValueType,
    );
  }

  /** The low 64 bits (sf = 1) or 32 bits (sf = 0) of a vector register, as an integer. */
  vLow(field: string, sf = 1): Value {
    return this.#leaf({ k: "register", file: "v", field }, sf ? "i64" : "i32");
  }

  /** A field or derived value of at most 32 bits, as i32. */
  immediate(name: string): Value {
    return this.#leaf({ k: "field", name }, "i32");
  }

  /** A derived 64-bit value. */
  immediate64(name: string): Value {
    return this.#leaf({ k: "field", name }, "i64");
  }

  /** The address of this instruction. */
  pc(): Value {
    return this.#leaf({ k: "pc" }, "i64");
  }

  /** A condition flag in the engines' form, see {@linkcode Flag}. */
  flag(flag: Flag): Value {
    return this.#leaf({ k: "flag", flag }, flag === "c" ? "i32" : "i64");
  }

  /** Architectural state beside the registers. */
  state(name: StateName): Value {
    return this.#leaf({ k: "state", name }, "i64");
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

  // ---- pure values ----

  /** A 32-bit constant. */
  c32(value: number): Value {
    return this.#leaf({ k: "constant", value: BigInt(value | 0) }, "i32");
  }

  /** A 64-bit constant. */
  c64(value: bigint | number): Value {
    return this.#leaf({ k: "constant", value: BigInt.asIntN(64, BigInt(value)) }, "i64");
  }

  /** A constant of the same type as `like`. */
  like(like: Value, value: number): Value {
    return like.type === "i32" ? this.c32(value) : this.c64(value);
  }

  /** Any plain WebAssembly instruction by name, for example `plain("i32x4.add", a, b)`. */
  plain(name: string, ...operands: Value[]): Value {
    return this.#plain(name, 0, operands);
  }

  /** A WebAssembly instruction with a lane index. */
  lane(name: string, index: number, ...operands: Value[]): Value {
    return this.#plain(name, index, operands);
  }

  /** A shuffle or vector constant with its 16 bytes. */
  bytes(
    name: "i8x16.shuffle" | "v128.const",
    bytes: readonly number[],
    ...operands: Value[]
  ): Value {
    return this.#plain(name, bytes, operands);
  }

  add(a: Value, b: Value): Value {
    return this.#typed("add", a, b);
  }
  sub(a: Value, b: Value): Value {
    return this.#typed("sub", a, b);
  }
  mul(a: Value, b: Value): Value {
    return this.#typed("mul", a, b);
  }
  and(a: Value, b: Value): Value {
    return this.#typed("and", a, b);
  }
  or(a: Value, b: Value): Value {
    return this.#typed("or", a, b);
  }
  xor(a: Value, b: Value): Value {
    return this.#typed("xor", a, b);
  }
  not(a: Value): Value {
    return this.xor(a, this.like(a, -1));
  }
  /** Shifts take the amount modulo the width, in the type of the value shifted. */
  shl(a: Value, amount: Value): Value {
    return this.#typed("shl", a, amount);
  }
  shrU(a: Value, amount: Value): Value {
    return this.#typed("shr_u", a, amount);
  }
  shrS(a: Value, amount: Value): Value {
    return this.#typed("shr_s", a, amount);
  }
  rotr(a: Value, amount: Value): Value {
    return this.#typed("rotr", a, amount);
  }
  clz(a: Value): Value {
    return this.#typed("clz", a);
  }
  eqz(a: Value): Value {
    return this.#typed("eqz", a);
  }
  eq(a: Value, b: Value): Value {
    return this.#typed("eq", a, b);
  }
  ne(a: Value, b: Value): Value {
    return this.#typed("ne", a, b);
  }
  ltU(a: Value, b: Value): Value {
    return this.#typed("lt_u", a, b);
  }
  ltS(a: Value, b: Value): Value {
    return this.#typed("lt_s", a, b);
  }
  geU(a: Value, b: Value): Value {
    return this.#typed("ge_u", a, b);
  }
  geS(a: Value, b: Value): Value {
    return this.#typed("ge_s", a, b);
  }
  /** Division by zero and overflow trap in WebAssembly: guard the operands. */
  divU(a: Value, b: Value): Value {
    return this.#typed("div_u", a, b);
  }
  divS(a: Value, b: Value): Value {
    return this.#typed("div_s", a, b);
  }

  /** `condition ? a : b`; both are evaluated. */
  select(condition: Value, a: Value, b: Value): Value {
    return { kind: { k: "select" }, type: a.type, operands: [a, b, condition] };
  }

  /** i32 → i64, zero-extended. */
  extendU(a: Value): Value {
    return a.type === "i64" ? a : this.plain("i64.extend_i32_u", a);
  }
  /** i32 → i64, sign-extended. */
  extendS(a: Value): Value {
    return a.type === "i64" ? a : this.plain("i64.extend_i32_s", a);
  }
  /** i64 → i32. */
  wrap(a: Value): Value {
    return a.type === "i32" ? a : this.plain("i32.wrap_i64", a);
  }

  /** Calls a shared pure function of the engine (`core/engine/helpers.ts`), for example `crc32`. */
  helper(name: string, type: ValueType, ...operands: Value[]): Value {
    return { kind: { k: "helper", name }, type, operands };
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

  /** The manual's ConditionHolds(): 1 if the condition with this four-bit code is true. */
  condition(code: ConditionCode): Value {
    const zero = this.c64(0);
    const n = this.flag("n"), z = this.flag("z"), c = this.flag("c"), v = this.flag("v");
    const base = (): Value => {
      switch (code >> 1) {
        case 0:
          return this.eqz(z);
        case 1:
          return c;
        case 2:
          return this.ltS(n, zero);
        case 3:
          return this.ltS(v, zero);
        case 4:
          return this.select(this.eqz(z), this.c32(0), c);
        case 5:
          return this.geS(this.xor(n, v), zero);
        case 6:
          return this.select(this.eqz(z), this.c32(0), this.geS(this.xor(n, v), zero));
        default:
          return this.c32(1);
      }
    };
    return (code & 1) && code !== 15 ? this.eqz(base()) : base();
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

  #typed(name: string, a: Value, b?: Value): Value {
    return this.#plain(`${a.type}.${name}`, 0, b ? [a, b] : [a]);
  }

  #plain(name: string, immediate: number | readonly number[], operands: Value[]): Value {
    const { operands: types, result } = instruction(name);
    operands.forEach((operand, i) => {
      if (operand.type !== types[i]) {
        throw new Error(`${name}: operand ${i} is ${operand.type}, expected ${types[i]}`);
      }
    });
    return { kind: { k: "plain", name, immediate }, type: result as ValueType, operands };
  }

  #leaf(kind: ValueKind, type: ValueType): Value {
    const key = keyOf(kind) + type;
    let leaf = this.#shared.get(key);
    if (!leaf) this.#shared.set(key, leaf = { kind, type, operands: [] });
    return leaf;
  }
}

/** What tells a leaf from others of its type. */
function keyOf(kind: ValueKind): string {
  switch (kind.k) {
    case "register":
      return `r ${kind.file} ${kind.field} ${kind.next ?? 0}`;
    case "field":
    case "state":
      return `${kind.k} ${kind.name}`;
    case "flag":
      return `flag ${kind.flag}`;
    case "constant":
      return `${kind.value}`;
    default:
      return Object.values(kind).join();
  }
}
