import { type Row, row, type Syntax, unsupported, type UnsupportedRow } from "./row.ts";
import { element, type reg, scalar, w, x } from "./operands.ts";

/** Moves between general-purpose and FP/SIMD registers (Arm ARM C4.1.96, C7.2). */

type Register = ReturnType<typeof reg>;

/** FMOV (general): the same bits in the other register file. */
function moveGeneral(pattern: string, to: Register, from: Register, body: Row["execute"]): Row {
  const syntax: Syntax = { mnemonic: "fmov", operands: [to, from] };
  return row("FMOV (general)", `${pattern} 000000 Rn Rd`, {
    fp: true,
    assembly: [syntax],
    execute: body,
  });
}

/** FMOV (general), without the half-precision forms. */
const MOVE_GENERAL: readonly Row[] = [
  moveGeneral("0 0 0 11110 00 1 00 110", w("Rd"), scalar("Rn", "s"), (o) => {
    o.setX("Rd", o.vLow("Rn", 0));
  }),
  moveGeneral("0 0 0 11110 00 1 00 111", scalar("Rd", "s"), w("Rn"), (o) => {
    o.setV("Rd", o.x("Rn", 0));
  }),
  moveGeneral("1 0 0 11110 01 1 00 110", x("Rd"), scalar("Rn", "d"), (o) => {
    o.setX("Rd", o.vLow("Rn"));
  }),
  moveGeneral("1 0 0 11110 01 1 00 111", scalar("Rd", "d"), x("Rn"), (o) => {
    o.setV("Rd", o.x("Rn"));
  }),
  moveGeneral("1 0 0 11110 10 1 01 110", x("Rd"), element("Rn", "d", 1), (o) => {
    o.setX("Rd", o.lane("i64x2.extract_lane", 1, o.v("Rn")));
  }),
  moveGeneral("1 0 0 11110 10 1 01 111", element("Rd", "d", 1), x("Rn"), (o) => {
    o.setV("Rd", o.lane("i64x2.replace_lane", 1, o.v("Rd"), o.x("Rn")));
  }),
];

/** Rows of the FP/SIMD data-processing groups that are there. */
export const SIMD_FP_INTEGER: readonly (Row | UnsupportedRow)[] = [
  ...MOVE_GENERAL,
  unsupported(
    "FMOV (general), half-precision",
    "sf 0 0 11110 11 1 00 11 opcode 000000 Rn Rd",
    "FEAT_FP16 is not in Armv8.0-A",
  ),
];
