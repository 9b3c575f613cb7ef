import { number, SINGLE } from "./fp_common.ts";
import { scalar } from "./operands.ts";
import type { Ops, Value } from "./ops.ts";
import { type Fields, type Operand, type Row, row, type Syntax } from "./row.ts";
import {
  halfSyntaxes,
  KEEP,
  setNarrow,
  setVector,
  shapeOf,
  shuffle,
  simdRow,
} from "./simd_common.ts";
import { elementAt, vectorAs, vectorFixed } from "./simd_operands.ts";

/** Arithmetic on BFloat16 (Arm ARM C4.1.96, FEAT_BF16). */

const FEATURE = { feature: "FEAT_BF16" } as const;
const WORDS = shapeOf(2, 4);

/** Two numbers of a register, `v2.2h[1]`. */
const PAIR: Operand = {
  format: ({ Rm, H, L }) => `v${Rm}.2h[${H << 1 | L}]`,
  parse(text) {
    const match = /^v(\d|[12]\d|3[01])\.2h\[([0-3])\]$/.exec(text ?? "");
    const index = Number(match?.[2]);
    return match ? { Rm: Number(match[1]), H: index >> 1, L: index & 1 } : undefined;
  },
};

/** Both lengths of vectors; `m` is the last operand. */
function dotSyntaxes(m: (halfwords: string) => Operand): readonly Syntax[] {
  return [["2s", "4h"], ["4s", "8h"]].map(([words, halfwords], Q) => ({
    mnemonic: "bfdot",
    operands: [vectorFixed("Rd", words), vectorFixed("Rn", halfwords), m(halfwords)],
    set: { Q },
    when: (f: Fields) => f.Q === Q,
  }));
}

function dotAdd(o: Ops, sum: Value, n: Value, m: Value): Value {
  return o.cumulative("BFDotAdd", "v128", sum, n, m, o.c32(WORDS));
}

const DOT: readonly Row[] = [
  simdRow("BFDOT (vector)", "0 Q 1 01110 01 0 Rm 1 1111 1 Rn Rd", {
    ...FEATURE,
    derive: KEEP,
    assembly: dotSyntaxes((halfwords) => vectorFixed("Rm", halfwords)),
    execute: (o) => setVector(o, dotAdd(o, o.v("Rd"), o.v("Rn"), o.v("Rm"))),
  }),
  simdRow("BFDOT (by element)", "0 Q 0 01111 01 L Rm:5 1111 H 0 Rn Rd", {
    ...FEATURE,
    derive: { ...KEEP, offset: ({ H, L }) => (H << 1 | L) << 2 },
    assembly: dotSyntaxes(() => PAIR),
    execute(o) {
      const pair = o.vPart("v128.load32_splat", "Rm", "offset");
      setVector(o, dotAdd(o, o.v("Rd"), o.v("Rn"), pair));
    },
  }),
];

/** The words of a vector with these indices. */
function words(o: Ops, vector: Value, indices: readonly number[]): Value {
  return shuffle(o, vector, vector, (i) => 4 * indices[i >> 2] + (i & 3));
}

/** Rd, two rows of two singles, plus the rows of Rn (two of four numbers) times those of Rm. */
const MATRIX = simdRow("BFMMLA", "0 1 1 01110 01 0 Rm 1 1101 1 Rn Rd", {
  ...FEATURE,
  assembly: [{
    mnemonic: "bfmmla",
    operands: [vectorFixed("Rd", "4s"), vectorFixed("Rn", "8h"), vectorFixed("Rm", "8h")],
  }],
  execute(o) {
    const n = o.v("Rn"), m = o.v("Rm");
    const first = dotAdd(o, o.v("Rd"), words(o, n, [0, 0, 2, 2]), words(o, m, [0, 2, 0, 2]));
    o.setV("Rd", dotAdd(o, first, words(o, n, [1, 1, 3, 3]), words(o, m, [1, 3, 1, 3])));
  },
});

/** The even or the odd elements as singles. */
function widened(o: Ops, vector: Value, Q: number): Value {
  if (Q === 0) return o.plain("i32x4.shl", vector, o.c32(16));
  return o.plain("v128.and", vector, o.plain("i32x4.splat", o.c32(-0x1_0000)));
}

/** BFMLALB of the even elements, BFMLALT of the odd ones. */
function longSyntaxes(m: Operand): readonly Syntax[] {
  return ["bfmlalb", "bfmlalt"].map((mnemonic, Q) => ({
    mnemonic,
    operands: [vectorFixed("Rd", "4s"), vectorFixed("Rn", "8h"), m],
    set: { Q },
    when: (f: Fields) => f.Q === Q,
  }));
}

function setLong(o: Ops, Q: number, m: Value): void {
  const n = widened(o, o.v("Rn"), Q);
  o.setV("Rd", o.cumulative("FPMulAdd", "v128", o.v("Rd"), n, m, o.c32(WORDS)));
}

const ELEMENT = elementAt("Rm", "h", {
  format: ({ H, L, M }) => H << 2 | L << 1 | M,
  parse: (i) => i < 8 ? { H: i >> 2, L: i >> 1 & 1, M: i & 1 } : undefined,
});

const LONG: readonly Row[] = [
  simdRow("BFMLALB, BFMLALT (vector)", "0 Q 1 01110 11 0 Rm 1 1111 1 Rn Rd", {
    ...FEATURE,
    static: ["Q"],
    assembly: longSyntaxes(vectorFixed("Rm", "8h")),
    execute: (o, { Q }) => setLong(o, Q, widened(o, o.v("Rm"), Q)),
  }),
  simdRow("BFMLALB, BFMLALT (by element)", "0 Q 0 01111 11 L M Rm:4 1111 H 0 Rn Rd", {
    ...FEATURE,
    static: ["Q"],
    derive: { offset: ({ H, L, M }) => (H << 2 | L << 1 | M) << 1 },
    assembly: longSyntaxes(ELEMENT),
    execute(o, { Q }) {
      setLong(o, Q, widened(o, o.vPart("v128.load16_splat", "Rm", "offset"), 0));
    },
  }),
];

const CONVERT: readonly Row[] = [
  simdRow("BFCVTN, BFCVTN2", "0 Q 0 01110 10 10000 10110 10 Rn Rd", {
    ...FEATURE,
    derive: KEEP,
    assembly: halfSyntaxes("bfcvtn", [
      vectorAs("Rd", { size: 1 }),
      vectorAs("Rn", { size: 1, up: 1, full: true }),
    ]),
    execute(o) {
      setNarrow(o, o.cumulative("FPConvertBF", "v128", o.v("Rn"), o.c32(shapeOf(1, 4))));
    },
  }),
  row("BFCVT", "0 0 0 11110 01 1 000110 10000 Rn Rd", {
    ...FEATURE,
    fp: true,
    apart: true,
    assembly: [{ mnemonic: "bfcvt", operands: [scalar("Rd", "h"), scalar("Rn", "s")] }],
    execute: (o) => o.setV("Rd", o.cumulative("FPConvertBF32", "i64", number(o, "Rn", SINGLE))),
  }),
];

/** All of them. */
export const SIMD_BRAIN: readonly Row[] = [...DOT, MATRIX, ...LONG, ...CONVERT];
