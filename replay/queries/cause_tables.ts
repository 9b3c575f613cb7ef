/**
 * Judgements about page tables: whether memory looks like one, and whether a walk went wrong because
 * of how a descriptor or TTBR is encoded rather than because of what it says.
 */
import * as descriptor from "../../mmu/descriptor.ts";
import { levelShift, type Regime } from "../../mmu/regime.ts";
import { blockAllowed, type Walk, type WalkStep } from "../../mmu/walk.ts";
import type { Session } from "../session.ts";

/** How a descriptor is not what it was meant to be. */
export type EncodingMistake =
  /** A block with bit 1 set: it reads as a table. */
  | "block-as-table"
  /** A page with bit 1 clear: reserved. */
  | "page-as-block"
  /** A block where the granule has none, for example at level 0. */
  | "block-at-wrong-level"
  /** A block whose address is not a multiple of its size; often a table with bit 1 clear. */
  | "misaligned-block";

/** A descriptor with such a mistake. */
export interface MistakenStep {
  readonly step: WalkStep;
  readonly mistake: EncodingMistake;
}

/** What the entries of a table-sized piece of memory look like. */
export interface TableLook {
  /** Entries with bit 0 set that can be descriptors. */
  readonly plausible: number;
  /** Entries with bit 0 set that cannot: reserved bits, addresses that lead nowhere. */
  readonly implausible: number;
}

/** Bits that only blocks and pages have: AttrIndx, AP, SH, AF (11:2 without NS, nG), PXN, UXN. */
const LEAF_ONLY_LO = 0x7dc, LEAF_ONLY_HI = 0x60_0000;
/** Bits 51:48: reserved with addresses of at most 48 bits. */
const RESERVED_HI = 0xf_0000;

/** The first descriptor of a walk that is encoded as something else than it was meant to be. */
export function mistakenStep(
  session: Session,
  regime: Regime,
  walk: Walk,
): MistakenStep | undefined {
  const { granuleLog2 } = regime.ranges[walk.range];
  for (const step of walk.steps) {
    const mistake = mistakeOf(session, regime, granuleLog2, step);
    if (mistake) return { step, mistake };
  }
  return undefined;
}

function mistakeOf(
  session: Session,
  regime: Regime,
  granuleLog2: number,
  { level, lo, hi }: WalkStep,
): EncodingMistake | undefined {
  if (!descriptor.isValid(lo)) return undefined;
  const tableOrPage = descriptor.isTableOrPage(lo);
  if (level === 3) return tableOrPage ? undefined : "page-as-block";
  const address = descriptor.outputAddress(lo, hi, granuleLog2);
  const aligned = address % 2 ** levelShift(granuleLog2, level) === 0;
  if (!tableOrPage) {
    if (!blockAllowed(granuleLog2, level)) return "block-at-wrong-level";
    return aligned ? undefined : "misaligned-block";
  }
  if (!aligned || !blockAllowed(granuleLog2, level)) return undefined;
  if ((lo & LEAF_ONLY_LO) === 0 && (hi & LEAF_ONLY_HI) === 0) return undefined;
  return looksLikeTable(lookAt(session, regime, granuleLog2, address))
    ? undefined
    : "block-as-table";
}

/** Whether memory has been written as descriptors: some can be, and few cannot. */
export function looksLikeTable({ plausible, implausible }: TableLook): boolean {
  return plausible > 0 && implausible * 8 <= plausible;
}

/** Looks at a granule of memory as a table. What is not RAM has no entries. */
export function lookAt(
  { machine }: Session,
  regime: Regime,
  granuleLog2: number,
  address: number,
): TableLook {
  const { memory } = machine;
  const bytes = 2 ** granuleLog2;
  let plausible = 0, implausible = 0;
  if (!memory.contains(address, bytes)) return { plausible, implausible };
  for (let at = address; at < address + bytes; at += 8) {
    const lo = memory.word(at), hi = memory.word(at + 4);
    if (!descriptor.isValid(lo)) continue;
    if (canBeDescriptor(machine, regime, granuleLog2, lo, hi)) plausible++;
    else implausible++;
  }
  return { plausible, implausible };
}

function canBeDescriptor(
  { memory, board }: Session["machine"],
  regime: Regime,
  granuleLog2: number,
  lo: number,
  hi: number,
): boolean {
  if ((hi & RESERVED_HI) !== 0) return false;
  const address = descriptor.outputAddress(lo, hi, granuleLog2);
  if (address >= 2 ** regime.outputSize) return false;
  // A block may be large and begin below what it is for.
  if (!descriptor.isTableOrPage(lo)) return descriptor.accessFlag(lo);
  return memory.contains(address) || board.bus.find(address) !== undefined;
}

/** Whether no entry of the table at an address is valid. */
export function isEmptyTable(
  { machine }: Session,
  address: number,
  bytes: number,
): boolean {
  const { memory } = machine;
  for (let at = address; at < address + bytes; at += 8) {
    if (memory.contains(at, 8) && descriptor.isValid(memory.word(at))) return false;
  }
  return true;
}
