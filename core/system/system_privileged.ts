/**
 * Registers of EL2 and EL3 that are more than a slot, and those of EL1 that look different where
 * there is an EL2 or EL3.
 */

import type { CpuModel } from "../cpu_models.ts";
import {
  effectiveHcr,
  type ExceptionLevels,
  HCR,
  highestLevel,
  isEl2Enabled,
  isSecureBelowEl3,
  SCR,
} from "../privilege.ts";
import type { CpuState } from "../state.ts";
import { type SystemContext, UNDEFINED } from "./system_context.ts";
import type { SpecialRegister } from "./system_special.ts";
import { slotOf } from "./sysregs.ts";
import { fpTrapTarget } from "./system_traps.ts";

const HCR_EL2 = slotOf("HCR_EL2"), SCR_EL3 = slotOf("SCR_EL3"), VPIDR = slotOf("VPIDR_EL2");
const DISR = slotOf("DISR_EL1"), VDISR = slotOf("VDISR_EL2");
const MIDR = 0x411f_d070n;
const HCR_MASK = 0x3_ffff_ffffn;
/** Writable bits of SCR_EL3, those that are always one, and HCE, which needs EL2. */
const SCR_MASK = 0x3fbfn, SCR_ONES = 0x30n, SCR_HCE = 0x100n;
/** Bits that came with extensions. */
const HCR_LATER: Readonly<Record<string, bigint>> = {
  FEAT_VHE: HCR.E2H,
  FEAT_LOR: HCR.TLOR,
  FEAT_RAS: HCR.TERR | HCR.TEA,
  FEAT_PAuth: HCR.APK | HCR.API,
  FEAT_S2FWB: HCR.FWB,
  FEAT_CSV2_2: HCR.ENSCXT,
};
const SCR_LATER: Readonly<Record<string, bigint>> = {
  FEAT_LOR: SCR.TLOR,
  FEAT_RAS: SCR.TERR,
  FEAT_DoubleFault: SCR.EASE | SCR.NMEA,
  FEAT_PAuth: SCR.APK | SCR.API,
  FEAT_CSV2_2: SCR.ENSCXT,
  FEAT_HCX: SCR.HXEN,
};
/** A trapped access to FP registers, with CV = 1 and COND = always. */
const EC_FP = 7, FP_TRAP_ISS = 0x1e0_0000;
/** SError, IRQ and FIQ as ISR_EL1 has them. */
const A = 0x100, I = 0x80, F = 0x40;

/** LORegions are of Non-secure memory, and there are none. */
const OF_REGIONS: SpecialRegister = {
  get: () => 0n,
  set() {},
  refuse: ({ state, levels }) => isSecureBelowEl3(state, levels) ? UNDEFINED : undefined,
};

/** Functions by register name. */
export const PRIVILEGED_REGISTERS: Readonly<Record<string, SpecialRegister>> = {
  MIDR_EL1: {
    get: (context) => seenFromEl1(context, VPIDR) ?? context.model.registers.MIDR_EL1 ?? MIDR,
  },
  ID_AA64PFR0_EL1: byLevels("ID_AA64PFR0_EL1", 0x22n, [0x200n, 0x2000n], [0x100n, 0x1000n]),
  ID_PFR1_EL1: byLevels("ID_PFR1_EL1", 0x1_0001n, [0x1000n, 0x10n], [0n, 0n]),
  ID_DFR0_EL1: {
    // CopSDbg is CopDbg where there is EL3.
    get({ levels, model }) {
      const own = model.registers.ID_DFR0_EL1 ?? 0x301_0006n;
      return levels.el3 ? own | (own & 0xfn) << 4n : own;
    },
  },
  ISR_EL1: { get: (context) => BigInt(interruptStatus(context)) },
  LORSA_EL1: OF_REGIONS,
  LOREA_EL1: OF_REGIONS,
  LORN_EL1: OF_REGIONS,
  LORC_EL1: OF_REGIONS,
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
      // HCD is for processors without EL3: SCR_EL3.HCE is there instead.
      const mask = (HCR_MASK | bitsOf(model, HCR_LATER)) & ~(levels.el3 ? HCR.HCD : 0n);
      state.set64(HCR_EL2, value & mask);
    },
  },
  SCR_EL3: {
    set({ state, levels, model }, value) {
      const mask = (SCR_MASK | bitsOf(model, SCR_LATER)) & ~(levels.el2 ? 0n : SCR_HCE);
      state.set64(SCR_EL3, value & mask | SCR_ONES | (model.aarch32AtEl1 ? 0n : SCR.RW));
    },
  },
  DISR_EL1: {
    get: ({ state, levels }) => {
      const slot = deferredErrors(state, levels);
      return slot === undefined ? 0n : state.get64(slot);
    },
    set({ state, levels }, value) {
      const slot = deferredErrors(state, levels);
      if (slot !== undefined) state.set64(slot, value);
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

function bitsOf({ features }: CpuModel, bits: Readonly<Record<string, bigint>>): bigint {
  return Object.entries(bits).reduce(
    (mask, [feature, own]) => features.has(feature) ? mask | own : mask,
    0n,
  );
}

/** What a register of EL2 shows to EL1 in place of the real one; undefined where EL1 sees that. */
export function seenFromEl1({ state, levels }: SystemContext, slot: number): bigint | undefined {
  return state.el === 1 && isEl2Enabled(state, levels) ? state.get64(slot) : undefined;
}

/** What EL2 adds, and what EL3. */
type OfLevels = readonly [el2: bigint, el3: bigint];

/**
 * An identification register that tells which levels there are.
 *
 * @param aarch32 what they add where they have AArch32
 * @param without what they add where only EL0 has
 */
function byLevels(
  name: string,
  base: bigint,
  aarch32: OfLevels,
  without: OfLevels,
): SpecialRegister {
  return {
    get({ levels, model }) {
      const [el2, el3] = model.aarch32AtEl1 ? aarch32 : without;
      const own = model.registers[name] ?? base;
      return own | (levels.el2 ? el2 : 0n) | (levels.el3 ? el3 : 0n);
    },
  };
}

/** ISR_EL1: a guest of EL2 sees its virtual interrupts where EL2 takes the physical ones (D17.2.62). */
function interruptStatus({ state, levels, pendingInterrupts, virtualInterrupts }: SystemContext) {
  const hcr = state.el === 1 ? effectiveHcr(state, levels) : 0n;
  const from = (bit: number, routed: bigint) =>
    (hcr & routed ? virtualInterrupts : pendingInterrupts) & bit;
  return from(I, HCR.IMO) | from(F, HCR.FMO) | from(A, HCR.AMO);
}

/** Where DISR_EL1 is (FEAT_RAS): a guest of EL2 has VDISR_EL2, and where EL3 takes SErrors there is none. */
function deferredErrors(state: CpuState, levels: ExceptionLevels): number | undefined {
  if (state.el < 2 && effectiveHcr(state, levels) & HCR.AMO) return VDISR;
  return levels.el3 && state.el < 3 && state.get64(SCR_EL3) & SCR.EA ? undefined : DISR;
}
