import { scalar } from "./operands.ts";
import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row, Syntax } from "./row.ts";
import { KEEP, SCALAR_SHAPE, setVector, SHAPE, shapeOf, shuffle, simdRow } from "./simd_common.ts";
import { broadcast, elementOperand, offsetOf, type Size, SIZES } from "./simd_element.ts";
import { scalarAs, vectorAs, vectorFixed } from "./simd_operands.ts";
import { everySecond } from "./simd_three_same.ts";

/**
 * Integer products that came with later extensions (Arm ARM C4.1.96): rounding doubling products
 * that accumulate (FEAT_RDM), products of four bytes each (FEAT_DotProd, FEAT_I8MM), and of
 * matrices of bytes (FEAT_I8MM).
 */

// ---- FEAT_RDM ----

const RDM = { feature: "FEAT_RDM" } as const;
const ROUNDING: readonly (readonly [name: string, S: 0 | 1])[] = [["SQRDMLAH", 0], ["SQRDMLSH", 1]];

function hasHalfwordsOrWords({ size }: Fields): boolean {
  return size === 1 || size === 2;
}

function setRounding(o: Ops, helper: string, m: Value, shape: Value): void {
  o.setV("Rd", o.cumulative(helper, "v128", o.v("Rn"), m, o.v("Rd"), shape));
}

const ROUNDING_ROWS: readonly Row[] = ROUNDING.flatMap(([name, S]) => {
  const mnemonic = name.toLowerCase();
  const execute = (o: Ops) => setRounding(o, mnemonic, o.v("Rm"), o.immediate("shape"));
  return [
    simdRow(`${name} (vector)`, `0 Q 1 01110 size:2 0 Rm 1000 ${S} 1 Rn Rd`, {
      ...RDM,
      when: hasHalfwordsOrWords,
      derive: SHAPE,
      assembly: [{ mnemonic, operands: ["Rd", "Rn", "Rm"].map((field) => vectorAs(field)) }],
      execute,
    }),
    simdRow(`${name} (vector)`, `01 1 11110 size:2 0 Rm 1000 ${S} 1 Rn Rd`, {
      ...RDM,
      when: hasHalfwordsOrWords,
      derive: SCALAR_SHAPE,
      assembly: [{ mnemonic, operands: ["Rd", "Rn", "Rm"].map((field) => scalarAs(field)) }],
      execute,
    }),
    ...SIZES.flatMap((of) => roundingByElement(name, S, of)),
  ];
});

function roundingByElement(name: string, S: 0 | 1, of: Size): readonly Row[] {
  const mnemonic = name.toLowerCase();
  const rest = `${of.bits} 11 ${S} 1 H 0 Rn Rd`;
  const execute = (o: Ops) => setRounding(o, mnemonic, broadcast(o, of), o.immediate("shape"));
  return [
    simdRow(`${name} (by element)`, `0 Q 1 01111 ${rest}`, {
      ...RDM,
      derive: { ...offsetOf(of), shape: ({ Q }) => shapeOf(of.size, (8 << Q) >> of.size) },
      assembly: [{
        mnemonic,
        operands: [vectorAs("Rd", of), vectorAs("Rn", of), elementOperand(of)],
      }],
      execute,
    }),
    simdRow(`${name} (by element)`, `01 1 11111 ${rest}`, {
      ...RDM,
      derive: { ...offsetOf(of), shape: () => shapeOf(of.size, 1) },
      assembly: [{
        mnemonic,
        operands: [scalar("Rd", of.letter), scalar("Rn", of.letter), elementOperand(of)],
      }],
      execute,
    }),
  ];
}

// ---- sums of four products ----

/** Which operands' bytes are signed. */
type Signs = "ss" | "uu" | "us" | "su";

/** The products of one half of the bytes, neighbours added: a vector of words. */
function pairSums(o: Ops, half: "low" | "high", n: Value, m: Value, signs: Signs): Value {
  const [signN, signM] = signs;
  if (signN === signM) {
    const products = o.plain(`i16x8.extmul_${half}_i8x16_${signN}`, n, m);
    return o.plain(`i32x4.extadd_pairwise_i16x8_${signN}`, products);
  }
  const wide = (value: Value, sign: string) => o.plain(`i16x8.extend_${half}_i8x16_${sign}`, value);
  const products = o.plain("i16x8.mul", wide(n, signN), wide(m, signM));
  return o.plain("i32x4.extadd_pairwise_i16x8_s", products);
}

function neighboursAdded(o: Ops, a: Value, b: Value): Value {
  return o.plain("i32x4.add", everySecond(o, 2, 0, a, b), everySecond(o, 2, 1, a, b));
}

/** Words: the sums of the products of four bytes each. */
function dotProduct(o: Ops, n: Value, m: Value, signs: Signs): Value {
  return neighboursAdded(o, pairSums(o, "low", n, m, signs), pairSums(o, "high", n, m, signs));
}

/** Four bytes of a register, `v2.4b[1]`. */
const GROUP: Operand = {
  format: ({ Rm, H, L }) => `v${Rm}.4b[${H << 1 | L}]`,
  parse(text) {
    const match = /^v(\d|[12]\d|3[01])\.4b\[([0-3])\]$/.exec(text ?? "");
    const index = Number(match?.[2]);
    return match ? { Rm: Number(match[1]), H: index >> 1, L: index & 1 } : undefined;
  },
};

/** Both lengths of vectors; `m` is the last operand. */
function dotSyntaxes(mnemonic: string, m: (bytes: string) => Operand): readonly Syntax[] {
  return [["2s", "8b"], ["4s", "16b"]].map(([words, bytes], Q) => ({
    mnemonic,
    operands: [vectorFixed("Rd", words), vectorFixed("Rn", bytes), m(bytes)],
    set: { Q },
    when: (f: Fields) => f.Q === Q,
  }));
}

function dotRow(
  name: string,
  bits: readonly [U: 0 | 1, opcode: string],
  feature: string,
  signs: Signs,
): Row {
  const [U, opcode] = bits;
  return simdRow(`${name} (vector)`, `0 Q ${U} 01110 10 0 Rm 1 ${opcode} 1 Rn Rd`, {
    feature,
    derive: KEEP,
    assembly: dotSyntaxes(name.toLowerCase(), (bytes) => vectorFixed("Rm", bytes)),
    execute(o) {
      const products = dotProduct(o, o.v("Rn"), o.v("Rm"), signs);
      setVector(o, o.plain("i32x4.add", o.v("Rd"), products));
    },
  });
}

function dotByElement(
  name: string,
  bits: readonly [U: 0 | 1, size: string, opcode: string],
  feature: string,
  signs: Signs,
): Row {
  const [U, size, opcode] = bits;
  return simdRow(`${name} (by element)`, `0 Q ${U} 01111 ${size} L Rm:5 ${opcode} H 0 Rn Rd`, {
    feature,
    derive: { ...KEEP, offset: ({ H, L }) => (H << 1 | L) << 2 },
    assembly: dotSyntaxes(name.toLowerCase(), () => GROUP),
    execute(o) {
      const group = o.vPart("v128.load32_splat", "Rm", "offset");
      setVector(o, o.plain("i32x4.add", o.v("Rd"), dotProduct(o, o.v("Rn"), group, signs)));
    },
  });
}

// ---- matrices ----

/** Rd, two rows of two words, plus the rows of Rn (two of eight bytes) times those of Rm. */
function matrixRow(name: string, bits: string, signs: Signs): Row {
  return simdRow(`${name} (vector)`, `0 1 ${bits[0]} 01110 10 0 Rm 1 ${bits.slice(1)} 1 Rn Rd`, {
    feature: "FEAT_I8MM",
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [
        vectorFixed("Rd", "4s"),
        vectorFixed("Rn", "16b"),
        vectorFixed("Rm", "16b"),
      ],
    }],
    execute(o) {
      const n = o.v("Rn"), m = o.v("Rm");
      const crossed = shuffle(o, m, m, (i) => i ^ 8);
      const [r00, r11] = ["low", "high"].map((half) =>
        pairSums(o, half as "low" | "high", n, m, signs)
      );
      const [r01, r10] = ["low", "high"].map((half) =>
        pairSums(o, half as "low" | "high", n, crossed, signs)
      );
      const sums = neighboursAdded(
        o,
        neighboursAdded(o, r00, r01),
        neighboursAdded(o, r10, r11),
      );
      o.setV("Rd", o.plain("i32x4.add", o.v("Rd"), sums));
    },
  });
}

/** All of them. */
export const SIMD_PRODUCTS: readonly Row[] = [
  ...ROUNDING_ROWS,
  dotRow("SDOT", [0, "0010"], "FEAT_DotProd", "ss"),
  dotRow("UDOT", [1, "0010"], "FEAT_DotProd", "uu"),
  dotRow("USDOT", [0, "0011"], "FEAT_I8MM", "us"),
  dotByElement("SDOT", [0, "10", "1110"], "FEAT_DotProd", "ss"),
  dotByElement("UDOT", [1, "10", "1110"], "FEAT_DotProd", "uu"),
  dotByElement("SUDOT", [0, "00", "1111"], "FEAT_I8MM", "su"),
  dotByElement("USDOT", [0, "10", "1111"], "FEAT_I8MM", "us"),
  matrixRow("SMMLA", "00100", "ss"),
  matrixRow("UMMLA", "10100", "uu"),
  matrixRow("USMMLA", "00101", "us"),
];
