import type { Board } from "../devices/bus.ts";
import type { Engine } from "../engine/engine.ts";
import { PAGE_BYTES } from "./memory.ts";

/**
 * Lets the processor execute from a device that reads like memory: flash.
 *
 * Code must lie in the engine's memory to be decoded, so a page of such a device is copied there
 * when it is first fetched from. A few pages are kept, reused in turn; a write to the device drops
 * them all. The copies are never seen by loads, which go to the device.
 */
export class RomWindow {
  /** Bytes of engine memory that the window takes, behind RAM. */
  static readonly bytes = 16 * PAGE_BYTES;
  /** Physical address of the page in each slot, or -1. */
  readonly #pages: number[] = Array(RomWindow.bytes / PAGE_BYTES).fill(-1);
  #next = 0;

  /** @param firstByte offset of the window in the engine's guest memory */
  constructor(readonly engine: Engine, readonly board: Board, readonly firstByte: number) {}

  /** Engine address of a copy of the device page at a physical address; undefined if none can be executed. */
  hostPage(address: number): number | undefined {
    const page = address - address % PAGE_BYTES;
    const known = this.#pages.indexOf(page);
    if (known >= 0) return this.#host(known);
    if (!this.board.find(page)?.executable) return undefined;
    const slot = this.#next;
    this.#next = (slot + 1) % this.#pages.length;
    this.#release(slot);
    const words = new Uint32Array(PAGE_BYTES / 4);
    for (let i = 0; i < words.length; i++) words[i] = this.board.read(page + 4 * i, 4);
    this.engine.guest.set(new Uint8Array(words.buffer), this.firstByte + slot * PAGE_BYTES);
    this.#pages[slot] = page;
    return this.#host(slot);
  }

  /** Physical address of the page at an engine address of the window; undefined for other addresses. */
  physicalPage(host: number): number | undefined {
    const slot = (host - this.engine.layout.guest - this.firstByte) / PAGE_BYTES;
    return slot >= 0 ? this.#pages[Math.floor(slot)] : undefined;
  }

  /** Something was written to an executable device. */
  drop(): void {
    for (let slot = 0; slot < this.#pages.length; slot++) this.#release(slot);
  }

  #release(slot: number): void {
    if (this.#pages[slot] < 0) return;
    this.engine.records.replaced(this.#host(slot));
    for (const lookup of this.engine.lookups) lookup.flushFetches();
    this.#pages[slot] = -1;
  }

  #host(slot: number): number {
    return this.engine.layout.guest + this.firstByte + slot * PAGE_BYTES;
  }
}
