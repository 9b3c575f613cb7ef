/**
 * What memory held at #0, for the writer: boots copy much of it, and a copy is stored as its place.
 *
 * The kernel's code runs where it was loaded, an initial ramdisk's files become pages at any
 * multiple of four bytes. A table of anchors finds where words come from: of the pairs of words of
 * the image every sixteenth, chosen by its hash, has an entry, so that nearly all pages of a copy
 * hit one, whatever their alignment. What is found is always compared. The copy of the image is
 * bounded; places beyond it are simply not found.
 */

import type { LoadedRange } from "./keyframe_writer.ts";
import type { RecordableMemory } from "./recordable_machine.ts";

/** Most bytes of the image that are kept. */
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
  /** Index of the first word in the copy. */
  readonly first: number;
  readonly words: number;
}

/** Finds words in the memory of #0. */
export class ImageMemory {
  readonly #words: Uint32Array;
  readonly #parts: readonly Part[];
  #anchors: Int32Array | undefined;

  /** Copies the loaded ranges, as far as they are within the bound. */
  constructor(memory: Memory, loaded: readonly LoadedRange[]) {
    const parts: Part[] = [];
    let count = 0;
    for (const { address, length } of loaded) {
      const start = Math.max(memory.base, Math.floor(address / 4) * 4);
      const end = Math.min(memory.base + memory.size, Math.ceil((address + length) / 4) * 4);
      const words = (end - start) / 4;
      if (words <= 0 || 4 * (count + words) > MAX_BYTES) continue;
      parts.push({ address: start, first: count, words });
      count += words;
    }
    this.#words = new Uint32Array(count);
    this.#parts = parts;
    const { buffer, byteOffset } = memory.bytes;
    for (const { address, first, words } of parts) {
      this.#words.set(new Uint32Array(buffer, byteOffset + address - memory.base, words), first);
    }
  }

  /** The words of #0 from a physical address on, or null if not all of them are known. */
  at(address: number, words: number): Uint32Array | null {
    for (const part of this.#parts) {
      const from = (address - part.address) / 4;
      if (from < 0 || from + words > part.words) continue;
      return this.#words.subarray(part.first + from, part.first + from + words);
    }
    return null;
  }

  /** Physical addresses at which the words may have been at #0, the likely ones first; at most four. */
  candidates(is: Uint32Array): number[] {
    const found: number[] = [];
    const anchors = this.#anchors ??= this.#makeAnchors();
    for (let i = 0; i + 1 < is.length && found.length < MAX_TRIES; i++) {
      const hash = pairHash(is[i], is[i + 1]);
      if (hash % SAMPLE !== 0 || is[i] === 0) continue;
      const index = anchors[anchorSlot(hash)];
      if (this.#words[index] !== is[i] || this.#words[index + 1] !== is[i + 1]) continue;
      const address = this.#addressOf(index - i, is.length);
      if (address >= 0 && !found.includes(address)) found.push(address);
    }
    return found;
  }

  #addressOf(index: number, words: number): number {
    for (const { address, first, words: size } of this.#parts) {
      if (index < first || index + words > first + size) continue;
      return address + 4 * (index - first);
    }
    return -1;
  }

  #makeAnchors(): Int32Array {
    const words = this.#words;
    const anchors = new Int32Array(ANCHORS);
    // From the end, so that of equal pairs the first one stays.
    for (let i = words.length - 2; i >= 0; i--) {
      if (words[i] === 0) continue;
      const hash = pairHash(words[i], words[i + 1]);
      if (hash % SAMPLE === 0) anchors[anchorSlot(hash)] = i;
    }
    return anchors;
  }
}

function pairHash(a: number, b: number): number {
  const h = Math.imul(a ^ Math.imul(b, 0x85ebca77), 0x9e3779b1);
  return (h ^ (h >>> 15)) >>> 0;
}

function anchorSlot(hash: number): number {
  return (hash >>> 4) & (ANCHORS - 1);
}
