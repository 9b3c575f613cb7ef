import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row } from "./row.ts";
import { scalar } from "./operands.ts";
import {
  HALF,
  halfOf,
  halfSyntaxes,
  KEEP,
  LANES,
  setVector,
  shapeOf,
  simdRow,
} from "./simd_common.ts";
import { elementAt, type IndexFields, vectorAs } from "./simd_operands.ts";
import { product } from "./simd_three_same.ts";
import { doublingProduct } from "./simd_three_different.ts";

/**
 * Advanced SIMD vector x indexed element and its scalar form, integers (Arm ARM C4.1.96).
 *
 * Halfwords have an index of three bits and a register of four, words an index of two and a
 * register of five, so each size has rows of its own.
 */

/** What depends on the element's size. */
export interface Size {
  readonly size: 1 | 2;
  /** Between `01111` and `opcode`. */
  readonly bits: string;
  readonly letter: "h" | "s";
  readonly index: IndexFields;
}

const HALFWORD: Size = {
  size: 1,
  bits: "01 L M Rm:4",
  letter: "h",
  index: {
    format: ({ H, L, M }) => H << 2 | L << 1 | M,
    parse: (i) => i < 8 ? { H: i >> 2, L: i >> 1 & 1, M: i & 1 } : undefined,
  },
};

const WORD: Size = {
  size: 2,
  bits: "10 L Rm:5",
  letter: "s",
  index: {
    format: ({ H, L }) => H << 1 | L,
    parse: (i) => i < 4 ? { H: i >> 1, L: i & 1 } : undefined,
  },
};

/** Both sizes. */
export const SIZES: readonly Size[] = [HALFWORD, WORD];
const WIDE = { up: 1, full: true } as const;

function patternOf({ bits }: Size, U: number, opcode: string): string {
  return `0 Q ${U} 01111 ${bits} ${opcode} H 0 Rn Rd`;
}

function scalarPattern({ bits }: Size, opcode: string): string {
  return `01 0 11111 ${bits} ${opcode} H 0 Rn Rd`;
}

/** `offset`: the byte at which the element begins. */
export function offsetOf({ index, size }: Size): { offset: (f: Fields) => number } {
  return { offset: (f) => index.format(f) << size };
}

/** The element as assembly names it. */
export function elementOperand({ letter, index }: Size): Operand {
  return elementAt("Rm", letter, index);
}

/** The element in all places of a vector. */
export function broadcast(o: Ops, { size }: Size): Value {
  return o.vPart(size === 1 ? "v128.load16_splat" : "v128.load32_splat", "Rm", "offset");
}

/** MUL, MLA, MLS. */
function sameRows(name: string, U: number, opcode: string, sum?: "add" | "sub"): readonly Row[] {
  return SIZES.map((of) =>
    simdRow(`${name} (by element)`, patternOf(of, U, opcode), {
      derive: { ...KEEP, ...offsetOf(of) },
      assembly: [{
        mnemonic: name.toLowerCase(),
        operands: [vectorAs("Rd", of), vectorAs("Rn", of), elementOperand(of)],
      }],
      execute(o) {
        const { size } = of;
        const products = product(o, size, o.v("Rn"), broadcast(o, of));
        setVector(o, sum ? o.plain(`${LANES[size]}.${sum}`, o.v("Rd"), products) : products);
      },
    })
  );
}

/** SMULL, SMLAL and their like. */
function longRows(name: string, opcode: string, sum?: "add" | "sub"): readonly Row[] {
  return (["s", "u"] as const).flatMap((sign, U) =>
    SIZES.map((of) => {
      const { size } = of;
      const full = `${sign}${name}`.toUpperCase();
      const operands = [
        vectorAs("Rd", { ...WIDE, size }),
        vectorAs("Rn", { size }),
        elementOperand(of),
      ];
      return simdRow(`${full}, ${full}2 (by element)`, patternOf(of, U, opcode), {
        derive: { ...HALF, ...offsetOf(of) },
        assembly: halfSyntaxes(full.toLowerCase(), operands),
        execute(o) {
          const multiply = `${LANES[size + 1]}.extmul_low_${LANES[size]}_${sign}`;
          const products = o.plain(multiply, halfOf(o, "Rn"), broadcast(o, of));
          o.setV("Rd", sum ? o.plain(`${LANES[size + 1]}.${sum}`, o.v("Rd"), products) : products);
        },
      });
    })
  );
}

/** SQDMULH and SQRDMULH; a scalar is a shape of one element. */
function highHalfRows(name: string, opcode: string): { vector: Row[]; scalar: Row[] } {
  const helper = name.toLowerCase();
  const execute = (of: Size) => (o: Ops) =>
    o.setV(
      "Rd",
      o.cumulative(helper, "v128", o.v("Rn"), broadcast(o, of), o.immediate("shape")),
    );
  return {
    vector: SIZES.map((of) =>
      simdRow(`${name} (by element)`, patternOf(of, 0, opcode), {
        derive: {
          ...offsetOf(of),
          shape: ({ Q }) => shapeOf(of.size, (8 << Q) >> of.size),
        },
        assembly: [{
          mnemonic: helper,
          operands: [vectorAs("Rd", of), vectorAs("Rn", of), elementOperand(of)],
        }],
        execute: execute(of),
      })
    ),
    scalar: SIZES.map((of) =>
      simdRow(`${name} (by element)`, scalarPattern(of, opcode), {
        derive: { ...offsetOf(of), shape: () => shapeOf(of.size, 1) },
        assembly: [{
          mnemonic: helper,
          operands: [scalar("Rd", of.letter), scalar("Rn", of.letter), elementOperand(of)],
        }],
        execute: execute(of),
      })
    ),
  };
}

/** SQDMULL, SQDMLAL, SQDMLSL. */
function doublingRows(name: string, opcode: string): { vector: Row[]; scalar: Row[] } {
  const helper = name.toLowerCase();
  return {
    vector: SIZES.map((of) => {
      const { size } = of;
      const operands = [
        vectorAs("Rd", { ...WIDE, size }),
        vectorAs("Rn", { size }),
        elementOperand(of),
      ];
      return simdRow(`${name}, ${name}2 (by element)`, patternOf(of, 0, opcode), {
        derive: { ...HALF, ...offsetOf(of) },
        assembly: halfSyntaxes(helper, operands),
        execute(o) {
          const factors = [halfOf(o, "Rn"), broadcast(o, of)] as const;
          o.setV("Rd", doublingProduct(o, helper, factors, o.c32(shapeOf(size, 8 >> size))));
        },
      });
    }),
    scalar: SIZES.map((of) =>
      simdRow(`${name}, ${name}2 (by element)`, scalarPattern(of, opcode), {
        derive: offsetOf(of),
        assembly: [{
          mnemonic: helper,
          operands: [
            scalar("Rd", of.size === 1 ? "s" : "d"),
            scalar("Rn", of.letter),
            elementOperand(of),
          ],
        }],
        execute(o) {
          const factors = [o.v("Rn"), broadcast(o, of)] as const;
          o.setV("Rd", doublingProduct(o, helper, factors, o.c32(shapeOf(of.size, 1))));
        },
      })
    ),
  };
}

const HIGH_HALVES = [highHalfRows("SQDMULH", "1100"), highHalfRows("SQRDMULH", "1101")];
const DOUBLING = [
  doublingRows("SQDMLAL", "0011"),
  doublingRows("SQDMLSL", "0111"),
  doublingRows("SQDMULL", "1011"),
];

/** Advanced SIMD scalar x indexed element. */
export const SIMD_SCALAR_ELEMENT: readonly Row[] = [
  ...DOUBLING.flatMap((rows) => rows.scalar),
  ...HIGH_HALVES.flatMap((rows) => rows.scalar),
];

/** Advanced SIMD vector x indexed element. */
export const SIMD_ELEMENT: readonly Row[] = [
  ...sameRows("MLA", 1, "0000", "add"),
  ...longRows("MLAL", "0010", "add"),
  ...sameRows("MLS", 1, "0100", "sub"),
  ...longRows("MLSL", "0110", "sub"),
  ...sameRows("MUL", 0, "1000"),
  ...longRows("MULL", "1010"),
  ...DOUBLING.flatMap((rows) => rows.vector),
  ...HIGH_HALVES.flatMap((rows) => rows.vector),
];
