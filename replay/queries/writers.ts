/**
 * Who wrote bytes of memory, by physical address.
 *
 * The stretches that can have written (`writers_stretches.ts`) are executed again, latest first, with a
 * watch on the pages in question that sees every write exactly, through whatever address, and until
 * every byte has its writer. What nothing wrote was there at `#0`: put there by the loader, or zero
 * since reset.
 */
import { type MemoryWatch, PAGE_BYTES } from "../../core/memory/memory.ts";
import type { Session } from "../session.ts";
import { goForward, type Stretch, UNIT_BYTES, writtenStretches } from "./writers_stretches.ts";
import { isAtomicStore } from "./writers_effects.ts";

/** Who can write. `walker`: the translation table walker; `reset`: nobody since reset. */
export type MemoryWriter = "store" | "atomic" | "dc-zva" | "walker" | "dma" | "loader" | "reset";

/** Bytes of physical memory. */
export interface PhysicalRange {
  /** Of the first byte. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
}

/** One write; the registers of a pair are two. */
export interface MemoryWrite {
  readonly by: MemoryWriter;
  /** Steps before the instruction that wrote; 0 for `loader` and `reset`. */
  readonly position: number;
  /** Address of that instruction; null for `loader` and `reset`. */
  readonly pc: bigint | null;
  /** Virtual address written, where the write had one. */
  readonly va: bigint | null;
  /** Physical address of the first byte. */
  readonly address: number;
  /** What was there before. */
  readonly old: Uint8Array;
  /** What was written. */
  readonly bytes: Uint8Array;
}

/**
 * The last writer of each byte before a position. Bytes with the same writer have the same object.
 *
 * @param before writes of the steps up to this position count
 */
export function lastWriters(
  session: Session,
  range: PhysicalRange,
  before: number,
): MemoryWrite[] {
  const found = new Array<MemoryWrite | undefined>(range.length);
  let missing = range.length;
  const isMissing = (unit: number) => {
    const first = Math.max(0, unit * UNIT_BYTES - range.address);
    const end = Math.min(range.length, (unit + 1) * UNIT_BYTES - range.address);
    for (let i = first; i < end; i++) if (!found[i]) return true;
    return false;
  };
  for (const stretch of writtenStretches(session, range, { before, wanted: isMissing })) {
    const here = new Array<MemoryWrite | undefined>(range.length);
    watchWrites(session, range, stretch, (write) => {
      const { first, end } = overlap(range, write);
      here.fill(write, first, end);
    });
    for (let i = 0; i < range.length; i++) {
      if (found[i] || !here[i]) continue;
      found[i] = here[i];
      missing--;
    }
    if (missing === 0) break;
  }
  const initial = initialWrite(session, range);
  return Array.from(found, (write) => write ?? initial);
}

/**
 * All writes to a range before a position, latest first; the last one given is what was there at
 * `#0`, unless there are more than `limit`.
 */
export function* writesBefore(
  session: Session,
  range: PhysicalRange,
  before: number,
  limit = Infinity,
): Generator<MemoryWrite> {
  let left = limit;
  for (const stretch of writtenStretches(session, range, { before, many: limit > FEW })) {
    let writes: MemoryWrite[] = [];
    watchWrites(session, range, stretch, (write) => {
      writes.push(write);
      if (writes.length > 2 * Math.max(left, 1000)) writes = writes.slice(-left);
    });
    for (const write of writes.reverse()) {
      yield write;
      if (--left <= 0) return;
    }
  }
  yield initialWrite(session, range);
}

/** So many writes are looked for one by one. */
const FEW = 100;

/** Calls `seen` for each write to the range from one position to another, in order. */
export function watchWrites(
  session: Session,
  range: PhysicalRange,
  { from, to }: Stretch,
  seen: (write: MemoryWrite) => void,
): void {
  const { machine } = session;
  const first = range.address - range.address % PAGE_BYTES;
  const end = range.address + range.length;
  const watch: MemoryWatch = {
    covers: (page) => page >= first && page < end,
    accessed(access) {
      const { write, address, bytes, by, va } = access;
      if (!write || address >= end || address + bytes.length <= range.address) return;
      const { position, pc } = machine.processor.here();
      const isAtomic = by === "instruction" && isAtomicStore(machine.processor.word);
      seen({
        by: isAtomic ? "atomic" : by === "instruction" ? "store" : by,
        position,
        pc,
        va: va ?? null,
        address,
        old: machine.memory.read(address, bytes.length).slice(),
        bytes: bytes.slice(),
      });
    },
  };
  goForward(session, from);
  session.observe(to, { watch });
}

/** The part of the range that a write covers, as indices. */
function overlap(range: PhysicalRange, write: MemoryWrite): { first: number; end: number } {
  return {
    first: Math.max(0, write.address - range.address),
    end: Math.min(range.length, write.address + write.bytes.length - range.address),
  };
}

/** What was there at `#0`. */
function initialWrite({ trace }: Session, range: PhysicalRange): MemoryWrite {
  const bytes = new Uint8Array(range.length);
  const loaded = new Set(trace.pageAddresses(0));
  let known = false;
  for (let i = 0; i < range.length;) {
    const offset = (range.address + i) % PAGE_BYTES;
    const page = range.address + i - offset;
    const part = Math.min(range.length - i, PAGE_BYTES - offset);
    if (loaded.has(page)) {
      known = true;
      bytes.set(trace.page(page, 0).subarray(offset, offset + part), i);
    }
    i += part;
  }
  const by = known ? "loader" : "reset";
  const old = new Uint8Array(range.length);
  return { by, position: 0, pc: null, va: null, address: range.address, old, bytes };
}
