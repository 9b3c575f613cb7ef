import { SLOT } from "../state.ts";
import { FPCR, fpcr, FPSR } from "./fp_format.ts";
import {
  type Expression,
  type FunctionBuilder,
  i32,
  lanes,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";

/**
 * Floating-point arithmetic on whole vectors with WebAssembly's own instructions, where these are
 * sure to give what the manual's functions give.
 *
 * They round to nearest, ties to even, know denormalized numbers, and set no flags. So FPCR must
 * ask for just that; results that may not be exact count only while FPSR.IXC is set already, as it
 * is for good after the first such result; and lanes in which anything else could be said (NaNs,
 * infinities, underflow) are left to the functions of one number.
 */

/** A result, and a mask of the lanes where it counts. */
interface Attempt {
  readonly result: Local;
  readonly good: Expression;
  /** The same, with more effort, where `good` leaves some out. */
  readonly better?: Expression;
}

/** log2 of an element's bytes. */
type Size = 2 | 3;

/** What an operation is written with. */
interface Context {
  readonly f: FunctionBuilder;
  readonly size: Size;
  readonly operands: readonly Local[];
}

interface Fast {
  /** The result is always exact, or no number that was computed. */
  readonly exact?: true;
  readonly attempt: (context: Context) => Attempt;
}

/** Instructions of the vectors of a size. */
function on(size: Size, name: string, ...operands: Expression[]): Expression {
  return op(`${size === 2 ? "f32x4" : "f64x2"}.${name}`, ...operands);
}

function keep(f: FunctionBuilder, value: Expression): Local {
  const local = f.local("v128");
  f.set(local, value);
  return local;
}

/** A vector with 2^exponent in every lane. */
function power(size: Size, exponent: number): Expression {
  const view = new DataView(new ArrayBuffer(8));
  if (size === 2) view.setFloat32(0, 2 ** exponent, true);
  else view.setFloat64(0, 2 ** exponent, true);
  return lanes(
    "v128.const",
    Array.from({ length: 16 }, (_, i) => view.getUint8(i % (1 << size))),
  );
}

const ZEROS = lanes("v128.const", Array(16).fill(0));

function and(...masks: Expression[]): Expression {
  return masks.reduce((a, b) => op("v128.and", a, b));
}

function or(...masks: Expression[]): Expression {
  return masks.reduce((a, b) => op("v128.or", a, b));
}

/** Neither a NaN nor an infinity. */
function finite(size: Size, value: Expression): Expression {
  return on(size, "lt", on(size, "abs", value), power(size, Infinity));
}

/** So large that it cannot have underflowed before it was rounded. */
function large(size: Size, value: Expression): Expression {
  return on(size, "ge", on(size, "abs", value), power(size, size === 2 ? -125 : -1021));
}

function isZero(size: Size, value: Expression): Expression {
  return on(size, "eq", value, ZEROS);
}

function isNumber(size: Size, value: Expression): Expression {
  return on(size, "eq", value, value);
}

/** Sums that underflow are exact. */
function sum(name: "add" | "sub"): Fast {
  return {
    attempt({ f, size, operands }) {
      const result = keep(f, on(size, name, ...operands));
      return { result, good: finite(size, result) };
    },
  };
}

const DIFFERENCE: Fast = {
  attempt({ f, size, operands }) {
    const result = keep(f, on(size, "abs", on(size, "sub", ...operands)));
    return { result, good: finite(size, result) };
  },
};

const PRODUCT: Fast = {
  attempt({ f, size, operands: [a, b] }) {
    const result = keep(f, on(size, "mul", a, b));
    const isExact = or(isZero(size, a), isZero(size, b));
    return { result, good: and(finite(size, result), or(large(size, result), isExact)) };
  },
};

const QUOTIENT: Fast = {
  attempt({ f, size, operands: [a, b] }) {
    const result = keep(f, on(size, "div", a, b));
    return { result, good: and(finite(size, result), large(size, result)) };
  },
};

const ROOT: Fast = {
  attempt({ f, size, operands: [a] }) {
    const result = keep(f, on(size, "sqrt", a));
    return { result, good: finite(size, result) };
  },
};

/** Of numbers, the manual's and WebAssembly's are the same. */
function extreme(name: "min" | "max"): Fast {
  return {
    exact: true,
    attempt({ f, size, operands }) {
      const result = keep(f, on(size, name, ...operands));
      return { result, good: isNumber(size, result) };
    },
  };
}

function comparison(name: "eq" | "ge" | "gt", magnitudes = false): Fast {
  return {
    exact: true,
    attempt({ f, size, operands }) {
      const values = magnitudes
        ? operands.map((value) => keep(f, on(size, "abs", value)))
        : operands;
      const result = keep(f, on(size, name, ...values));
      return { result, good: and(...operands.map((value) => isNumber(size, value))) };
    },
  };
}

// ---- fused multiplication and addition ----

/** What two lanes of singles give in the arithmetic of doubles. */
interface Halves {
  readonly total: Local;
  /** Where `total` is half-way between two singles. */
  readonly halfWay: Local;
  /** Where `total` was not rounded. */
  readonly isExact: Expression;
}

/**
 * Two lanes of singles in the arithmetic of doubles: the product is exact, the sum is rounded to
 * 53 bits and then to 24. That is one rounding's result unless the first lands half-way between two
 * singles.
 */
function fusedSingles(f: FunctionBuilder, [c, a, b]: readonly Expression[]): Halves {
  const wide = (value: Expression) => op("f64x2.promote_low_f32x4", value);
  const product = keep(f, op("f64x2.mul", wide(a), wide(b)));
  const addend = keep(f, wide(c));
  const total = keep(f, op("f64x2.add", product, addend));
  const places = (bits: bigint) =>
    lanes(
      "v128.const",
      Array.from({ length: 16 }, (_, i) => Number(bits >> BigInt(8 * (i % 8)) & 255n)),
    );
  const halfWay = keep(
    f,
    op("i64x2.eq", and(total, places(0x1fff_ffffn)), places(0x1000_0000n)),
  );
  return { total, halfWay, isExact: isZero(3, lostBySum(product, addend, total)) };
}

/** Whether a total is where the rounded single is normal, or zero. */
function isUsual(total: Local): Expression {
  const magnitude = op("f64x2.abs", total);
  return or(
    and(op("f64x2.ge", magnitude, power(3, -125)), op("f64x2.lt", magnitude, power(3, 127))),
    isZero(3, total),
  );
}

/** What was lost when `a + b` was rounded to `total`. */
function lostBySum(a: Expression, b: Expression, total: Expression): Expression {
  const second = op("f64x2.sub", total, a);
  const firstLost = op("f64x2.sub", a, op("f64x2.sub", total, second));
  return op("f64x2.add", firstLost, op("f64x2.sub", b, second));
}

/** What `a + b` is, and what was lost by rounding it. */
function twoSum(f: FunctionBuilder, a: Expression, b: Expression): [Local, Local] {
  const total = keep(f, op("f64x2.add", a, b));
  return [total, keep(f, lostBySum(a, b, total))];
}

/** The product and what was lost by rounding it (Dekker). */
function twoProduct(f: FunctionBuilder, a: Local, b: Local): [Local, Local] {
  const factor = lanes("v128.const", [...bytesOf(2 ** 27 + 1), ...bytesOf(2 ** 27 + 1)]);
  const split = (value: Local): [Local, Local] => {
    const scaled = keep(f, op("f64x2.mul", value, factor));
    const high = keep(f, op("f64x2.sub", scaled, op("f64x2.sub", scaled, value)));
    return [high, keep(f, op("f64x2.sub", value, high))];
  };
  const product = keep(f, op("f64x2.mul", a, b));
  const [aHigh, aLow] = split(a), [bHigh, bLow] = split(b);
  const parts = [[aHigh, bHigh], [aHigh, bLow], [aLow, bHigh]];
  const rest = parts.reduce<Expression>(
    (left, [x, y]) => op("f64x2.sub", left, op("f64x2.mul", x, y)),
    product,
  );
  return [product, keep(f, op("f64x2.sub", op("f64x2.mul", aLow, bLow), rest))];
}

function bytesOf(value: number): number[] {
  return [...new Uint8Array(Float64Array.of(value).buffer)];
}

/** `a + b` rounded to odd: where something was lost, the last place is a one. */
function oddSum(f: FunctionBuilder, a: Expression, b: Expression): Expression {
  const [total, lost] = twoSum(f, a, b);
  const one = lanes("v128.const", Array.from({ length: 16 }, (_, i) => i % 8 ? 0 : 1));
  const isEven = op("i64x2.eq", and(total, one), ZEROS);
  const isInexact = op("f64x2.ne", lost, ZEROS);
  const step = or(op("i64x2.shr_s", op("v128.xor", total, lost), i32(63)), one);
  return op("i64x2.add", total, and(isEven, isInexact, step));
}

/** Boldo and Melquiond's, for operands far from overflow and underflow. */
function fusedDoubles(f: FunctionBuilder, [c, a, b]: readonly Local[]): Attempt {
  const [product, productLost] = twoProduct(f, a, b);
  const [low, lowLost] = twoSum(f, c, productLost);
  const [high, highLost] = twoSum(f, product, low);
  const result = keep(f, op("f64x2.add", high, oddSum(f, lowLost, highLost)));
  const below = (value: Expression, exponent: number) =>
    op("f64x2.lt", op("f64x2.abs", value), power(3, exponent));
  const isExact = or(isZero(3, a), isZero(3, b));
  const good = and(
    below(a, 990),
    below(b, 990),
    below(c, 990),
    below(product, 990),
    or(op("f64x2.ge", op("f64x2.abs", product), power(3, -900)), isExact),
    op("f64x2.ne", result, ZEROS),
  );
  return { result, good };
}

const FUSED: Fast = {
  attempt({ f, size, operands }) {
    if (size === 3) return fusedDoubles(f, operands);
    const upper = (value: Expression) =>
      lanes("i8x16.shuffle", Array.from({ length: 16 }, (_, i) => i % 8 + 8), value, value);
    const low = fusedSingles(f, operands);
    const high = fusedSingles(f, operands.map((value) => keep(f, upper(value))));
    const halves = Array.from({ length: 16 }, (_, i) => i < 8 ? i : i + 8);
    const [first, second] = [low, high].map(({ total }) => op("f32x4.demote_f64x2_zero", total));
    const result = keep(f, lanes("i8x16.shuffle", halves, first, second));
    const magnitude = keep(f, on(2, "abs", result));
    const inRange = and(
      on(2, "ge", magnitude, power(2, -125)),
      on(2, "lt", magnitude, power(2, 127)),
    );
    // Of a mask's lanes none may be missing, so it does not matter which they are.
    const good = op("v128.andnot", inRange, or(low.halfWay, high.halfWay));
    const isSure = ({ total, halfWay, isExact }: Halves) =>
      op("v128.andnot", isUsual(total), op("v128.andnot", halfWay, isExact));
    return { result, good, better: and(isSure(low), isSure(high)) };
  },
};

const FUSED_NEGATED: Fast = {
  attempt({ f, size, operands: [addend, factor, other] }) {
    const negative = keep(f, on(size, "neg", factor));
    return FUSED.attempt({ f, size, operands: [addend, negative, other] });
  },
};

const FAST: Readonly<Record<string, Fast>> = {
  FPAdd: sum("add"),
  FPSub: sum("sub"),
  FPAbd: DIFFERENCE,
  FPMul: PRODUCT,
  FPDiv: QUOTIENT,
  FPSqrt: ROOT,
  FPMax: extreme("max"),
  FPMin: extreme("min"),
  FPMaxNum: extreme("max"),
  FPMinNum: extreme("min"),
  FPMulAdd: FUSED,
  FPMulSub: FUSED_NEGATED,
  FPCompareEQ: comparison("eq"),
  FPCompareGE: comparison("ge"),
  FPCompareGT: comparison("gt"),
  FPAbsCompareGE: comparison("ge", true),
  FPAbsCompareGT: comparison("gt", true),
};

/** Returns the result of the operation `name` on whole vectors, where it is sure. */
export function returnIfFast(
  f: FunctionBuilder,
  name: string,
  operands: readonly Local[],
  shape: Expression,
): void {
  const fast = FAST[name];
  if (!fast) return;
  for (const size of [2, 3] as const) {
    f.if(op("i32.eq", shape, i32(size | 16 >> size << 2)), () => {
      f.if(op("i32.eqz", fpcr(FPCR.rmode | FPCR.fz)), () => {
        const attempt = () => {
          const { result, good, better } = fast.attempt({ f, size, operands });
          for (const mask of better ? [good, better] : [good]) {
            const bad = op("v128.any_true", op("v128.not", mask));
            f.if(op("i32.eqz", bad), () => f.return(result));
          }
        };
        const inexact = op("i32.and", load("i32.load", i32(0), SLOT.fpsr), i32(FPSR.ixc));
        if (fast.exact) attempt();
        else f.if(inexact, attempt);
      });
    });
  }
}
