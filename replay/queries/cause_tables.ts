/**
 * Judgements about page tables: whether memory looks like one, and whether a walk went wrong because
 * of how a descriptor or TTBR is encoded rather than because of what it says.
 */
import type { DescriptorRead } from "../../core/observer.ts";
import * as descriptor from "../../mmu/descriptor.ts";
import { levelShift, type Regime } from "../../mmu/regime.ts";
import { blockAllowed, type Walk, type WalkStep } from "../../mmu/walk.ts";
import type { Stage2, Stage2Walk } from "../../mmu/stage2.ts";
import { tableMemory } from "../guest_view.ts";
import type { Session } from "../session.ts";
import { physicalOf } from "./provenance_walk.ts";

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

/** Each in words. */
export const MISTAKES: Readonly<Record<EncodingMistake, string>> = {
  "block-as-table":
    "a block descriptor has bit 1 set, so it reads as a table: the walk goes on in " +
    "memory that was never written as descriptors",
  "page-as-block": "bit 1 of a level 3 descriptor is clear: that encoding is reserved",
  "block-at-wrong-level": "bit 1 of a descriptor is clear where the granule has no blocks",
  "misaligned-block":
    "a descriptor without bit 1 is a block, but its address is not a multiple of " +
    "the block's size",
};

/** A descriptor with such a mistake. */
export interface MistakenStep {
  readonly step: Pick<WalkStep, "level" | "address" | "lo" | "hi">;
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
/** Bytes within which every stage maps contiguously. */
const SMALLEST = 4096;
/** Bits 51:48: reserved with addresses of at most 48 bits. */
const RESERVED_HI = 0xf_0000;

/** `level 3`, `stage 2 level 1`. */
export function levelText({ level, stage }: DescriptorRead): string {
  return `${stage === 2 ? "stage 2 " : ""}level ${level}`;
}

/** Where the tables of a walk are, and how large. */
export interface TableShape {
  readonly granuleLog2: number;
  /** Bits of address that a descriptor may hold. */
  readonly outputSize: number;
  /** The regime whose stage 2 translates the addresses in descriptors; null where they are physical. */
  readonly regime: Regime | null;
}

/** The tables of stage 1 for one of its ranges. */
export function stage1Shape(regime: Regime, range: number): TableShape {
  const { granuleLog2 } = regime.ranges[range];
  return { granuleLog2, outputSize: regime.outputSize, regime };
}

/** The tables of stage 2. */
export function stage2Shape({ range, outputSize }: Stage2): TableShape {
  return { granuleLog2: range.granuleLog2, outputSize, regime: null };
}

/** The first descriptor of a walk that is encoded as something else than it was meant to be. */
export function mistakenStep(
  session: Session,
  regime: Regime,
  walk: Walk,
): MistakenStep | undefined {
  return firstMistake(session, stage1Shape(regime, walk.range), walk.steps);
}

/** The same of a walk of stage 2. */
export function mistakenSecond(
  session: Session,
  stage2: Stage2,
  walk: Stage2Walk,
): MistakenStep | undefined {
  return firstMistake(session, stage2Shape(stage2), walk.steps);
}

function firstMistake(
  session: Session,
  shape: TableShape,
  steps: readonly MistakenStep["step"][],
): MistakenStep | undefined {
  for (const step of steps) {
    const mistake = mistakeOf(session, shape, step);
    if (mistake) return { step, mistake };
  }
  return undefined;
}

function mistakeOf(
  session: Session,
  shape: TableShape,
  { level, lo, hi }: MistakenStep["step"],
): EncodingMistake | undefined {
  const { granuleLog2 } = shape;
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
  return looksLikeTable(lookAt(session, shape, address)) ? undefined : "block-as-table";
}

/** Whether memory has been written as descriptors: some can be, and few cannot. */
export function looksLikeTable({ plausible, implausible }: TableLook): boolean {
  return plausible > 0 && implausible * 8 <= plausible;
}

/** Looks at a granule of memory as a table. What is not RAM has no entries. */
export function lookAt(session: Session, shape: TableShape, address: number): TableLook {
  let plausible = 0, implausible = 0;
  for (const [lo, hi] of entriesOf(session, shape, address)) {
    if (!descriptor.isValid(lo)) continue;
    if (canBeDescriptor(session, shape, lo, hi)) plausible++;
    else implausible++;
  }
  return { plausible, implausible };
}

/** The words of each entry of a table; none where it is not in RAM. */
function* entriesOf(
  { machine }: Session,
  shape: TableShape,
  table: number,
): Generator<[number, number]> {
  const bytes = 2 ** shape.granuleLog2;
  for (let part = table; part < table + bytes; part += SMALLEST) {
    const place = placeOf(machine, shape, part);
    if (place === null || !machine.memory.contains(place, SMALLEST)) return;
    for (let at = place; at < place + SMALLEST; at += 8) {
      yield [machine.memory.word(at), machine.memory.word(at + 4)];
    }
  }
}

/** Where guest memory or the board has what a descriptor names; null where stage 2 does not map it. */
function placeOf(
  machine: Session["machine"],
  { regime }: TableShape,
  address: number,
): number | null {
  if (regime === null) return address;
  const pa = physicalOf(tableMemory(machine), regime, address);
  return pa === null ? null : machine.spaces.place(pa, regime.secure);
}

function canBeDescriptor(
  { machine }: Session,
  shape: TableShape,
  lo: number,
  hi: number,
): boolean {
  if ((hi & RESERVED_HI) !== 0) return false;
  const address = descriptor.outputAddress(lo, hi, shape.granuleLog2);
  if (address >= 2 ** shape.outputSize) return false;
  // A block may be large and begin below what it is for.
  if (!descriptor.isTableOrPage(lo)) return descriptor.accessFlag(lo);
  // What stage 2 does not map, it may map later.
  const place = placeOf(machine, shape, address);
  return place === null || machine.memory.contains(place) ||
    machine.board.bus.find(place) !== undefined;
}

/** Whether the table at an address is in RAM, and no entry of it valid. */
export function isEmptyTable(session: Session, shape: TableShape, address: number): boolean {
  let entries = 0;
  for (const [lo] of entriesOf(session, shape, address)) {
    if (descriptor.isValid(lo)) return false;
    entries++;
  }
  return entries > 0;
}
