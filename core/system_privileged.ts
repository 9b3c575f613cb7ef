/**
 * Registers of EL2 and EL3 that are more than a slot, and those of EL1 that look different where
 * there is an EL2 or EL3.
 */

import { effectiveHcr, HCR, highestLevel, isEl2Enabled, SCR } from "./privilege.ts";
import { type SystemContext, UNDEFINED } from "./system_context.ts";
import type { SpecialRegister } from "./system_special.ts";
import { slotOf } from "./sysregs.ts";
import { fpTrapTarget } from "./system_traps.ts";

const HCR_EL2 = slotOf("HCR_EL2"), SCR_EL3 = slotOf("SCR_EL3"), VPIDR = slotOf("VPIDR_EL2");
const MIDR = 0x411f_d070n;
const HCR_MASK = 0x3_ffff_ffffn;
/** Writable bits of SCR_EL3, those that are always one, and HCE, which needs EL2. */
const SCR_MASK = 0x3fbfn, SCR_ONES = 0x30n, SCR_HCE = 0x100n;
/** A trapped access to FP registers, with CV = 1 and COND = always. */
const EC_FP = 7, FP_TRAP_ISS = 0x1e0_0000;
/** SError, IRQ and FIQ as ISR_EL1 has them. */
const A = 0x100, I = 0x80, F = 0x40;

/** Functions by register name. */
export const PRIVILEGED_REGISTERS: Readonly<Record<string, SpecialRegister>> = {
  MIDR_EL1: {
    get: (context) => seenFromEl1(context, VPIDR) ?? context.model.registers.MIDR_EL1 ?? MIDR,
  },
  ID_AA64PFR0_EL1: byLevels("ID_AA64PFR0_EL1", 0x22n, 0x200n, 0x2000n),
  ID_PFR1_EL1: byLevels("ID_PFR1_EL1", 0x1_0001n, 0x1000n, 0x10n),
  ID_DFR0_EL1: byLevels("ID_DFR0_EL1", 0x301_0006n, 0n, 0x60n),
  ISR_EL1: { get: (context) => BigInt(interruptStatus(context)) },
  CNTFRQ_EL0: {
    refuse: ({ state, levels }, isWrite) =>
      isWrite && state.el < highestLevel(levels) ? UNDEFINED : undefined,
  },
  FPEXC32_EL2: {
    refuse(context) {
      const target = fpTrapTarget(context);
      return target === 0 ? undefined : { ec: EC_FP, iss: FP_TRAP_ISS, target };
    },
  },
  HCR_EL2: {
    set({ state, levels, model }, value) {
      const later = (model.features.has("FEAT_PAuth") ? HCR.APK | HCR.API : 0n) |
        (model.features.has("FEAT_VHE") ? HCR.E2H : 0n);
      // HCD is for processors without EL3: SCR_EL3.HCE is there instead.
      state.set64(HCR_EL2, value & (HCR_MASK | later) & ~(levels.el3 ? HCR.HCD : 0n));
    },
  },
  SCR_EL3: {
    set({ state, levels, model }, value) {
      const later = model.features.has("FEAT_PAuth") ? SCR.APK | SCR.API : 0n;
      state.set64(SCR_EL3, value & (SCR_MASK | later) & ~(levels.el2 ? 0n : SCR_HCE) | SCR_ONES);
    },
  },
  CNTHP_CTL_EL2: { get: ({ timer }) => timer.control("hypervisor") },
  CNTHP_TVAL_EL2: {
    get: ({ timer }) => timer.value("hypervisor"),
    set: ({ timer }, value) => timer.setValue("hypervisor", value),
  },
  CNTHV_CTL_EL2: { get: ({ timer }) => timer.control("hypervisorVirtual") },
  CNTHV_TVAL_EL2: {
    get: ({ timer }) => timer.value("hypervisorVirtual"),
    set: ({ timer }, value) => timer.setValue("hypervisorVirtual", value),
  },
  CNTPS_CTL_EL1: { get: ({ timer }) => timer.control("secure") },
  CNTPS_TVAL_EL1: {
    get: ({ timer }) => timer.value("secure"),
    set: ({ timer }, value) => timer.setValue("secure", value),
  },
};

/** What a register of EL2 shows to EL1 in place of the real one; undefined where EL1 sees that. */
export function seenFromEl1({ state, levels }: SystemContext, slot: number): bigint | undefined {
  return state.el === 1 && isEl2Enabled(state, levels) ? state.get64(slot) : undefined;
}

/** An identification register that tells which levels there are. */
function byLevels(name: string, base: bigint, el2: bigint, el3: bigint): SpecialRegister {
  return {
    get: ({ levels, model }) =>
      (model.registers[name] ?? base) | (levels.el2 ? el2 : 0n) | (levels.el3 ? el3 : 0n),
  };
}

/** ISR_EL1: a guest of EL2 sees its virtual interrupts where EL2 takes the physical ones (D17.2.62). */
function interruptStatus({ state, levels, pendingInterrupts, virtualInterrupts }: SystemContext) {
  const hcr = state.el === 1 ? effectiveHcr(state, levels) : 0n;
  const from = (bit: number, routed: bigint) =>
    (hcr & routed ? virtualInterrupts : pendingInterrupts) & bit;
  return from(I, HCR.IMO) | from(F, HCR.FMO) | from(A, HCR.AMO);
}
