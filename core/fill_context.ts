/** What the event of a TLB fill says of its walks, and beyond stage 1 of a Non-secure EL1&0. */

import { type Regime, VMID_SHIFT } from "../mmu/regime.ts";
import type { Stage2Walk } from "../mmu/stage2.ts";
import type { Walk } from "../mmu/walk.ts";
import type { DescriptorRead, TranslationContext } from "./observer.ts";

/** Every descriptor that a fill read, in order. */
export function descriptorReads(walk: Walk | null, stage2: Stage2Walk | null): DescriptorRead[] {
  const second = (found: Stage2Walk | null | undefined): DescriptorRead[] =>
    (found?.steps ?? []).map((step) => ({ ...descriptorRead(step), stage: 2 }));
  return [
    ...(walk?.steps ?? []).flatMap((step) => [...second(step.stage2), descriptorRead(step)]),
    ...second(stage2),
  ];
}

function descriptorRead(
  { level, address, hi, lo }: { level: number; address: number; hi: number; lo: number },
): DescriptorRead {
  return { level, address, descriptor: BigInt(hi) << 32n | BigInt(lo) };
}

/** The fields of {@linkcode TranslationContext}: none for stage 1 of a Non-secure EL1&0. */
export function translationContext(
  regime: Regime,
  stage2: Stage2Walk | null,
  secure: boolean,
): { translation?: TranslationContext } {
  if (regime.el === 1 && !regime.secure && stage2 === null) return {};
  const vmid = regime.tag >>> VMID_SHIFT;
  return { translation: { regime: regime.el, secure, vmid, ipa: stage2?.ipa ?? null } };
}
