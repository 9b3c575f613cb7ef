import { Board } from "./bus.ts";
import { TestLine } from "./test_line.ts";
import type { VirtioDevice } from "./virtio_device.ts";
import { VirtioMmio } from "./virtio_mmio.ts";
import type { VirtioMemory } from "./virtqueue.ts";

/** Registers of a transport. */
const GUEST_FEATURES = 0x20, PAGE_SIZE = 0x28, QUEUE_SELECT = 0x30, QUEUE_SIZE = 0x38;
const QUEUE_ALIGN = 0x3c, QUEUE_PAGE = 0x40, QUEUE_NOTIFY = 0x50, STATUS = 0x70;
const BASE = 0xa00_0000;
/** Bytes from a queue to the next. */
const STRIDE = 0x2000;
/** Descriptors of each queue. */
export const SIZE = 8;
/** Flags of descriptors. */
export const NEXT = 1, WRITES = 2, INDIRECT = 4;

/** A buffer, or a table of its own, that a descriptor leads to. */
export interface Buffer {
  readonly address: number;
  readonly length: number;
  readonly flags?: number;
  /** The descriptor behind this one, if it is not that. */
  readonly next?: number;
}

/** A driver of a virtio device for tests: queue `n` stands at `n` × 0x2000 + 0x2000 in its RAM. */
export class TestDriver {
  readonly ram = new Uint8Array(0x1_0000);
  readonly view = new DataView(this.ram.buffer);
  readonly line = new TestLine();
  readonly transports: VirtioMmio;
  readonly #board = new Board();

  constructor(make: (memory: VirtioMemory) => VirtioDevice) {
    const memory = this.#memory();
    const slots = [{ number: 0, device: make(memory), line: this.line }];
    this.transports = new VirtioMmio({ base: BASE, memory, slots });
    this.#board.add(this.transports);
  }

  read(register: number, size = 4): number {
    return this.#board.read(BASE + register, size);
  }

  write(register: number, value: number): void {
    this.#board.write(BASE + register, value, 4);
  }

  /** Resets the device, agrees to features and sets up so many queues. */
  start(features = 0, queues = 1, status = 7): void {
    this.write(STATUS, 0);
    this.write(GUEST_FEATURES, features);
    this.write(PAGE_SIZE, 4096);
    for (let n = 0; n < queues; n++) {
      this.write(QUEUE_SELECT, n);
      this.write(QUEUE_SIZE, SIZE);
      this.write(QUEUE_ALIGN, 4096);
      this.write(QUEUE_PAGE, this.queue(n) / 4096);
    }
    this.write(STATUS, status);
  }

  /** Address of a queue. */
  queue(n: number): number {
    return (n + 1) * STRIDE;
  }

  /** Writes descriptors into a table, from number `first` on, each leading to the one behind it. */
  describe(table: number, buffers: readonly Buffer[], first = 0): void {
    buffers.forEach(({ address, length, flags = 0, next }, i) => {
      const at = table + 16 * (first + i);
      const isLast = i === buffers.length - 1;
      this.view.setUint32(at, address, true);
      this.view.setUint32(at + 8, length, true);
      this.view.setUint16(at + 12, flags | (isLast ? 0 : NEXT), true);
      this.view.setUint16(at + 14, next ?? first + i + 1, true);
    });
  }

  /** Makes a chain available that begins at a descriptor, and says so. */
  offer(n: number, head = 0): void {
    const available = this.queue(n) + 16 * SIZE;
    const index = this.view.getUint16(available + 2, true);
    this.view.setUint16(available + 4 + 2 * (index % SIZE), head, true);
    this.view.setUint16(available + 2, index + 1, true);
    this.write(QUEUE_NOTIFY, n);
  }

  /** Chains that the device gave back so far, and the length it says of the last. */
  used(n: number): [count: number, length: number] {
    const ring = this.queue(n) + 4096;
    const count = this.view.getUint16(ring + 2, true);
    return [count, this.view.getUint32(ring + 8 + 8 * ((count + SIZE - 1) % SIZE), true)];
  }

  #memory(): VirtioMemory {
    const { ram } = this;
    const contains = (at: number, length: number) => at + length <= ram.length;
    return {
      contains,
      read: (at, length) => contains(at, length) ? ram.slice(at, at + length) : undefined,
      write(at, bytes) {
        if (!contains(at, bytes.length)) return false;
        ram.set(bytes, at);
        return true;
      },
    };
  }
}
