/**
 * The device's side of a split virtqueue in the legacy layout (virtio 1.2, 2.7): descriptor table,
 * available ring and, from the next multiple of the alignment, used ring.
 */
import type { DeviceState } from "./device.ts";
import type { DmaMemory } from "./fw_cfg.ts";

const DESCRIPTOR = 16;
/** Descriptor flags. */
const NEXT = 1, WRITE = 2, INDIRECT = 4;
/** Flag of the available ring: no interrupts wanted. */
const NO_INTERRUPT = 1;

/** A stretch of guest memory. */
export interface Stretch {
  readonly address: number;
  readonly length: number;
}

/** A chain of buffers that the driver made available. */
export interface Chain {
  readonly head: number;
  /** What the device reads, in order. */
  readonly out: readonly Stretch[];
  /** What the device writes, in order. */
  readonly in: readonly Stretch[];
}

/** What the driver and the device agreed on that matters here. */
export interface QueueFeatures {
  readonly eventIndex: boolean;
  readonly notifyOnEmpty: boolean;
}

/** Thrown for rings that make no sense: the device stops until it is reset. */
export class BrokenQueue extends Error {}

interface SavedQueue {
  size: number;
  align: number;
  page: number;
  next: number;
  used: number;
}

/** See the top of this file. */
export class Virtqueue {
  /** Descriptors; the driver chooses. */
  size = 0;
  /** Alignment of the used ring, in bytes. */
  align = 0;
  /** Number of the page that the queue begins at; 0 if there is none yet. */
  page = 0;
  #next = 0;
  #used = 0;
  readonly #memory: DmaMemory;

  /** @param memory where the rings and buffers are */
  constructor(memory: DmaMemory) {
    this.#memory = memory;
  }

  /** As at the device's reset; the driver's choices go with it. */
  reset(size: number): void {
    this.size = size;
    this.align = 0;
    this.page = 0;
    this.#next = 0;
    this.#used = 0;
  }

  /** Whether there is a chain. `base` is the address of the queue. */
  ready(base: number): boolean {
    return this.#read16(this.#available(base) + 2) !== this.#next;
  }

  /** The next chain, or undefined. `base` is the address of the queue. */
  take(base: number, { eventIndex }: QueueFeatures): Chain | undefined {
    const available = this.#read16(this.#available(base) + 2);
    if (((available - this.#next) & 0xffff) > this.size) {
      throw new BrokenQueue("available index");
    }
    if (available === this.#next) return undefined;
    const head = this.#read16(this.#available(base) + 4 + 2 * (this.#next % this.size));
    this.#next = (this.#next + 1) & 0xffff;
    if (eventIndex) this.#write16(this.#usedRing(base) + 4 + 8 * this.size, this.#next);
    return this.#chain(base, head);
  }

  /**
   * Gives a chain back, of which `written` bytes were written.
   *
   * @returns whether the driver wants an interrupt
   */
  give(base: number, { head }: Chain, written: number, features: QueueFeatures): boolean {
    const entry = new Uint8Array(8);
    const view = new DataView(entry.buffer);
    view.setUint32(0, head, true);
    view.setUint32(4, written, true);
    this.#write(this.#usedRing(base) + 4 + 8 * (this.#used % this.size), entry);
    const old = this.#used;
    this.#used = (old + 1) & 0xffff;
    this.#write16(this.#usedRing(base) + 2, this.#used);
    const isEmpty = this.#read16(this.#available(base) + 2) === this.#next;
    if (features.notifyOnEmpty && isEmpty) return true;
    if (!features.eventIndex) return (this.#read16(this.#available(base)) & NO_INTERRUPT) === 0;
    const wanted = this.#read16(this.#available(base) + 4 + 2 * this.size);
    return ((this.#used - wanted - 1) & 0xffff) < ((this.#used - old) & 0xffff);
  }

  save(): DeviceState {
    const { size, align, page } = this;
    return { size, align, page, next: this.#next, used: this.#used };
  }

  restore(state: DeviceState): void {
    const saved = state as unknown as SavedQueue;
    this.size = saved.size;
    this.align = saved.align;
    this.page = saved.page;
    this.#next = saved.next;
    this.#used = saved.used;
  }

  #available(base: number): number {
    return base + DESCRIPTOR * this.size;
  }

  #usedRing(base: number): number {
    const end = this.#available(base) + 4 + 2 * this.size;
    return this.align === 0 ? end : Math.ceil(end / this.align) * this.align;
  }

  #chain(base: number, head: number): Chain {
    const chain = { head, out: [] as Stretch[], in: [] as Stretch[] };
    let table: Stretch = { address: base, length: this.size * DESCRIPTOR };
    let index = head;
    for (let count = 0; count <= this.size; count++) {
      const { address, length, flags, next } = this.#descriptor(table, index);
      if (flags & INDIRECT) {
        if (table.address !== base || length % DESCRIPTOR) throw new BrokenQueue("indirect table");
        table = { address, length };
        index = 0;
        continue;
      }
      (flags & WRITE ? chain.in : chain.out).push({ address, length });
      if (!(flags & NEXT)) return chain;
      index = next;
    }
    throw new BrokenQueue("a loop of descriptors");
  }

  #descriptor(
    table: Stretch,
    index: number,
  ): { address: number; length: number; flags: number; next: number } {
    if ((index + 1) * DESCRIPTOR > table.length) throw new BrokenQueue("descriptor number");
    const bytes = this.#read(table.address + index * DESCRIPTOR, DESCRIPTOR);
    const view = new DataView(bytes.buffer, bytes.byteOffset, DESCRIPTOR);
    const address = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const length = view.getUint32(8, true);
    return { address, length, flags: view.getUint16(12, true), next: view.getUint16(14, true) };
  }

  #read(address: number, length: number): Uint8Array {
    const bytes = this.#memory.read(address, length);
    if (!bytes) throw new BrokenQueue("an address outside of RAM");
    return bytes;
  }

  #read16(address: number): number {
    const [low, high] = this.#read(address, 2);
    return low | (high << 8);
  }

  #write(address: number, bytes: Uint8Array): void {
    if (!this.#memory.write(address, bytes)) throw new BrokenQueue("an address outside of RAM");
  }

  #write16(address: number, value: number): void {
    this.#write(address, Uint8Array.of(value, value >> 8));
  }
}
