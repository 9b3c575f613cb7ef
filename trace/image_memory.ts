/**
 * What memory held at #0, for the writer: boots copy much of it, and a copy is stored as its place.
 *
 * The kernel's code runs where it was loaded, an initial ramdisk's files become pages at any
 * multiple of four bytes. A table of anchors finds where words come from: of the pairs of words of
 * the image every sixteenth, chosen by its hash, has an entry, so that nearly all pages of a copy
 * hit one, whatever their alignment. What is found is always compared. How much of the image is known is
 * bounded; places beyond are simply not found.
 */

import type { LoadedRange } from "./keyframe_writer.ts";
import type { RecordableMemory } from "./recordable_machine.ts";

/** Most bytes of the image that are looked at. */
const MAX_BYTES = 64 << 20;
/** Entries of the anchor table: a power of two. */
const ANCHORS = 1 << 20;
/** Every so many pairs of words are anchors: a power of two. */
const SAMPLE = 16;
/** Places of a page that are tried. */
const MAX_TRIES = 4;

/** RAM. */
type Memory = Pick<RecordableMemory, "base" | "size" | "bytes">;

/** A part of the image. */
interface Part {
  /** Physical address of the first word. */
  readonly address: number;
  /** How many words the parts before it have. */
  readonly first: number;
  readonly words: Uint32Array;
}

/** An {@linkcode ImageMemory} in memory that threads share. */
export interface SharedImage {
  readonly parts: readonly Part[];
  readonly anchors: Int32Array;
  /** Set when the anchors are made. */
  readonly made: Int32Array;
}

/** Finds words in the memory of #0. */
export class ImageMemory {
  #parts: readonly Part[];
  #anchors: Int32Array | undefined;
  #shared: SharedImage | undefined;

  /** Keeps the loaded ranges, as far as they are within the bound; copies those that come without bytes. */
  constructor(memory: Memory, loaded: readonly LoadedRange[]) {
    const parts: Part[] = [];
    let first = 0;
    for (const range of loaded) {
      const part = partOf(memory, range);
      if (!part || 4 * (first + part.words.length) > MAX_BYTES) continue;
      parts.push({ ...part, first });
      first += part.words.length;
    }
    this.#parts = parts;
  }

  /**
   * What {@linkcode share} gave, in another thread.
   *
   * @internal
   */
  static from(shared: SharedImage): ImageMemory {
    const image = new ImageMemory({ base: 0, size: 0, bytes: new Uint8Array(0) }, []);
    image.#parts = shared.parts;
    image.#shared = shared;
    return image;
  }

  /**
   * Makes what others wait for, in one of the threads.
   *
   * @internal
   */
  makeShared(): void {
    const { anchors, made } = this.#shared!;
    if (Atomics.load(made, 0) === 1) return;
    this.#makeAnchors(anchors);
    Atomics.store(made, 0, 1);
    Atomics.notify(made, 0);
  }

  /**
   * Moves it to memory that threads share.
   *
   * @internal
   */
  share(): SharedImage {
    this.#parts = this.#parts.map((part) => ({ ...part, words: shared(part.words) }));
    const made = new Int32Array(new SharedArrayBuffer(4));
    const anchors = new Int32Array(new SharedArrayBuffer(4 * ANCHORS));
    if (this.#anchors) anchors.set(this.#anchors);
    if (this.#anchors) made[0] = 1;
    return { parts: this.#parts, anchors, made };
  }

  /** The words of #0 from a physical address on, or null if not all of them are known. */
  at(address: number, words: number): Uint32Array | null {
    for (const part of this.#parts) {
      const from = (address - part.address) / 4;
      if (from >= 0 && from + words <= part.words.length) {
        return part.words.subarray(from, from + words);
      }
    }
    return null;
  }

  /** Physical addresses at which the words may have been at #0, the likely ones first; at most four. */
  candidates(is: Uint32Array): number[] {
    const found: number[] = [];
    const anchors = this.#anchors ??= this.#takeAnchors();
    for (let i = 0; i + 1 < is.length && found.length < MAX_TRIES; i++) {
      const hash = pairHash(is[i], is[i + 1]);
      if (hash % SAMPLE !== 0 || is[i] === 0) continue;
      const address = this.#addressOf(anchors[anchorSlot(hash)], is, i);
      if (address >= 0 && !found.includes(address)) found.push(address);
    }
    return found;
  }

  /** Where `is` would be if its pair at `i` were the anchor at `index`; -1 if it is not. */
  #addressOf(index: number, is: Uint32Array, i: number): number {
    for (const { address, first, words } of this.#parts) {
      const at = index - first;
      if (at < i || at - i + is.length > words.length) continue;
      if (words[at] === is[i] && words[at + 1] === is[i + 1]) return address + 4 * (at - i);
    }
    return -1;
  }

  #takeAnchors(): Int32Array {
    if (!this.#shared) return this.#makeAnchors(new Int32Array(ANCHORS));
    Atomics.wait(this.#shared.made, 0, 0);
    return this.#shared.anchors;
  }

  #makeAnchors(anchors: Int32Array): Int32Array {
    // From the end, so that of equal pairs the first one stays.
    for (const { first, words } of this.#parts.toReversed()) {
      for (let i = words.length - 2; i >= 0; i--) {
        if (words[i] === 0) continue;
        const hash = pairHash(words[i], words[i + 1]);
        if (hash % SAMPLE === 0) anchors[anchorSlot(hash)] = first + i;
      }
    }
    return anchors;
  }
}

/** The words of a range: its own bytes where they will do, else a copy of memory; null if it has none. */
function partOf(
  memory: Memory,
  { address, length, bytes }: LoadedRange,
): Omit<Part, "first"> | null {
  const { base, size } = memory;
  const start = Math.max(base, Math.floor(address / 4) * 4);
  const end = Math.min(base + size, Math.ceil((address + length) / 4) * 4);
  if (end <= start) return null;
  const { buffer, byteOffset } = memory.bytes;
  const inMemory = (count: number) => new Uint32Array(buffer, byteOffset + start - base, count);
  if (bytes && start === address && bytes.byteOffset % 4 === 0 && bytes.length <= end - start) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
    const is = inMemory(words.length);
    if (words.every((word, i) => word === is[i])) return { address: start, words };
  }
  return { address: start, words: inMemory((end - start) / 4).slice() };
}

/** A copy of bytes in memory that threads share. */
export function sharedBytes(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

function shared(words: Uint32Array): Uint32Array {
  if (words.buffer instanceof SharedArrayBuffer) return words;
  const copy = new Uint32Array(new SharedArrayBuffer(words.byteLength));
  copy.set(words);
  return copy;
}

function pairHash(a: number, b: number): number {
  const h = Math.imul(a ^ Math.imul(b, 0x85ebca77), 0x9e3779b1);
  return (h ^ (h >>> 15)) >>> 0;
}

function anchorSlot(hash: number): number {
  return (hash >>> 4) & (ANCHORS - 1);
}
