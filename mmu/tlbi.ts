/**
 * The operand of TLBI by address or ASID (Arm ARM C5.5): bits 63:48 ASID, bits 43:0 VA[55:12].
 */

/** A decoded TLBI operand. */
export interface TlbiOperand {
  /** Cut to the bits that an ASID has. */
  asid: number;
  /** Canonical address, bits 63:32: bits 63:56 equal bit 55. */
  vaHi: number;
  /** Bits 31:0, of which 11:0 are zero. */
  vaLo: number;
}

/**
 * Decodes the Xt operand of TLBI VAE1, VALE1, VAAE1, VAALE1 and ASIDE1.
 *
 * @param xt the 64-bit operand
 * @param asidMask bits that an ASID has in the current regime
 */
export function decodeTlbiOperand(xt: bigint, asidMask: number): TlbiOperand {
  const va = BigInt.asUintN(64, BigInt.asIntN(44, xt) << 12n);
  return {
    asid: Number(xt >> 48n & 0xffffn) & asidMask,
    vaHi: Number(va >> 32n),
    vaLo: Number(va & 0xffff_ffffn),
  };
}
