import {
  c64,
  either,
  FPCR,
  fpcr,
  type FpFormat,
  FPSR,
  fractionOf,
  keep,
  magnitude,
  raise,
  ROUNDING,
} from "./fp_format.ts";
import { SLOT } from "../state.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  load,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * Addition, multiplication, division and square root by WebAssembly's own instructions, where these
 * give what the manual does: rounding to nearest, no flush to zero, and a result that is normal and
 * not the smallest normal number, which may have been rounded up from a tiny one. Then no operand is
 * a NaN, and inexactness is the only possible exception. It is not looked for if FPSR.IXC is set
 * already, else decided exactly. Everything else goes to the function on integers.
 */

/** Reads bits as a number of the format. */
export function numberOf(format: FpFormat, bits: Expression): Expression {
  if (format.bits === 64) return op("f64.reinterpret_i64", bits);
  return op("f32.reinterpret_i32", op("i32.wrap_i64", bits));
}

/** The bits of a number, zero-extended. */
export function bitsOf(number: Expression): Expression {
  if (number.type === "f64") return op("i64.reinterpret_f64", number);
  return op("i64.extend_i32_u", op("i32.reinterpret_f32", number));
}

/** Does `then` in the setting that the native instructions assume. */
export function whenUsual(f: FunctionBuilder, then: () => void): void {
  f.if(op("i32.eqz", fpcr(FPCR.rmode | FPCR.fz)), then);
}

/** Whether a result is normal, and neither the smallest such number nor one of the largest. */
export function isWellInside(format: FpFormat, bits: Expression): Expression {
  const least = 2n * format.leading, most = format.infinity - format.leading;
  return op("i64.lt_u", op("i64.sub", magnitude(format, bits), c64(least)), c64(most - least));
}

/** Returns `result`; sets IXC where it is not set yet and `exact()` gives zero. */
export function returnRounded(
  f: FunctionBuilder,
  result: Expression,
  exact: () => Expression,
): void {
  const isKnown = op("i32.and", load("i32.load", i32(0), SLOT.fpsr), i32(FPSR.ixc));
  f.if(op("i32.eqz", isKnown), () => f.if(op("i32.eqz", exact()), () => raise(f, FPSR.ixc)));
  f.return(result);
}

/** The error of `sum`, the rounded sum of a and b; exact in rounding to nearest (Knuth's TwoSum). */
export function sumError(
  f: FunctionBuilder,
  a: Expression,
  b: Expression,
  sum: Expression,
): Local {
  const [add, sub] = [`${a.type}.add`, `${a.type}.sub`];
  const rest = keep(f, op(sub, sum, a));
  const errorOfA = op(sub, a, op(sub, sum, rest));
  return keep(f, op(add, errorOfA, op(sub, b, rest)));
}

/** Whether a number is a zero of either sign. */
export function isZeroNumber(number: Expression): Expression {
  return op("i64.eqz", op("i64.shl", bitsOf(number), i64(number.type === "f64" ? 1n : 33n)));
}

/** FPAdd() or FPSub(). */
export function defineNativeAdd(
  m: ModuleBuilder,
  format: FpFormat,
  slow: FunctionReference,
  subtract: boolean,
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64"], "i64");
  const a = f.parameter(0), b = f.parameter(1);
  whenUsual(f, () => {
    const x = keep(f, numberOf(format, a));
    const other = numberOf(format, b);
    const y = keep(f, subtract ? op(`${other.type}.neg`, other) : other);
    const sum = keep(f, op(`${x.type}.add`, x, y));
    const bits = keep(f, bitsOf(sum));
    // A denormalized sum is exact, but a zero from the operands' zeros is rare: all these go on.
    f.if(isWellInside(format, bits), () => {
      returnRounded(f, bits, () => isZeroNumber(sumError(f, x, y, sum)));
    });
  });
  f.return(call(slow, a, b));
  return reference;
}

/** What decides whether an operation on normal doubles was exact, modulo 2^64. */
function doubleIsExact(
  f: FunctionBuilder,
  format: FpFormat,
  factors: readonly [Local, Local],
  product: Local,
): Expression {
  // Significands: product * 2^shift - factor * factor is below 2^54 in magnitude, so that its low
  // 64 bits are zero only if it is.
  const significand = (a: Local) => op("i64.or", fractionOf(format, a), c64(format.leading));
  const exponent = (a: Local) => op("i64.shr_u", a, i64(BigInt(format.fractionBits)));
  const sum = op("i64.add", exponent(factors[0]), exponent(factors[1]));
  // Signs add multiples of 64 to what the shift takes modulo 64.
  const above = op("i64.add", exponent(product), i64(BigInt(format.bias + format.fractionBits)));
  const shift = op("i64.sub", above, sum);
  const whole = keep(f, op("i64.shl", significand(product), shift));
  return op("i64.eq", whole, op("i64.mul", significand(factors[0]), significand(factors[1])));
}

/** Whether a number is zero or denormalized: its significand has no leading one. */
function isSmall(format: FpFormat, a: Expression): Expression {
  return op("i64.lt_u", magnitude(format, a), c64(format.leading));
}

/** Whether an f32 is what an f64 is. */
function isSingle(single: Expression, double: Expression): Expression {
  return op("f64.eq", op("f64.promote_f32", single), double);
}

function widened(a: Local): Expression {
  return op("f64.promote_f32", a);
}

/** FPMul() or FPDiv(). */
export function defineNativeProduct(
  m: ModuleBuilder,
  format: FpFormat,
  slow: FunctionReference,
  operation: "mul" | "div",
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64"], "i64");
  const a = f.parameter(0), b = f.parameter(1);
  whenUsual(f, () => {
    const x = keep(f, numberOf(format, a)), y = keep(f, numberOf(format, b));
    const result = keep(f, op(`${x.type}.${operation}`, x, y));
    const bits = keep(f, bitsOf(result));
    // Which two numbers, multiplied, should be which third one.
    const [one, two, product] = operation === "mul" ? [x, y, result] : [result, y, x];
    f.if(isWellInside(format, bits), () => {
      returnRounded(f, bits, () => {
        if (format.bits === 32) return isSingle(product, op("f64.mul", widened(one), widened(two)));
        f.if(either(isSmall(format, a), isSmall(format, b)), () => f.return(call(slow, a, b)));
        return operation === "mul"
          ? doubleIsExact(f, format, [a, b], bits)
          : doubleIsExact(f, format, [bits, b], a);
      });
    });
  });
  f.return(call(slow, a, b));
  return reference;
}

/** FPSqrt(). */
export function defineNativeSquareRoot(
  m: ModuleBuilder,
  format: FpFormat,
  slow: FunctionReference,
): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  whenUsual(f, () => {
    // Positive and normal; its root is, too.
    const isPositive = op(
      "i64.lt_u",
      op("i64.sub", a, c64(format.leading)),
      c64(format.infinity - format.leading),
    );
    f.if(isPositive, () => {
      const x = keep(f, numberOf(format, a));
      const result = keep(f, op(`${x.type}.sqrt`, x));
      const bits = keep(f, bitsOf(result));
      returnRounded(f, bits, () => {
        if (format.bits === 64) return doubleIsExact(f, format, [bits, bits], a);
        return isSingle(x, op("f64.mul", widened(result), widened(result)));
      });
    });
  });
  f.return(call(slow, a));
  return reference;
}

/** FPConvert() between singles and doubles: `(a, rounding: i32)`. */
export function defineNativeConvert(
  m: ModuleBuilder,
  from: FpFormat,
  to: FpFormat,
  slow: FunctionReference,
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i32"], "i64");
  const a = f.parameter(0), rounding = f.parameter(1);
  if (to.bits > from.bits) {
    // Exact, so that rounding does not matter.
    f.if(isWellInside(from, a), () => f.return(bitsOf(op("f64.promote_f32", numberOf(from, a)))));
  } else {
    f.if(op("i32.le_s", rounding, i32(ROUNDING.tieEven)), () =>
      whenUsual(f, () => {
        const double = keep(f, numberOf(from, a));
        const single = keep(f, op("f32.demote_f64", double));
        const bits = keep(f, bitsOf(single));
        f.if(isWellInside(to, bits), () => {
          returnRounded(f, bits, () => isSingle(single, double));
        });
      }));
  }
  f.return(call(slow, a, rounding));
  return reference;
}
