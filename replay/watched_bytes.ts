/**
 * What a watchpoint is about: bytes by their physical addresses, or by a virtual address.
 *
 * A virtual address means the regime and ASID that are current when the watchpoint is set. It is
 * followed when it is mapped elsewhere: whatever an access through it reached had been put into the
 * TLB by a fill, and the trace has all of those. While the MMU is off, it is the physical address.
 */
import type { Cpu } from "../core/cpu.ts";
import type { Machine } from "../core/machine.ts";
import { PAGE_BYTES, type WatchedAccess } from "../core/memory/memory.ts";
import { canonical } from "../mmu/tlb_format.ts";
import type { Trace } from "../trace/mod.ts";
import { halves, tlbEntryOf, translationOf } from "./guest_view.ts";
import type { PhysicalRange } from "./queries/writers.ts";
import type { Session } from "./session.ts";

/** A part of an access: first and last byte, the latter not included. */
export interface AccessPart {
  /** Physical address. */
  readonly first: number;
  /** Physical address behind. */
  readonly end: number;
}

/** Bytes that are watched. */
export interface WatchedBytes {
  /** Pages of physical memory that the bytes can be in before a position. */
  pages(trace: Trace, before: number): ReadonlySet<number>;
  /** The one range of physical memory that the bytes are in before a position, if it is only one. */
  range(trace: Trace, before: number): PhysicalRange | undefined;
  /**
   * The part of an access to those pages, about to be made, that is one to the bytes.
   *
   * @internal
   */
  part(machine: Machine, access: WatchedAccess): AccessPart | undefined;
}

/** A range of physical memory: whatever address an access goes through, and whoever makes it. */
export class PhysicalBytes implements WatchedBytes {
  readonly #first: number;
  readonly #end: number;

  /** Makes a range of `length` bytes. */
  constructor({ address, length }: { readonly address: number; readonly length: number }) {
    this.#first = address;
    this.#end = address + length;
  }

  /** The range. */
  range(): PhysicalRange {
    return { address: this.#first, length: this.#end - this.#first };
  }

  /** The pages of the range. */
  pages(): ReadonlySet<number> {
    const pages = new Set<number>();
    for (let page = pageOf(this.#first); page < this.#end; page += PAGE_BYTES) pages.add(page);
    return pages;
  }

  /**
   * The part of an access that lies in the range.
   *
   * @internal
   */
  part(_machine: Machine, { address, bytes }: WatchedAccess): AccessPart | undefined {
    return overlap(address, bytes.length, this.#first, this.#end);
  }
}

/** Bytes at a virtual address; see the top of this file. */
export class VirtualBytes implements WatchedBytes {
  readonly #va: bigint;
  readonly #length: number;
  /** First addresses of the pages that the bytes are in. */
  readonly #virtualPages: readonly bigint[];
  readonly #any: boolean;
  readonly #space: { readonly tag: number; readonly asid: number };
  /** Where each page of the range is when this is made; absent where nothing is mapped. */
  readonly #here = new Map<bigint, number>();
  #known: { before: number; pages: ReadonlySet<number> } | undefined;

  /**
   * Binds an address to the regime and ASID at the session's cursor.
   *
   * @param cpu whose regime it is; that of the CPU in turn if left out. Other CPUs in the same
   *   regime and ASID count as well
   * @param any also accesses by others, or through other addresses, that reach the bytes
   */
  constructor(
    { machine }: Session,
    { va, length, cpu = machine.cpu }: {
      readonly va: bigint;
      readonly length: number;
      readonly cpu?: Cpu;
    },
    any: boolean,
  ) {
    this.#va = untagged(va);
    this.#length = length;
    this.#virtualPages = pagesOf(this.#va, length);
    this.#any = any;
    const { tag, asid } = cpu.processor.translation.regime;
    this.#space = { tag, asid };
    for (const page of this.#virtualPages) {
      const { pa } = translationOf(machine, page, cpu);
      if (pa !== null) this.#here.set(page, pa);
    }
  }

  /** Where the address is while the MMU is off, where it is here, and where fills put it. */
  pages(trace: Trace, before: number): ReadonlySet<number> {
    if (this.#known && this.#known.before >= before) return this.#known.pages;
    const pages = new Set(this.#here.values());
    const virtual = this.#virtualPages;
    for (const page of virtual) if (page < 1n << 48n) pages.add(Number(page));
    for (const event of trace.events({ kinds: new Set(["tlb-fill"]), to: before })) {
      if (event.kind !== "tlb-fill") continue;
      const size = 1n << BigInt(event.sizeLog2);
      const start = untagged(event.va) & ~(size - 1n);
      const base = event.pa - event.pa % Number(size);
      if (start > this.#va + BigInt(this.#length) || start + size <= virtual[0]) continue;
      for (const page of virtual) {
        if (page >= start && page < start + size) pages.add(base + Number(page - start));
      }
    }
    this.#known = { before, pages };
    return pages;
  }

  /** The range, if all is in one page that was never elsewhere. */
  range(trace: Trace, before: number): PhysicalRange | undefined {
    const [page, ...others] = this.pages(trace, before);
    if (page === undefined || others.length > 0 || this.#virtualPages.length > 1) return undefined;
    return { address: page + Number(this.#va & 0xfffn), length: this.#length };
  }

  /**
   * The part of an access that is made through the address, or, with `any`, reaches the bytes.
   *
   * @internal
   */
  part(machine: Machine, access: WatchedAccess): AccessPart | undefined {
    return this.#any ? this.#reaching(machine, access) : this.#through(machine, access);
  }

  #through(machine: Machine, { va, address, bytes }: WatchedAccess): AccessPart | undefined {
    if (va === undefined) return undefined;
    const offset = Number(untagged(va) - this.#va);
    if (offset >= this.#length || offset + bytes.length <= 0) return undefined;
    if (!this.#isOwn(machine, va)) return undefined;
    const start = address - offset;
    return overlap(address, bytes.length, start, start + this.#length);
  }

  #reaching(machine: Machine, { address, bytes }: WatchedAccess): AccessPart | undefined {
    const last = this.#va + BigInt(this.#length);
    for (const page of this.#virtualPages) {
      const own = this.#isOwn(machine, page) ? translationOf(machine, page).pa : null;
      const pa = own ?? this.#here.get(page);
      if (pa === undefined) continue;
      const first = page < this.#va ? Number(this.#va - page) : 0;
      const end = Math.min(PAGE_BYTES, Number(last - page));
      const part = overlap(address, bytes.length, pa + first, pa + end);
      if (part) return part;
    }
    return undefined;
  }

  /** Whether an address now means what it means where this was made. */
  #isOwn(machine: Machine, va: bigint): boolean {
    const { regime } = machine.processor.translation;
    if (regime.tag !== this.#space.tag) return false;
    if (!regime.enabled || regime.asid === this.#space.asid) return true;
    return tlbEntryOf(machine, va)?.global ?? false;
  }
}

function pagesOf(va: bigint, length: number): bigint[] {
  const pages: bigint[] = [];
  const last = va + BigInt(length);
  for (let page = va & ~0xfffn; page < last; page += BigInt(PAGE_BYTES)) pages.push(page);
  return pages;
}

function pageOf(address: number): number {
  return address - address % PAGE_BYTES;
}

function overlap(
  address: number,
  length: number,
  first: number,
  end: number,
): AccessPart | undefined {
  const part = { first: Math.max(address, first), end: Math.min(address + length, end) };
  return part.first < part.end ? part : undefined;
}

/** An address without a tag in its top byte, as the TLB holds it. */
function untagged(va: bigint): bigint {
  const { hi, lo } = halves(va);
  return BigInt(canonical(hi)) << 32n | BigInt(lo);
}
