import { type CpuState, SLOT } from "./state.ts";
import { slotOf } from "./system/sysregs.ts";

/**
 * Which exception levels and Security states there are, and what the registers that rule them say
 * at this moment (Arm ARM D1.1, D1.3.6).
 *
 * Machines without EL2 and EL3 never reach the questions below: {@linkcode ExceptionLevels.el2} and
 * `el3` are false, and every answer is the one for a Non-secure EL1.
 */

/** The levels above EL1 that a processor has. */
export interface ExceptionLevels {
  readonly el2: boolean;
  readonly el3: boolean;
}

/** EL0 and EL1 only. */
export const ONLY_EL1: ExceptionLevels = { el2: false, el3: false };

/** SCR_EL3 (D17.2.117). */
export const SCR = {
  NS: 1n,
  IRQ: 2n,
  FIQ: 4n,
  EA: 8n,
  SMD: 0x80n,
  HCE: 0x100n,
  SIF: 0x200n,
  RW: 0x400n,
  ST: 0x800n,
  TWI: 0x1000n,
  TWE: 0x2000n,
  TLOR: 0x4000n,
  TERR: 0x8000n,
  APK: 0x1_0000n,
  API: 0x2_0000n,
  EASE: 0x8_0000n,
  NMEA: 0x10_0000n,
  ENSCXT: 0x200_0000n,
  HXEN: 1n << 38n,
} as const;

/** HCR_EL2 (D17.2.48). */
export const HCR = {
  VM: 1n,
  SWIO: 2n,
  PTW: 4n,
  FMO: 8n,
  IMO: 0x10n,
  AMO: 0x20n,
  VF: 0x40n,
  VI: 0x80n,
  VSE: 0x100n,
  FB: 0x200n,
  DC: 0x1000n,
  TWI: 0x2000n,
  TWE: 0x4000n,
  TID0: 0x8000n,
  TID1: 0x1_0000n,
  TID2: 0x2_0000n,
  TID3: 0x4_0000n,
  TSC: 0x8_0000n,
  TIDCP: 0x10_0000n,
  TACR: 0x20_0000n,
  TSW: 0x40_0000n,
  TPC: 0x80_0000n,
  TPU: 0x100_0000n,
  TTLB: 0x200_0000n,
  TVM: 0x400_0000n,
  TGE: 0x800_0000n,
  TDZ: 0x1000_0000n,
  HCD: 0x2000_0000n,
  TRVM: 0x4000_0000n,
  RW: 0x8000_0000n,
  E2H: 1n << 34n,
  TLOR: 1n << 35n,
  TERR: 1n << 36n,
  TEA: 1n << 37n,
  APK: 1n << 40n,
  API: 1n << 41n,
  FWB: 1n << 46n,
  ENSCXT: 1n << 53n,
} as const;

/** Fields that have no effect while TGE is set (D17.2.48). */
const IGNORED_WITH_TGE = HCR.SWIO | HCR.PTW | HCR.VF | HCR.VI | HCR.VSE | HCR.FB | HCR.TID1 |
  HCR.TID3 | HCR.TSC | HCR.TACR | HCR.TSW | HCR.TTLB | HCR.TVM | HCR.HCD | HCR.TRVM | HCR.TLOR;
const ROUTING = HCR.FMO | HCR.IMO | HCR.AMO;
/** And with E2H and TGE: there is no guest. As on the reference, interrupts go to EL2 because of TGE. */
const IGNORED_IN_HOST = ROUTING | HCR.VM | HCR.DC | HCR.TWI | HCR.TWE | HCR.TID0 | HCR.TID2 |
  HCR.TPC | HCR.TPU | HCR.TDZ | HCR.ENSCXT;

const SCR_EL3 = slotOf("SCR_EL3"), HCR_EL2 = slotOf("HCR_EL2");

/** The highest exception level. */
export function highestLevel({ el2, el3 }: ExceptionLevels): 1 | 2 | 3 {
  return el3 ? 3 : el2 ? 2 : 1;
}

/** SCR_EL3; without EL3 the value that stands for a Non-secure processor. */
export function scrOf(state: CpuState, { el3 }: ExceptionLevels): bigint {
  return el3 ? state.get64(SCR_EL3) : SCR.NS | SCR.RW | SCR.HCE;
}

/** Whether EL1 and EL0 are Secure now. */
export function isSecureBelowEl3(state: CpuState, levels: ExceptionLevels): boolean {
  return levels.el3 && (state.get64(SCR_EL3) & SCR.NS) === 0n;
}

/** IsSecure(): whether the code being executed is. */
export function isSecure(state: CpuState, levels: ExceptionLevels): boolean {
  return levels.el3 && (state.get32(SLOT.el) === 3 || isSecureBelowEl3(state, levels));
}

/** EL2Enabled(): there is an EL2 in the current Security state. Secure EL2 is later than Armv8.0. */
export function isEl2Enabled(state: CpuState, levels: ExceptionLevels): boolean {
  return levels.el2 && !isSecureBelowEl3(state, levels);
}

/** HCR_EL2 as it takes effect in the current Security state: 0 where EL2 is not enabled. */
export function effectiveHcr(state: CpuState, levels: ExceptionLevels): bigint {
  if (!isEl2Enabled(state, levels)) return 0n;
  const hcr = state.get64(HCR_EL2);
  if (!(hcr & HCR.TGE)) return hcr;
  return (hcr & HCR.E2H ? hcr & ~IGNORED_IN_HOST : hcr | ROUTING) & ~IGNORED_WITH_TGE;
}

/** ELIsInHost(): an EL2 with HCR_EL2.E2H, and with TGE its EL0 (FEAT_VHE). */
export function isInHost(state: CpuState, levels: ExceptionLevels, el: number): boolean {
  if (!levels.el2 || (el !== 2 && el !== 0)) return false;
  const hcr = effectiveHcr(state, levels);
  return (hcr & HCR.E2H) !== 0n && (el === 2 || (hcr & HCR.TGE) !== 0n);
}

/** S1TranslationRegime(): the EL whose SCTLR_ELx, TCR_ELx and TTBRn_ELx rule an EL. */
export function regimeLevel(state: CpuState, levels: ExceptionLevels, el: number): 1 | 2 | 3 {
  if (el === 0) return isInHost(state, levels, 0) ? 2 : 1;
  return el === 2 || el === 3 ? el : 1;
}

/** Whether `el` (at least 1) executes AArch64 (SCR_EL3.RW and HCR_EL2.RW). */
export function usesAArch64(state: CpuState, levels: ExceptionLevels, el: number): boolean {
  if (el === 3 || el === highestLevel(levels)) return true;
  if (levels.el3 && !(state.get64(SCR_EL3) & SCR.RW)) return false;
  if (el === 2 || !isEl2Enabled(state, levels)) return true;
  return (state.get64(HCR_EL2) & HCR.RW) !== 0n;
}

/** The EL that an exception of EL1 goes to: EL1, the current EL if higher, EL2 from EL0 with TGE. */
export function defaultTarget(state: CpuState, levels: ExceptionLevels): number {
  const { el } = state;
  if (el > 1) return el;
  return effectiveHcr(state, levels) & HCR.TGE ? 2 : 1;
}

/**
 * What the reference's boot loader sets up where the guest starts below the highest level, as Linux
 * expects it: Non-secure, AArch64, HVC allowed.
 */
export function admitLowerLevel(state: CpuState, levels: ExceptionLevels, bootLevel: number): void {
  if (bootLevel === highestLevel(levels) || !levels.el3) return;
  const { NS, RW, HCE } = SCR;
  state.set64(SCR_EL3, state.get64(SCR_EL3) | NS | RW | (levels.el2 ? HCE : 0n));
  if (levels.el2) state.set64(HCR_EL2, HCR.RW);
}
