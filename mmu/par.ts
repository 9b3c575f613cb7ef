/**
 * Address translation instructions: AT S1E0R, S1E0W, S1E1R, S1E1W and the PAR_EL1 they leave.
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
  /** The walk had a synchronous external abort: AT takes it as a Data Abort with CM = 1. */
  | { abort: Fault };

const PAR_RES1 = 1n << 11n, PAR_NS = 1n << 9n;

/**
 * Executes AT S1E{0,1}{R,W} (Arm ARM C5.4, PAR_EL1 in D17.2).
 *
 * @param vaHi bits 63:32 of the address, unsigned
 * @param vaLo bits 31:0, unsigned
 */
export function addressTranslation(
  bus: DescriptorBus,
  regime: Regime,
  vaHi: number,
  vaLo: number,
  access: Access,
  el: number,
): AddressTranslation {
  const translation = new Translation({ bus, tlb: null, regime });
  if (!translation.translate(vaHi, vaLo, access, el)) {
    const fault = translation.fault!;
    if (fault.kind === "external-abort-on-walk") return { abort: fault };
    return { par: PAR_RES1 | BigInt(faultStatusCode(fault)) << 1n | 1n };
  }
  // SH is the descriptor's own field, as in the reference; the architecture says outer shareable
  // for Device and Non-cacheable memory.
  const { attributes, shareability } = translation;
  const page = BigInt(translation.pa) & ~0xfffn;
  return {
    par: BigInt(attributes) << 56n | page | PAR_RES1 | PAR_NS | BigInt(shareability) << 7n,
  };
}
