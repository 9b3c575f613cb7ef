import type { Ops, Value } from "./ops.ts";
import type { Row } from "./row.ts";
import { scalar } from "./operands.ts";
import { shapeOf } from "./simd_common.ts";
import { bitsOf, D, type Elements, H, S, simdFloatRow } from "./simd_fp_common.ts";
import { vectorAs, vectorFixed } from "./simd_operands.ts";
import { everySecond } from "./simd_three_same.ts";

/** Advanced SIMD scalar pairwise and across lanes, floating point (Arm ARM C4.1.96). */

/** The operation on the lowest `2 * count` elements of a vector, taken in pairs. */
function reduced(o: Ops, helper: string, { size }: Elements, n: Value, count: number): Value {
  const [even, odd] = [0, 1].map((which) => everySecond(o, size, which, n, n));
  return o.cumulative(helper, "v128", even, odd, o.c32(shapeOf(size, count)));
}

/** The bits, by the high bit of `size` and `opcode`; half precision has U clear. */
function middle(type: Elements, bits: string): string {
  const { a, opcode } = bitsOf(`1 ${bits}`);
  return `${a}${type === D ? 1 : 0} 11000 ${opcode} 10 Rn Rd`;
}

function upper(type: Elements): string {
  return type === H ? "0" : "1";
}

function scalarPairwise(name: string, bits: string, helper: string): readonly Row[] {
  return [S, D, H].map((type) =>
    simdFloatRow(`${name} (scalar)`, `01 ${upper(type)} 11110 ${middle(type, bits)}`, type, {
      assembly: [{
        mnemonic: name.toLowerCase(),
        operands: [scalar("Rd", type.letter), vectorFixed("Rn", `2${type.letter}`)],
      }],
      execute: (o) => o.setV("Rd", reduced(o, helper, type, o.v("Rn"), 1)),
    })
  );
}

/** Reduce(): neighbours first. */
function acrossLanes(name: string, bits: string, helper: string): readonly Row[] {
  const four = simdFloatRow(name, `0 1 1 01110 ${middle(S, bits)}`, S, {
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [scalar("Rd", "s"), vectorAs("Rn", { size: 2, Q: 1 })],
    }],
    execute(o) {
      o.setV("Rd", reduced(o, helper, S, reduced(o, helper, S, o.v("Rn"), 2), 1));
    },
  });
  const halves = simdFloatRow(name, `0 Q 0 01110 ${middle(H, bits)}`, H, {
    static: ["Q"],
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [scalar("Rd", "h"), vectorAs("Rn", { size: 1 })],
    }],
    execute(o, { Q }) {
      let rest = o.v("Rn");
      for (let count = 2 << Q; count > 0; count >>= 1) rest = reduced(o, helper, H, rest, count);
      o.setV("Rd", rest);
    },
  });
  return [four, halves];
}

/** Advanced SIMD scalar pairwise. */
export const SIMD_FP_SCALAR_PAIRWISE: readonly Row[] = [
  ...scalarPairwise("FMAXNMP", "0 01100", "FPMaxNum"),
  ...scalarPairwise("FADDP", "0 01101", "FPAdd"),
  ...scalarPairwise("FMAXP", "0 01111", "FPMax"),
  ...scalarPairwise("FMINNMP", "1 01100", "FPMinNum"),
  ...scalarPairwise("FMINP", "1 01111", "FPMin"),
];

/** Advanced SIMD across lanes. */
export const SIMD_FP_ACROSS: readonly Row[] = [
  ...acrossLanes("FMAXNMV", "0 01100", "FPMaxNum"),
  ...acrossLanes("FMAXV", "0 01111", "FPMax"),
  ...acrossLanes("FMINNMV", "1 01100", "FPMinNum"),
  ...acrossLanes("FMINV", "1 01111", "FPMin"),
];
