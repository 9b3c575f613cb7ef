// A table: FP/SIMD data processing that came after Armv8.0-A and is not supported (Arm ARM C4.1.96).
import { unsupported, type UnsupportedRow } from "./row.ts";

const ABSENT = "FEAT_BF16 is not supported";

/** All of them, in the manual's order. */
export const SIMD_FP_GROUPS: readonly UnsupportedRow[] = [
  unsupported("BFDOT (vector)", "0 Q 1 01110 01 0 Rm 1 1111 1 Rn Rd", ABSENT),
  unsupported("BFMMLA", "0 1 1 01110 01 0 Rm 1 1101 1 Rn Rd", ABSENT),
  unsupported("BFMLALB, BFMLALT (vector)", "0 Q 1 01110 11 0 Rm 1 1111 1 Rn Rd", ABSENT),
  ...["0 Q 0 01110 S 11 Rm 111011 Rn Rd", "0 Q 1 01110 S 11 Rm 110011 Rn Rd"].map((pattern) =>
    unsupported("FMLAL, FMLSL (vector) with sz set", pattern, "sz is reserved")
  ),
  unsupported("BFCVTN, BFCVTN2", "0 Q 0 01110 10 10000 10110 10 Rn Rd", ABSENT),
  unsupported("BFDOT (by element)", "0 Q 0 01111 01 L Rm:5 1111 H 0 Rn Rd", ABSENT),
  unsupported("BFMLALB, BFMLALT (by element)", "0 Q 0 01111 11 L Rm:5 1111 H 0 Rn Rd", ABSENT),
  unsupported("BFCVT", "0 0 0 11110 01 1 000110 10000 Rn Rd", ABSENT),
];
