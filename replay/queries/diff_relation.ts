/**
 * What corresponds to what in two boots: equality of addresses and values modulo relocation.
 *
 * Two addresses are equal if they are the same number; or the same symbol and offset; or code that
 * is the same instructions; or were paired before (8 bytes at a time, one to one); or lie on the
 * stacks of the two. Distances at which pairs were found are kept: an address that nothing is known
 * about may be moved by one of them. Where both sides have a symbol, symbols decide.
 *
 * A value is equal if it is the same number; or an address in the sense above, in either half of the
 * address space, alone or with the attributes of a descriptor or an ASID around it; or made of two
 * 32-bit values that are; or a size or page count that grew by what the image or RAM grew.
 */
import type { Effect } from "./diff_effects.ts";
import type { Place, Side } from "./diff_side.ts";
import { type TableEntry, tableEntry } from "./diff_tables.ts";

const GRANULE = 8;
const PAGE = 4096;
const PAGE_FIELD = 0x0000_ffff_ffff_f000n;
const LOW_48 = 0xffff_ffff_ffffn;
/** Pieces of code that form other addresses, in a program that was linked otherwise. */
const LEAST_RELINKED = 2;
const LOW_32 = 0xffff_ffffn;
/** Shifts by which sizes become counts: bytes up to gigabytes, and bits of a bitmap of pages. */
const MOST_SHIFT = 31;

/** See the top of this file. */
export class Relation {
  readonly a: Side;
  readonly b: Side;
  /** Addresses of the pages that are not the same in what the two booted. */
  readonly imageDifferences: readonly number[];
  /** Whether the two ran the same image. */
  readonly isSameImage: boolean;
  /** Whether the two ran the same image on the same machine: then nothing is moved. */
  readonly identical: boolean;
  /** Bytes of RAM that B has more than A. */
  readonly moreMemory: number;
  readonly #distances = new Set<number>();
  /** Whether instructions that correspond form other addresses. */
  #isRelinked = false;
  /** Starts and ends of symbols that both have, as pairs of addresses. */
  readonly #bounds = new Set<string>();
  readonly #there = new Map<number, number>();
  /** Instructions that correspond. */
  readonly #code = new Map<number, number>();
  readonly #codeBack = new Map<number, number>();
  readonly #back = new Map<number, number>();

  constructor(a: Side, b: Side) {
    this.a = a;
    this.b = b;
    this.moreMemory = b.memory.size - a.memory.size;
    this.imageDifferences = a.imageDifferences(b);
    this.isSameImage = a.hasImageOf(b, this.imageDifferences);
    this.identical = this.isSameImage && this.moreMemory === 0;
    if (this.isSameImage) return;
    this.#learnSymbols();
    this.#learnCode();
  }

  /** Whether anything of the program is at another address in B. */
  get moved(): boolean {
    return this.#distances.size > 0 || this.#isRelinked;
  }

  /** Notes that something of the program is moved. */
  learnDistance(bytes: number): void {
    if (bytes !== 0) this.#distances.add(bytes);
  }

  /** Whether something of the program is moved by this many bytes. */
  isDistance(bytes: number): boolean {
    return this.#distances.has(bytes);
  }

  /**
   * The most pages by which a part of the program can have grown: by the symbols that mark ends,
   * else by the greatest distance.
   */
  get grownPages(): number {
    let most = 0;
    if (!this.a.isNamed) {
      for (const distance of this.#distances) most = Math.max(most, Math.abs(distance));
      const [a, b] = [this.a.loadedPages, this.b.loadedPages];
      return most < PAGE ? Math.abs(a - b) : Math.ceil(most / PAGE);
    }
    const there = this.b.marks();
    for (const [name, address] of this.a.marks()) {
      const other = there.get(name);
      if (other === undefined) continue;
      most = Math.max(most, Math.abs(Math.ceil(other / PAGE) - Math.ceil(address / PAGE)));
    }
    return most;
  }

  /** Where A has the code that B has at a physical address; undefined if it is not known. */
  codeOf(b: number): number | undefined {
    if (this.isSameImage) return b;
    if (this.#codeBack.size === 0) { for (const [x, y] of this.#code) this.#codeBack.set(y, x); }
    return this.#codeBack.get(b);
  }

  /** Bytes by which parts of the program may be moved from A to B; 0 among them. */
  get distances(): readonly number[] {
    return [0, ...this.#distances];
  }

  /** Whether two physical addresses are the same thing. With `learn`, unknown ones become a pair. */
  address(a: number, b: number, learn = false): boolean {
    if (a === b) return true;
    if (this.identical) return false;
    const known = this.bySymbol(a, b);
    if (known !== undefined) return known;
    const code = this.#code.get(a);
    if (code !== undefined) return code === b;
    const distance = b - a;
    if (this.#there.get(Math.floor(a / GRANULE)) === distance) return true;
    if (this.a.isStack(a) && this.b.isStack(b)) return true;
    if (!this.a.isMemory(a) || !this.b.isMemory(b)) return false;
    if (this.#distances.has(distance)) return true;
    // Where nothing of the program is moved, another address is another thing.
    if (!learn || (!this.moved && this.moreMemory === 0) || !this.#free(a, b)) return false;
    this.#pair(a, b);
    return true;
  }

  /** Whether the entries that two stores wrote map the same: VA, level, output, attributes. */
  descriptor(a: Effect, b: Effect): boolean | undefined {
    const [x, y] = [this.entry(a, "a"), this.entry(b, "b")];
    if (!x || !y) return undefined;
    if (x.level !== y.level) return undefined;
    if ((a.value & ~PAGE_FIELD) !== (b.value & ~PAGE_FIELD)) return false;
    if (a.value === b.value) return true;
    const [from, to] = [Number(a.value & PAGE_FIELD), Number(b.value & PAGE_FIELD)];
    const moved = BigInt.asIntN(64, y.va - x.va);
    if (BigInt(to - from) === moved) return true;
    const isTable = x.level < 3 && (a.value & 3n) === 3n;
    return this.address(from, to, isTable);
  }

  /** The table entry that an effect of one side writes, by that side's tables or the other's. */
  entry(effect: Effect, side: "a" | "b"): TableEntry | undefined {
    if (effect.kind !== "store" || effect.size !== 8) return undefined;
    const own = tableEntry(this[side].tables, effect.address);
    if (own || side === "a" || this.moved) return own;
    return tableEntry(this.a.tables, effect.address);
  }

  /** Whether two values are the same modulo relocation. */
  value(a: bigint, b: bigint, learn = false): boolean {
    if (a === b) return true;
    if (this.identical) return false;
    const wide = this.#wide(a, b, learn);
    if (wide !== undefined) return wide;
    const high = [a >> 32n, b >> 32n] as const;
    const low = [a & LOW_32, b & LOW_32] as const;
    if ((high[0] | high[1]) !== 0n && this.#half(...high) && this.#half(...low)) return true;
    return this.#measure(a, b);
  }

  /** Whether symbols say that two addresses are the same; undefined if one of them has none. */
  bySymbol(a: number, b: number): boolean | undefined {
    const x = this.a.place(a);
    const y = this.b.place(b);
    if (!x || !y) return undefined;
    const sized = x.size > 0 && y.size > 0;
    // The end of one thing is the start of the next, which may be another in the other image.
    if (x.name !== y.name) {
      if (x.offset === 0 && y.offset === 0) return this.#areBounds(x, y);
      return sized && x.offset > 0 && y.offset > 0 ? false : undefined;
    }
    if (x.offset === y.offset) return true;
    // Offsets into code that was compiled differently mean nothing.
    if (x.isFunction && y.isFunction && x.size !== y.size) return true;
    if (x.offset === 0 || y.offset === 0) return this.#areBounds(x, y);
    return sized ? false : undefined;
  }

  /** Whether two places are not the start or end of one thing; undefined if that is not known. */
  #areBounds({ name: a, offset }: Place, { name: b, offset: there }: Place): false | undefined {
    const [own, other] = [this.a.symbolAddresses(), this.b.symbolAddresses()];
    const [x, y] = [own.get(a), other.get(b)];
    // Only what both have can be told from the other.
    if (x === undefined || y === undefined || !own.has(b) || !other.has(a)) return undefined;
    if (this.#bounds.size === 0) {
      for (const [name, address] of own) {
        const there = other.get(name);
        if (there === undefined) continue;
        this.#bounds.add(`${address},${there}`);
        const [size, otherSize] = [this.a.sizeOf(name), this.b.sizeOf(name)];
        this.#bounds.add(`${address + BigInt(size)},${there + BigInt(otherSize)}`);
      }
    }
    return this.#bounds.has(`${x + BigInt(offset)},${y + BigInt(there)}`) ? undefined : false;
  }

  /** Whether two values are the same address; undefined if they can be something else. */
  #wide(a: bigint, b: bigint, learn: boolean): boolean | undefined {
    const [x, y] = [this.a.physical(a), this.b.physical(b)];
    if (x !== undefined && y !== undefined) {
      if (this.address(x, y, learn)) return true;
      if (this.bySymbol(x, y) === false) return false;
    }
    if ((a & ~PAGE_FIELD) !== (b & ~PAGE_FIELD)) return undefined;
    const [from, to] = [Number(a & PAGE_FIELD), Number(b & PAGE_FIELD)];
    const isMemory = this.a.isMemory(from) && this.b.isMemory(to);
    return isMemory && this.address(from, to, learn) ? true : undefined;
  }

  #half(a: bigint, b: bigint): boolean {
    if (a === b) return true;
    const [x, y] = [this.a.physical(a), this.b.physical(b)];
    return x !== undefined && y !== undefined && this.address(x, y);
  }

  /** Sizes and counts that follow the image's size or RAM's. */
  #measure(a: bigint, b: bigint): boolean {
    const difference = Number(BigInt.asIntN(64, b - a));
    const { moreMemory } = this;
    for (let shift = 0; moreMemory !== 0 && shift <= MOST_SHIFT; shift++) {
      if (difference === moreMemory / 2 ** shift) return true;
    }
    if (this.#pages(ones(b) - ones(a)) && ones(a) > 0 && ones(b) > 0) return true;
    if ((a & ~LOW_48) !== (b & ~LOW_48)) return false;
    for (const distance of this.#distances) {
      if (Math.abs(difference) === Math.abs(distance)) return true;
      const pages = Math.abs(distance) / 4096;
      if (Math.abs(difference) === Math.floor(pages) || Math.abs(difference) === Math.ceil(pages)) {
        return a > 1n && b > 1n;
      }
    }
    return false;
  }

  /** Whether something is moved by a number of pages. */
  #pages(count: number): boolean {
    return this.#distances.has(count * PAGE) || this.#distances.has(-count * PAGE);
  }

  #learnSymbols(): void {
    for (const [name, address] of this.a.symbolAddresses()) {
      const other = this.b.symbolAddresses().get(name);
      if (other !== undefined && other !== address) this.#distances.add(Number(other - address));
    }
  }

  /** Pairs code by what it is, for images without symbols. */
  #learnCode(): void {
    const there = this.a.code();
    /** Pieces of code that form the same addresses, and others. */
    const counts = [0, 0];
    for (const [key, { address, steps, addresses }] of this.b.code()) {
      const other = there.get(key);
      if (other === undefined || other.address < 0 || address < 0) continue;
      const from = other.address;
      const distance = address - from;
      for (let n = 0; n < steps; n++) this.#code.set(from + 4 * n, address + 4 * n);
      if (distance === 0 && addresses !== "") counts[addresses === other.addresses ? 0 : 1]++;
      if (distance !== 0) this.#distances.add(distance);
    }
    // One piece that forms another address can be the mistake that is looked for.
    this.#isRelinked = !this.a.isNamed && counts[1] >= LEAST_RELINKED && counts[1] > counts[0] / 4;
  }

  #free(a: number, b: number): boolean {
    return !this.#there.has(Math.floor(a / GRANULE)) && !this.#back.has(Math.floor(b / GRANULE));
  }

  #pair(a: number, b: number): void {
    this.#there.set(Math.floor(a / GRANULE), b - a);
    this.#back.set(Math.floor(b / GRANULE), a - b);
    if (a !== b) this.#distances.add(b - a);
  }
}

/** How many ones a value consists of, lowest bits first, as in a bitmap of used pages; -1 if it is none. */
function ones(value: bigint): number {
  return (value & (value + 1n)) === 0n ? value.toString(2).length : -1;
}
