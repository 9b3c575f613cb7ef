/**
 * Gives the content of any page at any keyframe.
 *
 * `pages` items hold changes, so a page is its latest entry without a predecessor (at most
 * `MAX_PAGE_CHAIN` entries back) plus the changes since. The index of entries is built from the
 * items on first use and covers the windows asked for so far; decoded items are kept in a small
 * cache, because neighbouring pages share them.
 */

import type { Fields } from "./fields.ts";
import {
  applyPageDelta,
  BASE,
  MAX_PAGES_PER_ITEM,
  type PageDelta,
  readPageDeltas,
  readPageNumbers,
} from "./page_delta.ts";
import { MAX_PAGE_CHAIN, PAGE_SIZE, SPACE } from "./schema.ts";
import { TraceError } from "./trace_error.ts";

/** Most entries in the index: about 64 MiB. */
const MAX_ENTRIES = 1 << 22;

/** Bytes of decoded items that are kept, if nobody says otherwise. */
const CACHE_BYTES = 64 << 20;

/** Content that is as large as this is given back as soon as nothing needs it; garbage collectors wait. */
const LARGE_CONTENT = 1 << 18;

/** Pages of the memory at #0 that are kept. */
const IMAGE_PAGES = 1024;

/** A `pages` item that can be read when it is needed. */
export interface PagesItem {
  window: number;
  /** Of its bytes. */
  hash: Uint8Array;
  read(): Fields;
}

/** A decoded item in the cache. */
interface CachedItem {
  readonly pages: PageDelta[];
  readonly fields: Fields;
  readonly bytes: number;
}

/** The memory that {@linkcode PageReader.follow} takes from one window to a later one; pages by number. */
export interface FollowedMemory {
  /** Whether a page is to be changed. */
  wants(number: number): boolean;
  /** A page as it is so far; it is not changed. */
  was(number: number): Uint8Array;
  /** The array is used again. */
  put(number: number, page: Uint8Array): void;
}

/** Materialises pages. */
export class PageReader {
  readonly #itemsOf: (window: number) => PagesItem[];
  readonly #items: PagesItem[] = [];
  /** By address space, by page number: entries as item index * MAX_PAGES_PER_ITEM + place, ascending. */
  readonly #entries = [new Map<number, number[]>(), new Map<number, number[]>()];
  readonly #cache = new Map<number, CachedItem>();
  readonly #image = new Map<number, Uint8Array>();
  #cacheBytes = CACHE_BYTES;
  #cached = 0;
  /** Items that left the cache while a page is read, which may need them. */
  #left: CachedItem[] = [];
  #count = 0;
  #indexed = 0;

  /** @param itemsOf gives the `pages` items of a window in file order */
  constructor(itemsOf: (window: number) => PagesItem[]) {
    this.#itemsOf = itemsOf;
  }

  /** Numbers of the pages that are not zero, or were not, at keyframe `window`; ascending. */
  pages(space: number, window: number): number[] {
    this.#index(window);
    const numbers: number[] = [];
    for (const [number, entries] of this.#entries[space]) {
      if (this.#windowOf(entries[0]) <= window) numbers.push(number);
    }
    return numbers.sort((a, b) => a - b);
  }

  /** Numbers of the pages that the windows behind `after`, up to `to`, changed; ascending. */
  changed(space: number, after: number, to: number): number[] {
    this.#index(to);
    const numbers: number[] = [];
    for (const [number, entries] of this.#entries[space]) {
      const last = this.#lastEntry(entries, to);
      if (last >= 0 && this.#windowOf(entries[last]) > after) numbers.push(number);
    }
    return numbers.sort((a, b) => a - b);
  }

  /** The page's content at keyframe `window`, in `page`, if the caller has one to be filled. */
  read(
    space: number,
    number: number,
    window: number,
    page = new Uint8Array(PAGE_SIZE),
  ): Uint8Array {
    this.#index(window);
    const entries = this.#entries[space].get(number) ?? [];
    const chain: PageDelta[] = [];
    page.fill(0);
    for (let last = this.#lastEntry(entries, window); last >= 0; last--) {
      const { delta, twin } = this.#delta(entries[last]);
      chain.push(delta);
      if (twin) applyPageDelta(whole(twin), page);
      if (delta.source !== undefined) page.set(this.imageBytes(delta.source, PAGE_SIZE));
      if (delta.base !== BASE.previous) break;
      if (chain.length > MAX_PAGE_CHAIN) {
        throw new TraceError(
          `Cannot read page ${number} of window ${window}: expected a whole page every ${MAX_PAGE_CHAIN} changes`,
        );
      }
    }
    for (const delta of chain.reverse()) applyPageDelta(delta, page);
    for (const { fields } of this.#left.splice(0)) release(fields);
    return page;
  }

  /**
   * Makes the changes of some windows, in order: what is decoded is needed once.
   *
   * @param from the window that memory is at the end of; -1 if it is all zeros
   */
  follow(space: number, from: number, to: number, memory: FollowedMemory): void {
    this.#index(to);
    for (const item of this.#items) {
      if (item.window <= from || item.window > to) continue;
      const fields = item.read();
      if (fields.uint("space", 0xff) === space) this.#change(readPageDeltas(fields), memory);
      release(fields);
    }
  }

  /** Physical addresses at #0 of what pages of a window are changed copies of: a page's length each. */
  sources(window: number): number[] {
    const found: number[] = [];
    for (const item of this.#itemsOf(window)) {
      const fields = item.read();
      if (fields.has("sources")) {
        for (const { source } of readPageDeltas(fields)) {
          if (source !== undefined) found.push(source);
        }
      }
      release(fields);
    }
    return found;
  }

  #change(pages: readonly PageDelta[], memory: FollowedMemory): void {
    // One array for all: there are thousands.
    const page = new Uint8Array(PAGE_SIZE);
    for (const delta of pages) {
      const { number, base, source } = delta;
      if (!memory.wants(number)) continue;
      if (base === BASE.previous) page.set(memory.was(number));
      else if (source !== undefined) page.set(this.imageBytes(source, PAGE_SIZE));
      else page.fill(0);
      if (base >= BASE.first) applyPageDelta(whole(pages[base - BASE.first]), page);
      applyPageDelta(delta, page);
      memory.put(number, page);
    }
  }

  /** Whether a page of memory stands in an item of the same bytes in another trace's window 0. */
  isStoredAlike(number: number, other: PageReader): boolean {
    const [own, there] = [this.#atStart(number), other.#atStart(number)];
    return own !== undefined && own.place === there?.place &&
      own.hash.every((byte, i) => byte === there.hash[i]);
  }

  /** Sets how many bytes of decoded items are kept. */
  keep(bytes: number): void {
    this.#cacheBytes = bytes;
  }

  /** Gives up what is kept. */
  drop(): void {
    for (const { fields } of this.#cache.values()) release(fields);
    this.#cache.clear();
    this.#image.clear();
    this.#cached = 0;
  }

  /** Where a page is first stored, if that is window 0. */
  #atStart(number: number): { hash: Uint8Array; place: number } | undefined {
    this.#index(0);
    const entry = this.#entries[SPACE.memory].get(number)?.[0];
    if (entry === undefined || this.#windowOf(entry) !== 0) return undefined;
    const item = this.#items[Math.floor(entry / MAX_PAGES_PER_ITEM)];
    return { hash: item.hash, place: entry % MAX_PAGES_PER_ITEM };
  }

  /** Bytes of the memory at #0: a fresh array. */
  imageBytes(address: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const offset = (address + at) % PAGE_SIZE;
      const page = this.#imagePage(Math.floor((address + at) / PAGE_SIZE));
      const part = page.subarray(offset, offset + length - at);
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #imagePage(number: number): Uint8Array {
    const known = this.#image.get(number);
    if (known) return known;
    if (this.#image.size >= IMAGE_PAGES) this.#image.delete(this.#image.keys().next().value!);
    const page = this.read(SPACE.memory, number, 0);
    this.#image.set(number, page);
    return page;
  }

  #delta(entry: number): { delta: PageDelta; twin?: PageDelta } {
    const pages = this.#decoded(Math.floor(entry / MAX_PAGES_PER_ITEM));
    const delta = pages[entry % MAX_PAGES_PER_ITEM];
    if (delta.base < BASE.first) return { delta };
    return { delta, twin: pages[delta.base - BASE.first] };
  }

  #decoded(item: number): PageDelta[] {
    const known = this.#cache.get(item);
    if (known) {
      this.#cache.delete(item);
      this.#cache.set(item, known);
      return known.pages;
    }
    const fields = this.#items[item].read();
    const pages = readPageDeltas(fields);
    const bytes = fields.bytes("words").length + 64 * pages.length;
    this.#cache.set(item, { pages, fields, bytes });
    this.#cached += bytes;
    for (const [key, first] of this.#cache) {
      if (this.#cached <= this.#cacheBytes || key === item) break;
      this.#cache.delete(key);
      this.#cached -= first.bytes;
      this.#left.push(first);
    }
    return pages;
  }

  /** Index of the last entry of a window up to the given one; -1 if there is none. */
  #lastEntry(entries: readonly number[], window: number): number {
    let last = entries.length - 1;
    while (last >= 0 && this.#windowOf(entries[last]) > window) last--;
    return last;
  }

  #windowOf(entry: number): number {
    return this.#items[Math.floor(entry / MAX_PAGES_PER_ITEM)].window;
  }

  #index(window: number): void {
    for (; this.#indexed <= window; this.#indexed++) {
      for (const item of this.#itemsOf(this.#indexed)) {
        const fields = item.read();
        const space = fields.uint("space", 0xff);
        if (this.#indexed === 0 && fields.has("sources")) {
          throw new TraceError(`Cannot read ${fields.what}: expected no sources in window 0`);
        }
        const index = this.#items.push(item) - 1;
        const map = this.#entries[space];
        if (map) this.#indexItem(map, readPageNumbers(fields), index);
        release(fields);
      }
    }
  }

  #indexItem(map: Map<number, number[]>, numbers: readonly number[], item: number): void {
    this.#count += numbers.length;
    if (this.#count > MAX_ENTRIES) {
      throw new TraceError(`Cannot index pages: expected at most ${MAX_ENTRIES} changed pages`);
    }
    numbers.forEach((number, place) => {
      const entry = item * MAX_PAGES_PER_ITEM + place;
      const entries = map.get(number);
      if (entries) entries.push(entry);
      else map.set(number, [entry]);
    });
  }
}

/** A page that another one of the same item equals: it must not depend on an earlier item itself. */
function whole(delta: PageDelta): PageDelta {
  if (delta.base === BASE.zero && delta.source === undefined) return delta;
  throw new TraceError(
    `Cannot read page ${delta.number}: expected the page it equals to be stored whole`,
  );
}

/** Gives the memory of an item's content back. Nothing that was read of it can be used any more. */
function release(fields: Fields): void {
  const { buffer } = fields.bytes("words");
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= LARGE_CONTENT) buffer.transfer(0);
}
