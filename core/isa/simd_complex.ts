import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row, Syntax } from "./row.ts";
import { constant, SHAPE, shapeOf, shuffle, simdRow } from "./simd_common.ts";
import { elementAt, type IndexFields, vectorAs, vectorFixed } from "./simd_operands.ts";

/**
 * Floating-point products of later extensions (Arm ARM C4.1.96): complex numbers (FEAT_FCMA), whose
 * real and imaginary parts are neighbours, and half precision accumulated in single (FEAT_FHM).
 */

// ---- FEAT_FCMA ----

const COMPLEX = { feature: "FEAT_FCMA" } as const;

/** `#90`, for a field that counts in steps. */
function rotation(first: number, step: number): Operand {
  return {
    format: ({ rot }) => `#${first + step * rot}`,
    parse(text) {
      const rot = (Number(text?.replace("#", "")) - first) / step;
      return Number.isInteger(rot) && rot >= 0 && first + step * rot < 360 ? { rot } : undefined;
    },
  };
}

/** Real and imaginary parts exchanged. */
function exchanged(o: Ops, size: number, value: Value): Value {
  return shuffle(o, value, value, (i) => i ^ 1 << size);
}

/** The real (0) or imaginary (1) part in both places. */
function twice(o: Ops, size: number, value: Value, part: number): Value {
  const bit = 1 << size;
  return shuffle(o, value, value, (i) => part ? i | bit : i & ~bit);
}

/** The signs of real parts, imaginary parts or both changed. */
function negated(o: Ops, size: number, value: Value, parts: readonly number[]): Value {
  const last = (1 << size) - 1;
  const signs = constant(
    o,
    (i) => (i & last) === last && parts.includes(i >> size & 1) ? 0x80 : 0,
  );
  return o.plain("v128.xor", value, signs);
}

function isComplex({ size, Q }: Fields): boolean {
  return size !== 0 && (size < 3 || Q !== 0);
}

const VECTORS: readonly Operand[] = ["Rd", "Rn", "Rm"].map((field) => vectorAs(field));

const ADD = simdRow("FCADD", "0 Q 1 01110 size:2 0 Rm 111 rot 01 Rn Rd", {
  ...COMPLEX,
  static: ["size", "rot"],
  when: isComplex,
  derive: SHAPE,
  assembly: [{ mnemonic: "fcadd", operands: [...VECTORS, rotation(90, 180)] }],
  execute(o, { size, rot }) {
    const rotated = negated(o, size, exchanged(o, size, o.v("Rm")), [rot]);
    o.setV("Rd", o.cumulative("FPAdd", "v128", o.v("Rn"), rotated, o.immediate("shape")));
  },
});

/** FCMLA: one part of `n` times `m` rotated. */
function setSum(o: Ops, { size, rot }: Fields, n: Value, m: Value): void {
  const isOdd = (rot & 1) !== 0;
  const factor = twice(o, size, n, rot & 1);
  const turned = isOdd ? exchanged(o, size, m) : m;
  const signs = [[], [0], [0, 1], [1]][rot];
  const other = signs.length > 0 ? negated(o, size, turned, signs) : turned;
  const shape = o.immediate("shape");
  o.setV("Rd", o.cumulative("FPMulAdd", "v128", o.v("Rd"), factor, other, shape));
}

const MULTIPLY = simdRow("FCMLA", "0 Q 1 01110 size:2 0 Rm 110 rot:2 1 Rn Rd", {
  ...COMPLEX,
  static: ["size", "rot"],
  when: isComplex,
  derive: SHAPE,
  assembly: [{ mnemonic: "fcmla", operands: [...VECTORS, rotation(0, 90)] }],
  execute: (o, statics) => setSum(o, statics, o.v("Rn"), o.v("Rm")),
});

const MULTIPLY_BY_HALVES = simdRow(
  "FCMLA (by element)",
  "0 Q 1 01111 01 L Rm:5 0 rot:2 1 H 0 Rn Rd",
  {
    ...COMPLEX,
    static: ["rot"],
    when: ({ Q, H }) => Q !== 0 || H === 0,
    derive: {
      shape: ({ Q }) => shapeOf(1, 4 << Q),
      offset: ({ H, L }) => (H << 1 | L) << 2,
    },
    assembly: [{
      mnemonic: "fcmla",
      operands: [
        vectorAs("Rd", { size: 1 }),
        vectorAs("Rn", { size: 1 }),
        elementAt("Rm", "h", {
          format: ({ H, L }) => H << 1 | L,
          parse: (i) => i < 4 ? { H: i >> 1, L: i & 1 } : undefined,
        }),
        rotation(0, 90),
      ],
    }],
    execute(o, { rot }) {
      setSum(o, { size: 1, rot }, o.v("Rn"), o.vPart("v128.load32_splat", "Rm", "offset"));
    },
  },
);

const MULTIPLY_BY_SINGLES = simdRow(
  "FCMLA (by element)",
  "0 1 1 01111 10 0 Rm:5 0 rot:2 1 H 0 Rn Rd",
  {
    ...COMPLEX,
    static: ["rot"],
    derive: { shape: () => shapeOf(2, 4), offset: ({ H }) => H << 3 },
    assembly: [{
      mnemonic: "fcmla",
      operands: [
        vectorFixed("Rd", "4s"),
        vectorFixed("Rn", "4s"),
        elementAt("Rm", "s", {
          format: ({ H }) => H,
          parse: (i) => i < 2 ? { H: i } : undefined,
        }),
        rotation(0, 90),
      ],
    }],
    execute(o, { rot }) {
      setSum(o, { size: 2, rot }, o.v("Rn"), o.vPart("v128.load64_splat", "Rm", "offset"));
    },
  },
);

// ---- FEAT_FHM ----

const HALF_INDEX: IndexFields = {
  format: ({ H, L, M }) => H << 2 | L << 1 | M,
  parse: (i) => i < 8 ? { H: i >> 2, L: i >> 1 & 1, M: i & 1 } : undefined,
};

/** Both lengths of vectors of singles from halves of the same number; `m` is the last operand. */
function longSyntaxes(mnemonic: string, m: (halves: string) => Operand): readonly Syntax[] {
  return [["2s", "2h"], ["4s", "4h"]].map(([singles, halves], Q) => ({
    mnemonic,
    operands: [vectorFixed("Rd", singles), vectorFixed("Rn", halves), m(halves)],
    set: { Q },
    when: (f: Fields) => f.Q === Q,
  }));
}

/** Rd plus products of halves that are widened first, of Rn's negated. */
function setLongSum(o: Ops, isSubtraction: boolean, Q: number, [n, m]: readonly Value[]): void {
  const count = o.c32(shapeOf(1, 2 << Q)), shape = o.c32(shapeOf(2, 2 << Q));
  const wide = (halves: Value) => o.cumulative("FPWidenHalf", "v128", halves, count);
  const product = isSubtraction ? "FPMulSub" : "FPMulAdd";
  o.setV("Rd", o.cumulative(product, "v128", o.v("Rd"), wide(n), wide(m), shape));
}

/** FMLAL, FMLSL: of the lower halves of the vectors, or the upper. */
function longRows(S: 0 | 1, upper: boolean): readonly Row[] {
  const mnemonic = `fml${"as"[S]}l${upper ? "2" : ""}`;
  const name = upper ? `FML${"AS"[S]}L2` : `FML${"AS"[S]}L`;
  const U = upper ? 1 : 0;
  const part = (o: Ops, field: string, Q: number) => {
    const vector = o.v(field);
    return upper ? shuffle(o, vector, vector, (i) => (i + (4 << Q)) % 16) : vector;
  };
  const both = { feature: "FEAT_FHM", static: ["Q"] } as const;
  return [
    simdRow(`${name} (vector)`, `0 Q ${U} 01110 ${S} 01 Rm 11 ${1 - U} 011 Rn Rd`, {
      ...both,
      assembly: longSyntaxes(mnemonic, (halves) => vectorFixed("Rm", halves)),
      execute: (o, { Q }) => setLongSum(o, S === 1, Q, [part(o, "Rn", Q), part(o, "Rm", Q)]),
    }),
    simdRow(`${name} (by element)`, `0 Q ${U} 01111 10 L M Rm:4 ${U} ${S} 00 H 0 Rn Rd`, {
      ...both,
      derive: { offset: ({ H, L, M }) => (H << 2 | L << 1 | M) << 1 },
      assembly: longSyntaxes(mnemonic, () => elementAt("Rm", "h", HALF_INDEX)),
      execute(o, { Q }) {
        const element = o.vPart("v128.load16_splat", "Rm", "offset");
        setLongSum(o, S === 1, Q, [part(o, "Rn", Q), element]);
      },
    }),
  ];
}

/** All of them. */
export const SIMD_COMPLEX: readonly Row[] = [
  ADD,
  MULTIPLY,
  MULTIPLY_BY_HALVES,
  MULTIPLY_BY_SINGLES,
  ...[false, true].flatMap((upper) => ([0, 1] as const).flatMap((S) => longRows(S, upper))),
];
