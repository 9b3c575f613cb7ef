/** What the event of a TLB fill says beyond stage 1 of EL1&0: regime, VMID, Security state, stage 2. */

import { type Regime, VMID_SHIFT } from "../mmu/regime.ts";
import type { Stage2Walk } from "../mmu/stage2.ts";
import type { Walk } from "../mmu/walk.ts";
import type { DescriptorRead, TranslationContext } from "./observer.ts";

/** A descriptor as events have it. */
export function descriptorRead(
  { level, address, hi, lo }: { level: number; address: number; hi: number; lo: number },
): DescriptorRead {
  return { level, address, descriptor: BigInt(hi) << 32n | BigInt(lo) };
}

/** The fields of {@linkcode TranslationContext}: none for stage 1 of a Non-secure EL1&0. */
export function translationContext(
  regime: Regime,
  walk: Walk | null,
  stage2: Stage2Walk | null,
  secure: boolean,
): { translation?: TranslationContext } {
  if (regime.el === 1 && !regime.secure && stage2 === null) return {};
  const walks = [
    ...(walk?.steps ?? []).flatMap((step) => step.stage2 ? [step.stage2] : []),
    ...(stage2 === null ? [] : [stage2]),
  ];
  return {
    translation: {
      regime: regime.el,
      secure,
      vmid: regime.tag >>> VMID_SHIFT,
      ipa: stage2?.ipa ?? null,
      stage2: walks.map(({ ipa, steps }) => ({ ipa, descriptors: steps.map(descriptorRead) })),
    },
  };
}
