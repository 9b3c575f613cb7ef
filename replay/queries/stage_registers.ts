/** The registers that define stage 1 of a regime, and the regime with others in their place. */
import { cpuInTurn } from "../../core/machine_state.ts";
import { makePrivilegedRegime, makeRegime, type Regime } from "../../mmu/regime.ts";
import type { Session } from "../session.ts";
import { regimeAt } from "./provenance_walk.ts";

/** Values of the regime's own EL. */
export interface StageRegisters {
  readonly sctlr: bigint;
  readonly tcr: bigint;
  readonly ttbr0: bigint;
  /** 0 where the regime has one range. */
  readonly ttbr1: bigint;
  readonly mair: bigint;
}

/** The registers of the regime at the cursor. */
export function registersAt(session: Session): StageRegisters {
  const { system } = cpuInTurn(session.state());
  const { el, hasEl0 } = regimeAt(session);
  return {
    sctlr: system[`SCTLR_EL${el}`],
    tcr: system[`TCR_EL${el}`],
    ttbr0: system[`TTBR0_EL${el}`],
    ttbr1: hasEl0 ? system[`TTBR1_EL${el}`] : 0n,
    mair: system[`MAIR_EL${el}`],
  };
}

/** The regime at the cursor as it would be with other registers; stage 2 stays. */
export function regimeWith(session: Session, registers: StageRegisters): Regime {
  const now = regimeAt(session);
  const { secure, secureFetchOnly } = now;
  const { tag, stage2, defaultCacheable } = now;
  const { mmu } = session.machine.model;
  if (!now.hasEl0 && now.el !== 1) {
    return makePrivilegedRegime({ ...registers, secure, secureFetchOnly }, now.el, mmu);
  }
  if (now.el === 2) return makeRegime({ ...registers, host: true }, mmu);
  return { ...makeRegime(registers, mmu), tag, secure, secureFetchOnly, stage2, defaultCacheable };
}

/** Lowest bit of the field of TCR_ELx that bounds output addresses: IPS, where it has one range PS. */
export function outputSizeField(
  { hasEl0 }: Regime,
): { readonly name: string; readonly at: bigint } {
  return hasEl0 ? { name: "IPS", at: 32n } : { name: "PS", at: 16n };
}
