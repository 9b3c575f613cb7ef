import { scalar, w } from "./operands.ts";
import { arithmetic, DOUBLE, number, ROUNDING, SINGLE } from "./fp_common.ts";
import { type Row, row } from "./row.ts";
import { simdRow } from "./simd_common.ts";
import { bitsOf, D, register, S, shape, shapeDerived, twoMiscPattern } from "./simd_fp_common.ts";

/**
 * Rounding of later extensions (Arm ARM C4.1.96): to integers that fit 32 or 64 bits
 * (FEAT_FRINTTS), and to a word as JavaScript does it (FEAT_JSCVT).
 */

/** By `op` of the scalar form. */
const SIZED = [[32, "z"], [32, "x"], [64, "z"], [64, "x"]] as const;

function roundingOf(letter: "x" | "z"): number {
  return letter === "x" ? ROUNDING.fpcr : ROUNDING.zero;
}

const SCALARS: readonly Row[] = SIZED.flatMap(([size, letter], op) =>
  [SINGLE, DOUBLE].map((type) => {
    const mnemonic = `frint${size}${letter}`;
    const bits = op.toString(2).padStart(2, "0");
    return row(
      `${mnemonic.toUpperCase()} (scalar)`,
      `0 0 0 11110 ${type.ptype} 1 0100 ${bits} 10000 Rn Rd`,
      {
        feature: "FEAT_FRINTTS",
        fp: true,
        apart: true,
        assembly: [{
          mnemonic,
          operands: [scalar("Rd", type.letter), scalar("Rn", type.letter)],
        }],
        execute(o) {
          const rounding = o.c32(roundingOf(letter));
          const operand = number(o, "Rn", type);
          o.setV("Rd", arithmetic(o, "FPRoundIntSized", type, operand, rounding, o.c32(size)));
        },
      },
    );
  })
);

const VECTORS: readonly Row[] = SIZED.flatMap(([size, letter]) =>
  [S, D].map((type) => {
    const mnemonic = `frint${size}${letter}`;
    const bits = bitsOf(`${letter === "x" ? 1 : 0} 0 1111${size === 64 ? 1 : 0}`);
    return simdRow(`${mnemonic.toUpperCase()} (vector)`, twoMiscPattern(type, "vector", bits), {
      feature: "FEAT_FRINTTS",
      derive: shapeDerived(type, "vector") ?? {},
      assembly: [{
        mnemonic,
        operands: ["Rd", "Rn"].map((field) => register(type, "vector", field)),
      }],
      execute(o) {
        const rounding = o.c32(roundingOf(letter));
        const operands = [o.v("Rn"), rounding, o.c32(size), shape(o, type, "vector")];
        o.setV("Rd", o.cumulative("FPRoundIntSized", "v128", ...operands));
      },
    });
  })
);

const JAVASCRIPT = row("FJCVTZS", "0 0 0 11110 01 1 11 110 000000 Rn Rd", {
  feature: "FEAT_JSCVT",
  fp: true,
  assembly: [{ mnemonic: "fjcvtzs", operands: [w("Rd"), scalar("Rn", "d")] }],
  execute(o) {
    const result = arithmetic(o, "FPToFixedJS", DOUBLE, number(o, "Rn", DOUBLE));
    o.setX("Rd", o.wrap(result));
    const isExact = o.and(o.shrU(result, o.c64(32)), o.c64(1));
    o.setFlags({ n: o.c64(0), z: o.xor(isExact, o.c64(1)), c: o.c32(0), v: o.c64(0) });
  },
});

/** All of them. */
export const FP_ROUNDING_LATER: readonly Row[] = [...VECTORS, ...SCALARS, JAVASCRIPT];
