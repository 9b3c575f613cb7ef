import { defineAdd, defineDivide, defineMultiply, defineSquareRoot } from "./fp_arithmetic.ts";
import { defineConvertBrain, defineDotAddBrain } from "./fp_brain.ts";
import { defineFpBase, type FpBase } from "./fp_base.ts";
import {
  defineCompare,
  defineCompareMask,
  defineMaximum,
  defineMaximumNumber,
} from "./fp_comparison.ts";
import {
  defineConvert,
  defineFromFixed,
  defineRoundInt,
  defineRoundIntSized,
  defineToFixed,
  defineToFixedJavaScript,
  defineWidenHalf,
} from "./fp_conversion.ts";
import {
  defineFpRecipEstimate,
  defineFpRSqrtEstimate,
  defineRecipEstimate,
  defineRecipSqrtEstimate,
  defineRecpX,
  defineUnsignedEstimate,
} from "./fp_estimate.ts";
import { DOUBLE, HALF, SINGLE } from "./fp_format.ts";
import { defineFusedSum, defineMulAdd, defineStep } from "./fp_mul_add.ts";
import {
  defineNativeAdd,
  defineNativeConvert,
  defineNativeProduct,
  defineNativeSquareRoot,
} from "./fp_native.ts";
import { defineNativeMulAdd32, defineNativeMulAdd64 } from "./fp_native_mul_add.ts";
import type { FunctionReference } from "./wasm/function_builder.ts";
import type { ModuleBuilder } from "./wasm/module_builder.ts";

/**
 * The manual's floating-point functions (Arm ARM J1, shared/functions/float), exact in results and
 * in the cumulative bits of FPSR, for every rounding mode and setting of FPCR.
 *
 * A name is the manual's and the format's bits, for example `FPAdd64`. Numbers are i64 with the
 * bits zero-extended; other parameters are i32. FPCR is read from and FPSR written to the state, so
 * rows call these by `Ops.cumulative`. A parameter `rounding` is one of `ROUNDING`.
 */
export function defineFpHelpers(m: ModuleBuilder): [string, FunctionReference][] {
  const formats = [HALF, SINGLE, DOUBLE].map((format) => defineFpBase(m, format));
  const conversions = formats.flatMap((from) =>
    formats.filter((to) => to !== from).map((to): [string, FunctionReference] => [
      `FPConvert${from.bits}to${to.bits}`,
      defineConversion(m, from, to),
    ])
  );
  const estimates: Estimates = {
    reciprocal: defineRecipEstimate(m),
    squareRoot: defineRecipSqrtEstimate(m),
  };
  return [
    ...formats.flatMap((base) =>
      Object.entries(defineOfFormat(m, base, estimates)).map(([name, reference]): [
        string,
        FunctionReference,
      ] => [`${name}${base.bits}`, reference])
    ),
    ...conversions,
    ["UnsignedRecipEstimate", defineUnsignedEstimate(m, estimates.reciprocal, 1 << 31)],
    ["UnsignedRSqrtEstimate", defineUnsignedEstimate(m, estimates.squareRoot, 1 << 30)],
    ["FPToFixedJS64", defineToFixedJavaScript(m, formats[2])],
    ["FPWidenHalf16", defineWidenHalf(m, formats[0])],
    ["FPConvertBF32", defineConvertBrain(m, formats[1])],
    ["BFDotAdd32", defineDotAddBrain(m)],
  ];
}

function defineConversion(m: ModuleBuilder, from: FpBase, to: FpBase): FunctionReference {
  const slow = defineConvert(m, from, to);
  return from.bits === 16 || to.bits === 16 ? slow : defineNativeConvert(m, from, to, slow);
}

interface Estimates {
  readonly reciprocal: FunctionReference;
  readonly squareRoot: FunctionReference;
}

function defineOfFormat(
  m: ModuleBuilder,
  base: FpBase,
  estimates: Estimates,
): Record<string, FunctionReference> {
  const maximum = defineMaximum(m, base, "max"), minimum = defineMaximum(m, base, "min");
  const fusedSum = defineFusedSum(m, base);
  return {
    ...defineArithmetic(m, base, defineMulAdd(m, base, fusedSum)),
    FPMulX: defineMultiply(m, base, true),
    FPRecipStepFused: defineStep(m, base, fusedSum, "reciprocal"),
    FPRSqrtStepFused: defineStep(m, base, fusedSum, "reciprocal square root"),
    FPRecipEstimate: defineFpRecipEstimate(m, base, estimates.reciprocal),
    FPRSqrtEstimate: defineFpRSqrtEstimate(m, base, estimates.squareRoot),
    FPRecpX: defineRecpX(m, base),
    FPMax: maximum,
    FPMin: minimum,
    FPMaxNum: defineMaximumNumber(m, base, "max", maximum),
    FPMinNum: defineMaximumNumber(m, base, "min", minimum),
    FPCompare: defineCompare(m, base),
    FPCompareEQ: defineCompareMask(m, base, "eq"),
    FPCompareGE: defineCompareMask(m, base, "ge_s"),
    FPCompareGT: defineCompareMask(m, base, "gt_s"),
    FPRoundInt: defineRoundInt(m, base),
    ...(base.bits === 16 ? {} : { FPRoundIntSized: defineRoundIntSized(m, base) }),
    FPToFixed: defineToFixed(m, base),
    FixedToFP: defineFromFixed(m, base),
  };
}

/** What WebAssembly has instructions for is done by them where they give the same. */
function defineArithmetic(
  m: ModuleBuilder,
  base: FpBase,
  mulAdd: FunctionReference,
): Record<string, FunctionReference> {
  const slow = {
    FPAdd: defineAdd(m, base, false),
    FPSub: defineAdd(m, base, true),
    FPMul: defineMultiply(m, base, false),
    FPDiv: defineDivide(m, base),
    FPSqrt: defineSquareRoot(m, base),
    FPMulAdd: mulAdd,
  };
  if (base.bits === 16) return slow;
  return {
    FPAdd: defineNativeAdd(m, base, slow.FPAdd, false),
    FPSub: defineNativeAdd(m, base, slow.FPSub, true),
    FPMul: defineNativeProduct(m, base, slow.FPMul, "mul"),
    FPDiv: defineNativeProduct(m, base, slow.FPDiv, "div"),
    FPSqrt: defineNativeSquareRoot(m, base, slow.FPSqrt),
    FPMulAdd: base.bits === 32
      ? defineNativeMulAdd32(m, base, mulAdd)
      : defineNativeMulAdd64(m, base, mulAdd),
  };
}
