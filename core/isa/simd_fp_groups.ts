// A table: FP/SIMD data processing that came after Armv8.0-A and is not supported (Arm ARM C4.1.96).
import { unsupported, type UnsupportedRow } from "./row.ts";

/** All of them, in the manual's order. */
export const SIMD_FP_GROUPS: readonly UnsupportedRow[] = [
  ...["0 Q 0 01110 S 11 Rm 111011 Rn Rd", "0 Q 1 01110 S 11 Rm 110011 Rn Rd"].map((pattern) =>
    unsupported("FMLAL, FMLSL (vector) with sz set", pattern, "sz is reserved")
  ),
];
