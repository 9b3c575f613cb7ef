/**
 * Writes the items of a trace in order and keeps what commits and the footer need.
 *
 * Order: window 0 is the prologue (header, image, symbols, lines, pages, keyframe) and has no
 * steps; windows 1.. follow; each ends with a commit; the footer ends the file. See `schema.ts` for
 * the states a file can be in.
 */

import { encodeContent } from "./cbor.ts";
import { commitHash, encodeItem, NO_COMMIT } from "./chunk.ts";
import { ByteColumn } from "./columns.ts";
import { uint } from "./fields.ts";
import { ITEM } from "./schema.ts";

/** Where a trace goes. */
export interface TraceSink {
  /** Writes all of `bytes`, or throws. The array may be kept. */
  write(bytes: Uint8Array): void;
}

/** zstd levels: a trace's size hardly depends on them, its speed does. */
export const LEVEL = 3;
/** Flow bytes at which a part of a window's flow is written. */
export const FLOW_PART_BYTES: number = 4 << 20;

/** Writes framed items. */
export class TraceWriter {
  readonly #sink: TraceSink;
  #offset = 0;
  #windowOffset = 0;
  #hashes: Uint8Array[] = [];
  #lastCommit = NO_COMMIT;
  readonly #lengths = new ByteColumn();
  readonly #commits = new ByteColumn();
  readonly #sizes = new Map<number, { items: number; content: number; bytes: number }>();

  constructor(sink: TraceSink) {
    this.#sink = sink;
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#offset;
  }

  /** Items, bytes of content and bytes in the file so far, by item kind. */
  get sizes(): ReadonlyMap<number, { items: number; content: number; bytes: number }> {
    return this.#sizes;
  }

  /** Writes the header; `recordedAt` is the one thing in a trace that two recordings differ in. */
  header(content: Record<string, unknown>, recordedAt: string): void {
    this.#write(ITEM.header, encodeContent(content), 0, recordedAt);
  }

  /** Writes an item of the current window. */
  item(kind: number, content: Record<string, unknown>): void {
    this.#write(kind, encodeContent(content), LEVEL);
  }

  /** Writes an item of the current window whose content is encoded already. */
  content(kind: number, content: Uint8Array): void {
    this.#write(kind, content, LEVEL);
  }

  /** Writes an item of the current window that {@linkcode encodeItem} made. */
  framed(
    kind: number,
    { bytes, hash }: { bytes: Uint8Array; hash: Uint8Array },
    size: number,
  ): void {
    this.#append(kind, bytes, hash, size);
  }

  /** Closes the current window: what was written so far will be trusted. */
  commit(window: number, start: number, end: number): void {
    const hash = commitHash(this.#lastCommit, window, start, end, this.#hashes);
    const offset = this.#offset;
    const length = offset - this.#windowOffset;
    this.#write(
      ITEM.commit,
      encodeContent({ window, start: uint(start), end: uint(end), length: uint(length), hash }),
      0,
    );
    this.#lengths.pushUint(length);
    this.#commits.pushUint(this.#offset - offset);
    this.#windowOffset = this.#offset;
    this.#hashes = [];
    this.#lastCommit = hash;
  }

  /** Ends the file. */
  footer(content: Record<string, unknown>): void {
    const index = { lengths: this.#lengths.take(), commits: this.#commits.take() };
    // `at` comes last and always takes nine bytes, so that a reader finds the footer from the end.
    const at = BigInt(this.#offset);
    this.#write(ITEM.footer, encodeContent({ ...content, index, at }), 0);
  }

  #write(kind: number, content: Uint8Array, level: number, recordedAt?: string): void {
    const { bytes, hash } = encodeItem(kind, content, level, recordedAt);
    this.#append(kind, bytes, hash, content.length);
  }

  #append(kind: number, bytes: Uint8Array, hash: Uint8Array, content: number): void {
    this.#sink.write(bytes);
    this.#offset += bytes.length;
    this.#hashes.push(hash);
    const size = this.#sizes.get(kind) ?? { items: 0, content: 0, bytes: 0 };
    size.items++;
    size.content += content;
    size.bytes += bytes.length;
    this.#sizes.set(kind, size);
  }
}
