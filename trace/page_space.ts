/**
 * One address space of pages from keyframe to keyframe: how the pages that changed are stored, and the sum of all
 * pages' hashes. Every {@linkcode MAX_PAGE_CHAIN}th time a page is stored relative to zeros, so that a
 * reader never walks a longer chain. A page that is much more like a piece of the memory at #0 than
 * like its base is stored as a copy of that.
 */

import type { ImageMemory } from "./image_memory.ts";
import { BASE, countChanges, PageDeltaWriter } from "./page_delta.ts";
import { MAX_PAGE_CHAIN, PAGE_SIZE } from "./schema.ts";
import { addHash, hashPage, isZero, type StateHash, subtractHash } from "./state_hash.ts";

/** Changed eight-byte words from which on a page may be a copy from the image. */
const MIN_COPIED = 64;

/** Words of a page. */
export const PAGE_WORDS = PAGE_SIZE / 4;
const ZEROS = new Uint32Array(PAGE_WORDS);

/** Receives the content of each finished item. */
export type ItemSink = (content: Record<string, unknown>) => void;

/** The pages of a space. */
export interface SpacePages {
  /** Address of the first one divided by the page size. */
  readonly firstNumber: number;
  /** How many there are. */
  readonly pages: number;
  /** What one holds now, by its index. */
  readonly words: (page: number) => Uint32Array;
}

/** What is known of a space between two keyframes. */
export interface KnownPages {
  readonly hashes: Uint32Array;
  readonly chains: Uint8Array;
  readonly sum: StateHash;
}

/** See the top of this file. */
export class PageSpace {
  readonly #space: number;
  readonly #firstNumber: number;
  readonly #hashes: Uint32Array;
  readonly #chains: Uint8Array;
  readonly #writer = new PageDeltaWriter();
  readonly #sink: ItemSink;
  /** What a page holds now. */
  readonly words: (page: number) => Uint32Array;
  /** The memory at #0, once it is stored. */
  image: ImageMemory | undefined;
  /** Sum of the pages' hashes. */
  sum: StateHash = [0, 0];

  /**
   * @param firstNumber address of the first page divided by the page size
   * @param words what a page holds now
   */
  constructor(
    space: number,
    { firstNumber, pages, words }: SpacePages,
    sink: ItemSink,
  ) {
    this.#space = space;
    this.#firstNumber = firstNumber;
    this.words = words;
    this.#hashes = new Uint32Array(2 * pages);
    this.#chains = new Uint8Array(pages);
    this.#sink = sink;
  }

  /** What another thread needs to go on. */
  known(): KnownPages {
    return { hashes: this.#hashes, chains: this.#chains, sum: this.sum };
  }

  /** Goes on where another one stood. */
  adopt({ hashes, chains, sum }: KnownPages): void {
    this.#hashes.set(hashes);
    this.#chains.set(chains);
    this.sum = sum;
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

function equalWords(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A key that only rarely agrees for different pages. */
function contentKey(words: Uint32Array): string {
  return hashPage(words, 0, 0).join(" ");
}
