/**
 * Walks as accesses meet them, at the cursor of a session, and the TLB fills that came of them.
 */
import type { DescriptorRead, TlbFillEvent } from "../../core/observer.ts";
import type { DescriptorBus } from "../../mmu/bus.ts";
import type { StageFault } from "../../mmu/fault.ts";
import { denialReason } from "../../mmu/permissions.ts";
import type { Access, PermissionReason } from "../../mmu/permissions.ts";
import { type Regime, rightsOf, VMID_SHIFT } from "../../mmu/regime.ts";
import { combineAttributes, stage2Address, stage2Denial, walkStage2 } from "../../mmu/stage2.ts";
import type { Stage2Walk } from "../../mmu/stage2.ts";
import { leafAddress, leafPermissions, selectRange, type Walk, walk } from "../../mmu/walk.ts";
import { halves } from "../guest_view.ts";
import type { Session } from "../session.ts";

const EXECUTE = 2;

/** The regime at the cursor. */
export function regimeAt({ machine }: Session): Regime {
  return machine.processor.translation.regime;
}

/** What stage 2 ended with: of an access, or of the read of a stage 1 descriptor. */
export interface SecondFault {
  /** The address that stage 2 was to translate. */
  readonly ipa: number;
  /** It is that of a stage 1 descriptor. */
  readonly onWalk: boolean;
  readonly fault: StageFault;
  readonly walk: Stage2Walk;
}

/** What a walk gives, as far as accesses can tell. */
export interface WalkOutcome {
  /** Of stage 1; without steps where that is off. */
  readonly walk: Walk;
  /** What stage 1 gives; null where its walk faults. An IPA where there is a stage 2. */
  readonly ipa: number | null;
  /** Physical address; null where a walk faults or stage 2 denies the access. */
  readonly pa: number | null;
  /** MAIR attribute byte, of both stages together; null where a walk faults. */
  readonly attributes: number | null;
  /** Why stage 1 denies the access; null if it does not, or the walk faults. */
  readonly denied: PermissionReason | null;
  /** Why stage 2 does; null if it does not, or stage 1 ends before. */
  readonly second: SecondFault | null;
  /** Stage 2's walk of `ipa`; null without one. */
  readonly stage2: Stage2Walk | null;
  /** Every descriptor read, of both stages, in order. */
  readonly descriptors: readonly DescriptorRead[];
}

/** Walks for one access, through both stages. */
export function walkFor(
  bus: DescriptorBus,
  regime: Regime,
  va: bigint,
  { access, el }: { readonly access: Access; readonly el: number },
): WalkOutcome {
  const { hi, lo } = halves(va);
  const found = regime.enabled
    ? walk(bus, regime, hi, lo)
    : { range: selectRange(regime, hi), steps: [], leaf: null, fault: null };
  const none = { ipa: null, pa: null, attributes: null, denied: null, second: null, stage2: null };
  const failed = { ...none, walk: found };
  const { leaf, fault } = found;
  if (fault?.kind === "stage2") {
    return { ...failed, second: fault, descriptors: descriptorsOf(found, fault.walk) };
  }
  if (fault !== null) return { ...failed, descriptors: descriptorsOf(found, null) };
  const ipa = leaf === null ? flatAddress(regime, va) : leafAddress(leaf, hi, lo);
  const one = { ...failed, ipa, ...stageOne(regime, found, access, el) };
  if (regime.stage2 === null || one.denied !== null || ipa === null) {
    return { ...one, pa: ipa, descriptors: descriptorsOf(found, null) };
  }
  const second = walkStage2(bus, regime.stage2, ipa);
  const descriptors = descriptorsOf(found, second);
  const denial = second.leaf === null ? second.fault! : stage2Denial(second.leaf, access, el);
  if (denial !== null) {
    const why = { ipa, onWalk: false, fault: denial, walk: second };
    return { ...one, second: why, stage2: second, descriptors };
  }
  const attributes = combineAttributes(
    regime.stage2,
    one.attributes,
    second.leaf!.memoryAttributes,
  );
  const pa = stage2Address(second.leaf!, ipa);
  return { ...one, pa, attributes, stage2: second, descriptors };
}

function stageOne(
  regime: Regime,
  { leaf }: Walk,
  access: Access,
  el: number,
): { attributes: number; denied: PermissionReason | null } {
  if (leaf === null) return { attributes: 0, denied: null };
  const reason = denialReason(
    leafPermissions(leaf, access),
    regime.wxn,
    access,
    rightsOf(regime, el),
  );
  const secureOnly = regime.secureFetchOnly && !leaf.secure && access === EXECUTE;
  return {
    attributes: regime.attributes[leaf.attrIndex],
    denied: reason ?? (secureOnly ? "secure-fetch" : null),
  };
}

/** Where an address goes with stage 1 off; null where it is too large. */
function flatAddress(regime: Regime, va: bigint): number | null {
  const range = regime.ranges[selectRange(regime, halves(va).hi)];
  const address = BigInt.asUintN(range.topByteIgnored ? 56 : 64, va);
  return address >> BigInt(regime.physicalAddressBits) === 0n ? Number(address) : null;
}

/** The descriptors of a walk, those of stage 2 before the one whose address they translate. */
export function descriptorsOf({ steps }: Walk, second: Stage2Walk | null): DescriptorRead[] {
  return [
    ...steps.flatMap((step) => [...secondDescriptors(step.stage2 ?? null), readDescriptor(step)]),
    ...secondDescriptors(second),
  ];
}

function secondDescriptors(walk: Stage2Walk | null): DescriptorRead[] {
  return walk?.steps.map((step) => ({ ...readDescriptor(step), stage: 2 as const })) ?? [];
}

/** A descriptor as a 64-bit value. */
export function readDescriptor(
  { level, address, lo, hi }: { level: number; address: number; lo: number; hi: number },
): DescriptorRead {
  return { level, address, descriptor: BigInt(hi) << 32n | BigInt(lo) };
}

/** Where an output address of stage 1 is in physical memory; null where stage 2 does not map it. */
export function physicalOf(bus: DescriptorBus, regime: Regime, address: number): number | null {
  if (regime.stage2 === null) return address;
  const { leaf } = walkStage2(bus, regime.stage2, address);
  return leaf === null ? null : stage2Address(leaf, address);
}

/** What a fill must have made to be the one looked for. */
export interface SoughtFill {
  readonly va: bigint;
  readonly pa: number;
  /** What the entry is tagged with. */
  readonly regime: Regime;
  /** Whose TLB; that of the CPU whose step is at the position if left out. */
  readonly cpu?: number;
}

/** The fill that made the TLB's entry for an address, before a position. */
export function fillOf(
  { trace }: Session,
  sought: SoughtFill,
  before: number,
): TlbFillEvent | undefined {
  const { va, pa, cpu = trace.turns.cpuAt(before) } = sought;
  const kinds = new Set(["tlb-fill"] as const);
  for (let number = trace.windows.length - 1; number > 0; number--) {
    const { start, end } = trace.windows[number];
    if (start >= before) continue;
    let last: TlbFillEvent | undefined;
    for (const event of trace.events({ kinds, cpu, from: start, to: Math.min(end, before) })) {
      if (event.kind !== "tlb-fill" || !covers(event, va) || !isTagged(event, sought)) continue;
      const offset = Number(BigInt.asUintN(event.sizeLog2, va));
      const size = 2 ** event.sizeLog2;
      if (event.pa - event.pa % size + offset === pa) last = event;
    }
    if (last) return last;
  }
  return undefined;
}

function isTagged({ global, asid, translation }: TlbFillEvent, { regime }: SoughtFill): boolean {
  if ((translation?.regime ?? 1) !== regime.el) return false;
  if (translation && regime.el === 1 && translation.vmid !== regime.tag >>> VMID_SHIFT) {
    return false;
  }
  return global || asid === regime.asid;
}

/** Whether a fill's entry translates an address. */
function covers({ va, sizeLog2 }: TlbFillEvent, address: bigint): boolean {
  // The top byte may be a tag.
  const top = 56 - sizeLog2;
  return BigInt.asUintN(top, va >> BigInt(sizeLog2)) ===
    BigInt.asUintN(top, address >> BigInt(sizeLog2));
}
