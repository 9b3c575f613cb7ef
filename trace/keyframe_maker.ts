/** Makes keyframes from pages and states that it is given, in whichever thread it stands. */

import type { ImageMemory } from "./image_memory.ts";
import { type ItemSink, type KnownPages, PAGE_WORDS, PageSpace } from "./page_space.ts";
import { PAGE_SIZE, SPACE } from "./schema.ts";
import { addHash, hashState, type StateHash } from "./state_hash.ts";

/** Where memory is. */
export interface MemoryPlace {
  /** Physical address of the first byte. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** What is known between two keyframes, to be given to {@linkcode KeyframeMaker.adopt}. */
export interface KnownMemory {
  readonly memory: KnownPages;
  readonly tlb: { readonly bytes: Uint8Array; readonly pages: KnownPages } | undefined;
}

/** See the top of this file. */
export class KeyframeMaker {
  readonly #memory: PageSpace;
  readonly #sink: ItemSink;
  #tlb: { bytes: Uint8Array; was: Uint8Array; space: PageSpace } | undefined;

  /**
   * @param words what a page of memory holds now, by its index
   * @param sink receives the contents of `pages` items
   */
  constructor({ base, size }: MemoryPlace, words: (page: number) => Uint32Array, sink: ItemSink) {
    const pages = { firstNumber: base / PAGE_SIZE, pages: size / PAGE_SIZE, words };
    this.#memory = new PageSpace(SPACE.memory, pages, sink);
    this.#sink = sink;
  }

  /** Stores the pages that are not zero at #0. */
  storeAll(pages: Iterable<number>): void {
    this.#memory.storeAll(pages);
  }

  /** From now on pages may be stored as copies of the memory at #0. */
  useImage(image: ImageMemory): void {
    this.#memory.image = image;
  }

  /**
   * Stores a page of memory that was written in the window. Pages must ascend.
   *
   * @param was what it held at the last keyframe, if that is known
   */
  change(page: number, was: Uint32Array | undefined): void {
    this.#memory.storeChange(page, was);
  }

  /**
   * Ends a window behind its last {@linkcode change}.
   *
   * @param state the encoded state without the TLB
   * @returns the state's hash
   */
  finish(tlb: Uint8Array, state: Uint8Array): StateHash {
    this.#memory.flush();
    this.#storeTlb(tlb);
    return addHash(addHash(this.#memory.sum, this.#tlb!.space.sum), hashState(state));
  }

  /** What another thread needs to go on; between windows. */
  known(): KnownMemory {
    const tlb = this.#tlb && { bytes: this.#tlb.bytes, pages: this.#tlb.space.known() };
    return { memory: this.#memory.known(), tlb };
  }

  /** Goes on where another one stood; before the first window. */
  adopt({ memory, tlb }: KnownMemory): void {
    this.#memory.adopt(memory);
    if (!tlb) return;
    this.#makeTlb(tlb.bytes.length);
    this.#tlb!.bytes.set(tlb.bytes);
    this.#tlb!.space.adopt(tlb.pages);
  }

  #makeTlb(length: number): void {
    const bytes = new Uint8Array(length);
    const space = new PageSpace(SPACE.tlb, {
      firstNumber: 0,
      pages: length / PAGE_SIZE,
      words: (page) => new Uint32Array(bytes.buffer, page * PAGE_SIZE, PAGE_WORDS),
    }, this.#sink);
    this.#tlb = { bytes, was: new Uint8Array(length), space };
  }

  #storeTlb(tlb: Uint8Array): void {
    const padded = Math.ceil(tlb.length / PAGE_SIZE) * PAGE_SIZE;
    if (this.#tlb?.bytes.length !== padded) this.#makeTlb(padded);
    const { bytes, was, space } = this.#tlb!;
    was.set(bytes);
    bytes.set(tlb);
    for (let page = 0; page < padded / PAGE_SIZE; page++) {
      space.storeChange(page, new Uint32Array(was.buffer, page * PAGE_SIZE, PAGE_WORDS));
    }
    space.flush();
  }
}
