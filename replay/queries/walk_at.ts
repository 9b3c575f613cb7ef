/** How an address translated at a moment, and whether the TLB agreed with the tables. */
import type { TlbFillEvent } from "../../core/observer.ts";
import { packPermissions } from "../../mmu/permissions.ts";
import type { Regime } from "../../mmu/regime.ts";
import { stage2Address, type Stage2Walk } from "../../mmu/stage2.ts";
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
  /** The CPU whose translation it is. */
  readonly cpu: number;
  /** The address that was translated. */
  readonly va: bigint;
  /** The regime, for those who show the walk. */
  readonly regime: Regime;
  /** The fill that made the TLB's entry; null if there is no entry. */
  readonly fill: TlbFillEvent | null;
  /** In what the TLB, which the processor uses, differs from the tables as they are. */
  readonly differences: readonly TlbDifference[];
}

/**
 * Translates an address at the session's cursor.
 *
 * @param by the CPU that it is an address of; the one in turn if left out
 */
export function walkAt(
  session: Session,
  va: bigint,
  by: Session["machine"]["cpu"] = session.machine.cpu,
): WalkAt {
  const { machine, position } = session;
  const { regime } = by.processor.translation;
  const cpu = by.index;
  const view = { ...translationOf(machine, va, by), position, cpu, va, regime };
  const { tlb } = view;
  if (tlb === null) return { ...view, fill: null, differences: [] };
  const fill = fillOf(session, { va, pa: tlb.pa, regime, cpu }, position) ?? null;
  return { ...view, fill, differences: differencesOf(tlb, view, va) };
}

function differencesOf(
  tlb: TlbEntryView,
  { walk, second }: TranslationView,
  va: bigint,
): TlbDifference[] {
  const leaf = walk?.leaf ?? null;
  if (second !== null) return withSecond(tlb, second, leaf);
  if (leaf === null) return ["mapping"];
  const { hi, lo } = halves(va);
  return named([
    ["address", leafAddress(leaf, hi, lo) !== tlb.pa],
    ["size", leaf.sizeLog2 !== tlb.sizeLog2],
    ...ofLeaf(tlb, leaf),
  ]);
}

/** Where there is a stage 2: the address and size are of both stages, the rest is stage 1's. */
function withSecond(tlb: TlbEntryView, second: Stage2Walk, leaf: Leaf | null): TlbDifference[] {
  if (second.leaf === null) return ["mapping"];
  const sizeLog2 = Math.min(second.leaf.sizeLog2, leaf?.sizeLog2 ?? Infinity);
  return named([
    ["address", stage2Address(second.leaf, second.ipa) !== tlb.pa],
    ["size", sizeLog2 !== tlb.sizeLog2],
    ...leaf === null ? [] : ofLeaf(tlb, leaf),
  ]);
}

function ofLeaf(tlb: TlbEntryView, leaf: Leaf): [TlbDifference, boolean][] {
  return [
    ["permissions", packPermissions(leaf) !== tlb.packedPermissions],
    ["type", leaf.attrIndex !== tlb.attrIndex],
    ["scope", leaf.notGlobal === tlb.global],
  ];
}

function named(differing: readonly [TlbDifference, boolean][]): TlbDifference[] {
  return differing.filter(([, differs]) => differs).map(([name]) => name);
}
