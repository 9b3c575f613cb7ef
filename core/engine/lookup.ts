import { LAYOUT, NO_TAG } from "./layout.ts";
import { wide } from "../wide.ts";

const ALLOW = 1, KEEP = 0, DENY = -1;
const NO_TAG_WORD = 0xffff_ffff;

/** Entries that are dropped one by one; where more were filled, all are. */
const FEW = 64;

/**
 * The lookup caches: what generated code consults before each access and each branch to a page.
 *
 * They are derived: everything in them follows from the modelled TLB, the page tables' permissions
 * and the state of guest memory, any entry may be dropped at any time, and nothing the guest or a
 * trace can see depends on what is in them. Each CPU has its own. Layout: `layout.ts`.
 */
export class LookupCaches {
  readonly #u64: BigUint64Array;
  readonly #u32: Uint32Array;
  readonly #levels: number;
  readonly #data: number;
  readonly #fetch: number;
  /** Entries, as 8-byte indices, that were filled since all were dropped; at least `FEW` if many. */
  #filledData: number[] = new Array(FEW).fill(0);
  /** The same of those that stores may use. */
  #filledWrites: number[] = new Array(FEW).fill(0);
  #filledFetches: number[] = new Array(FEW).fill(0);

  /**
   * @param levels exception levels in use, from EL0
   * @param offset how far behind those of the first CPU they stand
   */
  constructor(memory: ArrayBufferLike, levels: number, offset = 0) {
    this.#u64 = new BigUint64Array(memory, 0, (LAYOUT.tlb + offset) / 8);
    this.#u32 = new Uint32Array(memory, 0, (LAYOUT.tlb + offset) / 4);
    this.#levels = levels;
    this.#data = LAYOUT.dataLookup + offset;
    this.#fetch = LAYOUT.fetchLookup + offset;
    this.flush();
  }

  /** Address of an exception level's data cache. */
  data(el: number): number {
    return this.#data + el * LAYOUT.dataLookupStride;
  }

  /** Address of an exception level's fetch cache. */
  fetch(el: number): number {
    return this.#fetch + el * LAYOUT.fetchLookupStride;
  }

  /**
   * Lets accesses of exception level `el` to a virtual page through.
   *
   * @param va any address of the page, as two 32-bit halves
   * @param host address of the guest page in the engine's memory
   * @param allow `decodedWords`: see `CodeCache.decodedWords`
   */
  allowData(
    el: number,
    va: { hi: number; lo: number },
    host: number,
    allow: {
      read: boolean;
      write: boolean;
      writeBesideCode: boolean;
      unaligned: boolean;
      decodedWords: number;
    },
  ): void {
    const page = (va.lo & ~0xfff) >>> 0;
    const entry = this.#dataEntry(el, va.hi, va.lo), at = entry >> 2;
    if (this.#filledData.length < FEW) this.#filledData.push(entry >> 3);
    const same = this.#u32[at + 4] === ((host - page) >>> 0);
    const beside = allow.writeBesideCode;
    if ((allow.write || beside) && this.#filledWrites.length < FEW) {
      this.#filledWrites.push(entry >> 3);
    }
    this.#setTag(at, allow.read ? ALLOW : same ? KEEP : DENY, va.hi, page);
    this.#setTag(at + 2, allow.write ? ALLOW : same && !beside ? KEEP : DENY, va.hi, page);
    this.#setTag(at + 6, beside ? ALLOW : same ? KEEP : DENY, va.hi, page);
    this.#u32[(entry >> 2) + 4] = (host - page) >>> 0;
    this.#u32[(entry >> 2) + 5] = allow.decodedWords | (allow.unaligned ? 1 : 0);
  }

  /** Sets the tag at 32-bit index `at`; one that is kept must be of the same page. */
  #setTag(at: number, how: typeof ALLOW | typeof KEEP | typeof DENY, hi: number, lo: number): void {
    const words = this.#u32;
    if (how === KEEP && words[at] === lo && words[at + 1] === hi) return;
    words[at] = how === ALLOW ? lo : NO_TAG_WORD;
    words[at + 1] = how === ALLOW ? hi : NO_TAG_WORD;
  }

  /**
   * Lets branches of exception level `el` into a page through.
   *
   * @param address as branched to; its page is the tag
   * @param page the page's address as PC holds it (a tag in the top byte may be gone)
   * @param guarded GP (FEAT_BTI)
   */
  allowFetch(
    el: number,
    address: { hi: number; lo: number },
    page: bigint,
    records: number,
    context: number,
    guarded = false,
  ): void {
    const va = address;
    const tag = wide(va.hi, (va.lo & ~0xfff) >>> 0);
    const entry = this.fetch(el) + (((va.lo >>> 12) & (LAYOUT.fetchLookupEntries - 1)) << 5);
    if (this.#filledFetches.length < FEW) this.#filledFetches.push(entry >> 3);
    this.#u64[entry >> 3] = tag;
    this.#u64[(entry >> 3) + 1] = BigInt.asUintN(64, page - BigInt(records >>> 2));
    this.#u32[(entry >> 2) + 4] = records;
    this.#u32[(entry >> 2) + 5] = context;
    this.#u32[(entry >> 2) + 6] = guarded ? 1 : 0;
  }

  /** Drops what was derived from a translation of 2^`sizeLog2` bytes at an address, whatever its top byte. */
  dropRange(lo: number, sizeLog2: number): void {
    const pages = sizeLog2 >= 23 ? LAYOUT.dataLookupEntries : 1 << (sizeLog2 - 12);
    if (pages >= LAYOUT.dataLookupEntries) return this.flush();
    for (let el = 0; el < this.#levels; el++) {
      for (let page = lo >>> 12; page < (lo >>> 12) + pages; page++) {
        const data = (this.data(el) >> 3) + ((page & (LAYOUT.dataLookupEntries - 1)) << 2);
        this.#u64[data] = this.#u64[data + 1] = this.#u64[data + 3] = NO_TAG;
        this.#u64[(this.fetch(el) >> 3) + ((page & (LAYOUT.fetchLookupEntries - 1)) << 2)] = NO_TAG;
      }
    }
  }

  /** Drops everything. */
  flush(): void {
    if (this.#filledData.length < FEW) {
      for (const at of this.#filledData) {
        this.#u64[at] = this.#u64[at + 1] = this.#u64[at + 3] = NO_TAG;
      }
    } else this.#u64.fill(NO_TAG, this.#data / 8, this.data(this.#levels) / 8);
    this.#filledData = [];
    this.#filledWrites = [];
    this.flushFetches();
  }

  /** Drops all fetch entries. */
  flushFetches(): void {
    if (this.#filledFetches.length < FEW) {
      for (const at of this.#filledFetches) this.#u64[at] = NO_TAG;
    } else this.#u64.fill(NO_TAG, this.#fetch / 8, this.fetch(this.#levels) / 8);
    this.#filledFetches = [];
  }

  /** Makes every page's next store ask again. */
  flushWrites(): void {
    const filled = this.#filledWrites;
    this.#filledWrites = [];
    if (filled.length < FEW) {
      for (const at of filled) this.#u64[at + 1] = this.#u64[at + 3] = NO_TAG;
      return;
    }
    for (let el = 0; el < this.#levels; el++) {
      const first = this.data(el) >> 3;
      for (let at = first; at < first + LAYOUT.dataLookupEntries * 4; at += 4) {
        this.#u64[at + 1] = NO_TAG;
        this.#u64[at + 3] = NO_TAG;
      }
    }
  }

  /** Makes stores to one guest page ask again, through whatever virtual page. */
  flushWritesTo(host: number): void {
    for (let el = 0; el < this.#levels; el++) {
      const first = this.data(el);
      // Tags are compared as 32-bit words: this is walked often, and BigInts are slow.
      for (let entry = first; entry < first + LAYOUT.dataLookupEntries * 32; entry += 32) {
        const at = entry >> 2;
        if ((this.#u32[at + 2] + this.#u32[at + 4]) >>> 0 !== host) continue;
        this.#u64[(entry >> 3) + 1] = NO_TAG;
      }
    }
  }

  #dataEntry(el: number, _hi: number, lo: number): number {
    return this.data(el) + (((lo >>> 12) & (LAYOUT.dataLookupEntries - 1)) << 5);
  }
}
