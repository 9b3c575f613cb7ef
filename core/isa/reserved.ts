import { type Row, row, unsupported, type UnsupportedRow } from "./row.ts";
import { decimal } from "./operands.ts";

/** The reserved encodings and the groups of later extensions (Arm ARM C4.1, C4.1.1). */
export const RESERVED: readonly (Row | UnsupportedRow)[] = [
  row("UDF", "0000000000000000 imm16:16", {
    ends: "exception",
    assembly: [{ mnemonic: "udf", operands: [decimal("imm16")] }],
    execute(o) {
      o.exception("undefined", o.immediate("imm16"));
    },
  }),
  unsupported("SME", "1 op0:2 0000 op1:25", "FEAT_SME is not in Armv8.0-A"),
  unsupported("SVE", "op0:3 0010 op1:25", "FEAT_SVE is not in Armv8.0-A"),
];
