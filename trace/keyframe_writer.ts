/**
 * The recorder's side of keyframes: which pages changed in a window, how, and the state hash.
 *
 * A page is copied just before its first write in a window, so that at the window's end only the
 * words that changed are stored. The copies are bounded: beyond {@linkcode MAX_COPIES} pages a
 * window's further pages are stored relative to zeros instead. Every {@linkcode MAX_PAGE_CHAIN}th
 * time a page is stored relative to zeros anyway, so that a reader never walks a longer chain. A page
 * that is much more like a piece of the memory at #0 than like its base is stored as a copy of that.
 */

import { ImageMemory } from "./image_memory.ts";
import { BASE, countChanges, PageDeltaWriter } from "./page_delta.ts";
import type { RecordableMemory, RecordableState } from "./recordable_machine.ts";
import { MAX_PAGE_CHAIN, PAGE_SIZE, SPACE } from "./schema.ts";
import {
  addHash,
  hashPage,
  hashState,
  isZero,
  type StateHash,
  subtractHash,
} from "./state_hash.ts";
import { encodeContent } from "./cbor.ts";

/** Pages copied per window at most: 32 MiB. */
const MAX_COPIES = 8192;

/** Changed eight-byte words from which on a page may be a copy from the image. */
const MIN_COPIED = 64;

const PAGE_WORDS = PAGE_SIZE / 4;
const ZEROS = new Uint32Array(PAGE_WORDS);

/** Physical memory into which something was loaded before #0. */
export interface LoadedRange {
  /** Physical address of the first byte. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  /** What they are at #0, or the first of them: never changed. It saves a copy, and is left out by readers. */
  readonly bytes?: Uint8Array;
}

/** Receives the content of each finished item. */
export type ItemSink = (content: Record<string, unknown>) => void;

/** Follows one address space of pages from keyframe to keyframe. */
class PageSpace {
  readonly #space: number;
  readonly #firstNumber: number;
  readonly #words: Uint32Array;
  readonly #hashes: Uint32Array;
  readonly #chains: Uint8Array;
  readonly #writer = new PageDeltaWriter();
  readonly #sink: ItemSink;
  /** The memory at #0, once it is stored. */
  image: ImageMemory | undefined;
  /** Sum of the pages' hashes. */
  sum: StateHash = [0, 0];

  constructor(space: number, firstNumber: number, bytes: Uint8Array, sink: ItemSink) {
    this.#space = space;
    this.#firstNumber = firstNumber;
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.#hashes = new Uint32Array(2 * (bytes.length / PAGE_SIZE));
    this.#chains = new Uint8Array(bytes.length / PAGE_SIZE);
    this.#sink = sink;
  }

  get pages(): number {
    return this.#chains.length;
  }

  words(page: number): Uint32Array {
    return this.#words.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
  }

  /** Stores every given page that is not zero; equal pages of an item once. */
  storeAll(pages: Iterable<number>): void {
    let seen = new Map<string, { index: number; page: number }>();
    for (const page of pages) {
      const is = this.words(page);
      if (isZero(is)) continue;
      const key = contentKey(is);
      const twin = seen.get(key);
      if (twin && equalWords(this.words(twin.page), is)) {
        this.#store(page, BASE.first + twin.index, is);
      } else {
        seen.set(key, { index: this.#writer.count, page });
        this.#store(page, BASE.zero, ZEROS);
      }
      if (this.#writer.count === 0) seen = new Map();
    }
    this.flush();
  }

  /** Stores a page that may have changed. `was` is its content at the last keyframe, if known. */
  storeChange(page: number, was: Uint32Array | undefined): void {
    const is = this.words(page);
    if (was ? equalWords(was, is) : this.#hasHash(page, is)) return;
    const base = !was || isZero(was) || this.#chains[page] + 1 >= MAX_PAGE_CHAIN
      ? BASE.zero
      : BASE.previous;
    const from = base === BASE.zero ? ZEROS : was!;
    if (this.#storeCopy(page, from)) return;
    this.#chains[page] = base === BASE.zero ? 0 : this.#chains[page] + 1;
    this.#store(page, base, from);
  }

  /** Stores a page as a copy from the image if that takes less than half the words. */
  #storeCopy(page: number, was: Uint32Array): boolean {
    if (!this.image) return false;
    const is = this.words(page);
    let least = countChanges(was, is);
    if (least < MIN_COPIED) return false;
    least /= 2;
    let best = -1;
    for (const source of this.image.candidates(is)) {
      const changes = countChanges(this.image.at(source, PAGE_WORDS)!, is);
      if (changes >= least) continue;
      least = changes;
      best = source;
    }
    if (best < 0) return false;
    this.#chains[page] = 0;
    this.#writer.addCopy(
      this.#firstNumber + page,
      best,
      this.image.at(best, PAGE_WORDS)!,
      is,
    );
    this.#added(page, is);
    return true;
  }

  /** Whether a page whose content at the last keyframe is gone still has the hash it had then. */
  #hasHash(page: number, is: Uint32Array): boolean {
    const [a, b] = hashPage(is, this.#space, this.#firstNumber + page);
    return a === this.#hashes[2 * page] && b === this.#hashes[2 * page + 1];
  }

  flush(): void {
    if (this.#writer.count > 0) this.#sink(this.#writer.take(this.#space));
  }

  #store(page: number, base: number, was: Uint32Array): void {
    const is = this.words(page);
    this.#writer.add(this.#firstNumber + page, base, was, is);
    this.#added(page, is);
  }

  #added(page: number, is: Uint32Array): void {
    const old: StateHash = [this.#hashes[2 * page], this.#hashes[2 * page + 1]];
    const hash = hashPage(is, this.#space, this.#firstNumber + page);
    this.sum = addHash(subtractHash(this.sum, old), hash);
    this.#hashes.set(hash, 2 * page);
    if (this.#writer.full) this.flush();
  }
}

/** Makes keyframes of a machine. */
export class KeyframeWriter {
  readonly #memory: PageSpace;
  readonly #source: RecordableMemory;
  readonly #base: number;
  readonly #tracking: { restart(): void; close(): void };
  readonly #sink: ItemSink;
  readonly #copies: Uint32Array[] = [];
  /** Pages written in this window, by index in memory, and how many of them have copies. */
  #written: number[] = [];
  #tlb: { bytes: Uint8Array; space: PageSpace } | undefined;
  /** @param sink receives the contents of `pages` items */
  constructor(memory: RecordableMemory, sink: ItemSink) {
    this.#source = memory;
    this.#base = memory.base;
    this.#sink = sink;
    this.#memory = new PageSpace(SPACE.memory, memory.base / PAGE_SIZE, memory.bytes, sink);
    this.#tracking = memory.trackFirstWrites((address) => this.#willWrite(address));
  }

  /**
   * Stores all of memory: the image as it was loaded.
   *
   * @param loaded where something was loaded, if that is known: the rest is zero and is not looked
   * at, because touching 128 MiB of fresh memory takes longer than all else that starts a recording
   * @returns a copy of the image
   */
  storeImage(loaded?: readonly LoadedRange[]): ImageMemory {
    const ranges = loaded ?? [{ address: this.#base, length: this.#source.size }];
    this.#memory.storeAll(this.#pagesOf(ranges));
    const image = this.#memory.image = new ImageMemory(this.#source, ranges);
    this.#restart();
    return image;
  }

  /** Physical addresses, divided by the page size and ascending, of the pages written in the window. */
  writtenPages(): number[] {
    return this.#written.map((page) => page + this.#base / PAGE_SIZE).sort((a, b) => a - b);
  }

  /** Stores the pages that changed in the window; returns the fields of the `keyframe` item. */
  storeWindow(saved: RecordableState): { state: Uint8Array; tlb: number; hash: StateHash } {
    const { tlb, ...rest } = saved;
    const order = this.#written.map((page, i) => ({ page, was: this.#copies[i] }));
    order.sort((a, b) => a.page - b.page);
    for (let i = 0; i < order.length; i++) this.#memory.storeChange(order[i].page, order[i].was);
    this.#memory.flush();
    this.#storeTlb(tlb);
    this.#restart();
    const state = encodeContent(rest);
    const sum = addHash(this.#memory.sum, this.#tlb!.space.sum);
    return { state, tlb: tlb.length, hash: addHash(sum, hashState(state)) };
  }

  /** Ends the tracking of writes. */
  close(): void {
    this.#tracking.close();
  }

  /** Indices of the pages that ranges touch, ascending. */
  #pagesOf(ranges: readonly LoadedRange[]): number[] {
    const pages = new Set<number>();
    for (const { address, length } of ranges) {
      const first = Math.max(0, Math.floor((address - this.#base) / PAGE_SIZE));
      const end = Math.ceil((address + length - this.#base) / PAGE_SIZE);
      for (let page = first; page < Math.min(end, this.#memory.pages); page++) pages.add(page);
    }
    return [...pages].sort((a, b) => a - b);
  }

  #willWrite(address: number): void {
    const page = (address - this.#base) / PAGE_SIZE;
    const at = this.#written.length;
    this.#written.push(page);
    if (at >= MAX_COPIES) return;
    this.#copies[at] ??= new Uint32Array(PAGE_WORDS);
    this.#copies[at].set(this.#memory.words(page));
  }

  #restart(): void {
    this.#written = [];
    this.#tracking.restart();
  }

  #storeTlb(tlb: Uint8Array): void {
    const padded = Math.ceil(tlb.length / PAGE_SIZE) * PAGE_SIZE;
    if (this.#tlb?.bytes.length !== padded) {
      const bytes = new Uint8Array(padded);
      this.#tlb = { bytes, space: new PageSpace(SPACE.tlb, 0, bytes, this.#sink) };
    }
    const { bytes, space } = this.#tlb!;
    const was = bytes.slice();
    bytes.set(tlb);
    for (let page = 0; page < space.pages; page++) {
      space.storeChange(page, new Uint32Array(was.buffer, page * PAGE_SIZE, PAGE_WORDS));
    }
    space.flush();
  }
}

function equalWords(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A key that only rarely agrees for different pages. */
function contentKey(words: Uint32Array): string {
  return hashPage(words, 0, 0).join(" ");
}
