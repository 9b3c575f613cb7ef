import { BLOCK_BYTES, type Medium } from "../medium.ts";
import type { DeviceState } from "./device.ts";

/**
 * A medium that can be written: what was written lies over it, in blocks of 4 KiB.
 *
 * The state names the version of each block that was written, not its content: a trace holds the
 * contents once, as inputs, however many states it has. Versions count the writes of the medium.
 */
export class BlockOverlay {
  readonly #medium: Medium;
  readonly #written = new Map<number, { version: number; content: Uint8Array | undefined }>();
  #versions = 0;

  /** Nothing is written yet. */
  constructor(medium: Medium) {
    this.#medium = medium;
  }

  /** Bytes. */
  get size(): number {
    return this.#medium.size;
  }

  /** Bytes `offset` to `offset + length`, which must be inside. */
  read(offset: number, length: number): Uint8Array {
    const result = new Uint8Array(length);
    this.#parts(offset, length, (block, at, done, count) => {
      result.set(this.#block(block).subarray(at, at + count), done);
    });
    return result;
  }

  /** Stores bytes from `offset` on, all of which must be inside. */
  write(offset: number, bytes: Uint8Array): void {
    this.#parts(offset, bytes.length, (block, at, done, count) => {
      const content = this.#block(block).slice();
      content.set(bytes.subarray(done, done + count), at);
      const version = this.#versions++;
      this.#written.set(block, { version, content });
      this.#medium.wrote?.(version, content);
    });
  }

  /** Versions, and pairs of block and version in order of blocks. */
  save(): DeviceState {
    const written = [...this.#written].sort(([a], [b]) => a - b);
    const pairs = new Uint8Array(written.length * 8);
    const view = new DataView(pairs.buffer);
    written.forEach(([block, { version }], i) => {
      view.setUint32(8 * i, block, true);
      view.setUint32(8 * i + 4, version, true);
    });
    return { versions: this.#versions, written: pairs };
  }

  restore(state: DeviceState): void {
    const { versions, written } = state as { versions: number; written: Uint8Array };
    const view = new DataView(written.buffer, written.byteOffset, written.length);
    const known = new Map(this.#written);
    this.#written.clear();
    this.#versions = versions;
    for (let at = 0; at < written.length; at += 8) {
      const block = view.getUint32(at, true), version = view.getUint32(at + 4, true);
      const entry = known.get(block);
      const content = entry?.version === version ? entry.content : undefined;
      this.#written.set(block, { version, content });
    }
  }

  #block(number: number): Uint8Array {
    const entry = this.#written.get(number);
    if (!entry) return this.#medium.block(number);
    return entry.content ??= this.#medium.written!(entry.version);
  }

  #parts(
    offset: number,
    length: number,
    part: (block: number, at: number, done: number, count: number) => void,
  ): void {
    for (let done = 0; done < length;) {
      const at = (offset + done) % BLOCK_BYTES;
      const count = Math.min(length - done, BLOCK_BYTES - at);
      part(Math.floor((offset + done) / BLOCK_BYTES), at, done, count);
      done += count;
    }
  }
}
