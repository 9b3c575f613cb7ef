import type { Ops, Value } from "./ops.ts";
import type { Fields, Operand, Row, Wide } from "./row.ts";
import { condition, hexadecimal, literal, scalar } from "./operands.ts";
import { floatRow, FLOATS, type FloatType, number } from "./fp_common.ts";
import { expandImmediate, floatImmediate } from "./fp_immediate.ts";

/** Floating-point compare, conditional compare, conditional select, immediate (Arm ARM C4.1.96). */

/** Sets the flags from NZCV as four bits in an i32. */
function setFlags(o: Ops, nzcv: Value): void {
  const wide = o.extendU(nzcv);
  o.setFlags({
    n: o.shl(wide, o.c64(60)),
    z: o.and(o.not(wide), o.c64(4)),
    c: o.and(o.shrU(nzcv, o.c32(1)), o.c32(1)),
    v: o.shl(wide, o.c64(63)),
  });
}

function compared(o: Ops, type: FloatType, m: Value, signalNaNs: number): Value {
  const n = number(o, "Rn", type);
  return o.cumulative(`FPCompare${type.bits}`, "i32", n, m, o.c32(signalNaNs));
}

/** FCMP and FCMPE, which signals quiet NaNs, too. */
function compareRows(name: string, E: 0 | 1, zero: 0 | 1): readonly Row[] {
  const second = zero ? "(00000)" : "Rm";
  return FLOATS.map((type) =>
    floatRow(
      name,
      `0 0 0 11110 ${type.ptype} 1 ${second} 00 1000 Rn ${E}${zero} 000`,
      type,
      "common",
      {
        assembly: [{
          mnemonic: name.toLowerCase(),
          operands: [
            scalar("Rn", type.letter),
            zero ? literal("#0.0") : scalar("Rm", type.letter),
          ],
        }],
        execute(o) {
          setFlags(o, compared(o, type, zero ? o.c64(0) : number(o, "Rm", type), E));
        },
      },
    )
  );
}

/**
 * `holds`: for each of the sixteen values of NZCV whether the condition is true, so that one
 * handler serves all conditions.
 */
function conditionTable({ cond }: Fields): number {
  let table = 0;
  for (let nzcv = 0; nzcv < 16; nzcv++) if (conditionHolds(cond, nzcv)) table |= 1 << nzcv;
  return table;
}

/** ConditionHolds() of NZCV as four bits. */
function conditionHolds(cond: number, nzcv: number): boolean {
  const n = nzcv >> 3, z = nzcv >> 2 & 1, c = nzcv >> 1 & 1, v = nzcv & 1;
  const base = [z, c, n, v, c & ~z, Number(n === v), Number(n === v) & ~z, 1][cond >> 1] === 1;
  return (cond & 1) === 1 && cond !== 15 ? !base : base;
}

/** ConditionHolds() by `holds`. */
function holds(o: Ops): Value {
  const one = (condition: Value, bit: number) => o.shl(condition, o.c32(bit));
  const nzcv = o.or(
    o.or(one(o.ltS(o.flag("n"), o.c64(0)), 3), one(o.eqz(o.flag("z")), 2)),
    o.or(one(o.flag("c"), 1), o.ltS(o.flag("v"), o.c64(0))),
  );
  return o.and(o.shrU(o.immediate("holds"), nzcv), o.c32(1));
}

function conditionalCompare(name: string, op: 0 | 1): readonly Row[] {
  return FLOATS.map((type) =>
    floatRow(
      name,
      `0 0 0 11110 ${type.ptype} 1 Rm cond:4 01 Rn ${op} nzcv:4`,
      type,
      "common",
      {
        derive: { holds: conditionTable },
        assembly: [{
          mnemonic: name.toLowerCase(),
          operands: [
            scalar("Rn", type.letter),
            scalar("Rm", type.letter),
            hexadecimal("nzcv"),
            condition("cond"),
          ],
        }],
        execute(o) {
          const flags = o.variable(o.immediate("nzcv"));
          o.when(holds(o), () => {
            o.assign(flags, compared(o, type, number(o, "Rm", type), op));
          });
          setFlags(o, flags);
        },
      },
    )
  );
}

const CONDITIONAL_SELECT: readonly Row[] = FLOATS.map((type) =>
  floatRow("FCSEL", `0 0 0 11110 ${type.ptype} 1 Rm cond:4 11 Rn Rd`, type, "common", {
    derive: { holds: conditionTable },
    assembly: [{
      mnemonic: "fcsel",
      operands: [
        ...["Rd", "Rn", "Rm"].map((field) => scalar(field, type.letter)),
        condition("cond"),
      ],
    }],
    execute(o) {
      o.setV("Rd", o.select(holds(o), number(o, "Rn", type), number(o, "Rm", type)));
    },
  })
);

const IMMEDIATE: Operand = floatImmediate(({ imm8 }) => imm8, (imm8) => ({ imm8 }));

const MOVE_IMMEDIATE: readonly Row[] = FLOATS.map((type) =>
  floatRow(
    "FMOV (scalar, immediate)",
    `0 0 0 11110 ${type.ptype} 1 imm8:8 100 00000 Rd`,
    type,
    "common",
    {
      derive: { imm: ({ imm8 }): Wide => expandImmediate(imm8, type.bits) },
      assembly: [{ mnemonic: "fmov", operands: [scalar("Rd", type.letter), IMMEDIATE] }],
      execute: (o) => o.setV("Rd", o.immediate64("imm")),
    },
  )
);

/** Floating-point compare, immediate, conditional compare, conditional select. */
export const FP_COMPARE: readonly Row[] = [
  ...compareRows("FCMP", 0, 0),
  ...compareRows("FCMP", 0, 1),
  ...compareRows("FCMPE", 1, 0),
  ...compareRows("FCMPE", 1, 1),
  ...MOVE_IMMEDIATE,
  ...conditionalCompare("FCCMP", 0),
  ...conditionalCompare("FCCMPE", 1),
  ...CONDITIONAL_SELECT,
];
