import {
  c64,
  f64,
  FPSR,
  isNaN,
  keep,
  magnitude,
  raise,
  roundingMode,
  signBit,
  signOf,
  SINGLE,
} from "./fp_format.ts";
import { type FpBase, roundsUp } from "./fp_base.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i64,
  op,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * Arithmetic on BFloat16 (Arm ARM J1, shared/functions/float: FPConvertBF, BFDotAdd): the upper
 * halves of singles.
 */

/** FPConvertBF(): `(a) → i64`, a single as a BFloat16. */
export function defineConvertBrain(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "i64");
  const a = f.parameter(0);
  f.set(a, call(base.flush, a));
  f.if(isNaN(base, a), () => f.return(op("i64.shr_u", call(base.processNaN, a), i64(16n))));
  const rest = keep(f, op("i64.and", a, i64(0xffffn)));
  const upper = keep(f, op("i64.shr_u", a, i64(16n)));
  f.if(op("i64.eqz", rest), () => f.return(upper));
  const up = roundsUp(f, roundingMode(f), {
    sign: keep(f, signOf(base, a)),
    isOdd: op("i32.wrap_i64", op("i64.and", upper, i64(1n))),
    rest,
    half: i64(0x8000n),
  });
  raise(f, FPSR.ixc);
  // Tininess is detected before rounding.
  f.if(op("i64.lt_u", magnitude(base, a), c64(base.leading)), () => raise(f, FPSR.ufc));
  const result = keep(f, op("i64.add", upper, op("i64.extend_i32_u", up)));
  f.if(op("i64.eq", op("i64.and", result, i64(0x7fffn)), i64(0x7f80n)), () => raise(f, FPSR.ofc));
  f.return(result);
  return reference;
}

/**
 * BFDotAdd(): `(sum, n, m) → i64`, a single plus the products of two pairs of BFloat16. Every step
 * is rounded to odd, denormalized numbers count as zeros, a NaN is the default one; FPCR is not
 * read and FPSR not changed. The steps are doubles here, in which products are exact.
 */
export function defineDotAddBrain(m: ModuleBuilder): FunctionReference {
  const sum = defineSum(m), product = defineProduct(m), value = defineValue(m);
  const { reference, body: f } = m.function(["i64", "i64", "i64"], "i64");
  const [addend, n, other] = [0, 1, 2].map((index) => f.parameter(index));
  const low = (a: Expression) => call(value, op("i64.shl", a, i64(16n)));
  const high = (a: Expression) => call(value, op("i64.and", a, i64(0xffff_0000n)));
  const products = call(
    sum,
    call(product, low(n), low(other)),
    call(product, high(n), high(other)),
  );
  const result = keep(f, call(sum, call(value, addend), products));
  f.if(op("f64.ne", result, result), () => f.return(c64(SINGLE.defaultNaN)));
  f.return(
    op("i64.extend_i32_u", op("i32.reinterpret_f32", op("f32.demote_f64", result))),
  );
  return reference;
}

/** `(bits: i64) → f64`: the single in the lower 32 bits. */
function defineValue(m: ModuleBuilder): FunctionReference {
  const { reference, body: f } = m.function(["i64"], "f64");
  const bits = f.parameter(0);
  f.set(bits, op("i64.and", bits, i64(0xffff_ffffn)));
  f.if(op("i64.lt_u", magnitude(SINGLE, bits), c64(SINGLE.leading)), () => {
    f.set(bits, signBit(SINGLE, bits));
  });
  f.return(op("f64.promote_f32", op("f32.reinterpret_i32", op("i32.wrap_i64", bits))));
  return reference;
}

/** `value`, a zero or an infinity where it is beyond what normal singles are. */
function returnInRange(f: FunctionBuilder, value: Expression): void {
  const size = keep(f, op("f64.abs", value));
  f.if(op("f64.lt", size, f64(2 ** -126)), () => f.return(op("f64.copysign", f64(0), value)));
  f.if(
    op("f64.ge", size, f64(2 ** 128)),
    () => f.return(op("f64.copysign", f64(Infinity), value)),
  );
}

/** `(f64, f64) → f64`: the product of two BFloat16. */
function defineProduct(m: ModuleBuilder): FunctionReference {
  const { reference, body: f } = m.function(["f64", "f64"], "f64");
  const product = keep(f, op("f64.mul", f.parameter(0), f.parameter(1)));
  returnInRange(f, product);
  f.return(product);
  return reference;
}

/** `(f64, f64) → f64`: the sum of two singles, rounded to odd as a single. */
function defineSum(m: ModuleBuilder): FunctionReference {
  const { reference, body: f } = m.function(["f64", "f64"], "f64");
  const a = f.parameter(0), b = f.parameter(1);
  const sum = keep(f, op("f64.add", a, b));
  f.if(op("i32.eqz", op("f64.lt", op("f64.abs", sum), f64(Infinity))), () => f.return(sum));
  // What the sum lacks (Knuth's TwoSum).
  const part = keep(f, op("f64.sub", sum, a));
  const error = keep(
    f,
    op("f64.add", op("f64.sub", a, op("f64.sub", sum, part)), op("f64.sub", b, part)),
  );
  const bits = keep(f, op("i64.reinterpret_f64", sum));
  f.if(op("f64.ne", error, f64(0)), () => {
    const isOpposite = op(
      "i64.shr_u",
      op("i64.xor", op("i64.reinterpret_f64", error), bits),
      i64(63n),
    );
    f.set(bits, op("i64.or", op("i64.sub", bits, isOpposite), i64(1n)));
  });
  const odd = keep(f, op("f64.reinterpret_i64", bits));
  returnInRange(f, odd);
  const lost = op("i64.ne", op("i64.and", bits, i64(0x1fff_ffffn)), i64(0n));
  const jam = op("i64.shl", op("i64.extend_i32_u", lost), i64(29n));
  const kept = op("i64.and", bits, i64(-0x2000_0000n));
  f.return(op("f64.reinterpret_i64", op("i64.or", kept, jam)));
  return reference;
}
