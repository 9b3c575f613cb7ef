// A table: encodings beside the FP/SIMD data processing that exist and are not supported.
import { unsupported, type UnsupportedRow } from "./row.ts";

function absent(feature: string): string {
  return `${feature} ${feature.includes(",") ? "are" : "is"} not supported`;
}

/** Branches, exception generation and system instructions of later extensions (C4.1.93). */
const BRANCHES_SYSTEM_LATER: readonly UnsupportedRow[] = [
  unsupported("BC.cond", "01010100 imm19:19 1 cond:4", absent("FEAT_HBC")),
  unsupported("TCANCEL", "11010100 011 imm16:16 00000", absent("FEAT_TME")),
  unsupported("WFET, WFIT", "11010101000000110001 CRm:4 op2:3 Rt", absent("FEAT_WFxT")),
  unsupported(
    "Barriers of later extensions",
    "11010101000000110011 CRm:4 op2:3 11111",
    absent("FEAT_XS, FEAT_TME"),
  ),
  unsupported(
    "PSTATE fields of later extensions",
    "1101010100000 op1:3 0100 CRm:4 op2:3 11111",
    absent("FEAT_MTE, FEAT_NMI, FEAT_SME"),
  ),
  unsupported("TSTART, TTEST", "1101010100100 op1:3 CRn:4 CRm:4 op2:3 Rt", absent("FEAT_TME")),
  unsupported("SYSP", "1101010101001 op1:3 CRn:4 CRm:4 op2:3 Rt", absent("FEAT_SYSINSTR128")),
  unsupported(
    "MSRR, MRRS",
    "1101010101 L 1 o0 op1:3 CRn:4 CRm:4 op2:3 Rt",
    absent("FEAT_SYSREG128"),
  ),
];

/** Loads and stores of later extensions (C4.1.94). */
const LOADS_STORES_LATER: readonly UnsupportedRow[] = [
  unsupported("STL1", "0 Q 0011010 0 0 00001 10000 1 Rn Rt", absent("FEAT_LRCPC3")),
  unsupported("LDAP1", "0 Q 0011010 1 0 00001 10000 1 Rn Rt", absent("FEAT_LRCPC3")),
  unsupported("RCW compare and swap", "0 S 011001 A R 1 Rs 00001 P Rn Rt", absent("FEAT_THE")),
  unsupported(
    "128-bit atomic memory operations",
    "0 S 011001 A R 1 Rt2 o3 opc:3 00 Rn Rt",
    absent("FEAT_LSE128, FEAT_THE"),
  ),
  unsupported("Tags of memory", "11011001 opc:2 1 imm9:9 op2:2 Rn Rt", absent("FEAT_MTE")),
  unsupported("LDIAPP, STILP", "1 size 011001 0 L 0 Rt2 opc2:4 10 Rn Rt", absent("FEAT_LRCPC3")),
  unsupported(
    "LDAPR, STLR (SIMD&FP)",
    "size:2 011101 opc:2 0 imm9:9 10 Rn Rt",
    absent("FEAT_LRCPC3"),
  ),
  unsupported(
    "Memory copy and memory set",
    "size:2 011 o0 01 op1:2 0 Rs op2:4 01 Rn Rd",
    absent("FEAT_MOPS"),
  ),
  ...["001", "010", "011"].map((index) =>
    unsupported("STGP", `01 1010 ${index} 0 simm7:7 Rt2 Rn Rt`, absent("FEAT_MTE"))
  ),
  unsupported(
    "Atomic memory operations",
    "size:2 111000 A R 1 Rs o3 opc:3 00 Rn Rt",
    absent("FEAT_LS64"),
  ),
];

/** Data processing of later extensions (C4.1.92, C4.1.95). */
const DATA_PROCESSING_LATER: readonly UnsupportedRow[] = [
  unsupported(
    "Minimum and maximum (immediate)",
    "sf 0 0 1000111 opc:4 imm8:8 Rn Rd",
    absent("FEAT_CSSC"),
  ),
  unsupported(
    "Minimum and maximum (register)",
    "sf 0 0 11010110 Rm 0110 opc:2 Rn Rd",
    absent("FEAT_CSSC"),
  ),
  unsupported("CTZ, CNT", "sf 1 0 11010110 00000 00011 op Rn Rd", absent("FEAT_CSSC")),
  unsupported("ABS", "sf 1 0 11010110 00000 001000 Rn Rd", absent("FEAT_CSSC")),
];

/** All of them, in the manual's order. */
export const LATER_EXTENSIONS: readonly UnsupportedRow[] = [
  ...DATA_PROCESSING_LATER,
  ...BRANCHES_SYSTEM_LATER,
  ...LOADS_STORES_LATER,
];
