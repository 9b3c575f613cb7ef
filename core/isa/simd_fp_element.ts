import type { Ops, Value } from "./ops.ts";
import type { Row } from "./row.ts";
import {
  D,
  type Elements,
  H,
  type Kind,
  register,
  S,
  shape,
  shapeDerived,
  simdFloatRow,
} from "./simd_fp_common.ts";
import { elementAt, type IndexFields } from "./simd_operands.ts";

/** Advanced SIMD vector and scalar x indexed element, floating point (Arm ARM C4.1.96). */

/** How a type's element stands in the word. */
interface Indexed {
  readonly type: Elements;
  /** Between `01111` and `opcode`. */
  readonly bits: string;
  readonly index: IndexFields;
}

const INDEXED: readonly Indexed[] = [
  {
    type: S,
    bits: "10 L Rm:5",
    index: {
      format: ({ H, L }) => H << 1 | L,
      parse: (i) => i < 4 ? { H: i >> 1, L: i & 1 } : undefined,
    },
  },
  {
    type: D,
    bits: "11 0 Rm:5",
    index: { format: ({ H }) => H, parse: (i) => i < 2 ? { H: i } : undefined },
  },
  {
    type: H,
    bits: "00 L M Rm:4",
    index: {
      format: ({ H, L, M }) => H << 2 | L << 1 | M,
      parse: (i) => i < 8 ? { H: i >> 2, L: i >> 1 & 1, M: i & 1 } : undefined,
    },
  },
];

/** Gives the result from the element in all places of a vector. */
type Operation = (o: Ops, element: Value, shape: Value) => Value;

function byElement(
  kind: Kind,
  mnemonic: string,
  [U, opcode]: readonly [U: 0 | 1, opcode: string],
  operation: Operation,
): readonly Row[] {
  return INDEXED.map(({ type, bits, index }) => {
    const Q = type === D ? "1" : "Q";
    const first = kind === "vector" ? `0 ${Q} ${U} 01111` : `01 ${U} 11111`;
    return simdFloatRow(
      `${mnemonic.toUpperCase()} (by element)`,
      `${first} ${bits} ${opcode} H 0 Rn Rd`,
      type,
      {
        derive: {
          ...shapeDerived(type, kind),
          offset: (f) => index.format(f) << type.size,
        },
        assembly: [{
          mnemonic,
          operands: [
            register(type, kind, "Rd"),
            register(type, kind, "Rn"),
            elementAt("Rm", type.letter, index),
          ],
        }],
        execute(o) {
          const element = o.vPart(`v128.load${8 << type.size}_splat`, "Rm", "offset");
          o.setV("Rd", operation(o, element, shape(o, type, kind)));
        },
      },
    );
  });
}

function product(helper: string): Operation {
  return (o, element, shape) => o.cumulative(helper, "v128", o.v("Rn"), element, shape);
}

function accumulating(helper: string): Operation {
  return (o, element, shape) => o.cumulative(helper, "v128", o.v("Rd"), o.v("Rn"), element, shape);
}

function allRows(kind: Kind): readonly Row[] {
  return [
    ...byElement(kind, "fmla", [0, "0001"], accumulating("FPMulAdd")),
    ...byElement(kind, "fmls", [0, "0101"], accumulating("FPMulSub")),
    ...byElement(kind, "fmul", [0, "1001"], product("FPMul")),
    ...byElement(kind, "fmulx", [1, "1001"], product("FPMulX")),
  ];
}

/** Advanced SIMD scalar x indexed element. */
export const SIMD_FP_SCALAR_ELEMENT: readonly Row[] = allRows("scalar");

/** Advanced SIMD vector x indexed element. */
export const SIMD_FP_ELEMENT: readonly Row[] = allRows("vector");
