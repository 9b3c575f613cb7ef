import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row } from "./row.ts";
import { element, parseInteger, reg, scalar, w, x } from "./operands.ts";
import {
  arithmetic,
  DOUBLE,
  floatRow,
  FLOATS,
  type FloatType,
  HALF,
  number,
  type Place,
  ROUNDING,
  SINGLE,
} from "./fp_common.ts";

/** Conversion between floating-point and fixed-point or integer, FMOV (general) (Arm ARM C4.1.96). */

const SIGNS = [["S", 0], ["U", 1]] as const;

/** FPToFixed() into a general-purpose register. */
function setFixed(o: Ops, type: FloatType, how: {
  sf: number;
  fbits: Value;
  unsigned: number;
  rounding: number;
}): void {
  const result = arithmetic(
    o,
    "FPToFixed",
    type,
    number(o, "Rn", type),
    how.fbits,
    o.c32(how.unsigned),
    o.c32(how.rounding),
    o.c32(how.sf ? 64 : 32),
  );
  o.setX("Rd", how.sf ? result : o.wrap(result));
}

/** FixedToFP() of a general-purpose register. */
function setFloat(o: Ops, type: FloatType, how: {
  sf: number;
  fbits: Value;
  unsigned: number;
}): void {
  const operand = o.extendU(o.x("Rn", how.sf));
  const rest = [o.c32(how.unsigned), o.c32(ROUNDING.fpcr), o.c32(how.sf ? 64 : 32)];
  // The conversion's type is its result's.
  o.setV("Rd", o.cumulative(`FixedToFP${type.bits}`, "i64", operand, how.fbits, ...rest));
}

// ---- fixed-point ----

function fbitsOf({ scale }: Fields): number {
  return 64 - scale;
}

const FBITS: Operand = {
  format: (f) => `#${fbitsOf(f)}`,
  parse(text, _pc, { sf }) {
    const value = Number(parseInteger(text) ?? 0n);
    return value >= 1 && value <= (sf ? 64 : 32) ? { scale: 64 - value } : undefined;
  },
};

/** `scale` says at most as many bits of fraction as the register has. */
function fixedAllocated({ sf, scale }: Fields): boolean {
  return sf === 1 || scale >= 32;
}

function fixedRows(unsigned: 0 | 1, toFloat: boolean): readonly Row[] {
  const mnemonic = toFloat ? `${"su"[unsigned]}cvtf` : `fcvtz${"su"[unsigned]}`;
  const name = `${mnemonic.toUpperCase()} (scalar, fixed-point)`;
  const opcode = toFloat ? `00 01${unsigned}` : `11 00${unsigned}`;
  return FLOATS.map((type) => {
    const float = (field: string) => scalar(field, type.letter);
    const operands = toFloat ? [float("Rd"), reg("Rn"), FBITS] : [reg("Rd"), float("Rn"), FBITS];
    return floatRow(
      name,
      `sf 0 0 11110 ${type.ptype} 0 ${opcode} scale:6 Rn Rd`,
      type,
      "rare",
      {
        static: ["sf"],
        when: fixedAllocated,
        derive: { fbits: fbitsOf },
        assembly: [{ mnemonic, operands }],
        execute(o, { sf }) {
          const fbits = o.immediate("fbits");
          if (toFloat) setFloat(o, type, { sf, fbits, unsigned });
          else setFixed(o, type, { sf, fbits, unsigned, rounding: ROUNDING.zero });
        },
      },
    );
  });
}

// ---- integer ----

function integerRows(
  mnemonic: string,
  opcode: string,
  place: Place,
  operands: (type: FloatType) => readonly Operand[],
  body: (o: Ops, type: FloatType, sf: number) => void,
): readonly Row[] {
  // These exist for fixed-point, too.
  const isBoth = /^(fcvtz|[su]cvtf)/.test(mnemonic);
  const name = `${mnemonic.toUpperCase()} (scalar${isBoth ? ", integer" : ""})`;
  return FLOATS.map((type) =>
    floatRow(name, `sf 0 0 11110 ${type.ptype} 1 ${opcode} 000000 Rn Rd`, type, place, {
      static: ["sf"],
      assembly: [{ mnemonic, operands: operands(type) }],
      execute: (o, { sf }) => body(o, type, sf),
    })
  );
}

/** FCVTNS and its like: `rmode` and the rounding that it stands for. */
function toInteger(letter: string, rmode: string, rounding: number): readonly Row[] {
  return SIGNS.flatMap(([sign, unsigned]) =>
    integerRows(
      `fcvt${letter}${sign}`.toLowerCase(),
      `${rmode}${unsigned}`,
      letter === "Z" ? "common" : "rare",
      ({ letter }) => [reg("Rd"), scalar("Rn", letter)],
      (o, type, sf) => setFixed(o, type, { sf, fbits: o.c32(0), unsigned, rounding }),
    )
  );
}

function fromInteger(): readonly Row[] {
  return SIGNS.flatMap(([sign, unsigned]) =>
    integerRows(
      `${sign}cvtf`.toLowerCase(),
      `00 01${unsigned}`,
      "common",
      ({ letter }) => [scalar("Rd", letter), reg("Rn")],
      (o, type, sf) => setFloat(o, type, { sf, fbits: o.c32(0), unsigned }),
    )
  );
}

// ---- FMOV (general): the same bits in the other register file ----

function moveGeneral(
  type: Pick<FloatType, "feature">,
  bits: string,
  [to, from]: readonly [Operand, Operand],
  execute: Row["execute"],
): Row {
  return floatRow("FMOV (general)", `${bits} 000000 Rn Rd`, type, "common", {
    assembly: [{ mnemonic: "fmov", operands: [to, from] }],
    execute,
  });
}

/** Both directions between a scalar and a register of as many bits, or more. */
function movesOf(type: FloatType, sf: 0 | 1): readonly Row[] {
  const bits = `${sf} 0 0 11110 ${type.ptype} 1 00 11`;
  const register = sf ? x : w;
  const short = type === HALF;
  return [
    moveGeneral(type, `${bits}0`, [register("Rd"), scalar("Rn", type.letter)], (o) => {
      o.setX("Rd", sf || short ? number(o, "Rn", type) : o.vLow("Rn", 0));
    }),
    moveGeneral(type, `${bits}1`, [scalar("Rd", type.letter), register("Rn")], (o) => {
      const value = o.x("Rn", sf);
      o.setV("Rd", short ? o.and(value, o.like(value, 0xffff)) : value);
    }),
  ];
}

const MOVE_GENERAL: readonly Row[] = [
  ...movesOf(SINGLE, 0),
  ...movesOf(DOUBLE, 1),
  moveGeneral({}, "1 0 0 11110 10 1 01 110", [x("Rd"), element("Rn", "d", 1)], (o) => {
    o.setX("Rd", o.lane("i64x2.extract_lane", 1, o.v("Rn")));
  }),
  moveGeneral({}, "1 0 0 11110 10 1 01 111", [element("Rd", "d", 1), x("Rn")], (o) => {
    o.setV("Rd", o.lane("i64x2.replace_lane", 1, o.v("Rd"), o.x("Rn")));
  }),
  ...movesOf(HALF, 0),
  ...movesOf(HALF, 1),
];

/** Conversion between floating-point and fixed-point, and integer. */
export const FP_CONVERSION: readonly Row[] = [
  ...fixedRows(0, true),
  ...fixedRows(1, true),
  ...fixedRows(0, false),
  ...fixedRows(1, false),
  ...toInteger("N", "00 00", ROUNDING.tieEven),
  ...fromInteger(),
  ...toInteger("A", "00 10", ROUNDING.tieAway),
  ...MOVE_GENERAL,
  ...toInteger("P", "01 00", ROUNDING.plusInfinity),
  ...toInteger("M", "10 00", ROUNDING.minusInfinity),
  ...toInteger("Z", "11 00", ROUNDING.zero),
];
