import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row } from "./row.ts";
import { scalar, vector } from "./operands.ts";
import {
  constant,
  KEEP,
  LANES,
  lowHalf,
  SCALAR_SHAPE,
  setVector,
  SHAPE,
  shuffle,
  simdRow,
  zeroVector,
} from "./simd_common.ts";
import { bytes, scalarAs } from "./simd_operands.ts";

/** Advanced SIMD three same and its scalar form, integers (Arm ARM C4.1.96). */

type Sizes = readonly number[];
const BHS: Sizes = [0, 1, 2], BHSD: Sizes = [0, 1, 2, 3], HS: Sizes = [1, 2];

const OPERANDS: readonly Operand[] = [vector("Rd"), vector("Rn"), vector("Rm")];

/** Gives the result from two operands; `size` is known. */
type Operation = (o: Ops, size: number, n: Value, m: Value) => Value;

/** A row whose handlers know the size. */
function bySize(
  name: string,
  bits: string,
  sizes: Sizes,
  operation: Operation,
): Row {
  const [U, opcode] = bits.split(" ");
  return simdRow(name, `0 Q ${U} 01110 size:2 1 Rm ${opcode} 1 Rn Rd`, {
    static: ["size"],
    when: ({ size, Q }) => sizes.includes(size) && (size < 3 || Q !== 0),
    derive: KEEP,
    assembly: [{ mnemonic: mnemonicOf(name), operands: OPERANDS }],
    execute: (o, { size }) => setVector(o, operation(o, size, o.v("Rn"), o.v("Rm"))),
  });
}

function mnemonicOf(name: string): string {
  return name.split(" ")[0].toLowerCase();
}

/** A row whose work a helper of this name does; with `saturating` it sets FPSR.QC. */
function byHelper(
  name: string,
  bits: string,
  sizes: Sizes,
  kind: "saturating" | "plain",
): Row {
  const [U, opcode] = bits.split(" ");
  const helper = mnemonicOf(name);
  return simdRow(name, `0 Q ${U} 01110 size:2 1 Rm ${opcode} 1 Rn Rd`, {
    when: ({ size, Q }) => sizes.includes(size) && (size < 3 || Q !== 0),
    derive: SHAPE,
    assembly: [{ mnemonic: helper, operands: OPERANDS }],
    execute: (o) => o.setV("Rd", helped(o, helper, kind)),
  });
}

/** The same on scalars. */
function scalarByHelper(
  name: string,
  bits: string,
  sizes: Sizes,
  kind: "saturating" | "plain",
): Row {
  const [U, opcode] = bits.split(" ");
  const helper = mnemonicOf(name);
  return simdRow(name, `01 ${U} 11110 size:2 1 Rm ${opcode} 1 Rn Rd`, {
    when: ({ size }) => sizes.includes(size),
    derive: SCALAR_SHAPE,
    assembly: [{
      mnemonic: helper,
      operands: [scalarAs("Rd"), scalarAs("Rn"), scalarAs("Rm")],
    }],
    execute: (o) => o.setV("Rd", helped(o, helper, kind)),
  });
}

function helped(o: Ops, helper: string, kind: "saturating" | "plain"): Value {
  const operands = [o.v("Rn"), o.v("Rm"), o.immediate("shape")];
  return kind === "saturating"
    ? o.cumulative(helper, "v128", ...operands)
    : o.helper(helper, "v128", ...operands);
}

/** A row on scalars of 64 bits: the vector's operation. */
function scalarD(name: string, bits: string, operation: Operation): Row {
  const [U, opcode] = bits.split(" ");
  return simdRow(name, `01 ${U} 11110 11 1 Rm ${opcode} 1 Rn Rd`, {
    assembly: [{
      mnemonic: mnemonicOf(name),
      operands: [scalar("Rd", "d"), scalar("Rn", "d"), scalar("Rm", "d")],
    }],
    execute: (o) => o.setV("Rd", lowHalf(o, operation(o, 3, o.v("Rn"), o.v("Rm")))),
  });
}

/** The operation of a WebAssembly instruction on every shape. */
function plain(name: string): Operation {
  return (o, size, n, m) => o.plain(`${LANES[size]}.${name}`, n, m);
}

/** A comparison of unsigned elements, which WebAssembly does not have for 64 bits. */
function unsignedComparison(name: "gt" | "ge"): Operation {
  return (o, size, n, m) => {
    if (size < 3) return o.plain(`${LANES[size]}.${name}_u`, n, m);
    const sign = constant(o, (i) => i % 8 === 7 ? 0x80 : 0);
    return o.plain(`i64x2.${name}_s`, o.plain("v128.xor", n, sign), o.plain("v128.xor", m, sign));
  };
}

function test(o: Ops, size: number, n: Value, m: Value): Value {
  return o.plain(`${LANES[size]}.ne`, o.plain("v128.and", n, m), zeroVector(o));
}

/** The low halves of the products; bytes are multiplied as the two halves of 16 bits. */
export function product(o: Ops, size: number, n: Value, m: Value): Value {
  if (size > 0) return o.plain(`${LANES[size]}.mul`, n, m);
  const eight = o.c32(8);
  const even = o.plain(
    "v128.and",
    o.plain("i16x8.mul", n, m),
    constant(o, (i) => i % 2 ? 0 : 255),
  );
  const odd = o.plain(
    "i16x8.mul",
    o.plain("i16x8.shr_u", n, eight),
    o.plain("i16x8.shr_u", m, eight),
  );
  return o.plain("v128.or", even, o.plain("i16x8.shl", odd, eight));
}

function absoluteDifference(sign: "s" | "u"): Operation {
  return (o, size, n, m) => {
    const shape = LANES[size];
    const most = o.plain(`${shape}.max_${sign}`, n, m);
    return o.plain(`${shape}.sub`, most, o.plain(`${shape}.min_${sign}`, n, m));
  };
}

function accumulate(how: "add" | "sub", operation: Operation): Operation {
  return (o, size, n, m) => o.plain(`${LANES[size]}.${how}`, o.v("Rd"), operation(o, size, n, m));
}

/** Every second element of two vectors, from the first (0) or second (1) on. */
export function everySecond(o: Ops, size: number, odd: number, n: Value, m: Value): Value {
  const mask = (1 << size) - 1;
  return shuffle(o, n, m, (i) => (((i >> size) * 2 + odd) << size) + (i & mask));
}

/** `n`, or the low halves of both where only those count: then all pairs are in it. */
export function pairsOf(o: Ops, n: Value, m: Value): Value {
  const halves = shuffle(o, n, m, (i) => i < 8 ? i : i + 8);
  return o.select(o.immediate("keep"), n, halves);
}

function pairwise(operation: Operation): Operation {
  return (o, size, n, m) => {
    const first = pairsOf(o, n, m);
    const even = everySecond(o, size, 0, first, m), odd = everySecond(o, size, 1, first, m);
    return operation(o, size, even, odd);
  };
}

/** A logical instruction, whose bits 23:22 belong to the opcode. */
function logical(
  name: string,
  bits: string,
  operation: (o: Ops, n: Value, m: Value) => Value,
): Row {
  const [U, size] = bits.split(" ");
  const operands = [bytes("Rd"), bytes("Rn"), bytes("Rm")];
  const move = {
    mnemonic: "mov",
    operands: [bytes("Rd"), sameTwice(bytes("Rn"))],
    when: (f: Fields) => f.Rn === f.Rm,
  };
  return simdRow(name, `0 Q ${U} 01110 ${size} 1 Rm 00011 1 Rn Rd`, {
    derive: KEEP,
    assembly: [
      ...(name.startsWith("ORR") ? [move] : []),
      { mnemonic: mnemonicOf(name), operands },
    ],
    execute: (o) => setVector(o, operation(o, o.v("Rn"), o.v("Rm"))),
  });
}

/** An operand in Rn that stands for Rm, too. */
function sameTwice(operand: Operand): Operand {
  return {
    format: operand.format,
    parse(text, pc, fields) {
      const found = operand.parse(text, pc, fields);
      return found && { ...found, Rm: found.Rn };
    },
  };
}

const LOGICAL: readonly Row[] = [
  logical("AND (vector)", "0 00", (o, n, m) => o.plain("v128.and", n, m)),
  logical("BIC (vector, register)", "0 01", (o, n, m) => o.plain("v128.andnot", n, m)),
  logical("ORR (vector, register)", "0 10", (o, n, m) => o.plain("v128.or", n, m)),
  logical("ORN (vector)", "0 11", (o, n, m) => o.plain("v128.or", n, o.plain("v128.not", m))),
  logical("EOR (vector)", "1 00", (o, n, m) => o.plain("v128.xor", n, m)),
  logical("BSL", "1 01", (o, n, m) => o.plain("v128.bitselect", n, m, o.v("Rd"))),
  logical("BIT", "1 10", (o, n, m) => o.plain("v128.bitselect", n, o.v("Rd"), m)),
  logical("BIF", "1 11", (o, n, m) => o.plain("v128.bitselect", o.v("Rd"), n, m)),
];

/** Rows that exist for vectors and, with the same bits, for scalars of all their sizes. */
const SATURATING: readonly (readonly [name: string, bits: string, sizes: Sizes])[] = [
  ["SQADD", "0 00001", BHSD],
  ["SQSUB", "0 00101", BHSD],
  ["SQSHL (register)", "0 01001", BHSD],
  ["SQRSHL", "0 01011", BHSD],
  ["SQDMULH (vector)", "0 10110", HS],
  ["UQADD", "1 00001", BHSD],
  ["UQSUB", "1 00101", BHSD],
  ["UQSHL (register)", "1 01001", BHSD],
  ["UQRSHL", "1 01011", BHSD],
  ["SQRDMULH (vector)", "1 10110", HS],
];

const SHIFTS: readonly (readonly [name: string, bits: string])[] = [
  ["SSHL", "0 01000"],
  ["SRSHL", "0 01010"],
  ["USHL", "1 01000"],
  ["URSHL", "1 01010"],
];

/** Rows that exist for vectors and, with the same bits, for scalars of 64 bits. */
const COMPARISONS_AND_SUMS: readonly (readonly [string, string, Operation])[] = [
  ["CMGT (register)", "0 00110", plain("gt_s")],
  ["CMGE (register)", "0 00111", plain("ge_s")],
  ["ADD (vector)", "0 10000", plain("add")],
  ["CMTST", "0 10001", test],
  ["CMHI (register)", "1 00110", unsignedComparison("gt")],
  ["CMHS (register)", "1 00111", unsignedComparison("ge")],
  ["SUB (vector)", "1 10000", plain("sub")],
  ["CMEQ (register)", "1 10001", plain("eq")],
];

/** Advanced SIMD scalar three same. */
export const SIMD_SCALAR_THREE_SAME: readonly Row[] = [
  ...SATURATING.map(([name, bits, sizes]) => scalarByHelper(name, bits, sizes, "saturating")),
  ...SHIFTS.map(([name, bits]) => scalarByHelper(name, bits, [3], "plain")),
  ...COMPARISONS_AND_SUMS.map(([name, bits, operation]) => scalarD(name, bits, operation)),
];

/** Advanced SIMD three same. */
export const SIMD_THREE_SAME: readonly Row[] = [
  ...LOGICAL,
  ...SATURATING.map(([name, bits, sizes]) => byHelper(name, bits, sizes, "saturating")),
  ...SHIFTS.map(([name, bits]) => byHelper(name, bits, BHSD, "plain")),
  ...COMPARISONS_AND_SUMS.map(([name, bits, operation]) => bySize(name, bits, BHSD, operation)),
  byHelper("SHADD", "0 00000", BHS, "plain"),
  byHelper("SRHADD", "0 00010", BHS, "plain"),
  byHelper("SHSUB", "0 00100", BHS, "plain"),
  bySize("SMAX", "0 01100", BHS, plain("max_s")),
  bySize("SMIN", "0 01101", BHS, plain("min_s")),
  bySize("SABD", "0 01110", BHS, absoluteDifference("s")),
  bySize("SABA", "0 01111", BHS, accumulate("add", absoluteDifference("s"))),
  bySize("MLA (vector)", "0 10010", BHS, accumulate("add", product)),
  bySize("MUL (vector)", "0 10011", BHS, product),
  bySize("SMAXP", "0 10100", BHS, pairwise(plain("max_s"))),
  bySize("SMINP", "0 10101", BHS, pairwise(plain("min_s"))),
  bySize("ADDP (vector)", "0 10111", BHSD, pairwise(plain("add"))),
  byHelper("UHADD", "1 00000", BHS, "plain"),
  byHelper("URHADD", "1 00010", BHS, "plain"),
  byHelper("UHSUB", "1 00100", BHS, "plain"),
  bySize("UMAX", "1 01100", BHS, plain("max_u")),
  bySize("UMIN", "1 01101", BHS, plain("min_u")),
  bySize("UABD", "1 01110", BHS, absoluteDifference("u")),
  bySize("UABA", "1 01111", BHS, accumulate("add", absoluteDifference("u"))),
  bySize("MLS (vector)", "1 10010", BHS, accumulate("sub", product)),
  byHelper("PMUL", "1 10011", [0], "plain"),
  bySize("UMAXP", "1 10100", BHS, pairwise(plain("max_u"))),
  bySize("UMINP", "1 10101", BHS, pairwise(plain("min_u"))),
];
