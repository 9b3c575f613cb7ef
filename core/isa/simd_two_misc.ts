import type { Ops, Value } from "./ops.ts";
import type { Operand, Row } from "./row.ts";
import { literal, scalar } from "./operands.ts";
import {
  constant,
  HALF,
  HALF_SHAPE,
  halfSyntaxes,
  KEEP,
  LANES,
  lowHalf,
  SCALAR_SHAPE,
  setNarrow,
  setVector,
  SHAPE,
  shapeOf,
  shuffle,
  simdRow,
  widenedHalf,
  zeroVector,
} from "./simd_common.ts";
import { bytes, elementSize, scalarAs, vectorAs } from "./simd_operands.ts";
import { everySecond } from "./simd_three_same.ts";

/** Advanced SIMD two-register miscellaneous and its scalar form, integers (Arm ARM C4.1.96). */

type Sizes = readonly number[];
const BHS: Sizes = [0, 1, 2], BHSD: Sizes = [0, 1, 2, 3];
const WIDE = { up: 1, full: true } as const;

/** Gives the result; `size` is known. */
type Operation = (o: Ops, size: number, n: Value) => Value;

const ZERO = literal("#0");
const SAME: readonly Operand[] = [vectorAs("Rd"), vectorAs("Rn")];

function patternOf(bits: string, size = "size:2"): string {
  const [U, opcode] = bits.split(" ");
  return `0 Q ${U} 01110 ${size} 10000 ${opcode} 10 Rn Rd`;
}

function scalarPattern(bits: string, size = "size:2"): string {
  const [U, opcode] = bits.split(" ");
  return `01 ${U} 11110 ${size} 10000 ${opcode} 10 Rn Rd`;
}

function mnemonicOf(name: string): string {
  return name.split(" ")[0].toLowerCase();
}

/** A row whose handlers know the size. */
function bySize(
  name: string,
  bits: string,
  sizes: Sizes,
  operation: Operation,
  operands: readonly Operand[] = SAME,
): Row {
  return simdRow(name, patternOf(bits), {
    static: ["size"],
    when: ({ size, Q }) => sizes.includes(size) && (size < 3 || Q !== 0),
    derive: KEEP,
    assembly: [{ mnemonic: mnemonicOf(name), operands }],
    execute: (o, { size }) => setVector(o, operation(o, size, o.v("Rn"))),
  });
}

/** The helper's result; SUQADD and USQADD have Rd as their second operand. */
function helped(o: Ops, helper: string): Value {
  const shape = o.immediate("shape");
  switch (helper) {
    case "cls":
    case "clz":
    case "urecpe":
    case "ursqrte":
      return o.helper(helper, "v128", o.v("Rn"), shape);
    case "suqadd":
    case "usqadd":
      return o.cumulative(helper, "v128", o.v("Rn"), o.v("Rd"), shape);
    default:
      return o.cumulative(helper, "v128", o.v("Rn"), shape);
  }
}

function byHelper(name: string, bits: string, sizes: Sizes): Row {
  const helper = mnemonicOf(name);
  return simdRow(name, patternOf(bits), {
    when: ({ size, Q }) => sizes.includes(size) && (size < 3 || Q !== 0),
    derive: SHAPE,
    assembly: [{ mnemonic: helper, operands: SAME }],
    execute: (o) => o.setV("Rd", helped(o, helper)),
  });
}

/** URECPE and URSQRTE, on words alone. */
function estimate(name: string, bits: string): Row {
  const vectors = [vectorAs("Rd", { size: 2 }), vectorAs("Rn", { size: 2 })];
  return simdRow(name, patternOf(bits, "10"), {
    derive: { shape: ({ Q }) => shapeOf(2, 2 << Q) },
    assembly: [{ mnemonic: mnemonicOf(name), operands: vectors }],
    execute: (o) => o.setV("Rd", helped(o, mnemonicOf(name))),
  });
}

/** The elements of 2^size bytes reversed within containers of 2^container bytes. */
function reversed(container: number): Operation {
  return (o, size, n) => {
    const swap = ((1 << container) - 1) & ~((1 << size) - 1);
    return shuffle(o, n, n, (i) => i ^ swap);
  };
}

/** Sums of neighbours, in elements of twice the size. */
function pairSums(sign: "s" | "u"): Operation {
  return (o, size, n) => {
    const wide = LANES[size + 1];
    if (size < 2) return o.plain(`${wide}.extadd_pairwise_${LANES[size]}_${sign}`, n);
    const bits = o.c32(32);
    const low = o.plain(`i64x2.shr_${sign}`, o.plain("i64x2.shl", n, bits), bits);
    return o.plain("i64x2.add", low, o.plain(`i64x2.shr_${sign}`, n, bits));
  };
}

function accumulated(operation: Operation): Operation {
  return (o, size, n) => o.plain(`${LANES[size + 1]}.add`, o.v("Rd"), operation(o, size, n));
}

/** The bits of every byte reversed, four at a time by a table. */
function bitsReversed(o: Ops, n: Value): Value {
  const reverse = (i: number) => (i & 1) << 3 | (i & 2) << 1 | (i & 4) >> 1 | i >> 3;
  const low = o.plain("v128.and", n, constant(o, () => 15));
  const high = o.plain("i8x16.shr_u", n, o.c32(4));
  return o.plain(
    "v128.or",
    o.plain("i8x16.swizzle", constant(o, (i) => reverse(i) << 4), low),
    o.plain("i8x16.swizzle", constant(o, reverse), high),
  );
}

/** A row on bytes with fixed size bits. */
function onBytes(
  name: string,
  bits: string,
  size: string,
  mnemonics: readonly string[],
  operation: (o: Ops, n: Value) => Value,
): Row {
  return simdRow(name, patternOf(bits, size), {
    derive: KEEP,
    assembly: mnemonics.map((mnemonic, i) => ({
      mnemonic,
      operands: [bytes("Rd"), bytes("Rn")],
      when: () => i === 0,
    })),
    execute: (o) => setVector(o, operation(o, o.v("Rn"))),
  });
}

/** A comparison with zero. */
function withZero(name: string): Operation {
  return (o, size, n) => o.plain(`${LANES[size]}.${name}`, n, zeroVector(o));
}

function unary(name: string): Operation {
  return (o, size, n) => o.plain(`${LANES[size]}.${name}`, n);
}

/** XTN, XTN2: every second element of the narrow size. */
const EXTRACT_NARROW = simdRow("XTN, XTN2", patternOf("0 10010"), {
  static: ["size"],
  when: ({ size }) => size < 3,
  derive: KEEP,
  assembly: halfSyntaxes("xtn", [vectorAs("Rd"), vectorAs("Rn", WIDE)]),
  execute(o, { size }) {
    const n = o.v("Rn");
    setNarrow(o, everySecond(o, size, 0, n, n));
  },
});

/** The saturating narrowing moves, which are narrowing shifts by nothing. */
const SATURATING_NARROW: readonly (readonly [name: string, bits: string, helper: string])[] = [
  ["SQXTN", "0 10100", "sqshrn"],
  ["SQXTUN", "1 10010", "sqshrun"],
  ["UQXTN", "1 10100", "uqshrn"],
];

function narrowed(o: Ops, helper: string): Value {
  return o.cumulative(helper, "v128", o.v("Rn"), zeroVector(o), o.immediate("shape"));
}

const SATURATING_NARROW_VECTOR: readonly Row[] = SATURATING_NARROW.map(([name, bits, helper]) =>
  simdRow(`${name}, ${name}2`, patternOf(bits), {
    when: ({ size }) => size < 3,
    derive: { ...KEEP, ...HALF_SHAPE },
    assembly: halfSyntaxes(name.toLowerCase(), [vectorAs("Rd"), vectorAs("Rn", WIDE)]),
    execute: (o) => setNarrow(o, narrowed(o, helper)),
  })
);

/** `#8`, `#16` or `#32`: the element's bits. */
const ELEMENT_BITS: Operand = {
  format: (f) => `#${8 << elementSize(f)}`,
  parse: (text, _pc, { size }) => text === `#${8 << size}` ? {} : undefined,
};

const SHIFT_LEFT_LONG = simdRow("SHLL, SHLL2", patternOf("1 10011"), {
  static: ["size"],
  when: ({ size }) => size < 3,
  derive: HALF,
  assembly: halfSyntaxes("shll", [vectorAs("Rd", WIDE), vectorAs("Rn"), ELEMENT_BITS]),
  execute(o, { size }) {
    const wide = widenedHalf(o, "Rn", size, "u");
    o.setV("Rd", o.plain(`${LANES[size + 1]}.shl`, wide, o.c32(8 << size)));
  },
});

const WITH_ZERO: readonly (readonly [name: string, bits: string, comparison: string])[] = [
  ["CMGT (zero)", "0 01000", "gt_s"],
  ["CMEQ (zero)", "0 01001", "eq"],
  ["CMLT (zero)", "0 01010", "lt_s"],
  ["CMGE (zero)", "1 01000", "ge_s"],
  ["CMLE (zero)", "1 01001", "le_s"],
];

const UNARY: readonly (readonly [name: string, bits: string])[] = [
  ["ABS", "0 01011"],
  ["NEG (vector)", "1 01011"],
];

const SATURATING: readonly (readonly [name: string, bits: string])[] = [
  ["SUQADD", "0 00011"],
  ["SQABS", "0 00111"],
  ["USQADD", "1 00011"],
  ["SQNEG", "1 00111"],
];

const LONG_SUM: readonly Operand[] = [vectorAs("Rd", { up: 1 }), vectorAs("Rn")];

/** A row on scalars of 64 bits: the vector's operation. */
function scalarD(name: string, bits: string, operation: Operation, zero: boolean): Row {
  return simdRow(name, scalarPattern(bits, "11"), {
    assembly: [{
      mnemonic: mnemonicOf(name),
      operands: [scalar("Rd", "d"), scalar("Rn", "d"), ...(zero ? [ZERO] : [])],
    }],
    execute: (o) => o.setV("Rd", lowHalf(o, operation(o, 3, o.v("Rn")))),
  });
}

/** Advanced SIMD scalar two-register miscellaneous. */
export const SIMD_SCALAR_TWO_MISC: readonly Row[] = [
  ...SATURATING.map(([name, bits]) =>
    simdRow(name, scalarPattern(bits), {
      derive: SCALAR_SHAPE,
      assembly: [{ mnemonic: mnemonicOf(name), operands: [scalarAs("Rd"), scalarAs("Rn")] }],
      execute: (o) => o.setV("Rd", helped(o, mnemonicOf(name))),
    })
  ),
  ...WITH_ZERO.map(([name, bits, comparison]) => scalarD(name, bits, withZero(comparison), true)),
  ...UNARY.map(([name, bits]) => scalarD(name, bits, unary(mnemonicOf(name)), false)),
  ...SATURATING_NARROW.map(([name, bits, helper]) =>
    simdRow(`${name}, ${name}2`, scalarPattern(bits), {
      when: ({ size }) => size < 3,
      derive: SCALAR_SHAPE,
      assembly: [{
        mnemonic: name.toLowerCase(),
        operands: [scalarAs("Rd"), scalarAs("Rn", 1)],
      }],
      execute: (o) => o.setV("Rd", narrowed(o, helper)),
    })
  ),
];

/** Advanced SIMD two-register miscellaneous. */
export const SIMD_TWO_MISC: readonly Row[] = [
  bySize("REV64", "0 00000", BHS, reversed(3)),
  bySize("REV16 (vector)", "0 00001", [0], reversed(1)),
  bySize("SADDLP", "0 00010", BHS, pairSums("s"), LONG_SUM),
  byHelper("CLS (vector)", "0 00100", BHS),
  onBytes("CNT", "0 00101", "00", ["cnt"], (o, n) => o.plain("i8x16.popcnt", n)),
  bySize("SADALP", "0 00110", BHS, accumulated(pairSums("s")), LONG_SUM),
  bySize("REV32 (vector)", "1 00000", [0, 1], reversed(2)),
  bySize("UADDLP", "1 00010", BHS, pairSums("u"), LONG_SUM),
  byHelper("CLZ (vector)", "1 00100", BHS),
  onBytes("NOT", "1 00101", "00", ["mvn", "not"], (o, n) => o.plain("v128.not", n)),
  onBytes("RBIT (vector)", "1 00101", "01", ["rbit"], bitsReversed),
  bySize("UADALP", "1 00110", BHS, accumulated(pairSums("u")), LONG_SUM),
  ...SATURATING.map(([name, bits]) => byHelper(name, bits, BHSD)),
  ...WITH_ZERO.map(([name, bits, comparison]) =>
    bySize(name, bits, BHSD, withZero(comparison), [...SAME, ZERO])
  ),
  ...UNARY.map(([name, bits]) => bySize(name, bits, BHSD, unary(mnemonicOf(name)))),
  EXTRACT_NARROW,
  ...SATURATING_NARROW_VECTOR,
  SHIFT_LEFT_LONG,
  estimate("URECPE", "0 11100"),
  estimate("URSQRTE", "1 11100"),
];
