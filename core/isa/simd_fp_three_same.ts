import type { Ops, Value } from "./ops.ts";
import type { Row } from "./row.ts";
import { shapeOf } from "./simd_common.ts";
import {
  bitsOf,
  ELEMENTS,
  type Elements,
  type Kind,
  register,
  shape,
  shapeDerived,
  simdFloatRow,
  threeSamePattern,
} from "./simd_fp_common.ts";
import { everySecond, pairsOf } from "./simd_three_same.ts";

/** Advanced SIMD three same and its scalar form, floating point (Arm ARM C4.1.96). */

/** Gives the result of two operands of a shape. */
type Operation = (o: Ops, n: Value, m: Value, shape: Value) => Value;

/** What the engine's function of this name gives. */
function called(name: string): Operation {
  return (o, n, m, shape) => o.cumulative(name, "v128", n, m, shape);
}

/** FMLA and FMLS: Rd is the addend. */
function accumulating(name: string): Operation {
  return (o, n, m, shape) => o.cumulative(name, "v128", o.v("Rd"), n, m, shape);
}

function threeSame(kind: Kind, name: string, bits: string, operation: Operation): readonly Row[] {
  return ELEMENTS.map((type) =>
    simdFloatRow(name, threeSamePattern(type, kind, bitsOf(bits)), type, {
      derive: shapeDerived(type, kind) ?? {},
      assembly: [{
        mnemonic: name.split(" ")[0].toLowerCase(),
        operands: ["Rd", "Rn", "Rm"].map((field) => register(type, kind, field)),
      }],
      execute: (o) => o.setV("Rd", operation(o, o.v("Rn"), o.v("Rm"), shape(o, type, kind))),
    })
  );
}

/** The operation on neighbours, first those of Rn, then those of Rm. */
function pairwise(name: string, bits: string, helper: string): readonly Row[] {
  return ELEMENTS.map((type) =>
    simdFloatRow(name, threeSamePattern(type, "vector", bitsOf(bits)), type, {
      derive: { ...shapeDerived(type, "vector"), keep: ({ Q = 1 }) => -Q },
      assembly: [{
        mnemonic: name.split(" ")[0].toLowerCase(),
        operands: ["Rd", "Rn", "Rm"].map((field) => register(type, "vector", field)),
      }],
      execute(o) {
        const n = o.v("Rn"), m = o.v("Rm");
        const first = type.size === 3 ? n : pairsOf(o, n, m);
        const [even, odd] = [0, 1].map((which) => everySecond(o, type.size, which, first, m));
        o.setV("Rd", o.cumulative(helper, "v128", even, odd, pairShape(o, type)));
      },
    })
  );
}

function pairShape(o: Ops, type: Elements): Value {
  return type.size === 3 ? o.c32(shapeOf(3, 2)) : shape(o, type, "vector");
}

/** Rows that exist for vectors and, with the same bits, for scalars. */
const BOTH: readonly (readonly [name: string, bits: string, helper: string])[] = [
  ["FMULX", "0 0 11011", "FPMulX"],
  ["FCMEQ (register)", "0 0 11100", "FPCompareEQ"],
  ["FRECPS", "0 0 11111", "FPRecipStepFused"],
  ["FRSQRTS", "0 1 11111", "FPRSqrtStepFused"],
  ["FCMGE (register)", "1 0 11100", "FPCompareGE"],
  ["FACGE", "1 0 11101", "FPAbsCompareGE"],
  ["FABD", "1 1 11010", "FPAbd"],
  ["FCMGT (register)", "1 1 11100", "FPCompareGT"],
  ["FACGT", "1 1 11101", "FPAbsCompareGT"],
];

const VECTORS: readonly (readonly [name: string, bits: string, helper: string])[] = [
  ["FMAXNM (vector)", "0 0 11000", "FPMaxNum"],
  ["FADD (vector)", "0 0 11010", "FPAdd"],
  ["FMAX (vector)", "0 0 11110", "FPMax"],
  ["FMINNM (vector)", "0 1 11000", "FPMinNum"],
  ["FSUB (vector)", "0 1 11010", "FPSub"],
  ["FMIN (vector)", "0 1 11110", "FPMin"],
  ["FMUL (vector)", "1 0 11011", "FPMul"],
  ["FDIV (vector)", "1 0 11111", "FPDiv"],
];

/** Advanced SIMD scalar three same. */
export const SIMD_FP_SCALAR_THREE_SAME: readonly Row[] = BOTH.flatMap(([name, bits, helper]) =>
  threeSame("scalar", name, bits, called(helper))
);

/** Advanced SIMD three same. */
export const SIMD_FP_THREE_SAME: readonly Row[] = [
  ...VECTORS.flatMap(([name, bits, helper]) => threeSame("vector", name, bits, called(helper))),
  ...BOTH.flatMap(([name, bits, helper]) => threeSame("vector", name, bits, called(helper))),
  ...threeSame("vector", "FMLA (vector)", "0 0 11001", accumulating("FPMulAdd")),
  ...threeSame("vector", "FMLS (vector)", "0 1 11001", accumulating("FPMulSub")),
  ...pairwise("FMAXNMP (vector)", "1 0 11000", "FPMaxNum"),
  ...pairwise("FADDP (vector)", "1 0 11010", "FPAdd"),
  ...pairwise("FMAXP (vector)", "1 0 11110", "FPMax"),
  ...pairwise("FMINNMP (vector)", "1 1 11000", "FPMinNum"),
  ...pairwise("FMINP (vector)", "1 1 11110", "FPMin"),
];
