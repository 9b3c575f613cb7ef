/** How an address translated at a moment, and whether the TLB agreed with the tables. */
import type { TlbFillEvent } from "../../core/observer.ts";
import type { Regime } from "../../mmu/regime.ts";
import { leafAddress } from "../../mmu/walk.ts";
import type { Trace } from "../../trace/mod.ts";
import { halves, translationOf, type TranslationView } from "../guest_view.ts";
import type { Session } from "../session.ts";

/** A translation at a position. */
export interface WalkAt extends TranslationView {
  /** When: steps before. */
  readonly position: number;
  /** The address that was translated. */
  readonly va: bigint;
  /** The regime, for those who show the walk. */
  readonly regime: Regime;
  /** The fill that made the TLB's entry; null if there is no entry. */
  readonly fill: TlbFillEvent | null;
  /** The TLB translates the address otherwise than the tables do. */
  readonly stale: boolean;
}

/** Translates an address at the session's cursor. */
export function walkAt(session: Session, va: bigint): WalkAt {
  const { machine, position, trace } = session;
  const view = translationOf(machine, va);
  const { hi, lo } = halves(va);
  const leaf = view.walk?.leaf ?? null;
  const { regime } = machine.processor.translation;
  const fill = view.tlb === null ? null : fillBefore(trace, va, view.tlb, position) ?? null;
  const stale = view.tlb !== null && (leaf === null || leafAddress(leaf, hi, lo) !== view.tlb.pa);
  return { ...view, position, va, regime, fill, stale };
}

/** The last fill before a position that made the given entry for an address. */
function fillBefore(
  trace: Trace,
  va: bigint,
  entry: { pa: number; sizeLog2: number; global: boolean; asid: number },
  position: number,
): TlbFillEvent | undefined {
  const kinds = new Set(["tlb-fill"] as const);
  for (let number = trace.windowAt(position).number; number > 0; number--) {
    const { start, end } = trace.windows[number];
    let last: TlbFillEvent | undefined;
    for (const event of trace.events({ kinds, from: start, to: Math.min(end, position) })) {
      if (event.kind !== "tlb-fill" || event.sizeLog2 !== entry.sizeLog2) continue;
      const owned = event.global === entry.global && (event.global || event.asid === entry.asid);
      if (owned && pageOf(event.va, entry) === pageOf(va, entry)) last = event;
    }
    if (last) return last;
  }
  return undefined;
}

/** The page of an address without a tag in its top byte. */
function pageOf(va: bigint, { sizeLog2 }: { sizeLog2: number }): bigint {
  return BigInt.asUintN(56, va) >> BigInt(sizeLog2);
}
