/** What the event of a TLB fill says of its walks, and beyond stage 1 of a Non-secure EL1&0. */

import { ACCESS_NAMES } from "../../mmu/permissions.ts";
import { type Regime, VMID_SHIFT } from "../../mmu/regime.ts";
import type { Stage2Walk } from "../../mmu/stage2.ts";
import type { TlbFill } from "../../mmu/translate.ts";
import type { Walk } from "../../mmu/walk.ts";
import type { DescriptorRead, EventBase, TlbFillEvent, TranslationContext } from "../observer.ts";
import { wide } from "../wide.ts";

/** The event of a fill; `secure` is the output's address space. */
export function fillEvent(fill: TlbFill, secure: boolean, at: EventBase): TlbFillEvent {
  const { vaHi, vaLo, pa, asid, global, attributes, permissions, leaf, walk } = fill;
  const { regime, stage2 } = fill;
  return {
    kind: "tlb-fill",
    ...at,
    access: ACCESS_NAMES[fill.access],
    va: wide(vaHi, vaLo),
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
  const reads: DescriptorRead[] = [];
  const second = ({ steps }: Stage2Walk) => {
    for (const step of steps) reads.push({ ...descriptorRead(step), stage: 2 });
  };
  for (const step of walk?.steps ?? []) {
    if (step.stage2) second(step.stage2);
    reads.push(descriptorRead(step));
  }
  if (stage2) second(stage2);
  return reads;
}

function descriptorRead(
  { level, address, hi, lo }: { level: number; address: number; hi: number; lo: number },
): DescriptorRead {
  return { level, address, descriptor: wide(hi, lo) };
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
