import type { Ops, Value } from "./ops.ts";
import type { Operand, Row } from "./row.ts";
import { literal, scalar } from "./operands.ts";
import { ROUNDING } from "./fp_common.ts";
import {
  constant,
  HALF,
  halfOf,
  halfSyntaxes,
  KEEP,
  keepHalf,
  setNarrow,
  shapeOf,
  zeroVector,
} from "./simd_common.ts";
import {
  bitsOf,
  ELEMENTS,
  type Kind,
  register,
  shape,
  shapeDerived,
  simdFloatRow,
  twoMiscPattern,
} from "./simd_fp_common.ts";
import { vectorAs } from "./simd_operands.ts";

/** Advanced SIMD two-register miscellaneous and its scalar form, floating point (Arm ARM C4.1.96). */

/** Gives the result of an operand of a shape. */
type Operation = (o: Ops, n: Value, shape: Value) => Value;

const ZERO = literal("#0.0");

function twoMisc(
  kind: Kind,
  name: string,
  bits: string,
  operation: Operation,
  more: readonly Operand[] = [],
): readonly Row[] {
  return ELEMENTS.map((type) =>
    simdFloatRow(name, twoMiscPattern(type, kind, bitsOf(bits)), type, {
      derive: shapeDerived(type, kind) ?? {},
      assembly: [{
        mnemonic: name.split(" ")[0].toLowerCase(),
        operands: [register(type, kind, "Rd"), register(type, kind, "Rn"), ...more],
      }],
      execute: (o) => o.setV("Rd", operation(o, o.v("Rn"), shape(o, type, kind))),
    })
  );
}

/** What the engine's function of this name gives. */
function called(name: string, ...immediates: readonly number[]): Operation {
  return (o, n, shape) =>
    o.cumulative(name, "v128", n, ...immediates.map((value) => o.c32(value)), shape);
}

/** A comparison of the operand with zero, or of zero with it. */
function withZero(name: string, isZeroFirst: boolean): Operation {
  return (o, n, shape) => {
    const operands = isZeroFirst ? [zeroVector(o), n] : [n, zeroVector(o)];
    return o.cumulative(name, "v128", ...operands, shape);
  };
}

const WITH_ZERO: readonly (readonly [name: string, bits: string, operation: Operation])[] = [
  ["FCMGT (zero)", "0 1 01100", withZero("FPCompareGT", false)],
  ["FCMEQ (zero)", "0 1 01101", withZero("FPCompareEQ", false)],
  ["FCMLT (zero)", "0 1 01110", withZero("FPCompareGT", true)],
  ["FCMGE (zero)", "1 1 01100", withZero("FPCompareGE", false)],
  ["FCMLE (zero)", "1 1 01101", withZero("FPCompareGE", true)],
];

function toInteger(letter: string, U: 0 | 1, rest: string, rounding: number) {
  const name = `FCVT${letter}${"SU"[U]} (vector${letter === "Z" ? ", integer" : ""})`;
  return [name, `${U} ${rest}`, called("FPToFixed", 0, U, rounding)] as const;
}

function fromInteger(U: 0 | 1) {
  const name = `${"SU"[U]}CVTF (vector, integer)`;
  return [name, `${U} 0 11101`, called("FixedToFP", 0, U, ROUNDING.fpcr)] as const;
}

/** Rows that exist for vectors and, with the same bits, for scalars. */
const BOTH: readonly (readonly [name: string, bits: string, operation: Operation])[] = [
  ...([0, 1] as const).flatMap((U) => [
    toInteger("N", U, "0 11010", ROUNDING.tieEven),
    toInteger("M", U, "0 11011", ROUNDING.minusInfinity),
    toInteger("A", U, "0 11100", ROUNDING.tieAway),
    fromInteger(U),
    toInteger("P", U, "1 11010", ROUNDING.plusInfinity),
    toInteger("Z", U, "1 11011", ROUNDING.zero),
  ]),
  ["FRECPE", "0 1 11101", called("FPRecipEstimate")],
  ["FRSQRTE", "1 1 11101", called("FPRSqrtEstimate")],
];

const VECTORS: readonly (readonly [name: string, bits: string, operation: Operation])[] = [
  ["FRINTN (vector)", "0 0 11000", called("FPRoundInt", ROUNDING.tieEven, 0)],
  ["FRINTM (vector)", "0 0 11001", called("FPRoundInt", ROUNDING.minusInfinity, 0)],
  ["FRINTP (vector)", "0 1 11000", called("FPRoundInt", ROUNDING.plusInfinity, 0)],
  ["FRINTZ (vector)", "0 1 11001", called("FPRoundInt", ROUNDING.zero, 0)],
  ["FRINTA (vector)", "1 0 11000", called("FPRoundInt", ROUNDING.tieAway, 0)],
  ["FRINTX (vector)", "1 0 11001", called("FPRoundInt", ROUNDING.fpcr, 1)],
  ["FRINTI (vector)", "1 1 11001", called("FPRoundInt", ROUNDING.fpcr, 0)],
  ["FSQRT (vector)", "1 1 11111", called("FPSqrt")],
];

/** FABS and FNEG: the sign bits, the others of every element. */
function signs(name: string, bits: string, operation: "clear" | "invert"): readonly Row[] {
  return ELEMENTS.map((type) => {
    const { size } = type;
    const isTop = (i: number) => i % (1 << size) === (1 << size) - 1;
    return simdFloatRow(name, twoMiscPattern(type, "vector", bitsOf(bits)), type, {
      derive: size === 3 ? {} : KEEP,
      assembly: [{
        mnemonic: name.split(" ")[0].toLowerCase(),
        operands: [register(type, "vector", "Rd"), register(type, "vector", "Rn")],
      }],
      execute(o) {
        const mask = constant(o, (i) => isTop(i) ? 0x80 : 0);
        const name = operation === "clear" ? "v128.andnot" : "v128.xor";
        const result = o.plain(name, o.v("Rn"), mask);
        o.setV("Rd", size === 3 ? result : keepHalf(o, result));
      },
    });
  });
}

const WIDE = { up: 1, full: true } as const;

/** `size` of the narrow elements of a conversion to the next precision. */
const PRECISIONS = [1, 2] as const;

function precisionPattern(bits: string, size: 1 | 2): string {
  const { U, opcode } = bitsOf(bits);
  return `0 Q ${U} 01110 0${size - 1} 10000 ${opcode} 10 Rn Rd`;
}

/** FCVTL, FCVTL2: half of the elements to the next precision. */
const CONVERT_LONG: readonly Row[] = PRECISIONS.map((size) =>
  simdFloatRow("FCVTL, FCVTL2", precisionPattern("0 0 10111", size), {}, {
    derive: HALF,
    assembly: halfSyntaxes("fcvtl", [vectorAs("Rd", { ...WIDE, size }), vectorAs("Rn", { size })]),
    execute(o) {
      const shape = o.c32(shapeOf(size, 8 >> size));
      o.setV("Rd", o.cumulative("FPConvertLong", "v128", halfOf(o, "Rn"), shape));
    },
  })
);

/** FCVTN, FCVTN2, FCVTXN, FCVTXN2: to the precision before, with a rounding. */
function convertNarrow(name: string, bits: string, size: 1 | 2, rounding: number): Row {
  return simdFloatRow(`${name}, ${name}2`, precisionPattern(bits, size), {}, {
    derive: KEEP,
    assembly: halfSyntaxes(name.toLowerCase(), [
      vectorAs("Rd", { size }),
      vectorAs("Rn", { ...WIDE, size }),
    ]),
    execute(o) {
      const shape = o.c32(shapeOf(size, 8 >> size));
      const narrow = o.cumulative("FPConvertNarrow", "v128", o.v("Rn"), o.c32(rounding), shape);
      setNarrow(o, narrow);
    },
  });
}

const SCALAR_CONVERT_ODD = simdFloatRow(
  "FCVTXN, FCVTXN2",
  "01 1 11110 01 10000 10110 10 Rn Rd",
  {},
  {
    assembly: [{ mnemonic: "fcvtxn", operands: [scalar("Rd", "s"), scalar("Rn", "d")] }],
    execute(o) {
      o.setV("Rd", o.cumulative("FPConvert64to32", "i64", o.vLow("Rn"), o.c32(ROUNDING.odd)));
    },
  },
);

/** Advanced SIMD scalar two-register miscellaneous. */
export const SIMD_FP_SCALAR_TWO_MISC: readonly Row[] = [
  ...BOTH.flatMap(([name, bits, operation]) => twoMisc("scalar", name, bits, operation)),
  ...WITH_ZERO.flatMap(([name, bits, operation]) =>
    twoMisc("scalar", name, bits, operation, [ZERO])
  ),
  ...twoMisc("scalar", "FRECPX", "0 1 11111", called("FPRecpX")),
  SCALAR_CONVERT_ODD,
];

/** Advanced SIMD two-register miscellaneous. */
export const SIMD_FP_TWO_MISC: readonly Row[] = [
  ...PRECISIONS.map((size) => convertNarrow("FCVTN", "0 0 10110", size, ROUNDING.fpcr)),
  convertNarrow("FCVTXN", "1 0 10110", 2, ROUNDING.odd),
  ...CONVERT_LONG,
  ...BOTH.flatMap(([name, bits, operation]) => twoMisc("vector", name, bits, operation)),
  ...WITH_ZERO.flatMap(([name, bits, operation]) =>
    twoMisc("vector", name, bits, operation, [ZERO])
  ),
  ...VECTORS.flatMap(([name, bits, operation]) => twoMisc("vector", name, bits, operation)),
  ...signs("FABS (vector)", "0 1 01111", "clear"),
  ...signs("FNEG (vector)", "1 1 01111", "invert"),
];
