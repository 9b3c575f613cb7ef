/**
 * The fields of PSTATE that came after Armv8.0 (Arm ARM C5.2.18): where SPSR_ELx holds them, and
 * what exceptions do to them.
 */

/** Bits of SPSR_ELx and PSTATE. */
export const PSTATE = {
  /** Bits 11:10. */
  BTYPE: 0xc00,
  SSBS: 0x1000,
  PAN: 0x40_0000,
  UAO: 0x80_0000,
  DIT: 0x100_0000,
} as const;

const FEATURES = {
  BTYPE: "FEAT_BTI",
  SSBS: "FEAT_SSBS",
  PAN: "FEAT_PAN",
  UAO: "FEAT_UAO",
  DIT: "FEAT_DIT",
} as const;

/** AHP, DN, FZ, RMode, and the AArch32 fields Stride and Len, which the reference keeps. */
const FPCR_BITS = 0x07f7_0000, FPCR_FZ16 = 1 << 19;

/** The bits of FPCR that a processor with these extensions has (Arm ARM C5.2.8). */
export function fpcrBits(features: ReadonlySet<string>): number {
  return features.has("FEAT_FP16") ? FPCR_BITS | FPCR_FZ16 : FPCR_BITS;
}

/** SCTLR_ELx.SPAN (clear: PAN is set by exceptions to EL1 and to a host) and DSSBS. */
const SCTLR_SPAN = 1n << 23n, SCTLR_DSSBS = 1n << 44n;

/** The bits that a processor with these extensions has. */
export function pstateBits(features: ReadonlySet<string>): number {
  const names = Object.keys(PSTATE) as (keyof typeof PSTATE)[];
  return names.filter((name) => features.has(FEATURES[name]))
    .reduce((bits, name) => bits | PSTATE[name], 0);
}

/**
 * The bits after an exception was taken. As on the reference DIT is cleared, too, which the manual
 * leaves as it was.
 *
 * @param old those before
 * @param bits those that there are: {@linkcode pstateBits}
 * @param sctlr SCTLR_ELx of the EL that takes it
 * @param hasEl0 that EL is EL1, or EL2 and a host
 */
export function pstateAtEntry(old: number, bits: number, sctlr: bigint, hasEl0: boolean): number {
  const span = hasEl0 && !(sctlr & SCTLR_SPAN) ? PSTATE.PAN : 0;
  const ssbs = sctlr & SCTLR_DSSBS ? PSTATE.SSBS : 0;
  return (old & PSTATE.PAN | span | ssbs) & bits;
}
