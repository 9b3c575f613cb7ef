// A table: FP/SIMD data processing that came after Armv8.0-A (Arm ARM C4.1.96).
import { unsupported, type UnsupportedRow } from "./row.ts";

function absent(features: string): string {
  return `${features} ${features.includes(",") ? "are" : "is"} not in Armv8.0-A`;
}

const VECTOR: readonly UnsupportedRow[] = [
  unsupported(
    "Advanced SIMD scalar three same extra",
    "01 U 11110 size:2 0 Rm 1 opcode:4 1 Rn Rd",
    absent("FEAT_RDM"),
  ),
  unsupported(
    "Advanced SIMD three-register extension",
    "0 Q U 01110 size:2 0 Rm 1 opcode:4 1 Rn Rd",
    absent("FEAT_RDM, FEAT_DotProd, FEAT_FCMA, FEAT_BF16, FEAT_I8MM"),
  ),
  unsupported(
    "FRINT32Z, FRINT32X, FRINT64Z, FRINT64X (vector)",
    "0 Q U 01110 0 sz 10000 1111 op 10 Rn Rd",
    absent("FEAT_FRINTTS"),
  ),
  unsupported("BFCVTN, BFCVTN2", "0 Q 0 01110 10 10000 10110 10 Rn Rd", absent("FEAT_BF16")),
  unsupported("FMLAL, FMLSL (vector)", "0 Q 0 01110 S sz 1 Rm 11101 1 Rn Rd", absent("FEAT_FHM")),
  unsupported("FMLAL2, FMLSL2 (vector)", "0 Q 1 01110 S sz 1 Rm 11001 1 Rn Rd", absent("FEAT_FHM")),
];

const BY_ELEMENT: readonly UnsupportedRow[] = [
  unsupported(
    "FMLAL, FMLSL (by element)",
    "0 Q 0 01111 10 L M Rm:4 0 S 00 H 0 Rn Rd",
    absent("FEAT_FHM"),
  ),
  unsupported(
    "FMLAL2, FMLSL2 (by element)",
    "0 Q 1 01111 10 L M Rm:4 1 S 00 H 0 Rn Rd",
    absent("FEAT_FHM"),
  ),
  ...["0 Q", "01"].flatMap((first) =>
    ["01", "10"].map((size) =>
      unsupported(
        "SQRDMLAH, SQRDMLSH (by element)",
        `${first} 1 ${first === "01" ? "11111" : "01111"} ${size} L M Rm:4 11 S 1 H 0 Rn Rd`,
        absent("FEAT_RDM"),
      )
    )
  ),
  unsupported(
    "SDOT, UDOT (by element)",
    "0 Q U 01111 10 L M Rm:4 1110 H 0 Rn Rd",
    absent("FEAT_DotProd"),
  ),
  ...["01", "10"].map((size) =>
    unsupported(
      "FCMLA (by element)",
      `0 Q 1 01111 ${size} L M Rm:4 0 rot:2 1 H 0 Rn Rd`,
      absent("FEAT_FCMA"),
    )
  ),
  unsupported(
    "SUDOT, USDOT, BFDOT, BFMLAL (by element)",
    "0 Q 0 01111 size:2 L M Rm:4 1111 H 0 Rn Rd",
    absent("FEAT_I8MM, FEAT_BF16"),
  ),
];

const CRYPTOGRAPHIC: readonly UnsupportedRow[] = [
  unsupported(
    "Cryptographic three-register, imm2",
    "11001110010 Rm 10 imm2:2 opcode:2 Rn Rd",
    absent("FEAT_SM3"),
  ),
  unsupported(
    "Cryptographic three-register SHA 512",
    "11001110011 Rm 1 O 00 opcode:2 Rn Rd",
    absent("FEAT_SHA512, FEAT_SM3, FEAT_SHA3"),
  ),
  unsupported(
    "Cryptographic four-register",
    "110011100 Op0:2 Rm 0 Ra Rn Rd",
    absent("FEAT_SHA3, FEAT_SM3"),
  ),
  unsupported("XAR", "11001110100 Rm imm6:6 Rn Rd", absent("FEAT_SHA3")),
  unsupported(
    "Cryptographic two-register SHA 512",
    "11001110110000001000 opcode:2 Rn Rd",
    absent("FEAT_SHA512, FEAT_SM4"),
  ),
];

const SCALAR: readonly UnsupportedRow[] = [
  unsupported("FJCVTZS", "0 0 0 11110 01 1 11 110 000000 Rn Rd", absent("FEAT_JSCVT")),
  unsupported(
    "FRINT32Z, FRINT32X, FRINT64Z, FRINT64X (scalar)",
    "0 0 0 11110 0 sz 1 0100 op:2 10000 Rn Rd",
    absent("FEAT_FRINTTS"),
  ),
  unsupported("BFCVT", "0 0 0 11110 01 1 000110 10000 Rn Rd", absent("FEAT_BF16")),
];

/** All of them, in the manual's order. */
export const SIMD_FP_GROUPS: readonly UnsupportedRow[] = [
  ...VECTOR,
  ...BY_ELEMENT,
  ...CRYPTOGRAPHIC,
  ...SCALAR,
];
