/**
 * What a function of the kernel computes with.
 *
 * An expression is a *description*: it is turned into instructions where a statement uses it, each
 * time it is used. To compute something once, keep it in a local (`f.let`). All values are 64-bit
 * and unsigned; a narrower load is zero-extended.
 */

/** An expression, or a constant in its place. */
export type Operand = Expression | number | bigint;

/** Binary operations by the instruction that does them. */
export type BinaryOperation =
  | "add"
  | "sub"
  | "mul"
  | "udiv"
  | "and"
  | "orr"
  | "eor"
  | "lsl"
  | "lsr";

/** Bytes of a memory access. */
export type AccessSize = 1 | 2 | 4 | 8;

/** What an expression is made of. */
export type ExpressionNode =
  | { readonly k: "constant"; readonly value: bigint }
  | { readonly k: "local" }
  | { readonly k: "symbol"; readonly name: string; readonly near: boolean }
  | { readonly k: "frame"; readonly offset: number }
  | { readonly k: "load"; readonly size: AccessSize; readonly address: Expression }
  | { readonly k: "count-trailing-zeros"; readonly value: Expression }
  | { readonly k: "system"; readonly register: string }
  | {
    readonly k: "binary";
    readonly operation: BinaryOperation;
    readonly left: Expression;
    readonly right: Expression;
  }
  | { readonly k: "call"; readonly name: string; readonly operands: readonly Expression[] };

/** Condition codes of comparisons, as the assembler spells them (`lo`, `ls`, … are unsigned). */
export type ConditionCode = "eq" | "ne" | "lo" | "ls" | "hi" | "hs";

/** Something that holds or does not; used by `if` and `while`. */
export type Condition =
  | {
    readonly k: "compare";
    readonly code: ConditionCode;
    readonly left: Expression;
    readonly right: Expression;
  }
  | { readonly k: "both"; readonly first: Condition; readonly second: Condition }
  | { readonly k: "either"; readonly first: Condition; readonly second: Condition };

/** A 64-bit value to be computed. Methods build larger expressions and conditions. */
export class Expression {
  constructor(readonly node: ExpressionNode) {}

  plus(other: Operand): Expression {
    return binary("add", this, other);
  }
  minus(other: Operand): Expression {
    return binary("sub", this, other);
  }
  times(other: Operand): Expression {
    return binary("mul", this, other);
  }
  dividedBy(other: Operand): Expression {
    return binary("udiv", this, other);
  }
  and(other: Operand): Expression {
    return binary("and", this, other);
  }
  or(other: Operand): Expression {
    return binary("orr", this, other);
  }
  xor(other: Operand): Expression {
    return binary("eor", this, other);
  }
  shiftedLeft(amount: Operand): Expression {
    return binary("lsl", this, amount);
  }
  shiftedRight(amount: Operand): Expression {
    return binary("lsr", this, amount);
  }
  /** The number of zero bits below the lowest one; 64 if there is none. */
  trailingZeros(): Expression {
    return new Expression({ k: "count-trailing-zeros", value: this });
  }

  equals(other: Operand): Condition {
    return compare("eq", this, other);
  }
  differs(other: Operand): Condition {
    return compare("ne", this, other);
  }
  below(other: Operand): Condition {
    return compare("lo", this, other);
  }
  atMost(other: Operand): Condition {
    return compare("ls", this, other);
  }
  above(other: Operand): Condition {
    return compare("hi", this, other);
  }
  atLeast(other: Operand): Condition {
    return compare("hs", this, other);
  }
}

/** An expression for `operand`. */
export function expression(operand: Operand): Expression {
  return operand instanceof Expression
    ? operand
    : new Expression({ k: "constant", value: BigInt.asUintN(64, BigInt(operand)) });
}

/** The 8 bytes at `address` plus `offset`. */
export function load64(address: Operand, offset: Operand = 0): Expression {
  return load(8, address, offset);
}

/** The 4 bytes at `address` plus `offset`. */
export function load32(address: Operand, offset: Operand = 0): Expression {
  return load(4, address, offset);
}

/** The byte at `address` plus `offset`. */
export function load8(address: Operand, offset: Operand = 0): Expression {
  return load(1, address, offset);
}

/** The value of a system register, such as `sctlr_el1`, when the expression is evaluated. */
export function systemRegister(register: string): Expression {
  return new Expression({ k: "system", register });
}

/** Holds if both do; the second is evaluated only if the first holds. */
export function both(first: Condition, second: Condition): Condition {
  return { k: "both", first, second };
}

/** Holds if one does; the second is evaluated only if the first does not hold. */
export function either(first: Condition, second: Condition): Condition {
  return { k: "either", first, second };
}

/** The constant that `value` is, if it is one. */
export function constantOf(value: Expression): bigint | undefined {
  return value.node.k === "constant" ? value.node.value : undefined;
}

/** Whether evaluating `value` calls a function, which destroys the caller-saved registers. */
export function containsCall(value: Expression): boolean {
  const { node } = value;
  switch (node.k) {
    case "call":
      return true;
    case "load":
      return containsCall(node.address);
    case "count-trailing-zeros":
      return containsCall(node.value);
    case "binary":
      return containsCall(node.left) || containsCall(node.right);
    default:
      return false;
  }
}

function load(size: AccessSize, address: Operand, offset: Operand): Expression {
  return new Expression({ k: "load", size, address: expression(address).plus(offset) });
}

function binary(operation: BinaryOperation, left: Expression, right: Operand): Expression {
  const b = expression(right);
  const x = constantOf(left);
  const y = constantOf(b);
  if (y === 0n && operation !== "mul" && operation !== "and" && operation !== "udiv") return left;
  if (x !== undefined && y !== undefined && operation === "add") return expression(x + y);
  return new Expression({ k: "binary", operation, left, right: b });
}

function compare(code: ConditionCode, left: Expression, right: Operand): Condition {
  return { k: "compare", code, left, right: expression(right) };
}
