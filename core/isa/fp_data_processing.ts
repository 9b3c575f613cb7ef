import type { Ops, Value } from "./ops.ts";
import type { Row } from "./row.ts";
import { scalar } from "./operands.ts";
import {
  absolute,
  arithmetic,
  floatRow,
  FLOATS,
  type FloatType,
  HALF,
  negated,
  number,
  type Place,
  ROUNDING,
} from "./fp_common.ts";

/** Floating-point data-processing with one, two and three sources (Arm ARM C4.1.96). */

type Unary = (o: Ops, n: Value, type: FloatType) => Value;
type Binary = (o: Ops, n: Value, m: Value, type: FloatType) => Value;

function mnemonicOf(name: string): string {
  return name.split(" ")[0].toLowerCase();
}

function oneSource(name: string, opcode: string, place: Place, operation: Unary): readonly Row[] {
  return FLOATS.map((type) =>
    floatRow(name, `0 0 0 11110 ${type.ptype} 1 ${opcode} 10000 Rn Rd`, type, place, {
      assembly: [{
        mnemonic: mnemonicOf(name),
        operands: [scalar("Rd", type.letter), scalar("Rn", type.letter)],
      }],
      execute: (o) => o.setV("Rd", operation(o, number(o, "Rn", type), type)),
    })
  );
}

function roundToInteger(suffix: string, opcode: string, rounding: number): readonly Row[] {
  const exact = suffix === "X" ? 1 : 0;
  return oneSource(
    `FRINT${suffix} (scalar)`,
    opcode,
    "rare",
    (o, n, type) => arithmetic(o, "FPRoundInt", type, n, o.c32(rounding), o.c32(exact)),
  );
}

/** FCVT from one type to another; half precision is converted in Armv8.0-A, too. */
function convertPrecision(from: FloatType, to: FloatType): Row {
  const place = from === HALF || to === HALF ? "rare" : "common";
  const pattern = `0 0 0 11110 ${from.ptype} 1 0001 ${to.ptype} 10000 Rn Rd`;
  return floatRow("FCVT", pattern, {}, place, {
    assembly: [{
      mnemonic: "fcvt",
      operands: [scalar("Rd", to.letter), scalar("Rn", from.letter)],
    }],
    execute(o) {
      const helper = `FPConvert${from.bits}to${to.bits}`;
      o.setV("Rd", o.cumulative(helper, "i64", number(o, "Rn", from), o.c32(ROUNDING.fpcr)));
    },
  });
}

const ONE_SOURCE: readonly Row[] = [
  ...oneSource("FMOV (register)", "000000", "common", (_o, n) => n),
  ...oneSource("FABS (scalar)", "000001", "common", absolute),
  ...oneSource("FNEG (scalar)", "000010", "common", negated),
  ...oneSource(
    "FSQRT (scalar)",
    "000011",
    "common",
    (o, n, type) => arithmetic(o, "FPSqrt", type, n),
  ),
  ...FLOATS.flatMap((from) =>
    FLOATS.filter((to) => to !== from).map((to) => convertPrecision(from, to))
  ),
  ...roundToInteger("N", "001000", ROUNDING.tieEven),
  ...roundToInteger("P", "001001", ROUNDING.plusInfinity),
  ...roundToInteger("M", "001010", ROUNDING.minusInfinity),
  ...roundToInteger("Z", "001011", ROUNDING.zero),
  ...roundToInteger("A", "001100", ROUNDING.tieAway),
  ...roundToInteger("X", "001110", ROUNDING.fpcr),
  ...roundToInteger("I", "001111", ROUNDING.fpcr),
];

function twoSources(name: string, opcode: string, place: Place, operation: Binary): readonly Row[] {
  return FLOATS.map((type) =>
    floatRow(name, `0 0 0 11110 ${type.ptype} 1 Rm ${opcode} 10 Rn Rd`, type, place, {
      assembly: [{
        mnemonic: mnemonicOf(name),
        operands: ["Rd", "Rn", "Rm"].map((field) => scalar(field, type.letter)),
      }],
      execute(o) {
        o.setV("Rd", operation(o, number(o, "Rn", type), number(o, "Rm", type), type));
      },
    })
  );
}

/** The operation that the engine's function of this name does. */
function called(name: string): Binary {
  return (o, n, m, type) => arithmetic(o, name, type, n, m);
}

const TWO_SOURCES: readonly Row[] = [
  ...twoSources("FMUL (scalar)", "0000", "common", called("FPMul")),
  ...twoSources("FDIV (scalar)", "0001", "common", called("FPDiv")),
  ...twoSources("FADD (scalar)", "0010", "common", called("FPAdd")),
  ...twoSources("FSUB (scalar)", "0011", "common", called("FPSub")),
  ...twoSources("FMAX (scalar)", "0100", "rare", called("FPMax")),
  ...twoSources("FMIN (scalar)", "0101", "rare", called("FPMin")),
  ...twoSources("FMAXNM (scalar)", "0110", "rare", called("FPMaxNum")),
  ...twoSources("FMINNM (scalar)", "0111", "rare", called("FPMinNum")),
  ...twoSources(
    "FNMUL (scalar)",
    "1000",
    "common",
    (o, n, m, type) => negated(o, arithmetic(o, "FPMul", type, n, m), type),
  ),
];

/** FPMulAdd() with the addend negated (`o1`) and the first factor negated. */
function threeSources(name: string, o1: 0 | 1, o0: 0 | 1): readonly Row[] {
  return FLOATS.map((type) =>
    floatRow(
      name,
      `0 0 0 11111 ${type.ptype} ${o1} Rm ${o0} Ra Rn Rd`,
      type,
      "common",
      {
        assembly: [{
          mnemonic: name.toLowerCase(),
          operands: ["Rd", "Rn", "Rm", "Ra"].map((field) => scalar(field, type.letter)),
        }],
        execute(o) {
          const a = number(o, "Ra", type), n = number(o, "Rn", type), m = number(o, "Rm", type);
          const addend = o1 ? negated(o, a, type) : a;
          const factor = o1 !== o0 ? negated(o, n, type) : n;
          o.setV("Rd", arithmetic(o, "FPMulAdd", type, addend, factor, m));
        },
      },
    )
  );
}

const THREE_SOURCES: readonly Row[] = [
  ...threeSources("FMADD", 0, 0),
  ...threeSources("FMSUB", 0, 1),
  ...threeSources("FNMADD", 1, 0),
  ...threeSources("FNMSUB", 1, 1),
];

/** Floating-point data-processing. */
export const FP_DATA_PROCESSING: readonly Row[] = [
  ...ONE_SOURCE,
  ...TWO_SOURCES,
  ...THREE_SOURCES,
];
