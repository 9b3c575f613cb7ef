import type { Ops, Value } from "./ops.ts";
import type { Row } from "./row.ts";
import { scalar } from "./operands.ts";
import { fromHalves, KEEP, keepHalf, lowHalf, shuffle, simdRow } from "./simd_common.ts";
import { scalarAs, vectorAs, vectorFixed } from "./simd_operands.ts";

/** Advanced SIMD across lanes and scalar pairwise, integers (Arm ARM C4.1.96). */

function patternOf(U: number, opcode: string): string {
  return `0 Q ${U} 01110 size:2 11000 ${opcode} 10 Rn Rd`;
}

/** Bytes, halfwords, and words of a whole vector. */
function isAllocated({ size, Q }: Readonly<Record<string, number>>): boolean {
  return size < 2 || (size === 2 && Q === 1);
}

/** The sum of the elements of 2^size bytes, i32, or i64 for words; sums of words do not overflow. */
function sumOf(o: Ops, size: number, sign: "s" | "u"): Value {
  let sums = keepHalf(o, o.v("Rn"));
  if (size === 0) sums = o.plain(`i16x8.extadd_pairwise_i8x16_${sign}`, sums);
  if (size <= 1) sums = o.plain(`i32x4.extadd_pairwise_i16x8_${sign}`, sums);
  if (size === 2) {
    const low = o.plain(`i64x2.extend_low_i32x4_${sign}`, sums);
    sums = o.plain("i64x2.add", low, o.plain(`i64x2.extend_high_i32x4_${sign}`, sums));
  } else {
    sums = o.plain("i32x4.add", sums, shuffle(o, sums, sums, (i) => i ^ 4));
  }
  const lane = (n: number) => o.lane("i64x2.extract_lane", n, sums);
  const sum = o.add(lane(0), lane(1));
  return size === 2 ? sum : o.wrap(sum);
}

/** The low `bits` of a value. */
function lowBits(o: Ops, value: Value, bits: number): Value {
  if (bits === 64) return value;
  const word = o.wrap(value);
  return bits === 32 ? word : o.and(word, o.c32(2 ** bits - 1));
}

function sumRow(name: string, U: number, opcode: string, wider: 0 | 1): Row {
  return simdRow(name, patternOf(U, opcode), {
    static: ["size"],
    when: isAllocated,
    derive: KEEP,
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [scalarAs("Rd", wider), vectorAs("Rn")],
    }],
    execute(o, { size }) {
      o.setV("Rd", lowBits(o, sumOf(o, size, U ? "u" : "s"), (8 << size) << wider));
    },
  });
}

/** The largest or smallest element; of half a vector, of that half twice. */
function extremeRow(name: string, U: number, opcode: string): Row {
  const mnemonic = name.toLowerCase();
  return simdRow(name, patternOf(U, opcode), {
    when: isAllocated,
    derive: KEEP,
    assembly: [{ mnemonic, operands: [scalarAs("Rd"), vectorAs("Rn")] }],
    execute(o) {
      const n = o.v("Rn"), low = lowHalf(o, n);
      const high = o.lane("i64x2.extract_lane", 1, n);
      const all = fromHalves(o, low, o.select(o.immediate("keep"), high, low));
      o.setV("Rd", o.helper(mnemonic, "i64", all, o.immediate("size")));
    },
  });
}

/** Advanced SIMD scalar pairwise: ADDP. */
export const SIMD_SCALAR_PAIRWISE: readonly Row[] = [
  simdRow("ADDP (scalar)", "01 0 11110 11 11000 11011 10 Rn Rd", {
    assembly: [{ mnemonic: "addp", operands: [scalar("Rd", "d"), vectorFixed("Rn", "2d")] }],
    execute(o) {
      const half = (n: number) => o.lane("i64x2.extract_lane", n, o.v("Rn"));
      o.setV("Rd", o.add(half(0), half(1)));
    },
  }),
];

/** Advanced SIMD across lanes. */
export const SIMD_ACROSS: readonly Row[] = [
  sumRow("SADDLV", 0, "00011", 1),
  extremeRow("SMAXV", 0, "01010"),
  extremeRow("SMINV", 0, "11010"),
  sumRow("ADDV", 0, "11011", 0),
  sumRow("UADDLV", 1, "00011", 1),
  extremeRow("UMAXV", 1, "01010"),
  extremeRow("UMINV", 1, "11010"),
];
