import { decimal, w, x } from "./operands.ts";
import type { Flag, Ops, Value } from "./ops.ts";
import { type Row, row } from "./row.ts";

/** Instructions on the condition flags of Armv8.4 and 8.5 (FEAT_FlagM, FEAT_FlagM2). */

const FLAGS = ["n", "z", "c", "v"] as const;

/** A flag as an i32 of 0 or 1. */
function truth(o: Ops, flag: Flag): Value {
  if (flag === "c") return o.flag("c");
  return flag === "z" ? o.eqz(o.flag("z")) : o.ltS(o.flag(flag), o.c64(0));
}

/** Sets flags from i32 values of 0 or 1. */
function setTruths(o: Ops, values: Readonly<Record<Flag, Value>>): void {
  const sign = (value: Value) => o.shl(o.extendU(value), o.c64(63));
  const { n, z, c, v } = values;
  o.setFlags({ n: sign(n), z: o.extendU(o.eqz(z)), c, v: sign(v) });
}

/** CFINV and its like, which have no operands. */
function withoutOperands(name: string, op2: string, feature: string, execute: (o: Ops) => void) {
  return row(name, `1101010100000 000 0100 0000 ${op2} 11111`, {
    feature,
    assembly: [{ mnemonic: name.toLowerCase(), operands: [] }],
    execute,
  });
}

const INVERT = withoutOperands("CFINV", "000", "FEAT_FlagM", (o) => {
  o.setFlags({ c: o.xor(o.flag("c"), o.c32(1)) });
});

const FROM_EXTERNAL = withoutOperands("XAFLAG", "001", "FEAT_FlagM2", (o) => {
  const z = truth(o, "z"), c = truth(o, "c"), notC = o.eqz(c);
  setTruths(o, { n: o.and(notC, o.eqz(z)), z: o.and(z, c), c: o.or(c, z), v: o.and(notC, z) });
});

const TO_EXTERNAL = withoutOperands("AXFLAG", "010", "FEAT_FlagM2", (o) => {
  const z = truth(o, "z"), c = truth(o, "c"), v = truth(o, "v"), zero = o.c32(0);
  setTruths(o, { n: zero, z: o.or(z, v), c: o.and(c, o.eqz(v)), v: zero });
});

const ROTATE = row("RMIF", "101 11010000 imm6:6 00001 Rn 0 mask:4", {
  feature: "FEAT_FlagM",
  assembly: [{ mnemonic: "rmif", operands: [x("Rn"), decimal("imm6"), decimal("mask")] }],
  execute(o) {
    const rotated = o.wrap(o.rotr(o.x("Rn"), o.extendU(o.immediate("imm6"))));
    const chosen = FLAGS.map((flag, i) => {
      const at = (value: Value) => o.and(o.shrU(value, o.c32(3 - i)), o.c32(1));
      return [flag, o.select(at(o.immediate("mask")), at(rotated), truth(o, flag))] as const;
    });
    setTruths(o, Object.fromEntries(chosen) as Record<Flag, Value>);
  },
});

/** SETF8 and SETF16: N, Z and V as if the low bits had been computed in 32 bits. */
function setOfLength(bits: 8 | 16): Row {
  const name = `SETF${bits}`;
  return row(name, `001 11010000 000000 ${bits === 8 ? 0 : 1} 0010 Rn 01101`, {
    feature: "FEAT_FlagM",
    assembly: [{ mnemonic: name.toLowerCase(), operands: [w("Rn")] }],
    execute(o) {
      const value = o.x("Rn");
      const n = o.shl(value, o.c64(64 - bits)), above = o.shl(value, o.c64(63 - bits));
      o.setFlags({ n, z: n, v: o.xor(n, above) });
    },
  });
}

/** All of them. */
export const FLAG_MANIPULATION: readonly Row[] = [
  INVERT,
  FROM_EXTERNAL,
  TO_EXTERNAL,
  ROTATE,
  setOfLength(8),
  setOfLength(16),
];
