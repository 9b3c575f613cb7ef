import type { CodeBuffer } from "./code_buffer.ts";
import {
  type BinaryOperation,
  type Condition,
  type ConditionCode,
  constantOf,
  containsCall,
  Expression,
} from "./expression.ts";
import { hex, isArithmeticImmediate, isLogicalImmediate, moveConstant } from "./immediates.ts";

/** A variable of a function: in a callee-saved register, or in a slot of its frame. */
export class Local extends Expression {
  constructor(readonly place: { register: string } | { slot: number }) {
    super({ k: "local" });
  }
}

/** Registers for intermediate values; a call destroys them. */
const SCRATCH = ["x9", "x10", "x11", "x12", "x13", "x14", "x15"];

const OPPOSITE: Record<ConditionCode, ConditionCode> = {
  eq: "ne",
  ne: "eq",
  lo: "hs",
  hs: "lo",
  ls: "hi",
  hi: "ls",
};

/**
 * Turns expressions and conditions into instructions.
 *
 * `depth` counts the scratch registers that hold something; the registers from `SCRATCH[depth]` on
 * are free. A destination is never one of the free ones.
 */
export class ExpressionEmitter {
  readonly #code: CodeBuffer;

  constructor(code: CodeBuffer) {
    this.#code = code;
  }

  /** Puts `value` into `destination`. */
  evaluate(value: Expression, destination: string, depth = 0): void {
    const { node } = value;
    switch (node.k) {
      case "constant":
        for (const text of moveConstant(destination, node.value)) this.#code.emit(text);
        return;
      case "local":
        return this.#readLocal(value as Local, destination);
      case "symbol":
        if (node.near) return this.#code.emit(`adr ${destination}, {${node.name}}`);
        this.#code.emit(`adrp ${destination}, {page:${node.name}}`);
        return this.#code.emit(`add ${destination}, ${destination}, {low:${node.name}}`);
      case "frame":
        return this.#code.emit(`add ${destination}, x29, ${hex(node.offset)}`);
      case "load":
        return this.#access(loadMnemonic(node.size), node.size, destination, node.address, depth);
      case "count-trailing-zeros": {
        const source = this.#inRegister(node.value, depth);
        this.#code.emit(`rbit ${destination}, ${source}`);
        return this.#code.emit(`clz ${destination}, ${destination}`);
      }
      case "system":
        return this.#code.emit(`mrs ${destination}, ${node.register}`);
      case "binary":
        return this.#binary(node.operation, node.left, node.right, destination, depth);
      case "call":
        return this.#call(node.name, node.operands, destination, depth);
    }
  }

  /** Calls `name` and leaves what it returns alone. */
  call(name: string, operands: readonly Expression[]): void {
    this.#call(name, operands, "x0", 0);
  }

  /** Stores the low `size` bytes of `value` at `address`. */
  store(size: 1 | 2 | 4 | 8, address: Expression, value: Expression): void {
    const isZero = constantOf(value) === 0n;
    const source = isZero ? "xzr" : this.#inRegister(value, 0);
    this.#access(storeMnemonic(size), size, source, address, source === SCRATCH[0] ? 1 : 0);
  }

  /** The register that holds `value`: the local's own, or the first free scratch register. */
  inRegister(value: Expression): string {
    return this.#inRegister(value, 0);
  }

  /** Branches to `label` if `condition` does not hold. */
  branchUnless(condition: Condition, label: string): void {
    switch (condition.k) {
      case "compare":
        return this.#branch(
          OPPOSITE[condition.code],
          condition.left,
          condition.right,
          label,
        );
      case "both":
        this.branchUnless(condition.first, label);
        return this.branchUnless(condition.second, label);
      case "either": {
        const holds = this.#code.newLabel();
        this.branchIf(condition.first, holds);
        this.branchUnless(condition.second, label);
        return this.#code.place(holds);
      }
    }
  }

  /** Branches to `label` if `condition` holds. */
  branchIf(condition: Condition, label: string): void {
    switch (condition.k) {
      case "compare":
        return this.#branch(condition.code, condition.left, condition.right, label);
      case "both": {
        const fails = this.#code.newLabel();
        this.branchUnless(condition.first, fails);
        this.branchIf(condition.second, label);
        return this.#code.place(fails);
      }
      case "either":
        this.branchIf(condition.first, label);
        return this.branchIf(condition.second, label);
    }
  }

  #readLocal(local: Local, destination: string): void {
    if ("slot" in local.place) {
      this.#code.emit(`ldr ${destination}, [x29, ${hex(local.place.slot)}]`);
    } else if (local.place.register !== destination) {
      this.#code.emit(`mov ${destination}, ${local.place.register}`);
    }
  }

  #inRegister(value: Expression, depth: number): string {
    if (value instanceof Local && "register" in value.place) return value.place.register;
    const register = SCRATCH[depth];
    if (register === undefined) throw new Error("Cannot evaluate: the expression is too deep");
    this.evaluate(value, register, depth + 1);
    return register;
  }

  #access(mnemonic: string, size: number, data: string, address: Expression, depth: number): void {
    const width = size === 8 || data === "" ? data : data.replace("x", "w");
    const { node } = address;
    if (node.k === "frame") {
      return this.#code.emit(`${mnemonic} ${width}, [x29, ${hex(node.offset)}]`);
    }
    if (node.k === "binary" && node.operation === "add") {
      const offset = constantOf(node.right);
      if (offset !== undefined && offset % BigInt(size) === 0n && offset < 4096n * BigInt(size)) {
        const base = this.#inRegister(node.left, depth);
        return this.#code.emit(`${mnemonic} ${width}, [${base}, ${hex(offset)}]`);
      }
      if (offset === undefined) {
        const base = this.#inRegister(node.left, depth);
        const index = this.#inRegister(node.right, base === SCRATCH[depth] ? depth + 1 : depth);
        return this.#code.emit(`${mnemonic} ${width}, [${base}, ${index}]`);
      }
    }
    const base = this.#inRegister(address, depth);
    this.#code.emit(`${mnemonic} ${width}, [${base}]`);
  }

  #binary(
    operation: BinaryOperation,
    left: Expression,
    right: Expression,
    destination: string,
    depth: number,
  ): void {
    const isCalleeSaved = !SCRATCH.includes(destination) && Number(destination.slice(1)) >= 19;
    const isLost = containsCall(right) && !isCalleeSaved && !SCRATCH.includes(destination);
    let used = depth;
    let first: string;
    if (left instanceof Local && "register" in left.place) {
      first = left.place.register;
    } else if (isLost || mentionsRegister(right, destination)) {
      first = this.#inRegister(left, used++);
    } else {
      first = destination;
      this.evaluate(left, first, used);
    }
    const constant = constantOf(right);
    if (constant !== undefined && fits(operation, constant)) {
      return this.#code.emit(`${operation} ${destination}, ${first}, ${hex(constant)}`);
    }
    const second = this.#inRegister(right, used);
    this.#code.emit(`${operation} ${destination}, ${first}, ${second}`);
  }

  #call(name: string, operands: readonly Expression[], destination: string, depth: number): void {
    const live = SCRATCH.slice(0, depth).filter((register) => register !== destination);
    for (const register of live) this.#push(register);
    if (operands.length > 1 && operands.some(containsCall)) {
      for (const operand of operands) this.#push(this.#inRegister(operand, 0));
      for (let i = operands.length - 1; i >= 0; i--) this.#pop(`x${i}`);
    } else {
      operands.forEach((operand, i) => this.evaluate(operand, `x${i}`));
    }
    this.#code.emit(`bl {${name}}`);
    if (destination !== "x0") this.#code.emit(`mov ${destination}, x0`);
    for (const register of live.reverse()) this.#pop(register);
  }

  #branch(code: ConditionCode, left: Expression, right: Expression, label: string): void {
    const constant = constantOf(right);
    if (constant === 0n && (code === "eq" || code === "ne")) {
      return this.#branchOnZero(code, left, label);
    }
    const first = this.#inRegister(left, 0);
    if (constant !== undefined && isArithmeticImmediate(constant)) {
      this.#code.emit(`cmp ${first}, ${hex(constant)}`);
    } else {
      const second = this.#inRegister(right, first === SCRATCH[0] ? 1 : 0);
      this.#code.emit(`cmp ${first}, ${second}`);
    }
    this.#code.emit(`b.${code} {${label}}`);
  }

  #branchOnZero(code: "eq" | "ne", value: Expression, label: string): void {
    const { node } = value;
    const mask = node.k === "binary" && node.operation === "and"
      ? constantOf(node.right)
      : undefined;
    if (node.k === "binary" && mask !== undefined && isLogicalImmediate(mask)) {
      const register = this.#inRegister(node.left, 0);
      if ((mask & (mask - 1n)) === 0n) {
        const bit = mask.toString(2).length - 1;
        const mnemonic = code === "eq" ? "tbz" : "tbnz";
        return this.#code.emit(`${mnemonic} ${register}, #${bit}, {${label}}`);
      }
      this.#code.emit(`tst ${register}, ${hex(mask)}`);
      return this.#code.emit(`b.${code} {${label}}`);
    }
    const register = this.#inRegister(value, 0);
    this.#code.emit(`${code === "eq" ? "cbz" : "cbnz"} ${register}, {${label}}`);
  }

  // SP stays a multiple of 16, as the architecture and the calling convention require.
  #push(register: string): void {
    this.#code.emit(`str ${register}, [sp, #-16]!`);
  }

  #pop(register: string): void {
    this.#code.emit(`ldr ${register}, [sp], #16`);
  }
}

function mentionsRegister(value: Expression, register: string): boolean {
  const { node } = value;
  if (value instanceof Local) {
    return "register" in value.place && value.place.register === register;
  }
  switch (node.k) {
    case "call":
      return node.operands.some((operand) => mentionsRegister(operand, register));
    case "load":
      return mentionsRegister(node.address, register);
    case "count-trailing-zeros":
      return mentionsRegister(node.value, register);
    case "binary":
      return mentionsRegister(node.left, register) || mentionsRegister(node.right, register);
    default:
      return false;
  }
}

function fits(operation: BinaryOperation, value: bigint): boolean {
  switch (operation) {
    case "add":
    case "sub":
      return isArithmeticImmediate(value);
    case "and":
    case "orr":
    case "eor":
      return isLogicalImmediate(value);
    case "lsl":
    case "lsr":
      return value < 64n;
    default:
      return false;
  }
}

function loadMnemonic(size: number): string {
  return { 1: "ldrb", 2: "ldrh", 4: "ldr", 8: "ldr" }[size]!;
}

function storeMnemonic(size: number): string {
  return { 1: "strb", 2: "strh", 4: "str", 8: "str" }[size]!;
}
