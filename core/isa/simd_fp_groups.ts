// A table: the encoding groups of FP/SIMD data processing (Arm ARM C4.1.96), in the manual's order.
import { unsupported, type UnsupportedRow } from "./row.ts";

const LATER = "floating-point data processing is not there yet";
const HALF = "FEAT_FP16 is not in Armv8.0-A";

/** Every group, so that an instruction that is met is named. */
export const SIMD_FP_GROUPS: readonly UnsupportedRow[] = [
  unsupported(
    "Advanced SIMD scalar three same FP16",
    "01 U 11110 a 10 Rm 00 opcode:3 1 Rn Rd",
    HALF,
  ),
  unsupported(
    "Advanced SIMD scalar two-register miscellaneous FP16",
    "01 U 11110 a 111100 opcode:5 10 Rn Rd",
    HALF,
  ),
  unsupported(
    "Advanced SIMD scalar three same extra",
    "01 U 11110 size:2 0 Rm 1 opcode:4 1 Rn Rd",
    "FEAT_RDM is not in Armv8.0-A",
  ),
  unsupported(
    "Advanced SIMD scalar two-register miscellaneous",
    "01 U 11110 size:2 10000 opcode:5 10 Rn Rd",
    LATER,
  ),
  unsupported("Advanced SIMD scalar pairwise", "01 U 11110 size:2 11000 opcode:5 10 Rn Rd", LATER),
  unsupported("Advanced SIMD scalar three same", "01 U 11110 size:2 1 Rm opcode:5 1 Rn Rd", LATER),
  unsupported(
    "Advanced SIMD scalar shift by immediate",
    "01 U 111110 immh:4 immb:3 opcode:5 1 Rn Rd",
    LATER,
  ),
  unsupported(
    "Advanced SIMD scalar x indexed element",
    "01 U 11111 size:2 L M Rm:4 opcode:4 H 0 Rn Rd",
    LATER,
  ),
  unsupported("Advanced SIMD three same (FP16)", "0 Q U 01110 a 10 Rm 00 opcode:3 1 Rn Rd", HALF),
  unsupported(
    "Advanced SIMD two-register miscellaneous (FP16)",
    "0 Q U 01110 a 111100 opcode:5 10 Rn Rd",
    HALF,
  ),
  unsupported(
    "Advanced SIMD three-register extension",
    "0 Q U 01110 size:2 0 Rm 1 opcode:4 1 Rn Rd",
    "FEAT_RDM, FEAT_DotProd, FEAT_FCMA, FEAT_BF16, FEAT_I8MM are not in Armv8.0-A",
  ),
  unsupported(
    "Advanced SIMD two-register miscellaneous",
    "0 Q U 01110 size:2 10000 opcode:5 10 Rn Rd",
    LATER,
  ),
  unsupported("Advanced SIMD across lanes", "0 Q U 01110 size:2 11000 opcode:5 10 Rn Rd", LATER),
  unsupported("Advanced SIMD three same", "0 Q U 01110 size:2 1 Rm opcode:5 1 Rn Rd", LATER),
  unsupported(
    "FMOV (vector, immediate), half-precision",
    "0 Q 0 0111100000 abc:3 1111 1 1 defgh:5 Rd",
    HALF,
  ),
  unsupported(
    "Advanced SIMD shift by immediate",
    "0 Q U 011110 immh:4 immb:3 opcode:5 1 Rn Rd",
    LATER,
  ),
  unsupported(
    "Advanced SIMD vector x indexed element",
    "0 Q U 01111 size:2 L M Rm:4 opcode:4 H 0 Rn Rd",
    LATER,
  ),
  unsupported(
    "Cryptographic three-register, imm2",
    "11001110010 Rm 10 imm2:2 opcode:2 Rn Rd",
    "FEAT_SM3 is not in Armv8.0-A",
  ),
  unsupported(
    "Cryptographic three-register SHA 512",
    "11001110011 Rm 1 O 00 opcode:2 Rn Rd",
    "FEAT_SHA512, FEAT_SM3, FEAT_SHA3 are not in Armv8.0-A",
  ),
  unsupported(
    "Cryptographic four-register",
    "110011100 Op0:2 Rm 0 Ra Rn Rd",
    "FEAT_SHA3, FEAT_SM3 are not in Armv8.0-A",
  ),
  unsupported("XAR", "11001110100 Rm imm6:6 Rn Rd", "FEAT_SHA3 is not in Armv8.0-A"),
  unsupported(
    "Cryptographic two-register SHA 512",
    "11001110110000001000 opcode:2 Rn Rd",
    "FEAT_SHA512, FEAT_SM4 are not in Armv8.0-A",
  ),
  unsupported(
    "Conversion between floating-point and fixed-point",
    "sf 0 S 11110 ptype:2 0 rmode:2 opcode:3 scale:6 Rn Rd",
    LATER,
  ),
  unsupported(
    "Conversion between floating-point and integer",
    "sf 0 S 11110 ptype:2 1 rmode:2 opcode:3 000000 Rn Rd",
    LATER,
  ),
  unsupported(
    "Floating-point data-processing (1 source)",
    "M 0 S 11110 ptype:2 1 opcode:6 10000 Rn Rd",
    LATER,
  ),
  unsupported("Floating-point compare", "M 0 S 11110 ptype:2 1 Rm op:2 1000 Rn opcode2:5", LATER),
  unsupported("Floating-point immediate", "M 0 S 11110 ptype:2 1 imm8:8 100 imm5:5 Rd", LATER),
  unsupported(
    "Floating-point conditional compare",
    "M 0 S 11110 ptype:2 1 Rm cond:4 01 Rn op nzcv:4",
    LATER,
  ),
  unsupported(
    "Floating-point data-processing (2 source)",
    "M 0 S 11110 ptype:2 1 Rm opcode:4 10 Rn Rd",
    LATER,
  ),
  unsupported(
    "Floating-point conditional select",
    "M 0 S 11110 ptype:2 1 Rm cond:4 11 Rn Rd",
    LATER,
  ),
  unsupported(
    "Floating-point data-processing (3 source)",
    "M 0 S 11111 ptype:2 o1 Rm o0 Ra Rn Rd",
    LATER,
  ),
];
