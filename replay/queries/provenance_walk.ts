/**
 * Walks as accesses meet them, at the cursor of a session, and the TLB fills that came of them.
 */
import type { TlbFillEvent } from "../../core/observer.ts";
import type { DescriptorBus } from "../../mmu/bus.ts";
import { denialReason, packPermissions } from "../../mmu/permissions.ts";
import type { Access, PermissionReason } from "../../mmu/permissions.ts";
import type { Regime } from "../../mmu/regime.ts";
import { leafAddress, type Walk, walk } from "../../mmu/walk.ts";
import { halves } from "../guest_view.ts";
import type { Session } from "../session.ts";

/** The regime at the cursor. */
export function regimeAt({ machine }: Session): Regime {
  return machine.processor.translation.regime;
}

/** What a walk gives, as far as accesses can tell. */
export interface WalkOutcome {
  readonly walk: Walk;
  /** Physical address; null where the walk faults. */
  readonly pa: number | null;
  /** MAIR attribute byte; null where the walk faults. */
  readonly attributes: number | null;
  /** Why the access is denied; null if it is not, or the walk faults. */
  readonly denied: PermissionReason | null;
}

/** Walks for one access. */
export function walkFor(
  bus: DescriptorBus,
  regime: Regime,
  va: bigint,
  { access, el }: { readonly access: Access; readonly el: number },
): WalkOutcome {
  const { hi, lo } = halves(va);
  const outcome = walk(bus, regime, hi, lo);
  const { leaf } = outcome;
  if (!leaf) return { walk: outcome, pa: null, attributes: null, denied: null };
  return {
    walk: outcome,
    pa: leafAddress(leaf, hi, lo),
    attributes: regime.attributes[leaf.attrIndex],
    denied: denialReason(packPermissions(leaf), regime.wxn, access, el),
  };
}

/** The fill that made the TLB's entry for an address, before a position. */
export function fillOf(
  { trace }: Session,
  { va, pa, asid }: { readonly va: bigint; readonly pa: number; readonly asid: number },
  before: number,
): TlbFillEvent | undefined {
  const kinds = new Set(["tlb-fill"] as const);
  for (let number = trace.windows.length - 1; number > 0; number--) {
    const { start, end } = trace.windows[number];
    if (start >= before) continue;
    let last: TlbFillEvent | undefined;
    for (const event of trace.events({ kinds, from: start, to: Math.min(end, before) })) {
      if (event.kind !== "tlb-fill" || !covers(event, va)) continue;
      if (!event.global && event.asid !== asid) continue;
      const offset = Number(BigInt.asUintN(event.sizeLog2, va));
      const size = 2 ** event.sizeLog2;
      if (event.pa - event.pa % size + offset === pa) last = event;
    }
    if (last) return last;
  }
  return undefined;
}

/** Whether a fill's entry translates an address. */
function covers({ va, sizeLog2 }: TlbFillEvent, address: bigint): boolean {
  // The top byte may be a tag.
  const top = 56 - sizeLog2;
  return BigInt.asUintN(top, va >> BigInt(sizeLog2)) ===
    BigInt.asUintN(top, address >> BigInt(sizeLog2));
}
