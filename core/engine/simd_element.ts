import {
  type Expression,
  type FunctionBuilder,
  i64,
  type Local,
  op,
  select,
} from "./wasm/function_builder.ts";

/**
 * What the helpers that work element by element (`simd_helpers.ts`) are put together from: code on
 * i64 that hold one element each.
 */

/**
 * How an operand's elements are read: `s` and `u` with the element's size, sign- or zero-extended,
 * `S` and `U` with twice the size, `b` as the signed lowest byte, as a shift is.
 */
export type Reading = "s" | "u" | "S" | "U" | "b";

/** What the code for one element works with. */
export interface Element {
  readonly f: FunctionBuilder;
  /** The operands, i64. */
  readonly operands: readonly Local[];
  /** i64: bits of the narrow element. */
  readonly bits: Local;
  /** i64: bits of the result's element. */
  readonly resultBits: Expression;
  /** i64: where the result goes; only its low bits count. */
  readonly result: Local;
  /** i32: to be set where the result was saturated. */
  readonly saturated: Local;
}

/** One operation: how its operands are read, and the code for one element. */
export interface Definition {
  readonly operands: readonly Reading[];
  /** `wide`: the result's elements have twice the size. */
  readonly result?: "wide";
  readonly body: (element: Element) => void;
}

/** The i64 zero. */
export const ZERO = i64(0n);
/** The i64 one. */
export const ONE = i64(1n);
const MAXIMUM = i64((1n << 63n) - 1n);

/** 2^bits - 1. */
export function unsignedMaximum(bits: Expression): Expression {
  return op("i64.shr_u", i64(-1n), op("i64.sub", i64(64n), bits));
}

/** 2^(bits-1) - 1. */
export function signedMaximum(bits: Expression): Expression {
  return op("i64.shr_u", i64(-1n), op("i64.sub", i64(65n), bits));
}

/** Notes a saturation where `condition` is not zero. */
export function note({ f, saturated }: Element, condition: Expression): void {
  f.set(saturated, op("i32.or", saturated, condition));
}

/** The result is `value`, brought into the range of a signed element of `bits`. */
export function clampSigned(e: Element, value: Local, bits: Expression): void {
  const { f, result } = e;
  const maximum = f.local("i64");
  f.set(maximum, signedMaximum(bits));
  const minimum = op("i64.xor", maximum, i64(-1n));
  const notLess = select(minimum, value, op("i64.lt_s", value, minimum));
  f.set(result, select(maximum, notLess, op("i64.gt_s", value, maximum)));
  note(e, op("i64.ne", result, value));
}

/** The same for an unsigned element and a value that is not negative as an unsigned number. */
export function clampUnsigned(e: Element, value: Local, bits: Expression): void {
  const { f, result } = e;
  const maximum = f.local("i64");
  f.set(maximum, unsignedMaximum(bits));
  f.set(result, select(maximum, value, op("i64.gt_u", value, maximum)));
  note(e, op("i64.ne", result, value));
}

/** `a + b` or `a - b` of signed elements of `bits`, saturated; bits may be 64. */
export function saturatingSum(
  e: Element,
  what: "add" | "sub",
  a: Local,
  b: Local,
  bits: Expression,
): void {
  const { f, result } = e;
  const sum = f.local("i64");
  f.set(sum, op(`i64.${what}`, a, b));
  clampSigned(e, sum, bits);
  // Overflow of 64 bits: the operands' signs say that the result's is impossible.
  const signs = what === "add" ? op("i64.xor", b, sum) : op("i64.xor", a, b);
  const overflow = op("i64.lt_s", op("i64.and", op("i64.xor", a, sum), signs), ZERO);
  const limit = op("i64.xor", op("i64.shr_s", a, i64(63n)), MAXIMUM);
  f.set(result, select(limit, result, overflow));
  note(e, overflow);
}

/** `a >> n` for n up to 128, signed. */
export function shiftRightSigned(a: Expression, n: Expression): Expression {
  return op("i64.shr_s", a, select(i64(63n), n, op("i64.gt_u", n, i64(63n))));
}

/** `a >> n` or `a << n` where an n of 64 or more gives zero. */
export function shiftOrZero(
  name: "i64.shr_u" | "i64.shl",
  a: Expression,
  n: Expression,
): Expression {
  return select(op(name, a, n), ZERO, op("i64.lt_u", n, i64(64n)));
}

/** `a >> n`, rounded: the bit shifted out last is added. n is 1 or more, or `a` is left. */
export function shiftRight(
  f: FunctionBuilder,
  a: Expression,
  n: Expression,
  kind: { signed: boolean; round: boolean },
): Expression {
  const shift = (by: Expression) =>
    kind.signed ? shiftRightSigned(a, by) : shiftOrZero("i64.shr_u", a, by);
  if (!kind.round) return shift(n);
  const value = f.local("i64");
  f.set(value, shift(n));
  const last = op("i64.and", shift(op("i64.sub", n, ONE)), ONE);
  const rounded = op("i64.add", value, last);
  return select(value, rounded, op("i64.eqz", n));
}
