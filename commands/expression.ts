/**
 * Expressions as C and gdb have them, over 64-bit integers: parsed once, evaluated at any moment.
 *
 * Precedence from loose to tight: `||`, `&&`, `|`, `^`, `&`, `== !=`, `< <= > >=`, `<< >>`, `+ -`,
 * `* / %`, then the unary `! ~ - +`, casts `(u8)` to `(s64)`, and memory: `*(u32*)ADDRESS`,
 * `*ADDRESS` (8 bytes) and `{BYTES}ADDRESS`. Values are unsigned and wrap; a cast or read with a
 * signed type makes a signed one, and two signed ones compare, divide and shift as such. A number
 * goes along with the other operand.
 */
import { UserError } from "./user_error.ts";

/** What an expression is about. */
export interface Terms {
  /** What a name stands for, with its `$` if it has one; undefined if nothing has that name. */
  name(text: string): (() => bigint) | undefined;
  /** Memory at a virtual address, zero-extended. */
  read(address: bigint, bytes: number): bigint;
}

/** A value of C's two kinds; `literal` ones take the other operand's. */
export interface Value {
  /** 0 to 2^64 - 1. */
  readonly bits: bigint;
  readonly signed: boolean;
  readonly literal: boolean;
}

/** An expression that was understood. */
export type Expression = () => Value;

interface Type {
  readonly bytes: number;
  readonly signed: boolean;
}

const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<=", ">=", "<", ">"],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];
const TOKEN =
  /\s*(?:(0x[0-9a-f_]+|0b[01_]+|\d[\d_]*)(?![\w.])|(\$?[a-z_.][\w.$]*(?:::[\w.$]+)*)|'([^']*)'|(\|\||&&|==|!=|<=|>=|<<|>>|[-|^&<>+*/%!~(){}]))/iy;
const C_BYTES: Readonly<Record<string, number>> = {
  char: 1,
  short: 2,
  int: 4,
  long: 8,
  void: 8,
  bool: 1,
  size_t: 8,
  uintptr_t: 8,
};
const DEEPEST = 100;

interface Token {
  readonly kind: "number" | "name" | "quoted" | "operator";
  readonly text: string;
}

/**
 * Understands an expression.
 *
 * @throws UserError naming what is not understood
 */
export function parseExpression(text: string, terms: Terms): Expression {
  return new Parser(text, terms).whole();
}

/** Recursive descent, one function per kind of operand and one loop for all binary operators. */
class Parser {
  readonly #tokens: Token[];
  #at = 0;
  #depth = 0;

  constructor(readonly text: string, readonly terms: Terms) {
    this.#tokens = tokensOf(text);
  }

  whole(): Expression {
    const expression = this.#binary(0);
    if (this.#at < this.#tokens.length) throw this.#error(`unexpected "${this.#peek()?.text}"`);
    return expression;
  }

  #binary(level: number): Expression {
    if (level === LEVELS.length) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = this.#take(LEVELS[level]);
      if (operator === undefined) return left;
      left = binary(operator, left, this.#binary(level + 1));
    }
  }

  #unary(): Expression {
    if (++this.#depth > DEEPEST) throw this.#error("it is nested too deeply");
    const expression = this.#operand();
    this.#depth--;
    return expression;
  }

  #operand(): Expression {
    const operator = this.#take(["!", "~", "-", "+", "*", "&", "{"]);
    switch (operator) {
      case undefined:
        return this.#castOrTerm();
      case "*": {
        const type = this.#typeInParentheses(true);
        return this.#memory(type ?? { bytes: 8, signed: false }, this.#unary());
      }
      case "{": {
        const type = this.#braced();
        return this.#memory(type, this.#unary());
      }
      case "&":
        return this.#term();
      default:
        return unary(operator, this.#unary());
    }
  }

  /** `BYTES}` or `TYPE}`. */
  #braced(): Type {
    const number = this.#peek();
    let type: Type | undefined;
    if (number?.kind === "number") {
      this.#at++;
      type = { bytes: Number(number.text), signed: false };
    } else type = this.#type();
    if (!type || ![1, 2, 4, 8].includes(type.bytes) || !this.#take(["}"])) {
      throw this.#error("expected {1}, {2}, {4}, {8} or {TYPE} before an address");
    }
    return type;
  }

  #memory({ bytes, signed }: Type, address: Expression): Expression {
    const { terms } = this;
    return () => convert(terms.read(address().bits, bytes), { bytes, signed });
  }

  #castOrTerm(): Expression {
    const type = this.#typeInParentheses(false);
    if (!type) return this.#term();
    const operand = this.#unary();
    return () => convert(operand().bits, type);
  }

  /** `(u32)` or, as a pointer, `(u32 *)`; otherwise nothing is taken. */
  #typeInParentheses(pointer: boolean): Type | undefined {
    const start = this.#at;
    if (this.#take(["("])) {
      const type = this.#type();
      if (type && Boolean(this.#take(["*"])) === pointer && this.#take([")"])) return type;
    }
    this.#at = start;
    return undefined;
  }

  /** `u32`, `uint32_t`, `unsigned int`, `long long`, … */
  #type(): Type | undefined {
    let signed: boolean | undefined;
    let bytes: number | undefined;
    for (; this.#peek()?.kind === "name"; this.#at++) {
      const { text } = this.#peek()!;
      const [, sign, bits] = /^(u|s|i|uint|int)(8|16|32|64)(?:_t)?$/.exec(text) ?? [];
      if (text === "unsigned" || text === "signed") signed = text === "signed";
      else if (text === "const" || text === "volatile") continue;
      else if (bits !== undefined) [bytes, signed] = [Number(bits) / 8, !sign.startsWith("u")];
      else if (!Object.hasOwn(C_BYTES, text)) return undefined;
      else {
        // `long int` is a long, `short int` a short.
        if (text !== "int" || bytes === undefined) bytes = C_BYTES[text];
        signed ??= ["short", "int", "long"].includes(text);
      }
    }
    if (bytes === undefined && signed === undefined) return undefined;
    return { bytes: bytes ?? 4, signed: signed ?? false };
  }

  #term(): Expression {
    const token = this.#peek();
    this.#at++;
    if (token?.kind === "number") {
      const value = literal(BigInt(token.text));
      return () => value;
    }
    if (token?.kind === "name" || token?.kind === "quoted") {
      const value = this.terms.name(token.text);
      if (value) return () => ({ bits: value(), signed: false, literal: false });
      throw new UserError(
        `Unknown name "${token.text}": expected a number, a symbol, a register such as $x0, $w0, ` +
          `$sp, $pc, or a system register such as TTBR0_EL1`,
      );
    }
    if (token?.text === "(") {
      const inner = this.#binary(0);
      if (this.#take([")"])) return inner;
      throw this.#error('expected ")"');
    }
    throw this.#error(token ? `unexpected "${token.text}"` : "something is missing at its end");
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #take(operators: readonly string[]): string | undefined {
    const token = this.#peek();
    if (token?.kind !== "operator" || !operators.includes(token.text)) return undefined;
    this.#at++;
    return token.text;
  }

  #error(why: string): UserError {
    return new UserError(`Cannot evaluate "${this.text.trim()}": ${why}`);
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(TOKEN);
  const end = text.trimEnd().length;
  while (pattern.lastIndex < end) {
    const { lastIndex } = pattern;
    const match = pattern.exec(text);
    if (!match) {
      const rest = text.slice(lastIndex).trim();
      throw new UserError(`Cannot evaluate "${text.trim()}": unexpected "${rest}"`);
    }
    const [, number, name, quoted, operator] = match;
    if (number !== undefined) tokens.push({ kind: "number", text: number.replaceAll("_", "") });
    else if (name !== undefined) tokens.push({ kind: "name", text: name });
    else if (quoted !== undefined) tokens.push({ kind: "quoted", text: quoted });
    else tokens.push({ kind: "operator", text: operator });
  }
  return tokens;
}

function literal(value: bigint): Value {
  // One that needs all 64 bits is unsigned, as in C.
  return { bits: BigInt.asUintN(64, value), signed: false, literal: value < 1n << 63n };
}

function truth(value: boolean): Value {
  return literal(value ? 1n : 0n);
}

function convert(bits: bigint, { bytes, signed }: Type): Value {
  const narrow = signed ? BigInt.asIntN(8 * bytes, bits) : BigInt.asUintN(8 * bytes, bits);
  // As in C, a value of less than 64 bits keeps its sign whatever it meets.
  return { bits: BigInt.asUintN(64, narrow), signed, literal: false };
}

function unary(operator: string, operand: Expression): Expression {
  return () => {
    const value = operand();
    const of = (bits: bigint) => ({ ...value, bits: BigInt.asUintN(64, bits) });
    switch (operator) {
      case "!":
        return truth(value.bits === 0n);
      case "~":
        return of(~value.bits);
      case "-":
        return of(-value.bits);
      default:
        return value;
    }
  };
}

function binary(operator: string, left: Expression, right: Expression): Expression {
  if (operator === "||") return () => truth(left().bits !== 0n || right().bits !== 0n);
  if (operator === "&&") return () => truth(left().bits !== 0n && right().bits !== 0n);
  return () => {
    const a = left(), b = right();
    const signed = (a.signed || a.literal) && (b.signed || b.literal);
    const number = ({ bits }: Value) => signed ? BigInt.asIntN(64, bits) : bits;
    const result = compute(operator, number(a), number(b));
    if (typeof result === "boolean") return truth(result);
    const literal = a.literal && b.literal;
    return { bits: BigInt.asUintN(64, result), signed: signed && !literal, literal };
  };
}

function compute(operator: string, a: bigint, b: bigint): bigint | boolean {
  switch (operator) {
    case "|":
      return a | b;
    case "^":
      return a ^ b;
    case "&":
      return a & b;
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "<<":
      return a << (b & 63n);
    case ">>":
      return a >> (b & 63n);
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    default:
      if (b === 0n) throw new UserError("Cannot divide by zero");
      return operator === "/" ? a / b : a % b;
  }
}
