/** How an address translated at a moment, and whether the TLB agreed with the tables. */
import type { TlbFillEvent } from "../../core/observer.ts";
import { packPermissions } from "../../mmu/permissions.ts";
import type { Regime } from "../../mmu/regime.ts";
import { type Leaf, leafAddress } from "../../mmu/walk.ts";
import { halves, type TlbEntryView, translationOf, type TranslationView } from "../guest_view.ts";
import type { Session } from "../session.ts";
import { fillOf } from "./provenance_walk.ts";

/** In what an entry of the TLB is not what the tables say; `mapping`: they say nothing. */
export type TlbDifference = "mapping" | "address" | "size" | "permissions" | "type" | "scope";

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
  /** In what the TLB, which the processor uses, differs from the tables as they are. */
  readonly differences: readonly TlbDifference[];
}

/** Translates an address at the session's cursor. */
export function walkAt(session: Session, va: bigint): WalkAt {
  const { machine, position } = session;
  const view = translationOf(machine, va);
  const { regime } = machine.processor.translation;
  const { tlb } = view;
  if (tlb === null) return { ...view, position, va, regime, fill: null, differences: [] };
  const fill = fillOf(session, { va, pa: tlb.pa, regime }, position) ?? null;
  const differences = differencesOf(tlb, view.walk?.leaf ?? null, va);
  return { ...view, position, va, regime, fill, differences };
}

function differencesOf(tlb: TlbEntryView, leaf: Leaf | null, va: bigint): TlbDifference[] {
  if (leaf === null) return ["mapping"];
  const { hi, lo } = halves(va);
  const differing: [TlbDifference, boolean][] = [
    ["address", leafAddress(leaf, hi, lo) !== tlb.pa],
    ["size", leaf.sizeLog2 !== tlb.sizeLog2],
    ["permissions", packPermissions(leaf) !== tlb.packedPermissions],
    ["type", leaf.attrIndex !== tlb.attrIndex],
    ["scope", leaf.notGlobal === tlb.global],
  ];
  return differing.filter(([, differs]) => differs).map(([name]) => name);
}
