import {
  checkState,
  ENTRIES,
  ENTRY_WORDS,
  GLOBAL,
  GUARDED,
  packStage2,
  POINTERS,
  SECURE_OUTPUT,
  SECURE_REGIME,
  SIZES,
  tagBits,
  TLB_SETS,
  TLB_WAYS,
  TLB_WORDS,
  type TlbEntry,
  type TlbStage2,
  unpackStage2,
  VALID,
} from "./tlb_format.ts";

export { TLB_SETS, TLB_WAYS, TLB_WORDS } from "./tlb_format.ts";
export type { TlbEntry, TlbStage2 } from "./tlb_format.ts";

/**
 * The modelled TLB: part of the machine, in every keyframe and state hash.
 *
 * Unified, 256 sets of 4 ways. A fill takes the first free way of its set, else the way that the
 * set's round-robin pointer names. Hits change nothing, so a cache in front of it, however often
 * it is flushed, can never alter what it holds. Entries keep their true size and are tagged by
 * regime, VMID, and ASID unless global. Faulting translations are never entered.
 *
 * An entry of size 2^s stands in the set chosen by its page number, address >> s, folded to eight
 * bits. Sizes are few (4 KB to 512 GB and the reserved blocks of other granules), so a lookup
 * probes one set for each size of which an entry is present, smallest first.
 *
 * Its words are described in `tlb_format.ts`. Geometry, hash and replacement are part of the machine version. Cost of a lookup: 4 compares
 * per size present; of an invalidation by address the same; of the others one pass of 1024.
 */

/** Passed as an ASID where an operation applies to all of them. */
export const ANY_ASID: number = -1;

/** Is told of every entry that leaves the TLB, so that what was derived from it can be dropped. */
export interface TlbListener {
  /** The entry for 2^`sizeLog2` bytes at the address was evicted or invalidated. */
  onEvict(vaHi: number, vaLo: number, sizeLog2: number): void;
  /** So many entries left that everything derived must be dropped. */
  onEvictAll(): void;
}

const SET_WORDS = TLB_WAYS * ENTRY_WORDS;
/** Valid, size class and regime. */
const IDENTITY = VALID | 15 << 2 | 3 << 8 | SECURE_REGIME;

/** Masks of the address bits that name a page, by size class. */
const MASK_LO = SIZES.map((size) => size >= 32 ? 0 : -1 << size >>> 0);
const MASK_HI = SIZES.map((size) => size > 32 ? -1 << size - 32 >>> 0 : 0xffff_ffff);

/** The modelled TLB over caller-given state. See the top of this file. */
export class Tlb {
  #words: Uint32Array;
  readonly #listener: TlbListener | null;

  /**
   * Makes a TLB over existing state.
   *
   * @param words {@linkcode TLB_WORDS} words, zero for an empty TLB
   * @param listener told of entries that leave
   */
  constructor(words: Uint32Array, listener: TlbListener | null = null) {
    this.#words = words;
    this.#listener = listener;
    this.attach(words);
  }

  /**
   * Moves to other storage with the same contents (after WebAssembly memory has grown), or takes
   * over a saved state. Derived caches are told that everything left.
   */
  attach(words: Uint32Array): void {
    if (words.length !== TLB_WORDS) {
      throw new RangeError(
        `Cannot use ${words.length} words as TLB state: expected ${TLB_WORDS}`,
      );
    }
    this.#words = words;
    this.#listener?.onEvictAll();
  }

  /** A copy of the state. */
  save(): Uint32Array {
    return this.#words.slice();
  }

  /**
   * Restores what {@linkcode save} returned.
   *
   * @throws RangeError where the state is not one that a TLB can have
   */
  restore(state: Uint32Array): void {
    checkState(state);
    this.#words.set(state);
    this.#listener?.onEvictAll();
  }

  /**
   * Finds the entry for an address. Changes nothing.
   *
   * @param vaHi bits 63:32 of the canonical address (bits 63:56 equal bit 55), unsigned
   * @param vaLo bits 31:0, unsigned
   * @returns the entry's handle, for the accessors below, or -1
   */
  lookup(regime: number, asid: number, vaHi: number, vaLo: number): number {
    const words = this.#words;
    for (let sizeClass = 0; sizeClass < SIZES.length; sizeClass++) {
      if (words[sizeClass] === 0) continue;
      const first = setOf(vaHi, vaLo, sizeClass);
      for (let entry = first; entry < first + SET_WORDS; entry += ENTRY_WORDS) {
        if (this.#covers(entry, sizeClass, regime, asid, vaHi, vaLo)) return entry;
      }
    }
    return -1;
  }

  /**
   * Enters a translation.
   *
   * @returns the new entry's handle
   */
  fill(e: TlbEntry): number {
    const words = this.#words;
    const sizeClass = SIZES.indexOf(e.sizeLog2);
    if (sizeClass < 0) {
      throw new RangeError(`Cannot fill the TLB with 2^${e.sizeLog2} bytes: no page is so large`);
    }
    const first = setOf(e.vaHi, e.vaLo, sizeClass);
    const entry = this.#victim(first);
    words[entry] = VALID | (e.global ? GLOBAL : 0) | sizeClass << 2 | e.level << 6 |
      tagBits(e.regime) | e.shareability << 10 | e.attrIndex << 12 | e.packedPermissions << 16 |
      (e.secure ? SECURE_OUTPUT : 0) | (e.guarded ? GUARDED : 0);
    words[entry + 1] = e.asid | e.regime >>> 8 << 16;
    words[entry + 6] = e.stage2 === null ? 0 : packStage2(e.stage2);
    words[entry + 2] = e.vaLo & MASK_LO[sizeClass];
    words[entry + 3] = e.vaHi & MASK_HI[sizeClass];
    const baseLo = e.base >>> 0;
    words[entry + 4] = baseLo;
    words[entry + 5] = (e.base - baseLo) / 0x1_0000_0000;
    words[sizeClass]++;
    return entry;
  }

  /**
   * TLBI VMALLE1, ALLE2, ALLE3: drops every entry of the regime.
   *
   * @param anyVmid of every VMID, as ALLE1
   */
  invalidateAll(regime: number, anyVmid = false): void {
    const wanted = anyVmid ? regime & 0xff : regime;
    let left = this.#present();
    for (let entry = ENTRIES; left > 0 && entry < TLB_WORDS; entry += ENTRY_WORDS) {
      if ((this.#words[entry] & VALID) === 0) continue;
      left--;
      const tag = this.regimeOf(entry);
      if ((anyVmid ? tag & 0xff : tag) === wanted) this.#clear(entry);
    }
    this.#listener?.onEvictAll();
  }

  /** TLBI ASIDE1: drops the entries of one ASID that are not global. */
  invalidateAsid(regime: number, asid: number): void {
    for (let entry = ENTRIES; entry < TLB_WORDS; entry += ENTRY_WORDS) {
      const flags = this.#words[entry];
      if ((flags & (VALID | GLOBAL)) !== VALID) continue;
      if (this.regimeOf(entry) === regime && this.asidOf(entry) === asid) this.#evict(entry);
    }
  }

  /**
   * TLBI VAE1, VAAE1 and their last-level forms: drops entries that translate an address.
   *
   * Only last-level translations are held, so the last-level forms do the same.
   *
   * @param asid an entry must be global or have it; {@linkcode ANY_ASID} for all
   * @param vaHi bits 63:32 of the canonical address, unsigned
   */
  invalidateVa(regime: number, asid: number, vaHi: number, vaLo: number): void {
    for (let sizeClass = 0; sizeClass < SIZES.length; sizeClass++) {
      if (this.#words[sizeClass] === 0) continue;
      const first = setOf(vaHi, vaLo, sizeClass);
      for (let entry = first; entry < first + SET_WORDS; entry += ENTRY_WORDS) {
        if (this.#covers(entry, sizeClass, regime, asid, vaHi, vaLo)) this.#evict(entry);
      }
    }
  }

  /**
   * TLBI RVAE1 and its like: drops entries that translate some address of a range.
   *
   * @param asid as for {@linkcode invalidateVa}
   * @param from canonical address, a multiple of 4096, as a signed number
   * @param length in bytes
   */
  invalidateRange(regime: number, asid: number, from: number, length: number): void {
    for (let entry = ENTRIES; entry < TLB_WORDS; entry += ENTRY_WORDS) {
      const flags = this.#words[entry];
      if ((flags & VALID) === 0 || this.regimeOf(entry) !== regime) continue;
      if (asid !== ANY_ASID && (flags & GLOBAL) === 0 && this.asidOf(entry) !== asid) continue;
      const start = (this.#words[entry + 3] | 0) * 0x1_0000_0000 + this.#words[entry + 2];
      if (start < from + length && from < start + 2 ** this.sizeLog2Of(entry)) this.#evict(entry);
    }
  }

  /** Drops everything, of whatever regime. */
  clear(): void {
    for (let entry = ENTRIES; entry < TLB_WORDS; entry += ENTRY_WORDS) {
      if ((this.#words[entry] & VALID) !== 0) this.#clear(entry);
    }
    this.#listener?.onEvictAll();
  }

  /** Drops one entry. */
  invalidateEntry(entry: number): void {
    if ((this.#words[entry] & VALID) !== 0) this.#evict(entry);
  }

  /** Whether an entry belongs to every ASID. */
  globalOf(entry: number): boolean {
    return (this.#words[entry] & GLOBAL) !== 0;
  }

  /** log2 of the bytes an entry covers. */
  sizeLog2Of(entry: number): number {
    return SIZES[this.#words[entry] >>> 2 & 15];
  }

  /** Level of an entry's leaf descriptor. */
  levelOf(entry: number): number {
    return this.#words[entry] >>> 6 & 3;
  }

  /** Regime tag of an entry, with its VMID. */
  regimeOf(entry: number): number {
    const flags = this.#words[entry];
    return flags >>> 8 & 3 | flags >>> 22 & 4 | this.#words[entry + 1] >>> 16 << 8;
  }

  /** Whether an entry's output is in the Secure address space. */
  secureOf(entry: number): boolean {
    return (this.#words[entry] & SECURE_OUTPUT) !== 0;
  }

  /** GP of an entry. */
  guardedOf(entry: number): boolean {
    return (this.#words[entry] & GUARDED) !== 0;
  }

  /** What stage 2 said of an entry. */
  stage2Of(entry: number): TlbStage2 | null {
    return unpackStage2(this.#words[entry + 6]);
  }

  /** Shareability field of an entry. */
  shareabilityOf(entry: number): number {
    return this.#words[entry] >>> 10 & 3;
  }

  /** MAIR index of an entry. */
  attrIndexOf(entry: number): number {
    return this.#words[entry] >>> 12 & 7;
  }

  /** Permission byte of an entry. */
  packedPermissionsOf(entry: number): number {
    return this.#words[entry] >>> 16 & 0xff;
  }

  /** ASID of an entry; what a global one was filled with. */
  asidOf(entry: number): number {
    return this.#words[entry + 1] & 0xffff;
  }

  /** The physical address of a virtual one that the entry covers. */
  physicalOf(entry: number, vaHi: number, vaLo: number): number {
    const words = this.#words;
    const sizeClass = words[entry] >>> 2 & 15;
    const lo = (words[entry + 4] | vaLo & ~MASK_LO[sizeClass]) >>> 0;
    const hi = words[entry + 5] | vaHi & ~MASK_HI[sizeClass];
    return hi * 0x1_0000_0000 + lo;
  }

  /** Every valid entry, in storage order. For display and tests. */
  *entries(): Generator<TlbEntry> {
    for (let entry = ENTRIES; entry < TLB_WORDS; entry += ENTRY_WORDS) {
      if ((this.#words[entry] & VALID) === 0) continue;
      const vaLo = this.#words[entry + 2], vaHi = this.#words[entry + 3];
      yield {
        regime: this.regimeOf(entry),
        asid: this.asidOf(entry),
        global: this.globalOf(entry),
        vaHi,
        vaLo,
        base: this.physicalOf(entry, vaHi, vaLo),
        sizeLog2: this.sizeLog2Of(entry),
        level: this.levelOf(entry),
        attrIndex: this.attrIndexOf(entry),
        shareability: this.shareabilityOf(entry),
        packedPermissions: this.packedPermissionsOf(entry),
        secure: this.secureOf(entry),
        guarded: this.guardedOf(entry),
        stage2: this.stage2Of(entry),
      };
    }
  }

  /** How many entries are valid. */
  #present(): number {
    let count = 0;
    for (let sizeClass = 0; sizeClass < SIZES.length; sizeClass++) count += this.#words[sizeClass];
    return count;
  }

  #covers(
    entry: number,
    sizeClass: number,
    regime: number,
    asid: number,
    vaHi: number,
    vaLo: number,
  ): boolean {
    const words = this.#words;
    const flags = words[entry];
    return (flags & IDENTITY) === (VALID | sizeClass << 2 | tagBits(regime)) &&
      words[entry + 1] >>> 16 === regime >>> 8 &&
      ((words[entry + 2] ^ vaLo) & MASK_LO[sizeClass]) === 0 &&
      ((words[entry + 3] ^ vaHi) & MASK_HI[sizeClass]) === 0 &&
      (asid === ANY_ASID || (flags & GLOBAL) !== 0 || (words[entry + 1] & 0xffff) === asid);
  }

  /** A way of the set to fill, made free. */
  #victim(first: number): number {
    const words = this.#words;
    for (let entry = first; entry < first + SET_WORDS; entry += ENTRY_WORDS) {
      if ((words[entry] & VALID) === 0) return entry;
    }
    const pointer = POINTERS + (first - ENTRIES) / SET_WORDS;
    const entry = first + words[pointer] * ENTRY_WORDS;
    words[pointer] = (words[pointer] + 1) % TLB_WAYS;
    this.#evict(entry);
    return entry;
  }

  #evict(entry: number): void {
    const words = this.#words;
    const vaLo = words[entry + 2], vaHi = words[entry + 3];
    const sizeLog2 = this.sizeLog2Of(entry);
    this.#clear(entry);
    this.#listener?.onEvict(vaHi, vaLo, sizeLog2);
  }

  /** Leaves no trace of the entry, so that equal TLBs have equal words. */
  #clear(entry: number): void {
    const words = this.#words;
    words[words[entry] >>> 2 & 15]--;
    for (let i = entry; i < entry + ENTRY_WORDS; i++) words[i] = 0;
  }
}

/** First word of the set where a page of the size class that holds the address stands. */
function setOf(vaHi: number, vaLo: number, sizeClass: number): number {
  const size = SIZES[sizeClass];
  const page = size >= 32 ? vaHi >>> size - 32 : vaLo >>> size | vaHi << 32 - size;
  return ENTRIES + ((page ^ page >>> 8) & TLB_SETS - 1) * SET_WORDS;
}
