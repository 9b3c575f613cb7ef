import { instruction, type ValueType } from "../engine/wasm/opcodes.ts";
import type { ConditionCode, Flag, StateName, Value, ValueKind } from "./program.ts";

/**
 * The values that an instruction's semantics are made of: what registers and fields hold, and pure
 * functions of it.
 *
 * Arithmetic takes the type of its first operand. Comparisons give an i32 of 0 or 1.
 */
export class Values {
  readonly #shared = new Map<string, Value>();

  // ---- registers and fields ----

  /** A general-purpose register; 31 reads as zero. i64, or its low half as i32 if `sf` is 0. */
  x(field: string, sf = 1): Value {
    return this.leaf({ k: "register", file: "x", field }, sf ? "i64" : "i32");
  }

  /** The same with 31 meaning SP. */
  xsp(field: string, sf = 1): Value {
    return this.leaf({ k: "register", file: "xsp", field }, sf ? "i64" : "i32");
  }

  /** A vector register, all 128 bits, or the one `next` registers further on (modulo 32). */
  v(field: string, next = 0): Value {
    return this.leaf({ k: "register", file: "v", field, next }, "v128");
  }

  /**
   * Part of a vector register, as the WebAssembly load `name` reads it from byte `offset` (a field
   * or derived value): an element, or half of it widened.
   */
  vPart(name: string, field: string, offset: string, next = 0): Value {
    return this.leaf(
      { k: "part", name, field, offset, next },
      instruction(name).result as ValueType,
    );
  }

  /** The low 64 bits (sf = 1) or 32 bits (sf = 0) of a vector register, as an integer. */
  vLow(field: string, sf = 1): Value {
    return this.leaf({ k: "register", file: "v", field }, sf ? "i64" : "i32");
  }

  /** A field or derived value of at most 32 bits, as i32. */
  immediate(name: string): Value {
    return this.leaf({ k: "field", name }, "i32");
  }

  /** A derived 64-bit value. */
  immediate64(name: string): Value {
    return this.leaf({ k: "field", name }, "i64");
  }

  /** The address of this instruction. */
  pc(): Value {
    return this.leaf({ k: "pc" }, "i64");
  }

  /** A condition flag in the engines' form, see {@linkcode Flag}. */
  flag(flag: Flag): Value {
    return this.leaf({ k: "flag", flag }, flag === "c" ? "i32" : "i64");
  }

  /** Architectural state beside the registers. */
  state(name: StateName): Value {
    return this.leaf({ k: "state", name }, "i64");
  }

  // ---- pure values ----

  /** A 32-bit constant. */
  c32(value: number): Value {
    return this.leaf({ k: "constant", value: BigInt(value | 0) }, "i32");
  }

  /** A 64-bit constant. */
  c64(value: bigint | number): Value {
    return this.leaf({ k: "constant", value: BigInt.asIntN(64, BigInt(value)) }, "i64");
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

  /** One value for each register, field, flag and constant. */
  protected leaf(kind: ValueKind, type: ValueType): Value {
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
