import type { Row } from "./row.ts";
import { SIMD_ACROSS, SIMD_SCALAR_PAIRWISE } from "./simd_across.ts";
import { SIMD_COMPLEX } from "./simd_complex.ts";
import { SIMD_COPY, SIMD_SCALAR_COPY } from "./simd_copy.ts";
import { SIMD_CRYPTO } from "./simd_crypto.ts";
import { SIMD_CRYPTO_LATER } from "./simd_crypto_later.ts";
import { SIMD_ELEMENT, SIMD_SCALAR_ELEMENT } from "./simd_element.ts";
import { SIMD_FP_ELEMENT, SIMD_FP_SCALAR_ELEMENT } from "./simd_fp_element.ts";
import { SIMD_FP_ACROSS, SIMD_FP_SCALAR_PAIRWISE } from "./simd_fp_pairwise.ts";
import { SIMD_FP_SCALAR_SHIFT, SIMD_FP_SHIFT } from "./simd_fp_shift.ts";
import { SIMD_FP_SCALAR_THREE_SAME, SIMD_FP_THREE_SAME } from "./simd_fp_three_same.ts";
import { SIMD_FP_SCALAR_TWO_MISC, SIMD_FP_TWO_MISC } from "./simd_fp_two_misc.ts";
import { SIMD_IMMEDIATE } from "./simd_immediate.ts";
import { SIMD_PERMUTE } from "./simd_permute.ts";
import { SIMD_BRAIN } from "./simd_brain.ts";
import { SIMD_PRODUCTS } from "./simd_products.ts";
import { SIMD_SCALAR_SHIFT, SIMD_SHIFT } from "./simd_shift.ts";
import { SIMD_SCALAR_THREE_DIFFERENT, SIMD_THREE_DIFFERENT } from "./simd_three_different.ts";
import { SIMD_SCALAR_THREE_SAME, SIMD_THREE_SAME } from "./simd_three_same.ts";
import { SIMD_SCALAR_TWO_MISC, SIMD_TWO_MISC } from "./simd_two_misc.ts";

/** Advanced SIMD data processing, in the order of Arm ARM C4.1.96. */
export const SIMD: readonly Row[] = [
  ...SIMD_CRYPTO,
  ...SIMD_CRYPTO_LATER,
  ...SIMD_SCALAR_COPY,
  ...SIMD_SCALAR_TWO_MISC,
  ...SIMD_FP_SCALAR_TWO_MISC,
  ...SIMD_SCALAR_PAIRWISE,
  ...SIMD_FP_SCALAR_PAIRWISE,
  ...SIMD_SCALAR_THREE_DIFFERENT,
  ...SIMD_SCALAR_THREE_SAME,
  ...SIMD_FP_SCALAR_THREE_SAME,
  ...SIMD_SCALAR_SHIFT,
  ...SIMD_FP_SCALAR_SHIFT,
  ...SIMD_SCALAR_ELEMENT,
  ...SIMD_FP_SCALAR_ELEMENT,
  ...SIMD_PERMUTE,
  ...SIMD_COPY,
  ...SIMD_TWO_MISC,
  ...SIMD_FP_TWO_MISC,
  ...SIMD_ACROSS,
  ...SIMD_FP_ACROSS,
  ...SIMD_THREE_DIFFERENT,
  ...SIMD_THREE_SAME,
  ...SIMD_FP_THREE_SAME,
  ...SIMD_IMMEDIATE,
  ...SIMD_SHIFT,
  ...SIMD_FP_SHIFT,
  ...SIMD_ELEMENT,
  ...SIMD_FP_ELEMENT,
  ...SIMD_PRODUCTS,
  ...SIMD_BRAIN,
  ...SIMD_COMPLEX,
];

/** `immh` of a shift is not zero: where it is, the encoding is a modified immediate's. */
export const SIMD_ZERO_CASES: readonly string[] = SIMD_IMMEDIATE.flatMap((immediate) =>
  SIMD_SHIFT.filter(({ pattern }) => pattern.fields.some(({ name }) => name === "immh"))
    .map((shift) => `${immediate.name} > ${shift.name}`)
);
