// A table: branches, system instructions, loads and stores that are not supported, in the manual's order.
import { unsupported, type UnsupportedRow } from "./row.ts";

const STRUCTURES = "loads and stores of Advanced SIMD structures are not there yet";
const LRCPC3 = "FEAT_LRCPC3 is not in Armv8.0-A";
const LSE = "FEAT_LSE is not in Armv8.0-A";
const MTE = "FEAT_MTE is not in Armv8.0-A";
const PAUTH = "FEAT_PAuth is not in Armv8.0-A";
const TME = "FEAT_TME is not in Armv8.0-A";
const WFXT = "FEAT_WFxT is not in Armv8.0-A";

/** The encoding groups of C4.1.86 and C4.1.88 that have no rows, or only some. */
export const UNSUPPORTED_GROUPS: readonly UnsupportedRow[] = [
  // Branches, exception generating and system instructions.
  unsupported("BC.cond", "01010100 imm19:19 1 cond:4", "FEAT_HBC is not in Armv8.0-A"),
  unsupported("TCANCEL", "11010100 011 imm16:16 00000", TME),
  unsupported("WFET", "11010101000000110001 0000 000 Rd", WFXT),
  unsupported("WFIT", "11010101000000110001 0000 001 Rd", WFXT),
  unsupported(
    "DSB (memory nXS barrier)",
    "11010101000000110011 imm2:2 10 001 11111",
    "FEAT_XS is not in Armv8.0-A",
  ),
  unsupported("TCOMMIT", "11010101000000110011 0000 011 11111", TME),
  unsupported("SB", "11010101000000110011 (0000) 111 11111", "FEAT_SB is not in Armv8.0-A"),
  unsupported(
    "PSTATE",
    "1101010100000 op1:3 0100 CRm:4 op2:3 11111",
    "the PSTATE field is not in Armv8.0-A",
  ),
  unsupported("System instructions with result", "1101010100100 op1:3 CRn:4 CRm:4 op2:3 Rt", TME),
  unsupported(
    "System pair instructions",
    "1101010101001 op1:3 CRn:4 CRm:4 op2:3 Rt",
    "FEAT_SYSINSTR128 is not in Armv8.0-A",
  ),
  unsupported(
    "System register pair move",
    "1101010101 L 1 o0 op1:3 CRn:4 CRm:4 op2:3 Rt",
    "FEAT_SYSREG128 is not in Armv8.0-A",
  ),
  unsupported(
    "Branch and return with pointer authentication",
    "1101011 Z opc:3 11111 00001 M Rn Rm",
    PAUTH,
  ),

  // Loads and stores.
  unsupported("Compare and swap pair", "0 sz 001000 0 L 1 Rs o0 11111 Rn Rt", LSE),
  unsupported(
    "Advanced SIMD load/store multiple structures",
    "0 Q 0011000 L 000000 opcode:4 size:2 Rn Rt",
    STRUCTURES,
  ),
  unsupported(
    "Advanced SIMD load/store multiple structures (post-indexed)",
    "0 Q 0011001 L 0 Rm opcode:4 size:2 Rn Rt",
    STRUCTURES,
  ),
  unsupported(
    "Advanced SIMD load/store single structure",
    "0 Q 0011010 L R 00000 opcode:3 S size:2 Rn Rt",
    STRUCTURES,
  ),
  unsupported(
    "Advanced SIMD load/store single structure (post-indexed)",
    "0 Q 0011011 L R Rm opcode:3 S size:2 Rn Rt",
    STRUCTURES,
  ),
  unsupported("LDAP1, STL1", "0 Q 0011010 L 0 00001 100 0 01 Rn Rt", LRCPC3),
  unsupported(
    "RCW compare and swap",
    "0 S 011001 A R 1 Rs 00001 P Rn Rt",
    "FEAT_THE is not in Armv8.0-A",
  ),
  unsupported(
    "128-bit atomic memory operations",
    "0 S 011001 A R 1 Rt2 o3 opc:3 00 Rn Rt",
    "FEAT_LSE128 is not in Armv8.0-A",
  ),
  unsupported("Load/store memory tags", "11011001 opc:2 1 imm9:9 op2:2 Rn Rt", MTE),
  unsupported("LDIAPP, STILP", "1 size 011001 0 L 0 Rt2 opc2:4 10 Rn Rt", LRCPC3),
  unsupported(
    "LDAPR/STLR (unscaled immediate)",
    "size:2 011001 opc:2 0 imm9:9 00 Rn Rt",
    "FEAT_LRCPC2 is not in Armv8.0-A",
  ),
  unsupported(
    "LDAPR/STLR (SIMD&FP)",
    "size:2 011101 opc:2 0 imm9:9 10 Rn Rt",
    LRCPC3,
  ),
  unsupported(
    "Memory copy and memory set",
    "size:2 011 o0 01 op1:2 0 Rs op2:4 01 Rn Rd",
    "FEAT_MOPS is not in Armv8.0-A",
  ),
  unsupported(
    "LDLAR, STLLR",
    "size:2 001000 1 L 0 (11111) 0 (11111) Rn Rt",
    "FEAT_LOR is not in Armv8.0-A",
  ),
  unsupported("Compare and swap", "size:2 001000 1 L 1 Rs o0 11111 Rn Rt", LSE),
  unsupported("STGP (post-indexed)", "01 101 0 001 0 imm7:7 Rt2 Rn Rt", MTE),
  unsupported("STGP (offset)", "01 101 0 010 0 imm7:7 Rt2 Rn Rt", MTE),
  unsupported("STGP (pre-indexed)", "01 101 0 011 0 imm7:7 Rt2 Rn Rt", MTE),
  unsupported(
    "LDAPR",
    "size:2 111 0 00 101 (11111) 1 100 00 Rn Rt",
    "FEAT_LRCPC is not in Armv8.0-A",
  ),
  unsupported("Atomic memory operations", "size:2 111 V 00 A R 1 Rs o3 opc:3 00 Rn Rt", LSE),
  unsupported("LDRAA, LDRAB", "11 111 0 00 M S 1 imm9:9 W 1 Rn Rt", PAUTH),
];
