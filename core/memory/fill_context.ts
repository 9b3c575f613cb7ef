/** What the event of a TLB fill says of its walks, and beyond stage 1 of a Non-secure EL1&0. */

import { ACCESS_NAMES } from "../../mmu/permissions.ts";
import { type Regime, VMID_SHIFT } from "../../mmu/regime.ts";
import type { Stage2Walk } from "../../mmu/stage2.ts";
import type { TlbFill } from "../../mmu/translate.ts";
import type { Walk } from "../../mmu/walk.ts";
import type { DescriptorRead, EventBase, TlbFillEvent, TranslationContext } from "../observer.ts";

/** The event of a fill; `secure` is the output's address space. */
export function fillEvent(fill: TlbFill, secure: boolean, at: EventBase): TlbFillEvent {
  const { vaHi, vaLo, pa, asid, global, attributes, permissions, leaf, walk } = fill;
  const { regime, stage2 } = fill;
  return {
    kind: "tlb-fill",
    ...at,
    access: ACCESS_NAMES[fill.access],
    va: BigInt(vaHi) << 32n | BigInt(vaLo),
    pa,
    level: leaf?.level ?? 0,
    sizeLog2: fill.sizeLog2,
    asid,
    global,
    attributes,
    permissions,
    descriptors: descriptorReads(walk, stage2),
    ...translationContext(regime, stage2, secure),
  };
}

/** Every descriptor that a fill read, in order. */
function descriptorReads(walk: Walk | null, stage2: Stage2Walk | null): DescriptorRead[] {
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
function translationContext(
  regime: Regime,
  stage2: Stage2Walk | null,
  secure: boolean,
): { translation?: TranslationContext } {
  if (regime.el === 1 && !regime.secure && stage2 === null) return {};
  const vmid = regime.tag >>> VMID_SHIFT;
  return { translation: { regime: regime.el, secure, vmid, ipa: stage2?.ipa ?? null } };
}
