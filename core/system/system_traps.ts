/**
 * What EL2 and EL3 trap of the system registers and instructions of lower levels: the bits of
 * HCR_EL2, CPTR_ELx, MDCR_ELx, CNTHCTL_EL2 and SCR_EL3 (Arm ARM D1.9, D17.2).
 *
 * Traps by HSTR_EL2 are of AArch32 only. HCR_EL2.TIDCP is heeded where the machine is strict: the
 * reference ignores it.
 */

import {
  effectiveHcr,
  HCR,
  isEl2Enabled,
  isInHost,
  isSecureBelowEl3,
  SCR,
  scrOf,
} from "../privilege.ts";
import type { SystemContext } from "./system_context.ts";
import { slotOf } from "./sysregs.ts";

/** Registers and instructions that one bit traps. */
export type TrapGroup =
  | "virtual-memory"
  | "auxiliary-control"
  | "id1"
  | "id2"
  | "id3"
  | "cpacr"
  | "cptr-el2"
  | "debug"
  | "debug-rom"
  | "os-lock"
  | "monitors"
  | "physical-counter"
  | "physical-timer"
  | "secure-timer"
  | "set-way"
  | "cache-coherency"
  | "cache-unification"
  | "tlb"
  | "zero-block"
  | "implementation"
  | "keys"
  | "regions"
  | "errors"
  | "context-number"
  | "controls";

/** MDCR_EL2 and MDCR_EL3 bits. */
const MDCR = { TPM: 0x40n, TDE: 0x100n, TDA: 0x200n, TDOSA: 0x400n, TDRA: 0x800n } as const;
const CPTR_TCPAC = 1n << 31n, CPTR_TFP = 1 << 10;
/** CNTHCTL_EL2: EL1PCTEN and EL1PCEN, and where they are with HCR_EL2.E2H. */
const CNTHCTL = { counter: 1n, timer: 2n } as const;
const HOST_CNTHCTL = { counter: 0x400n, timer: 0x800n } as const;

const CPACR_EL1 = slotOf("CPACR_EL1");
const CPTR_EL2 = slotOf("CPTR_EL2"), CPTR_EL3 = slotOf("CPTR_EL3");
const MDCR_EL2 = slotOf("MDCR_EL2"), MDCR_EL3 = slotOf("MDCR_EL3");
const HCR_EL2 = slotOf("HCR_EL2");
const CNTHCTL_EL2 = slotOf("CNTHCTL_EL2");
const SCTLR_EL1 = slotOf("SCTLR_EL1"), SCTLR_EL2 = slotOf("SCTLR_EL2");
const SCTLR_DZE = 1n << 14n, SCTLR_TSCXT = 1n << 20n;

const GROUPS: readonly [TrapGroup, RegExp][] = [
  [
    "virtual-memory",
    /^(SCTLR|TTBR0|TTBR1|TCR|ESR|FAR|AFSR0|AFSR1|MAIR|AMAIR|CONTEXTIDR)_EL1$/,
  ],
  ["auxiliary-control", /^ACTLR_EL1$/],
  ["id1", /^(REVIDR|AIDR)_EL1$/],
  ["id2", /^(CTR_EL0|CCSIDR_EL1|CLIDR_EL1|CSSELR_EL1)$/],
  ["id3", /^(ID_\w+_EL1|MVFR\d_EL1|S3_0_C0_C[1-7]_\d)$/],
  ["cpacr", /^CPACR_EL12?$/],
  ["cptr-el2", /^CPTR_EL2$/],
  ["debug", /^(DBGVCR32_EL2|DBG[BW][VC]R\d+_EL1|MDSCR_EL1|MDCCINT_EL1|MDCCSR_EL0)$/],
  ["debug-rom", /^MDRAR_EL1$/],
  ["os-lock", /^(OSLAR|OSLSR|OSDLR)_EL1$/],
  ["monitors", /^PM\w+_EL[01]$/],
  ["physical-counter", /^CNTPCT_EL0$/],
  ["physical-timer", /^CNTP_(CTL|CVAL|TVAL)_EL0$/],
  ["secure-timer", /^CNTPS_/],
  ["keys", /^AP\w\wKey(Lo|Hi)_EL1$/],
  ["regions", /^LOR(SA|EA|N|C|ID)_EL1$/],
  ["errors", /^ERRIDR_EL1$/],
  ["context-number", /^SCXTNUM_EL(0|1|2|12)$/],
  ["controls", /^HCRX_EL2$/],
  ["implementation", /^(L2\w+|CPU\w+|CBAR)_EL1$/],
];

/** The group of a register, by its name; undefined if nothing traps it. */
export function trapGroup(name: string): TrapGroup | undefined {
  return GROUPS.find(([, pattern]) => pattern.test(name))?.[0];
}

/**
 * The level that an access from EL0 to EL2, which EL1 lets pass, is trapped to.
 *
 * @returns 2 or 3; 0 if it is not trapped; -1 where it is UNDEFINED
 */
export function trapTarget(context: SystemContext, group: TrapGroup, isWrite: boolean): number {
  const { state, levels } = context;
  const { el } = state;
  if (!levels.el2 && !levels.el3) return 0;
  if (group === "secure-timer") return secureTimer(context);
  if (el === 3) return 0;
  if (el < 2 && isEl2Enabled(state, levels) && isTrappedToEl2(context, group, isWrite)) return 2;
  return levels.el3 && isTrappedToEl3(context, group) ? 3 : 0;
}

function isTrappedToEl2(context: SystemContext, group: TrapGroup, isWrite: boolean): boolean {
  const { state, levels } = context;
  const hcr = effectiveHcr(state, levels);
  const debug = state.get64(MDCR_EL2);
  const debugAll = (hcr & HCR.TGE) !== 0n || (debug & MDCR.TDE) !== 0n;
  const control = state.get64(CNTHCTL_EL2);
  const el1 = state.el === 1;
  // In a host the counters' gates are EL2's, and have been asked.
  const inHost = isInHost(state, levels, state.el);
  const enables = hcr & HCR.E2H ? HOST_CNTHCTL : CNTHCTL;
  switch (group) {
    case "virtual-memory":
      return el1 && (hcr & (isWrite ? HCR.TVM : HCR.TRVM)) !== 0n;
    case "auxiliary-control":
      return el1 && (hcr & HCR.TACR) !== 0n;
    case "id1":
      return el1 && (hcr & HCR.TID1) !== 0n;
    case "id2":
      return (hcr & HCR.TID2) !== 0n;
    case "id3":
      return (hcr & HCR.TID3) !== 0n;
    case "cpacr":
      return el1 && (state.get64(CPTR_EL2) & CPTR_TCPAC) !== 0n;
    case "debug":
      return debugAll || (debug & MDCR.TDA) !== 0n;
    case "debug-rom":
      return debugAll || (debug & MDCR.TDRA) !== 0n;
    case "os-lock":
      return debugAll || (debug & MDCR.TDOSA) !== 0n;
    case "monitors":
      return (debug & MDCR.TPM) !== 0n;
    case "physical-counter":
      return !inHost && (control & enables.counter) === 0n;
    case "physical-timer":
      return !inHost && (control & enables.timer) === 0n;
    case "set-way":
      return el1 && (hcr & HCR.TSW) !== 0n;
    case "cache-coherency":
      return (hcr & HCR.TPC) !== 0n;
    case "cache-unification":
      return (hcr & HCR.TPU) !== 0n;
    case "tlb":
      return el1 && (hcr & HCR.TTLB) !== 0n;
    case "zero-block":
      return (hcr & HCR.TDZ) !== 0n;
    case "keys":
      return el1 && (state.get64(HCR_EL2) & HCR.APK) === 0n;
    case "regions":
      return (hcr & HCR.TLOR) !== 0n;
    case "errors":
      return (hcr & HCR.TERR) !== 0n;
    case "context-number":
      // As on the reference EL2's TSCXT holds for EL1, and ENSCXT for a host's EL0.
      return (hcr & HCR.ENSCXT) === 0n || (el1 && (state.get64(SCTLR_EL2) & SCTLR_TSCXT) !== 0n);
    case "implementation":
      return context.strict && (hcr & HCR.TIDCP) !== 0n;
    default:
      return false;
  }
}

function isTrappedToEl3({ state, levels }: SystemContext, group: TrapGroup): boolean {
  const debug = state.get64(MDCR_EL3);
  switch (group) {
    case "cpacr":
    case "cptr-el2":
      return (state.get64(CPTR_EL3) & CPTR_TCPAC) !== 0n;
    case "debug":
    case "debug-rom":
      return (debug & MDCR.TDA) !== 0n;
    case "os-lock":
      return (debug & MDCR.TDOSA) !== 0n;
    case "monitors":
      return (debug & MDCR.TPM) !== 0n;
    case "keys":
      return (scrOf(state, levels) & SCR.APK) === 0n;
    case "regions":
      return (scrOf(state, levels) & SCR.TLOR) !== 0n;
    case "errors":
      return (scrOf(state, levels) & SCR.TERR) !== 0n;
    case "context-number":
      return (scrOf(state, levels) & SCR.ENSCXT) === 0n;
    case "controls":
      return (scrOf(state, levels) & SCR.HXEN) === 0n;
    default:
      return false;
  }
}

/** CNTPS: for EL3, and for Secure EL1 where SCR_EL3.ST lets it. */
function secureTimer({ state, levels }: SystemContext): number {
  if (state.el === 3) return 0;
  if (state.el !== 1 || !isSecureBelowEl3(state, levels)) return -1;
  return scrOf(state, levels) & SCR.ST ? 0 : 3;
}

/**
 * The level that DC ZVA traps to here: 2, or 1 for the one that takes EL1's exceptions; 0 if it
 * does not trap.
 */
export function zeroBlockTrap(context: SystemContext): number {
  const { state } = context;
  if (state.el === 0 && !(controlOfEl0(context) & SCTLR_DZE)) return 1;
  return trapTarget(context, "zero-block", true);
}

/** The level that FP and SIMD instructions trap to here; 0 if they do not (pseudocode CheckFPAdvSIMDEnabled64). */
export function fpTrapTarget({ state, levels }: SystemContext): number {
  const { el } = state;
  const inHost = isInHost(state, levels, el);
  if (el < 2 && !inHost && !fpEnabled(state.get32(CPACR_EL1), el === 0)) return 1;
  if (el < 3 && isEl2Enabled(state, levels)) {
    const control = state.get32(CPTR_EL2);
    // With E2H it has CPACR_EL1's form, and traps a guest at EL0 as at EL1.
    const trapped = effectiveHcr(state, levels) & HCR.E2H
      ? !fpEnabled(control, el === 0 && inHost)
      : (control & CPTR_TFP) !== 0;
    if (trapped) return 2;
  }
  return levels.el3 && state.get32(CPTR_EL3) & CPTR_TFP ? 3 : 0;
}

/** FPEN of CPACR_EL1 and of CPTR_EL2 in a host: 3 for all, 1 for all but EL0. */
function fpEnabled(control: number, isEl0: boolean): boolean {
  const enabled = (control >> 20) & 3;
  return enabled === 3 || (enabled === 1 && !isEl0);
}

/** The SCTLR_ELx that rules EL0: EL2's in a host. */
export function controlOfEl0({ state, levels }: Pick<SystemContext, "state" | "levels">): bigint {
  return state.get64(isInHost(state, levels, 0) ? SCTLR_EL2 : SCTLR_EL1);
}
