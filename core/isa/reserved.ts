import { unsupported, type UnsupportedRow } from "./row.ts";

/** The encoding groups of later extensions at the top level (Arm ARM C4.1). */
export const RESERVED: readonly UnsupportedRow[] = [
  unsupported("SME", "1 op0:2 0000 op1:25", "FEAT_SME is not supported"),
  unsupported("SVE", "op0:3 0010 op1:25", "FEAT_SVE is not supported"),
];
