/**
 * The translation regimes of a processor as its registers define them at this moment: EL1&0 of the
 * current Security state, with stage 2 where EL2 is enabled and asks for it, EL2 or EL2&0, and EL3.
 */

import { type MmuFeatures } from "../../mmu/features.ts";
import {
  makePrivilegedRegime,
  makeRegime,
  type Regime,
  type RegimeRegisters,
} from "../../mmu/regime.ts";
import {
  effectiveHcr,
  type ExceptionLevels,
  HCR,
  isEl2Enabled,
  isInHost,
  isSecureBelowEl3,
  SCR,
  scrOf,
} from "../privilege.ts";
import type { CpuState } from "../state.ts";
import { slotOf } from "../system/sysregs.ts";

const EL1 = {
  sctlr: slotOf("SCTLR_EL1"),
  tcr: slotOf("TCR_EL1"),
  ttbr0: slotOf("TTBR0_EL1"),
  ttbr1: slotOf("TTBR1_EL1"),
  mair: slotOf("MAIR_EL1"),
};
const ABOVE = [2, 3].map((el) => ({
  sctlr: slotOf(`SCTLR_EL${el}`),
  tcr: slotOf(`TCR_EL${el}`),
  ttbr0: slotOf(`TTBR0_EL${el}`),
  mair: slotOf(`MAIR_EL${el}`),
}));
const TTBR1_EL2 = slotOf("TTBR1_EL2");
const VTCR = slotOf("VTCR_EL2"), VTTBR = slotOf("VTTBR_EL2");
const SCTLR_EE = 1n << 25n;

/** See the top of this file. */
export class TranslationRegimes {
  /** What defines EL1&0. */
  registers!: RegimeRegisters;
  /** EL1&0. */
  el1!: Regime;
  #el2: Regime | undefined;
  /** EL0 belongs to EL2&0. */
  #host = false;
  #el3: Regime | undefined;

  constructor(
    readonly state: CpuState,
    readonly levels: ExceptionLevels,
    readonly features: MmuFeatures,
  ) {
    this.reload();
  }

  /** The regime of an EL. */
  of(el: number): Regime {
    if (el === 0) return this.#host ? this.#el2! : this.el1;
    return (el === 2 ? this.#el2 : el === 3 ? this.#el3 : undefined) ?? this.el1;
  }

  /** Decodes the registers anew. */
  reload(): void {
    const { levels } = this;
    this.#host = isInHost(this.state, levels, 0);
    this.registers = this.#el1Registers();
    this.el1 = makeRegime(this.registers, this.features);
    this.#el2 = levels.el2 ? this.#above(2) : undefined;
    this.#el3 = levels.el3 ? this.#above(3) : undefined;
  }

  #el1Registers(): RegimeRegisters {
    const { state, levels } = this;
    const registers = {
      sctlr: state.get64(EL1.sctlr),
      tcr: state.get64(EL1.tcr),
      ttbr0: state.get64(EL1.ttbr0),
      ttbr1: state.get64(EL1.ttbr1),
      mair: state.get64(EL1.mair),
    };
    if (isSecureBelowEl3(state, levels)) {
      const secureFetchOnly = (scrOf(state, levels) & SCR.SIF) !== 0n;
      return { ...registers, secure: true, secureFetchOnly };
    }
    if (!isEl2Enabled(state, levels)) return registers;
    const hcr = effectiveHcr(state, levels);
    return {
      ...registers,
      hcr,
      stage2: {
        vtcr: state.get64(VTCR),
        vttbr: state.get64(VTTBR),
        bigEndian: (state.get64(ABOVE[0].sctlr) & SCTLR_EE) !== 0n,
        protectedWalks: (hcr & HCR.PTW) !== 0n,
        forced: (hcr & HCR.FWB) !== 0n,
      },
    };
  }

  #above(el: 2 | 3): Regime {
    const { state, levels } = this;
    const { sctlr, tcr, ttbr0, mair } = ABOVE[el - 2];
    const registers = {
      sctlr: state.get64(sctlr),
      tcr: state.get64(tcr),
      ttbr0: state.get64(ttbr0),
      mair: state.get64(mair),
    };
    if (el === 2 && isInHost(state, levels, 2)) {
      const ttbr1 = state.get64(TTBR1_EL2);
      return makeRegime({ ...registers, ttbr1, host: true }, this.features);
    }
    const secureFetchOnly = (scrOf(state, levels) & SCR.SIF) !== 0n;
    return makePrivilegedRegime(
      { ...registers, secure: el === 3, secureFetchOnly },
      el,
      this.features,
    );
  }
}
