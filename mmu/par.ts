/**
 * Address translation instructions, AT, and the PAR_EL1 they leave.
 *
 * As in the reference, AT walks the tables without using or filling the TLB.
 */

import type { DescriptorBus } from "./bus.ts";
import { type Fault, faultStatusCode } from "./fault.ts";
import type { Access } from "./permissions.ts";
import type { Regime } from "./regime.ts";
import { Translation } from "./translate.ts";

/** What an AT instruction does. */
export type AddressTranslation =
  /** The value for PAR_EL1. */
  | { par: bigint }
  /**
   * The walk had a synchronous external abort, or at EL1 a stage 2 fault: AT takes it as a Data
   * Abort with CM = 1.
   */
  | { abort: Fault };

/** What decides about the fault of an AT that has to be taken. */
function isTaken(fault: Fault, el: number): boolean {
  if (fault.kind === "external-abort-on-walk") return true;
  if (fault.kind !== "stage2") return false;
  return fault.fault.kind === "external-abort-on-walk" || fault.onWalk && el === 1;
}

const PAR_RES1 = 1n << 11n, PAR_NS = 1n << 9n;
/** Of a fault: of stage 2, and of stage 2 for a stage 1 table. */
const PAR_S = 1n << 9n, PAR_PTW = 1n << 8n;

/** What an AT instruction asks. */
export interface TranslationRequest {
  /** Bits 63:32 of the address, unsigned. */
  hi: number;
  /** Bits 31:0, unsigned. */
  lo: number;
  /** What the access would be. */
  access: Access;
  /** Whose permissions count. */
  el: number;
  /** The EL that executes it; 1 if left out. */
  fromEl?: number;
  /** Whether the result is that of stage 1, whose tables stage 2 translates in any case; both if left out. */
  stages?: "first" | "both";
  /** PSTATE.PAN counts and is set. */
  pan?: boolean;
}

/**
 * Executes AT S1E{0,1}{R,W} (Arm ARM C5.4, PAR_EL1 in D17.2).
 */
export function addressTranslation(
  bus: DescriptorBus,
  regime: Regime,
  request: TranslationRequest,
): AddressTranslation {
  const { hi: vaHi, lo: vaLo, access, el, fromEl = 1, stages = "both" } = request;
  const translation = new Translation({ bus, tlb: null, regime, firstOnly: stages === "first" });
  translation.pan = request.pan ?? false;
  if (!translation.translate(vaHi, vaLo, access, el)) {
    const fault = translation.fault!;
    if (isTaken(fault, fromEl)) return { abort: fault };
    const par = PAR_RES1 | BigInt(faultStatusCode(fault)) << 1n | 1n;
    if (fault.kind !== "stage2") return { par };
    return { par: par | PAR_S | (fault.onWalk ? PAR_PTW : 0n) };
  }
  // SH is the descriptor's own field, as in the reference; the architecture says outer shareable
  // for Device and Non-cacheable memory.
  const { attributes, shareability } = translation;
  const page = BigInt(translation.pa) & ~0xfffn;
  return {
    par: BigInt(attributes) << 56n | page | PAR_RES1 | (translation.secure ? 0n : PAR_NS) |
      BigInt(shareability) << 7n,
  };
}
