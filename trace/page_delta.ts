/**
 * The `pages` item: how pages differ from what they held before.
 *
 * Per page, the eight-byte words that changed: a 64-bit mask of 64-byte lines, an 8-bit mask of
 * words for each changed line, then the new words. Masks and words are separate columns because
 * they compress apart (measured: a quarter of whole pages, two thirds of changed lines). A page's
 * base is what it held at the previous keyframe, or zeros, or another page of the same item, which
 * is how equal pages of an image are stored once, or 4,096 bytes of the memory at #0, wherever they
 * were: what a boot unpacks is mostly there.
 */

import { ByteColumn, ColumnReader, WordColumn } from "./columns.ts";
import { type Fields } from "./fields.ts";
import { PAGE_SIZE } from "./schema.ts";
import { TraceError } from "./trace_error.ts";

/**
 * What a page's words are relative to; larger values name page `base - 2` of the same item, and a
 * page that names itself is relative to the memory at #0 at the next address in `sources`.
 */
export const BASE = { previous: 0, zero: 1, first: 2 } as const;

/** Most pages in one item. */
export const MAX_PAGES_PER_ITEM = 4096;

/** Bytes of words at which a writer ends an item: what is encoded and compressed at once takes memory. */
const FULL_BYTES = 2 << 20;

/** Highest source: physical addresses have 48 bits, and a page follows. */
const MAX_SOURCE = 2n ** 48n - BigInt(PAGE_SIZE);

/** Collects the pages of one item. */
export class PageDeltaWriter {
  readonly #numbers = new ByteColumn();
  readonly #bases = new ByteColumn();
  readonly #lines = new ByteColumn();
  readonly #masks = new ByteColumn();
  readonly #words = new ByteColumn();
  readonly #sources = new WordColumn();
  #before = 0;
  #count = 0;

  /** Pages so far. */
  get count(): number {
    return this.#count;
  }

  /** Whether the item should be written before another page is added. */
  get full(): boolean {
    return this.#count >= MAX_PAGES_PER_ITEM || this.#words.length >= FULL_BYTES;
  }

  /**
   * Adds a page. Numbers must ascend.
   *
   * @param base one of {@linkcode BASE}, or 2 + index of an equal page added before
   * @param was what the base holds
   */
  add(number: number, base: number, was: Uint32Array, is: Uint32Array): void {
    this.#numbers.pushUint(number - this.#before);
    this.#before = number;
    this.#bases.pushUint(base);
    this.#count++;
    const bytes = new Uint8Array(is.buffer, is.byteOffset, PAGE_SIZE);
    for (let group = 0; group < 64; group += 8) {
      let lines = 0;
      for (let line = group; line < group + 8; line++) {
        const mask = changedWords(was, is, line * 16);
        if (mask === 0) continue;
        lines |= 1 << (line - group);
        this.#masks.push(mask);
        for (let word = 0; word < 8; word++) {
          const at = line * 64 + word * 8;
          if (mask & (1 << word)) this.#words.pushBytes(bytes.subarray(at, at + 8));
        }
      }
      this.#lines.push(lines);
    }
  }

  /** Adds a page whose base is the memory that was at physical address `source` at #0. */
  addCopy(number: number, source: number, was: Uint32Array, is: Uint32Array): void {
    this.#sources.pushNumber(source);
    this.add(number, BASE.first + this.#count, was, is);
  }

  /** The item's content fields; empties the writer. */
  take(space: number): Record<string, unknown> {
    this.#count = 0;
    this.#before = 0;
    return {
      space,
      pages: this.#numbers.take(),
      bases: this.#bases.take(),
      lines: this.#lines.take(),
      masks: this.#masks.take(),
      words: this.#words.take(),
      ...(this.#sources.length > 0 && { sources: this.#sources.take() }),
    };
  }
}

/** One page of a `pages` item, ready to be applied. */
export interface PageDelta {
  /** Physical address divided by the page size. */
  number: number;
  /** One of {@linkcode BASE}, or 2 + index in the item; then never its own. */
  base: number;
  /** Physical address of its base at #0, if that is a copy; `base` is then that of zeros. */
  source?: number;
  /** 64-bit line mask as 8 bytes. */
  lines: Uint8Array;
  /** One mask per changed line. */
  masks: Uint8Array;
  /** Eight bytes per changed word. */
  words: Uint8Array;
}

/** Reads which pages an item has. */
export function readPageNumbers(fields: Fields): number[] {
  const { what } = fields;
  const steps = new ColumnReader(fields.bytes("pages"), `pages in ${what}`);
  const numbers: number[] = [];
  for (let number = 0; !steps.done;) {
    numbers.push(number = nextNumber(steps, number, numbers.length, what));
  }
  return numbers;
}

function nextNumber(steps: ColumnReader, before: number, count: number, what: string): number {
  if (count >= MAX_PAGES_PER_ITEM) {
    throw new TraceError(`Cannot read ${what}: expected at most ${MAX_PAGES_PER_ITEM} pages`);
  }
  const step = steps.uint(2 ** 40);
  if (step === 0 && count > 0) {
    throw new TraceError(`Cannot read ${what}: expected ascending pages, found page twice`);
  }
  return before + step;
}

/** Reads the pages of an item. The deltas alias its content. */
export function readPageDeltas(fields: Fields): PageDelta[] {
  const { what } = fields;
  const numbers = new ColumnReader(fields.bytes("pages"), `pages in ${what}`);
  const bases = new ColumnReader(fields.bytes("bases"), `bases in ${what}`);
  const lines = new ColumnReader(fields.bytes("lines"), `lines in ${what}`);
  const masks = new ColumnReader(fields.bytes("masks"), `masks in ${what}`);
  const words = new ColumnReader(fields.bytes("words"), `words in ${what}`);
  const sources = new ColumnReader(fields.column("sources"), `sources in ${what}`);
  const pages: PageDelta[] = [];
  let number = 0;
  while (!numbers.done) {
    number = nextNumber(numbers, number, pages.length, what);
    const base = bases.uint(BASE.first + pages.length);
    const isCopy = base === BASE.first + pages.length;
    const lineMask = lines.view(8);
    const maskCount = countBits(lineMask);
    const pageMasks = masks.view(maskCount);
    pages.push({
      number,
      base: isCopy ? BASE.zero : base,
      ...(isCopy && { source: sourceAddress(sources, what) }),
      lines: lineMask,
      masks: pageMasks,
      words: words.view(8 * countBits(pageMasks)),
    });
  }
  for (const column of [bases, lines, masks, words, sources]) column.finish();
  return pages;
}

function sourceAddress(sources: ColumnReader, what: string): number {
  const address = sources.word();
  if (address % 4n !== 0n || address > MAX_SOURCE) {
    throw new TraceError(
      `Cannot read ${what}: expected a source in words below 2^48, found 0x${address.toString(16)}`,
    );
  }
  return Number(address);
}

/** Applies a delta to a page that holds the delta's base. */
export function applyPageDelta({ lines, masks, words }: PageDelta, page: Uint8Array): void {
  if (words.length === PAGE_SIZE) return page.set(words);
  const source = new DataView(words.buffer, words.byteOffset, words.length);
  const target = new DataView(page.buffer, page.byteOffset, PAGE_SIZE);
  let mask = 0;
  let from = 0;
  for (let group = 0; group < 8; group++) {
    for (let left = lines[group]; left !== 0; left &= left - 1) {
      let at = (8 * group + 31 - Math.clz32(left & -left)) * 64;
      for (let bits = masks[mask++]; bits !== 0; bits >>= 1, at += 8) {
        if (!(bits & 1)) continue;
        target.setUint32(at, source.getUint32(from));
        target.setUint32(at + 4, source.getUint32(from + 4));
        from += 8;
      }
    }
  }
}

/** How many of a page's eight-byte words two contents differ in. */
export function countChanges(was: Uint32Array, is: Uint32Array): number {
  let count = 0;
  for (let i = 0; i < is.length; i += 2) {
    if (was[i] !== is[i] || was[i + 1] !== is[i + 1]) count++;
  }
  return count;
}

function changedWords(was: Uint32Array, is: Uint32Array, at: number): number {
  let mask = 0;
  for (let word = 0; word < 8; word++) {
    const i = at + 2 * word;
    if (was[i] !== is[i] || was[i + 1] !== is[i + 1]) mask |= 1 << word;
  }
  return mask;
}

function countBits(bytes: Uint8Array): number {
  let count = 0;
  for (let byte of bytes) for (; byte; byte &= byte - 1) count++;
  return count;
}
