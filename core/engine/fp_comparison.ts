import { beginOperation, flushOperands, type FpBase } from "./fp_base.ts";
import {
  both,
  c64,
  either,
  FPSR,
  isNaN,
  isSignallingNaN,
  keep,
  magnitude,
  raise,
} from "./fp_format.ts";
import {
  call,
  type Expression,
  type FunctionBuilder,
  type FunctionReference,
  i32,
  i64,
  type Local,
  op,
  select,
} from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/** Comparisons, maximum and minimum (Arm ARM J1, shared/functions/float). */

/** A signed i64 that orders numbers that are not NaNs as their values; both zeros are 0. */
function orderOf(f: FunctionBuilder, base: FpBase, a: Expression): Local {
  const toTop = i64(BigInt(64 - base.bits));
  const sign = keep(f, op("i64.shr_s", op("i64.shl", a, toTop), i64(63n)));
  return keep(f, op("i64.sub", op("i64.xor", magnitude(base, a), sign), sign));
}

/** FPCompare(): `(a, b, signalNaNs: i32) → i32`, N, Z, C, V as bits 3 to 0. */
export function defineCompare(m: ModuleBuilder, base: FpBase): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64", "i32"], "i32");
  const a = f.parameter(0), b = f.parameter(1), signalNaNs = f.parameter(2);
  flushOperands(f, base, [a, b]);
  f.if(either(isNaN(base, a), isNaN(base, b)), () => {
    const isSignalling = either(isSignallingNaN(base, a), isSignallingNaN(base, b));
    f.if(either(signalNaNs, isSignalling), () => raise(f, FPSR.ioc));
    f.return(i32(0b0011));
  });
  const x = orderOf(f, base, a), y = orderOf(f, base, b);
  const unequal = select(i32(0b1000), i32(0b0010), op("i64.lt_s", x, y));
  f.return(select(i32(0b0110), unequal, op("i64.eq", x, y)));
  return reference;
}

/** FPCompareEQ(), FPCompareGE() or FPCompareGT(): `(a, b) → i32`. */
export function defineCompareMask(
  m: ModuleBuilder,
  base: FpBase,
  relation: "eq" | "ge_s" | "gt_s",
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64"], "i32");
  const a = f.parameter(0), b = f.parameter(1);
  flushOperands(f, base, [a, b]);
  f.if(either(isNaN(base, a), isNaN(base, b)), () => {
    const isSignalling = either(isSignallingNaN(base, a), isSignallingNaN(base, b));
    if (relation === "eq") f.if(isSignalling, () => raise(f, FPSR.ioc));
    else raise(f, FPSR.ioc);
    f.return(i32(0));
  });
  f.return(op(`i64.${relation}`, orderOf(f, base, a), orderOf(f, base, b)));
  return reference;
}

/** FPMax() or FPMin(). */
export function defineMaximum(
  m: ModuleBuilder,
  base: FpBase,
  which: "max" | "min",
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64"], "i64");
  const a = f.parameter(0), b = f.parameter(1);
  beginOperation(f, base, [a, b]);
  const isMax = which === "max";
  const x = orderOf(f, base, a), y = orderOf(f, base, b);
  // Equal numbers are the same bits, or zeros: +0 is the greater one.
  f.if(op("i64.eq", x, y), () => f.return(op(isMax ? "i64.and" : "i64.or", a, b)));
  f.return(select(a, b, op(isMax ? "i64.gt_s" : "i64.lt_s", x, y)));
  return reference;
}

/** FPMaxNum() or FPMinNum(): one quiet NaN counts as the infinity that loses. */
export function defineMaximumNumber(
  m: ModuleBuilder,
  base: FpBase,
  which: "max" | "min",
  maximum: FunctionReference,
): FunctionReference {
  const { reference, body: f } = m.function(["i64", "i64"], "i64");
  const a = f.parameter(0), b = f.parameter(1);
  f.if(either(isNaN(base, a), isNaN(base, b)), () => {
    const isQuiet = (x: Local) => both(isNaN(base, x), op("i32.eqz", isSignallingNaN(base, x)));
    const quietA = keep(f, isQuiet(a)), quietB = keep(f, isQuiet(b));
    const loser = c64(which === "max" ? base.infinity | base.sign : base.infinity);
    f.if(both(quietA, op("i32.eqz", quietB)), () => f.set(a, loser));
    f.if(both(quietB, op("i32.eqz", quietA)), () => f.set(b, loser));
  });
  f.return(call(maximum, a, b));
  return reference;
}
