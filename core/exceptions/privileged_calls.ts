/**
 * Where calls to higher levels and debug exceptions go, as the reference has it.
 */

import { EC } from "./exception.ts";
import {
  effectiveHcr,
  type ExceptionLevels,
  HCR,
  highestLevel,
  isEl2Enabled,
  isSecure,
  SCR,
} from "../privilege.ts";
import { type CpuState } from "../state.ts";
import { slotOf } from "../system/sysregs.ts";

/** The instruction by which guests call the board's firmware (PSCI), if there is any. */
export type PsciConduit = "hvc" | "smc" | "none";

/** In place of an EL: the board's firmware. */
export const FIRMWARE = "firmware";

/** What decides about calls. */
export interface Caller {
  readonly state: CpuState;
  readonly levels: ExceptionLevels;
}

const HCR_EL2 = slotOf("HCR_EL2"), SCR_EL3 = slotOf("SCR_EL3"), MDCR_EL2 = slotOf("MDCR_EL2");
const MDCR_TDE = 0x100n;

/**
 * The conduit of a board whose guest starts at `bootEl`: code there must not be below the firmware.
 */
export function psciConduit(levels: ExceptionLevels, bootEl: number): PsciConduit {
  const conduit = levels.el2 ? "smc" : "hvc";
  return bootEl >= (conduit === "hvc" ? 2 : 3) ? "none" : conduit;
}

/** The EL that a guest starts at: the highest, or as Linux expects it: Non-secure EL2 or EL1. */
export function bootLevel(levels: ExceptionLevels, linux: boolean): 1 | 2 | 3 {
  return linux ? (levels.el2 ? 2 : 1) : highestLevel(levels);
}

/**
 * The EL that HVC or SMC calls (Arm ARM C6.2.97, C6.2.275).
 *
 * @returns undefined where the instruction is UNDEFINED
 */
export function callTarget(
  caller: Caller,
  ec: typeof EC.hvc | typeof EC.smc,
  conduit: PsciConduit,
): 2 | 3 | typeof FIRMWARE | undefined {
  if (caller.state.el === 0) return undefined;
  return ec === EC.hvc ? hypervisorCall(caller, conduit) : monitorCall(caller, conduit);
}

function hypervisorCall({ state, levels }: Caller, conduit: PsciConduit) {
  if (conduit === "hvc") return FIRMWARE;
  if (!levels.el2) return undefined;
  const disabled = levels.el3
    ? !(state.get64(SCR_EL3) & SCR.HCE)
    : (state.get64(HCR_EL2) & HCR.HCD) !== 0n;
  if (disabled || (state.el === 1 && isSecure(state, levels))) return undefined;
  return state.el === 3 ? 3 : 2;
}

function monitorCall({ state, levels }: Caller, conduit: PsciConduit) {
  if (!levels.el3 && conduit !== "smc") return undefined;
  // The trap goes before SCR_EL3.SMD.
  if (state.el === 1 && effectiveHcr(state, levels) & HCR.TSC) return 2;
  if (conduit === "smc") return FIRMWARE;
  return state.get64(SCR_EL3) & SCR.SMD ? undefined : 3;
}

/** The EL that debug exceptions from EL0 and EL1 are routed to (D2.4.1, D1.3.6). */
export function debugTarget({ state, levels }: Caller): 1 | 2 {
  if (!isEl2Enabled(state, levels)) return 1;
  const routed = (effectiveHcr(state, levels) & HCR.TGE) !== 0n ||
    (state.get64(MDCR_EL2) & MDCR_TDE) !== 0n;
  return routed ? 2 : 1;
}
