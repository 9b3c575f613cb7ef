/**
 * The recorder's side of keyframes: which pages were written in a window, and what they held before.
 *
 * A page is copied just before its first write in a window, so that at the window's end only the
 * words that changed are stored. The copies are bounded: beyond {@linkcode MAX_COPIES} pages a
 * window's further pages are stored relative to zeros instead. What is stored of them, `page_space.ts`
 * decides, here or in another thread.
 */

import { encodeContent } from "./cbor.ts";
import { ImageMemory } from "./image_memory.ts";
import { KeyframeMaker, type KnownMemory } from "./keyframe_maker.ts";
import { type ItemSink, PAGE_WORDS } from "./page_space.ts";
import type { RecordableMemory, RecordableState } from "./recordable_machine.ts";
import { PAGE_SIZE } from "./schema.ts";
import type { StateHash } from "./state_hash.ts";

/** Pages copied per window at most: 32 MiB. */
const MAX_COPIES = 8192;

/** Physical memory into which something was loaded before #0. */
export interface LoadedRange {
  /** Physical address of the first byte. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  /** What they are at #0, or the first of them: never changed. It saves a copy, and is left out by readers. */
  readonly bytes?: Uint8Array;
}

/** Makes keyframes elsewhere: gets pages by their index in memory. */
export interface PageReceiver {
  /** A page is about to be written for the first time in a window. */
  before(page: number, words: Uint32Array): void;
  /** At a window's end: a page that was written; they ascend. */
  after(page: number, words: Uint32Array): void;
}

/** Makes keyframes of a machine. */
export class KeyframeWriter {
  readonly #maker: KeyframeMaker;
  readonly #source: RecordableMemory;
  readonly #words: Uint32Array;
  readonly #base: number;
  readonly #tracking: { restart(): void; close(): void };
  readonly #copies: Uint32Array[] = [];
  #image: ImageMemory | undefined;
  #receiver: PageReceiver | undefined;
  /** Pages written in this window, by index in memory, and how many of them have copies. */
  #written: number[] = [];

  /** @param sink receives the contents of `pages` items */
  constructor(memory: RecordableMemory, sink: ItemSink) {
    this.#source = memory;
    this.#base = memory.base;
    const { buffer, byteOffset } = memory.bytes;
    this.#words = new Uint32Array(buffer, byteOffset, memory.size / 4);
    this.#maker = new KeyframeMaker(memory, (page) => this.#wordsOf(page), sink);
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
    this.#maker.storeAll(this.#pagesOf(ranges));
    const image = this.#image = new ImageMemory(this.#source, ranges);
    this.#maker.useImage(image);
    this.#restart();
    return image;
  }

  /**
   * The image as it was loaded, for a receiver to store: the indices of its pages, and the words of those that are
   * not in the memory that {@linkcode image} then gives.
   */
  imagePages(loaded: readonly LoadedRange[]): { pages: number[]; others: [number, Uint32Array][] } {
    const image = this.#image = new ImageMemory(this.#source, loaded);
    const pages = this.#pagesOf(loaded);
    const others = pages.filter((page) => !image.at(this.#base + page * PAGE_SIZE, PAGE_WORDS));
    this.#restart();
    return { pages, others: others.map((page) => [page, this.#wordsOf(page).slice()]) };
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
    for (let i = 0; i < order.length; i++) this.#maker.change(order[i].page, order[i].was);
    const state = encodeContent(rest);
    const hash = this.#maker.finish(tlb, state);
    this.#restart();
    return { state, tlb: tlb.length, hash };
  }

  /** What a receiver needs to go on, between two windows. */
  known(): KnownMemory {
    return this.#maker.known();
  }

  /** Who makes the keyframes from here on. */
  set receiver(receiver: PageReceiver) {
    this.#receiver = receiver;
    this.#copies.length = 0;
  }

  /** Gives the window's pages to the receiver. */
  sendWindow(): void {
    const order = Uint32Array.from(this.#written).sort();
    for (const page of order) this.#receiver!.after(page, this.#wordsOf(page));
    this.#restart();
  }

  /** The memory at #0. */
  get image(): ImageMemory {
    return this.#image!;
  }

  /** Ends the tracking of writes. */
  close(): void {
    this.#tracking.close();
  }

  /** Indices of the pages that ranges touch, ascending. */
  #pagesOf(ranges: readonly LoadedRange[]): number[] {
    const all = this.#source.size / PAGE_SIZE;
    const pages = new Set<number>();
    for (const { address, length } of ranges) {
      const first = Math.max(0, Math.floor((address - this.#base) / PAGE_SIZE));
      const end = Math.ceil((address + length - this.#base) / PAGE_SIZE);
      for (let page = first; page < Math.min(end, all); page++) pages.add(page);
    }
    return [...pages].sort((a, b) => a - b);
  }

  #wordsOf(page: number): Uint32Array {
    return this.#words.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
  }

  #willWrite(address: number): void {
    const page = (address - this.#base) / PAGE_SIZE;
    const at = this.#written.length;
    this.#written.push(page);
    if (at >= MAX_COPIES) return;
    if (this.#receiver) return this.#receiver.before(page, this.#wordsOf(page));
    this.#copies[at] ??= new Uint32Array(PAGE_WORDS);
    this.#copies[at].set(this.#wordsOf(page));
  }

  #restart(): void {
    this.#written = [];
    this.#tracking.restart();
  }
}
