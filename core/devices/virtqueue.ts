/**
 * The device's side of a split virtqueue in the legacy layout (virtio 1.2, 2.7): descriptor table,
 * available ring and, from the next multiple of the alignment, used ring. Rings that make no sense
 * are refused where the reference refuses them (`virtqueue_split_pop`), and no later.
 */
import type { DeviceState } from "./device.ts";
import type { DmaMemory } from "./fw_cfg.ts";

const DESCRIPTOR = 16;
/** Descriptor flags. */
const NEXT = 1, WRITE = 2, INDIRECT = 4;
/** Flag of the available ring: no interrupts wanted. */
const NO_INTERRUPT = 1;
/** Flag of the used ring: no notifications wanted. */
const NO_NOTIFY = 1;
/** Alignment of the used ring unless the driver chooses, in bytes. */
const DEFAULT_ALIGN = 4096;
/** Most buffers of a chain. */
const MOST_BUFFERS = 1024;
/** Longest part of a buffer outside of RAM: the reference has one page to stand in for it. */
const MOST_OUTSIDE = 4096;
const UNIT = 4096;

/** Guest memory as virtio devices see it. */
export interface VirtioMemory extends DmaMemory {
  /** Whether all of a stretch is RAM. RAM begins and ends at a page's border. */
  contains(address: number, length: number): boolean;
}

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
  address: number;
  rings: number[];
  next: number;
  seen: number;
  used: number;
  signalled: number;
}

interface Descriptor extends Stretch {
  readonly flags: number;
  readonly next: number;
}

/** Descriptors, and where in them the next is. */
interface Table extends Stretch {
  readonly index: number;
}

/** See the top of this file. */
export class Virtqueue {
  #size = 0;
  #align = DEFAULT_ALIGN;
  /** Of the descriptor table; 0 if there is none yet. */
  #address = 0;
  /** Of the rings: as the last choices of the driver have them that make sense together. */
  #available = 0;
  #usedRing = 0;
  /** Chains that were taken, and the available index last read. */
  #next = 0;
  #seen = 0;
  /** Chains that were given back, now and when the driver was last told; -1 if it was not. */
  #used = 0;
  #signalled = -1;
  /** Chains that were taken and neither given back nor dropped, and that of them with a buffer outside of RAM. */
  #taken = 0;
  #outside: Chain | undefined;
  readonly #memory: VirtioMemory;

  /** @param memory where the rings and buffers are */
  constructor(memory: VirtioMemory) {
    this.#memory = memory;
  }

  /** As at the device's reset: so many descriptors, nowhere. The alignment stays. */
  reset(size: number): void {
    this.#size = size;
    this.#address = this.#available = this.#usedRing = 0;
    this.#next = this.#seen = this.#used = 0;
    this.#signalled = -1;
    this.#taken = 0;
    this.#outside = undefined;
  }

  /** Address of the descriptor table; 0 if there is none yet. */
  get address(): number {
    return this.#address;
  }

  set address(address: number) {
    this.#address = address;
    this.#place();
  }

  /** Descriptors. */
  set size(size: number) {
    this.#size = size;
    this.#place();
  }

  /** Alignment of the used ring, in bytes. */
  set align(align: number) {
    this.#align = align;
    this.#place();
  }

  /** Whether no chain waits. */
  get isEmpty(): boolean {
    if (this.#available === 0) return true;
    return this.#seen === this.#next && this.#look() === this.#next;
  }

  /** Whether a chain waits that has room for a byte. Changes nothing. */
  get hasRoom(): boolean {
    const { room } = this.#ahead(1);
    return room > 0;
  }

  /**
   * Bytes that the driver made room for.
   *
   * @throws BrokenQueue
   */
  room(): number {
    const { room, error } = this.#ahead(Infinity);
    if (error) throw error;
    return room;
  }

  /**
   * The next chain, or undefined.
   *
   * @param tells whether the driver is told which chain is awaited, where it wants to know
   * @throws BrokenQueue
   */
  take(tells: boolean): Chain | undefined {
    if (this.isEmpty) return undefined;
    const head = this.#head(this.#next);
    this.#next = (this.#next + 1) & 0xffff;
    this.#checkHead(head);
    if (tells) this.#tell(this.#next);
    const chain = { head, out: [] as Stretch[], in: [] as Stretch[] };
    let isOutside = this.#outside !== undefined;
    for (const { address, length, flags } of this.#walk(head)) {
      if (length === 0) throw new BrokenQueue("an empty buffer");
      const writes = (flags & WRITE) !== 0;
      if (!writes && chain.in.length > 0) throw new BrokenQueue("the order of buffers");
      if (this.#isOutside(address, length)) {
        if (isOutside) throw new BrokenQueue("buffers outside of RAM");
        isOutside = true;
      }
      (writes ? chain.in : chain.out).push({ address, length });
      if (chain.in.length + chain.out.length > MOST_BUFFERS) throw new BrokenQueue("many buffers");
    }
    this.#taken++;
    if (isOutside) this.#outside ??= chain;
    return chain;
  }

  /** Takes back that a chain was taken: the device is broken. */
  drop(chain: Chain): void {
    this.#taken--;
    if (this.#outside === chain) this.#outside = undefined;
  }

  /**
   * Tells the driver that it is listened to again: which chain is awaited, if it wants to know, or
   * that the device is to be notified.
   */
  listen({ eventIndex }: QueueFeatures): void {
    if (eventIndex) this.#tell(this.#look());
    else this.#write16(this.#usedRing, this.#read16(this.#usedRing) & ~NO_NOTIFY);
  }

  /** Gives a chain back, of which `written` bytes were written. */
  give(chain: Chain, written: number): void {
    this.drop(chain);
    const entry = new Uint8Array(8);
    const view = new DataView(entry.buffer);
    view.setUint32(0, chain.head, true);
    view.setUint32(4, written, true);
    this.#memory.write(this.#usedRing + 4 + 8 * (this.#used % this.#size), entry);
    const before = this.#used;
    this.#used = (before + 1) & 0xffff;
    this.#write16(this.#usedRing + 2, this.#used);
    // The index went past the one last told, all the way round.
    const passed = ((this.#used - this.#signalled) & 0xffff) << 16 >> 16;
    if (this.#signalled >= 0 && passed < 1) this.#signalled = -1;
  }

  /** Whether the driver wants an interrupt for what was given back since it was last asked. */
  wantsInterrupt({ notifyOnEmpty, eventIndex }: QueueFeatures, isBroken: boolean): boolean {
    if (notifyOnEmpty && this.#taken === 0 && (isBroken || this.isEmpty)) return true;
    if (!eventIndex) return (this.#read16(this.#available) & NO_INTERRUPT) === 0;
    const before = this.#signalled, now = this.#used;
    this.#signalled = now;
    if (before < 0) return true;
    const wanted = this.#read16(this.#available + 4 + 2 * this.#size);
    return ((now - wanted - 1) & 0xffff) < ((now - before) & 0xffff);
  }

  save(): DeviceState {
    return {
      size: this.#size,
      align: this.#align,
      address: this.#address,
      rings: [this.#available, this.#usedRing],
      next: this.#next,
      seen: this.#seen,
      used: this.#used,
      signalled: this.#signalled,
    };
  }

  restore(state: DeviceState): void {
    const saved = state as unknown as SavedQueue;
    this.#size = saved.size;
    this.#align = saved.align;
    this.#address = saved.address;
    [this.#available, this.#usedRing] = saved.rings;
    this.#next = saved.next;
    this.#seen = saved.seen;
    this.#used = saved.used;
    this.#signalled = saved.signalled;
  }

  #place(): void {
    if (this.#size === 0 || this.#address === 0 || this.#align === 0) return;
    this.#available = this.#address + DESCRIPTOR * this.#size;
    const end = this.#available + 4 + 2 * this.#size;
    this.#usedRing = Math.ceil(end / this.#align) * this.#align;
  }

  /** The available index now. */
  #look(): number {
    return this.#seen = this.#read16(this.#available + 2);
  }

  #tell(index: number): void {
    this.#write16(this.#usedRing + 4 + 8 * this.#size, index);
  }

  #head(number: number): number {
    return this.#read16(this.#available + 4 + 2 * (number % this.#size));
  }

  #checkHead(head: number): void {
    if (head >= this.#size) throw new BrokenQueue("the number of a descriptor");
  }

  /** Room for bytes in what waits, as far as `enough`; what makes no sense has none. */
  #ahead(enough: number): { room: number; error?: BrokenQueue } {
    if (this.#available === 0) return { room: 0 };
    const waiting = (this.#read16(this.#available + 2) - this.#next) & 0xffff;
    let room = 0;
    const seen = { direct: 0 };
    try {
      if (waiting > this.#size) throw new BrokenQueue("the available index");
      for (let i = 0; i < waiting && room < enough; i++) {
        const head = this.#head((this.#next + i) & 0xffff);
        this.#checkHead(head);
        for (const { length, flags } of this.#walk(head, seen)) if (flags & WRITE) room += length;
      }
      return { room };
    } catch (error) {
      if (!(error instanceof BrokenQueue)) throw error;
      return { room: 0, error };
    }
  }

  /**
   * The descriptors of a chain. Only the first may lead to a table of its own.
   *
   * @param seen descriptors of the queue's own table in the chains before, which are no more than it has
   */
  *#walk(head: number, seen = { direct: 0 }): Generator<Descriptor> {
    let table: Table = { address: this.#address, length: this.#size, index: head };
    let descriptor = this.#descriptor(table);
    const isIndirect = (descriptor.flags & INDIRECT) !== 0;
    let count = seen.direct;
    if (isIndirect) {
      const { address, length } = descriptor;
      if (length === 0 || length % DESCRIPTOR) throw new BrokenQueue("the size of a table");
      if (seen.direct++ >= this.#size) throw new BrokenQueue("a loop of descriptors");
      table = { address, length: length / DESCRIPTOR, index: 0 };
      descriptor = this.#descriptor(table);
      count = 0;
    }
    for (;;) {
      if (++count > table.length) throw new BrokenQueue("a loop of descriptors");
      yield descriptor;
      if (!(descriptor.flags & NEXT)) break;
      const { next } = descriptor;
      if (next >= table.length) throw new BrokenQueue("the number of a descriptor");
      descriptor = this.#descriptor({ ...table, index: next });
    }
    if (!isIndirect) seen.direct = count;
  }

  #descriptor({ address: base, index }: Table): Descriptor {
    const bytes = this.#memory.read(base + index * DESCRIPTOR, DESCRIPTOR) ??
      new Uint8Array(DESCRIPTOR);
    const view = new DataView(bytes.buffer, bytes.byteOffset, DESCRIPTOR);
    const address = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const length = view.getUint32(8, true);
    return { address, length, flags: view.getUint16(12, true), next: view.getUint16(14, true) };
  }

  /**
   * Whether part of a buffer is not RAM: that is stood in for, in one chain at a time.
   *
   * @throws BrokenQueue if it is too long for that
   */
  #isOutside(address: number, length: number): boolean {
    if (this.#memory.contains(address, length)) return false;
    let outside = 0;
    for (let done = 0; done < length && outside <= MOST_OUTSIDE;) {
      const part = Math.min(UNIT - (address + done) % UNIT, length - done);
      if (!this.#memory.contains(address + done, part)) outside += part;
      done += part;
    }
    if (outside > MOST_OUTSIDE) throw new BrokenQueue("a buffer outside of RAM");
    return true;
  }

  /** Zero where there is no RAM. */
  #read16(address: number): number {
    const [low, high] = this.#memory.read(address, 2) ?? [0, 0];
    return low | (high << 8);
  }

  #write16(address: number, value: number): void {
    this.#memory.write(address, Uint8Array.of(value, value >> 8));
  }
}
