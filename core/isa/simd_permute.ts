import type { Ops, Value } from "./ops.ts";
import type { Row } from "./row.ts";
import { decimal, vector } from "./operands.ts";
import { constant, KEEP, setVector, shuffle, simdRow } from "./simd_common.ts";
import { bytes, registerList } from "./simd_operands.ts";
import { everySecond, pairsOf } from "./simd_three_same.ts";

/** Advanced SIMD permute, extract and table lookup (Arm ARM C4.1.96). */

type Permutation = (o: Ops, size: number, n: Value, m: Value) => Value;

function permuteRow(name: string, opcode: string, permute: Permutation): Row {
  return simdRow(name, `0 Q 001110 size:2 0 Rm 0 ${opcode} 10 Rn Rd`, {
    static: ["size"],
    when: ({ size, Q }) => size < 3 || Q === 1,
    derive: KEEP,
    assembly: [{
      mnemonic: name.toLowerCase(),
      operands: [vector("Rd"), vector("Rn"), vector("Rm")],
    }],
    execute: (o, { size }) => setVector(o, permute(o, size, o.v("Rn"), o.v("Rm"))),
  });
}

function unzip(odd: number): Permutation {
  return (o, size, n, m) => everySecond(o, size, odd, pairsOf(o, n, m), m);
}

/** Elements of both vectors in turn, from element `first` on. */
function interleaved(o: Ops, size: number, first: number, n: Value, m: Value): Value {
  const mask = (1 << size) - 1;
  return shuffle(o, n, m, (i) => {
    const element = i >> size;
    return (element % 2) * 16 + ((first + (element >> 1)) << size) + (i & mask);
  });
}

function zipLow(o: Ops, size: number, n: Value, m: Value): Value {
  return interleaved(o, size, 0, n, m);
}

/** Of half vectors it is the high half of what {@linkcode zipLow} gives. */
function zipHigh(o: Ops, size: number, n: Value, m: Value): Value {
  const all = interleaved(o, size, 8 >> size, n, m);
  if (size === 3) return all;
  return o.select(o.immediate("keep"), all, interleaved(o, size, 4 >> size, n, m));
}

function transpose(odd: number): Permutation {
  return (o, size, n, m) =>
    shuffle(o, n, m, (i) => (i & ~(1 << size)) + (odd << size) + ((i >> size) % 2) * 16);
}

/** The number of each byte, as EXT and TBL count them. */
function indices(o: Ops): Value {
  return constant(o, (i) => i);
}

const EXTRACT = simdRow("EXT", "0 Q 101110 00 0 Rm 0 imm4:4 0 Rn Rd", {
  when: ({ Q, imm4 }) => Q === 1 || imm4 < 8,
  derive: KEEP,
  assembly: [{
    mnemonic: "ext",
    operands: [bytes("Rd"), bytes("Rn"), bytes("Rm"), decimal("imm4")],
  }],
  execute(o) {
    const m = o.v("Rm"), first = pairsOf(o, o.v("Rn"), m);
    const from = o.plain("i8x16.add", indices(o), o.plain("i8x16.splat", o.immediate("imm4")));
    const beyond = o.plain("i8x16.sub", from, constant(o, () => 16));
    const low = o.plain("i8x16.swizzle", first, from);
    setVector(o, o.plain("v128.or", low, o.plain("i8x16.swizzle", m, beyond)));
  },
});

/** TBL and TBX: bytes by number from up to four registers; TBX keeps those beyond. */
function tableRow(name: string, op: 0 | 1): readonly Row[] {
  return [1, 2, 3, 4].map((count) => {
    const list = registerList(
      "Rn",
      count,
      () => "16b",
      (suffix) => suffix === "16b" ? {} : undefined,
    );
    const length = (count - 1).toString(2).padStart(2, "0");
    return simdRow(name, `0 Q 001110 00 0 Rm 0 ${length} ${op} 00 Rn Rd`, {
      derive: KEEP,
      assembly: [{ mnemonic: name.toLowerCase(), operands: [bytes("Rd"), list, bytes("Rm")] }],
      execute(o) {
        const which = o.v("Rm");
        const found = Array.from({ length: count }, (_, n) => {
          const rest = n === 0 ? which : o.plain("i8x16.sub", which, constant(o, () => 16 * n));
          return o.plain("i8x16.swizzle", o.v("Rn", n), rest);
        }).reduce((a, b) => o.plain("v128.or", a, b));
        if (op === 0) return setVector(o, found);
        const inside = o.plain("i8x16.lt_u", which, constant(o, () => 16 * count));
        setVector(o, o.plain("v128.bitselect", found, o.v("Rd"), inside));
      },
    });
  });
}

/** Advanced SIMD table lookup, permute, extract. */
export const SIMD_PERMUTE: readonly Row[] = [
  ...tableRow("TBL", 0),
  ...tableRow("TBX", 1),
  permuteRow("UZP1", "001", unzip(0)),
  permuteRow("TRN1", "010", transpose(0)),
  permuteRow("ZIP1", "011", zipLow),
  permuteRow("UZP2", "101", unzip(1)),
  permuteRow("TRN2", "110", transpose(1)),
  permuteRow("ZIP2", "111", zipHigh),
  EXTRACT,
];
