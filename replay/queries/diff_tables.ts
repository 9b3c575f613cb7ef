/**
 * Which memory of a boot holds translation tables, and what each of their entries maps.
 *
 * Tables are written before the MMU is on, so they are looked for first: from the roots that TTBRs
 * ever held, as memory was when translation was turned on, when a TTBR changed, and at the end. The
 * first meaning found for a page counts: a boot that goes wrong reads code as tables later. Moments far
 * ahead wait until the comparison is near: until then their pages are other things.
 */
import type { AddressRange } from "../../mmu/regime.ts";
import { levelShift } from "../../mmu/regime.ts";
import type { Trace } from "../../trace/mod.ts";
import type { Session } from "../session.ts";
import { isMmuEnable } from "./milestones.ts";
import { regimeAt } from "./provenance_walk.ts";

const UNIT = 4096;
/** Moments looked at, and pages of tables that are kept. */
const MOST_MOMENTS = 12;
const MOST_PAGES = 1 << 16;
const ADDRESS = 0x0000_ffff_ffff_f000n;

/** What an entry of a translation table stands for. */
export interface TableEntry {
  /** Lookup level, 0 to 3. */
  readonly level: number;
  /** First virtual address that it maps. */
  readonly va: bigint;
  /** log2 of the bytes that it maps. */
  readonly sizeLog2: number;
}

/** 4 KiB of a translation table: `va` and `sizeLog2` are its first entry's. */
export interface TablePage extends TableEntry {
  /** Physical address of the first entry. */
  readonly address: number;
  /** That of the 4 KiB. */
  readonly unit: number;
}

/** Tables by 4 KiB unit of physical memory. */
export type Tables = ReadonlyMap<number, TablePage>;

/** A boot's memory at some moment. */
interface Moment {
  /** Whether so many bytes at a physical address are all RAM. */
  readonly contains: (address: number, length: number) => boolean;
  readonly read: (address: number, length: number) => Uint8Array;
}

/** Finds the tables of a boot. */
export class TableFinder {
  /** Those found so far. */
  readonly tables: Map<number, TablePage> = new Map();
  readonly #session: Session;
  /** Positions that were not looked at yet. */
  #moments: number[] | undefined;

  /** @param session its cursor moves when tables are looked for */
  constructor(session: Session) {
    this.#session = session;
  }

  /** Looks for tables at the moments up to a position; gives whether the cursor moved. */
  findUpTo(position: number): boolean {
    const session = this.#session;
    const isFirst = this.#moments === undefined;
    const left = this.#moments ??= moments(session);
    if (!isFirst && !(left[0] <= position)) return false;
    const { memory } = session.machine;
    while (left[0] <= position) {
      session.seek(left.shift()!);
      this.#look((address, length) => memory.read(address, length), false);
    }
    if (isFirst) this.#lookAtEnd();
    return true;
  }

  /** The last state is not gone to: few of its pages are tables. */
  #lookAtEnd(): void {
    const { trace } = this.#session;
    const last = trace.windows.length - 1;
    const isOnly = this.tables.size === 0;
    this.#session.atKeyframe(last, () => {
      this.#look((address, length) => storedBytes(trace, last, address, length), isOnly);
    });
  }

  #look(read: Moment["read"], isOnly: boolean): void {
    const { memory } = this.#session.machine;
    const contains = (address: number, length: number) => memory.contains(address, length);
    const regime = regimeAt(this.#session);
    // Before the MMU is on TCR may not have been written, which tables cannot be read without.
    if (!regime.enabled && !isOnly) return;
    regime.ranges.forEach((range, select) => {
      if (range.tableBase === 0 || range.walksDisabled) return;
      addRoot({ contains, read }, this.tables, range, select);
    });
  }
}

/** Bytes of memory as a window left it. */
function storedBytes(trace: Trace, window: number, address: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const offset = (address + at) % UNIT;
    const part = trace.page(address + at - offset, window).subarray(offset, offset + length - at);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** What the 8 bytes at a physical address map, if they are an entry of a table. */
export function tableEntry(tables: Tables, address: number): TableEntry | undefined {
  const page = tables.get(address - address % UNIT);
  if (!page || address % 8 !== 0) return undefined;
  const { level, sizeLog2 } = page;
  const index = BigInt((address - page.address) / 8);
  return { level, sizeLog2, va: BigInt.asUintN(64, page.va + (index << BigInt(sizeLog2))) };
}

/** Whether a physical address is in the same table in two boots, or in none in one of them. */
export function isSameTable(a: Tables, b: Tables, address: number): boolean {
  const unit = address - address % UNIT;
  const x = a.get(unit), y = b.get(unit);
  if (!x || !y) return true;
  return x.level === y.level && x.va === y.va && x.sizeLog2 === y.sizeLog2 &&
    x.address === y.address;
}

function moments({ trace }: Session): number[] {
  const found: number[] = [];
  for (const event of trace.events({ kinds: new Set(["sysreg"]) })) {
    if (found.length >= MOST_MOMENTS) break;
    if (event.kind !== "sysreg") continue;
    const root = event.register.startsWith("TTBR") && event.old !== event.new;
    if (root || isMmuEnable(event)) found.push(event.position + 1);
  }
  return found.filter((position) => position < trace.end);
}

function addRoot(
  moment: Moment,
  tables: Map<number, TablePage>,
  { granuleLog2, inputSize, startLevel, tableBase }: AddressRange,
  select: number,
): void {
  const va = select === 0 ? 0n : BigInt.asUintN(64, -(1n << BigInt(inputSize)));
  const entries = 2 ** (inputSize - levelShift(granuleLog2, startLevel));
  const add = (address: number, level: number, first: bigint, count: number) => {
    const unit = address - address % UNIT;
    if (tables.size >= MOST_PAGES || !moment.contains(address, 8 * count)) return;
    // A table that stands for something already; a recursive map is one, too.
    if (tables.has(unit)) return;
    const sizeLog2 = levelShift(granuleLog2, level);
    for (let at = 0; at < 8 * count; at += UNIT) {
      const own = first + (BigInt(at / 8) << BigInt(sizeLog2));
      const start = at === 0 ? address : unit + at;
      tables.set(unit + at, { address: start, unit: unit + at, level, sizeLog2, va: own });
    }
    if (level === 3) return;
    const words = moment.read(address, 8 * count).slice();
    const view = new DataView(words.buffer);
    for (let i = 0; i < count; i++) {
      const lo = view.getUint32(8 * i, true);
      if ((lo & 3) !== 3) continue;
      const next = view.getBigUint64(8 * i, true) & ADDRESS;
      const below = Number(next - next % (1n << BigInt(granuleLog2)));
      add(below, level + 1, first + (BigInt(i) << BigInt(sizeLog2)), 2 ** (granuleLog2 - 3));
    }
  };
  add(tableBase, startLevel, va, entries);
}
