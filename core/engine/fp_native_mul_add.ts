import { both, c64, f64, type FpFormat, keep } from "./fp_format.ts";
import {
  bitsOf,
  isWellInside,
  isZeroNumber,
  numberOf,
  returnRounded,
  sumError,
  whenUsual,
} from "./fp_native.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i64,
  type Local,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * FPMulAdd() by WebAssembly's own instructions, which have no fused one; see `fp_native.ts` for when.
 */

/**
 * FPMulAdd() of singles: the product is exact as a double, and the sum is rounded to odd, so that
 * its rounding to a single gives what one rounding would.
 */
export function defineNativeMulAdd32(
  m: ModuleBuilder,
  format: FpFormat,
  slow: FunctionReference,
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64", "i64"], "i64");
  const [addend, a, b] = [0, 1, 2].map((n) => f.parameter(n));
  whenUsual(f, () => {
    const double = (bits: Local) => op("f64.promote_f32", numberOf(format, bits));
    const product = keep(f, op("f64.mul", double(a), double(b)));
    const c = keep(f, double(addend));
    const { sum, error } = oddSum(f, product, c);
    const single = keep(f, op("f32.demote_f64", sum));
    const bits = keep(f, bitsOf(single));
    f.if(isWellInside(format, bits), () => {
      const isSame = op("f64.eq", op("f64.promote_f32", single), sum);
      returnRounded(f, bits, () => both(isSame, isZeroNumber(error)));
    });
  });
  f.return(call(slow, addend, a, b));
  return reference;
}

/** The sum of two doubles, rounded to odd, and the error of its rounding to nearest. */
function oddSum(
  f: FunctionBuilder,
  x: Expression,
  y: Expression,
): { sum: Local; error: Local } {
  const sum = keep(f, op("f64.add", x, y));
  const error = sumError(f, x, y, sum);
  f.if(op("i32.eqz", isZeroNumber(error)), () => {
    // Towards zero, then the lowest bit set.
    const differs = op("i64.shr_u", op("i64.xor", bitsOf(sum), bitsOf(error)), i64(63n));
    const truncated = op("i64.sub", bitsOf(sum), differs);
    f.set(sum, op("f64.reinterpret_i64", op("i64.or", truncated, i64(1n))));
  });
  return { sum, error };
}

/**
 * FPMulAdd() of doubles where the product is exact, or is made exact as the sum of two doubles
 * (Dekker's product), which is then added with one rounding (Boldo and Melquiond, 2008). The
 * operands' exponents are far from the edges, so that no step overflows or loses bits.
 */
export function defineNativeMulAdd64(
  m: ModuleBuilder,
  format: FpFormat,
  slow: FunctionReference,
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64", "i64"], "i64");
  const [addend, a, b] = [0, 1, 2].map((n) => f.parameter(n));
  whenUsual(f, () => {
    f.if(both(...[addend, a, b].map((x) => isMiddling(format, x))), () => {
      const [c, x, y] = [addend, a, b].map((bits) => keep(f, numberOf(format, bits)));
      const product = keep(f, op("f64.mul", x, y));
      const low = productError(f, x, y, product);
      const upper = keep(f, op("f64.add", c, low));
      const upperError = sumError(f, c, low, upper);
      const high = keep(f, op("f64.add", product, upper));
      const highError = sumError(f, product, upper, high);
      const { sum, error } = oddSum(f, upperError, highError);
      const result = keep(f, op("f64.add", high, sum));
      const bits = keep(f, bitsOf(result));
      f.if(isWellInside(format, bits), () => {
        const last = () => isZeroNumber(sumError(f, high, sum, result));
        returnRounded(f, bits, () => both(isZeroNumber(error), last()));
      });
    });
  });
  f.return(call(slow, addend, a, b));
  return reference;
}

/** Whether a number is between 2^-300 and 2^300 in magnitude. */
function isMiddling(format: FpFormat, bits: Expression): Expression {
  const least = BigInt(format.bias - 300) * format.leading;
  const magnitude = op("i64.and", bits, c64(format.sign - 1n));
  return op("i64.lt_u", op("i64.sub", magnitude, c64(least)), c64(600n * format.leading));
}

/** The error of the rounded product of two doubles (Dekker; Veltkamp's splitting). */
function productError(f: FunctionBuilder, x: Local, y: Local, product: Local): Local {
  const split = (value: Local) => {
    const scaled = keep(f, op("f64.mul", value, f64(2 ** 27 + 1)));
    const high = keep(f, op("f64.sub", scaled, op("f64.sub", scaled, value)));
    return { high, low: keep(f, op("f64.sub", value, high)) };
  };
  const times = (one: Local, two: Local) => op("f64.mul", one, two);
  const s = split(x), t = split(y);
  const first = op("f64.sub", times(s.high, t.high), product);
  const second = op("f64.add", first, times(s.high, t.low));
  const third = op("f64.add", second, times(s.low, t.high));
  return keep(f, op("f64.add", third, times(s.low, t.low)));
}
