import type { Ops, Value } from "./ops.ts";
import type { Row } from "./row.ts";
import {
  HALF,
  HALF_SHAPE,
  halfOf,
  halfSyntaxes,
  KEEP,
  LANES,
  SCALAR_SHAPE,
  setNarrow,
  simdRow,
  widenedHalf,
} from "./simd_common.ts";
import { scalarAs, vectorAs, vectorFixed } from "./simd_operands.ts";

/** Advanced SIMD three different and its scalar form (Arm ARM C4.1.96). */

const WIDE = { up: 1, full: true } as const;
type Sign = "s" | "u";

/** Gives the wide result; `size` is that of the narrow elements. */
type Operation = (o: Ops, size: number, sign: Sign) => Value;

function patternOf(U: number, opcode: string, size = "size:2"): string {
  return `0 Q ${U} 01110 ${size} 1 Rm ${opcode} 00 Rn Rd`;
}

/** A signed and an unsigned row; `wideFirst`: the first operand is as wide as the result. */
function longRows(
  name: string,
  opcode: string,
  operation: Operation,
  wideFirst = false,
): readonly Row[] {
  return (["s", "u"] as const).map((sign, U) => {
    const operands = [vectorAs("Rd", WIDE), vectorAs("Rn", wideFirst ? WIDE : {}), vectorAs("Rm")];
    const title = `${sign.toUpperCase()}${name}, ${sign.toUpperCase()}${name}2`;
    return simdRow(title, patternOf(U, opcode), {
      static: ["size"],
      when: ({ size }) => size < 3,
      derive: HALF,
      assembly: halfSyntaxes(`${sign}${name.toLowerCase()}`, operands),
      execute: (o, { size }) => o.setV("Rd", operation(o, size, sign)),
    });
  });
}

function longSum(what: "add" | "sub", wideFirst: boolean): Operation {
  return (o, size, sign) => {
    const n = wideFirst ? o.v("Rn") : widenedHalf(o, "Rn", size, sign);
    return o.plain(`${LANES[size + 1]}.${what}`, n, widenedHalf(o, "Rm", size, sign));
  };
}

function longDifference(o: Ops, size: number, sign: Sign): Value {
  return o.plain(`${LANES[size + 1]}.abs`, longSum("sub", false)(o, size, sign));
}

function longProduct(o: Ops, size: number, sign: Sign): Value {
  const name = `${LANES[size + 1]}.extmul_low_${LANES[size]}_${sign}`;
  return o.plain(name, halfOf(o, "Rn"), halfOf(o, "Rm"));
}

function accumulate(what: "add" | "sub", operation: Operation): Operation {
  return (o, size, sign) =>
    o.plain(`${LANES[size + 1]}.${what}`, o.v("Rd"), operation(o, size, sign));
}

/** ADDHN and its like: the high halves of wide sums. */
function narrowRow(name: string, U: number, opcode: string): Row {
  const helper = name.toLowerCase();
  return simdRow(`${name}, ${name}2`, patternOf(U, opcode), {
    when: ({ size }) => size < 3,
    derive: { ...HALF_SHAPE, ...KEEP },
    assembly: halfSyntaxes(helper, [vectorAs("Rd"), vectorAs("Rn", WIDE), vectorAs("Rm", WIDE)]),
    execute(o) {
      setNarrow(o, o.helper(helper, "v128", o.v("Rn"), o.v("Rm"), o.immediate("shape")));
    },
  });
}

const DOUBLING: readonly (readonly [name: string, opcode: string])[] = [
  ["SQDMLAL", "1001"],
  ["SQDMLSL", "1011"],
  ["SQDMULL", "1101"],
];

/** `2nm` or `Rd ± 2nm`, saturated: a helper's work. */
export function doublingProduct(
  o: Ops,
  helper: string,
  [n, m]: readonly [Value, Value],
  shape: Value,
): Value {
  const accumulator = helper === "sqdmull" ? [] : [o.v("Rd")];
  return o.cumulative(helper, "v128", n, m, ...accumulator, shape);
}

const DOUBLING_VECTOR: readonly Row[] = DOUBLING.map(([name, opcode]) => {
  const helper = name.toLowerCase();
  return simdRow(`${name}, ${name}2 (vector)`, patternOf(0, opcode), {
    when: ({ size }) => size === 1 || size === 2,
    derive: { ...HALF, ...HALF_SHAPE },
    assembly: halfSyntaxes(helper, [vectorAs("Rd", WIDE), vectorAs("Rn"), vectorAs("Rm")]),
    execute(o) {
      const operands = [halfOf(o, "Rn"), halfOf(o, "Rm")] as const;
      o.setV("Rd", doublingProduct(o, helper, operands, o.immediate("shape")));
    },
  });
});

const POLYNOMIAL: readonly Row[] = [
  simdRow("PMULL, PMULL2", patternOf(0, "1110", "00"), {
    derive: { ...HALF, shape: () => 8 << 2 },
    assembly: halfSyntaxes("pmull", [
      vectorFixed("Rd", "8h"),
      vectorAs("Rn", { size: 0 }),
      vectorAs("Rm", { size: 0 }),
    ]),
    execute(o) {
      const shape = o.immediate("shape");
      o.setV("Rd", o.helper("pmull", "v128", halfOf(o, "Rn"), halfOf(o, "Rm"), shape));
    },
  }),
  simdRow("PMULL, PMULL2", patternOf(0, "1110", "11"), {
    derive: HALF,
    assembly: halfSyntaxes("pmull", [
      vectorFixed("Rd", "1q"),
      vectorAs("Rn", { size: 3 }),
      vectorAs("Rm", { size: 3 }),
    ]),
    execute(o) {
      const half = (field: string) => o.vPart("i64.load", field, "half");
      o.setV("Rd", o.helper("pmull64", "v128", half("Rn"), half("Rm")));
    },
  }),
];

/** Advanced SIMD scalar three different. */
export const SIMD_SCALAR_THREE_DIFFERENT: readonly Row[] = DOUBLING.map(([name, opcode]) => {
  const helper = name.toLowerCase();
  return simdRow(`${name}, ${name}2 (vector)`, `01 0 11110 size:2 1 Rm ${opcode} 00 Rn Rd`, {
    when: ({ size }) => size === 1 || size === 2,
    derive: SCALAR_SHAPE,
    assembly: [{
      mnemonic: helper,
      operands: [scalarAs("Rd", 1), scalarAs("Rn"), scalarAs("Rm")],
    }],
    execute(o) {
      const shape = o.immediate("shape");
      o.setV("Rd", doublingProduct(o, helper, [o.v("Rn"), o.v("Rm")], shape));
    },
  });
});

/** Advanced SIMD three different. */
export const SIMD_THREE_DIFFERENT: readonly Row[] = [
  ...longRows("ADDL", "0000", longSum("add", false)),
  ...longRows("ADDW", "0001", longSum("add", true), true),
  ...longRows("SUBL", "0010", longSum("sub", false)),
  ...longRows("SUBW", "0011", longSum("sub", true), true),
  narrowRow("ADDHN", 0, "0100"),
  narrowRow("RADDHN", 1, "0100"),
  ...longRows("ABAL", "0101", accumulate("add", longDifference)),
  narrowRow("SUBHN", 0, "0110"),
  narrowRow("RSUBHN", 1, "0110"),
  ...longRows("ABDL", "0111", longDifference),
  ...longRows("MLAL", "1000", accumulate("add", longProduct)),
  ...longRows("MLSL", "1010", accumulate("sub", longProduct)),
  ...longRows("MULL", "1100", longProduct),
  ...DOUBLING_VECTOR,
  ...POLYNOMIAL,
];
