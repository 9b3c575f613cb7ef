/**
 * The board's 32 virtio-mmio transports (virtio 1.2, 4.2.4: the legacy interface), 512 bytes each,
 * as the reference has them. One without a device answers with its magic, the version and device
 * id 0, which drivers skip.
 */

import type { Device, DeviceState, InterruptLine } from "./device.ts";
import type { VirtioDevice, VirtioPort } from "./virtio_device.ts";
import {
  BrokenQueue,
  type Chain,
  type QueueFeatures,
  type VirtioMemory,
  Virtqueue,
} from "./virtqueue.ts";

const SLOT_SIZE = 0x200;
/** Number of transports. */
export const VIRTIO_SLOTS = 32;

/** Register offsets within a slot; all others read as zero. */
const MAGIC_VALUE = 0x000; // RO
const VERSION = 0x004; // RO
const DEVICE_ID = 0x008; // RO
const VENDOR_ID = 0x00c; // RO
const HOST_FEATURES = 0x010; // RO
const HOST_FEATURES_SELECT = 0x014; // WO
const GUEST_FEATURES = 0x020; // WO
const GUEST_FEATURES_SELECT = 0x024; // WO
const GUEST_PAGE_SIZE = 0x028; // WO
const QUEUE_SELECT = 0x030; // WO
const QUEUE_MOST = 0x034; // RO
const QUEUE_SIZE = 0x038; // WO
const QUEUE_ALIGN = 0x03c; // WO
const QUEUE_PAGE = 0x040; // RW
const QUEUE_NOTIFY = 0x050; // WO
const INTERRUPT_STATUS = 0x060; // RO
const INTERRUPT_ACKNOWLEDGE = 0x064; // WO
const STATUS = 0x070; // RW
/** Length of shared memory, of which there is none, in two words. */
const SHARED_LOW = 0x0b0, SHARED_HIGH = 0x0b4; // RO
const CONFIGURATION = 0x100;

const MAGIC = 0x7472_6976;
const LEGACY = 1;
const VENDOR = 0x554d_4551;
/** Most descriptors of a queue. */
const MOST_DESCRIPTORS = 1024;
const INTERRUPT_USED_RING = 1;
/** Bits of the status: with the second, features stay as they are. */
const STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8;

/** Feature bits of the transport and of queues. */
export const FEATURE = { notifyOnEmpty: 24, indirect: 28, eventIndex: 29 } as const;

/** A transport that has a device. */
export interface VirtioSlot {
  readonly number: number;
  readonly device: VirtioDevice;
  readonly line: InterruptLine;
}

/** All transports as one window. */
export class VirtioMmio implements Device {
  readonly name = "virtio-mmio";
  readonly base: number;
  readonly size = SLOT_SIZE * VIRTIO_SLOTS;
  readonly #slots = new Map<number, Transport>();

  /** Makes the transports; `base` is the address of the first. */
  constructor(
    { base, memory, slots = [] }: {
      base: number;
      memory: VirtioMemory;
      slots?: readonly VirtioSlot[];
    },
  ) {
    this.base = base;
    for (const slot of slots) this.#slots.set(slot.number, new Transport(slot, memory));
  }

  read(offset: number, size: number): number {
    const slot = this.#slots.get(Math.floor(offset / SLOT_SIZE));
    const register = offset % SLOT_SIZE;
    if (slot) return slot.read(register, size);
    return register === MAGIC_VALUE
      ? MAGIC
      : register === VERSION
      ? LEGACY
      : register === VENDOR_ID
      ? VENDOR
      : 0;
  }

  write(offset: number, value: number, size: number): void {
    this.#slots.get(Math.floor(offset / SLOT_SIZE))?.write(offset % SLOT_SIZE, value, size);
  }

  save(): DeviceState {
    return Object.fromEntries([...this.#slots].map(([number, slot]) => [number, slot.save()]));
  }

  /** What disks hold outlives a reset. */
  stateAfterReset(): DeviceState {
    return Object.fromEntries(
      [...this.#slots].map(([number, slot]) => [number, slot.stateAfterReset()]),
    );
  }

  restore(state: DeviceState): void {
    const saved = state as { [slot: string]: DeviceState };
    for (const [number, slot] of this.#slots) slot.restore(saved[number]);
  }
}

interface SavedTransport {
  selects: number[];
  guestFeatures: number;
  pageShift: number;
  interrupts: number;
  status: number;
  broken: boolean;
  queues: DeviceState[];
  device: DeviceState;
}

/** The registers of one transport. */
class Transport {
  readonly #device: VirtioDevice;
  readonly #line: InterruptLine;
  readonly #queues: Virtqueue[];
  readonly #first: { [field: string]: DeviceState };
  #hostSelect = 0;
  #guestSelect = 0;
  #queueSelect = 0;
  #guestFeatures = 0;
  #pageShift = 0;
  #interrupts = 0;
  #status = 0;
  /** A queue made no sense. */
  #broken = false;

  constructor({ device, line }: VirtioSlot, memory: VirtioMemory) {
    this.#device = device;
    this.#line = line;
    this.#queues = device.queues.map(() => new Virtqueue(memory));
    device.attach(this.#port());
    this.#reset();
    this.#first = this.#save();
  }

  read(register: number, size: number): number {
    if (register >= CONFIGURATION) return this.#configuration(register - CONFIGURATION, size);
    if (size !== 4) return 0;
    switch (register) {
      case MAGIC_VALUE:
        return MAGIC;
      case VERSION:
        return LEGACY;
      case DEVICE_ID:
        return this.#device.id;
      case VENDOR_ID:
        return VENDOR;
      case HOST_FEATURES:
        return this.#hostSelect === 0 ? this.#device.features : 0;
      case QUEUE_MOST:
        return this.#queue ? MOST_DESCRIPTORS : 0;
      case QUEUE_PAGE:
        return Math.floor((this.#queue?.address ?? 0) / 2 ** this.#pageShift);
      case INTERRUPT_STATUS:
        return this.#interrupts;
      case STATUS:
        return this.#status;
      case SHARED_LOW:
      case SHARED_HIGH:
        return 0xffff_ffff;
      default:
        return 0;
    }
  }

  write(register: number, value: number, size: number): void {
    if (register >= CONFIGURATION) {
      return this.#configure(register - CONFIGURATION, value, size);
    }
    if (size !== 4) return;
    switch (register) {
      case HOST_FEATURES_SELECT:
        this.#hostSelect = value;
        return;
      case GUEST_FEATURES:
        return this.#agree(value);
      case GUEST_FEATURES_SELECT:
        this.#guestSelect = value;
        return;
      case GUEST_PAGE_SIZE:
        this.#pageShift = value === 0 ? 0 : Math.log2((value & -value) >>> 0);
        return;
      case QUEUE_SELECT:
        if (value < 1024) this.#queueSelect = value;
        return;
      case QUEUE_NOTIFY:
        return this.#notified(value);
      case INTERRUPT_ACKNOWLEDGE:
        this.#interrupts &= ~value;
        return this.#drive();
      case STATUS:
        this.#status = value & 0xff;
        this.#device.driverChanged?.((value & STATUS_DRIVER_OK) !== 0);
        if (this.#status === 0) this.#reset();
        return;
      default:
        return this.#writeQueue(register, value);
    }
  }

  save(): DeviceState {
    return this.#save();
  }

  stateAfterReset(): DeviceState {
    return { ...this.#first, device: this.#device.save() };
  }

  #save(): { [field: string]: DeviceState } {
    return {
      selects: [this.#hostSelect, this.#guestSelect, this.#queueSelect],
      guestFeatures: this.#guestFeatures,
      pageShift: this.#pageShift,
      interrupts: this.#interrupts,
      status: this.#status,
      broken: this.#broken,
      queues: this.#queues.map((queue) => queue.save()),
      device: this.#device.save(),
    };
  }

  restore(state: DeviceState): void {
    const saved = state as unknown as SavedTransport;
    [this.#hostSelect, this.#guestSelect, this.#queueSelect] = saved.selects;
    this.#guestFeatures = saved.guestFeatures;
    this.#pageShift = saved.pageShift;
    this.#interrupts = saved.interrupts;
    this.#status = saved.status;
    this.#broken = saved.broken;
    this.#queues.forEach((queue, n) => queue.restore(saved.queues[n]));
    this.#device.restore(saved.device);
    this.#drive();
  }

  get #queue(): Virtqueue | undefined {
    return this.#queues[this.#queueSelect];
  }

  get #features(): QueueFeatures {
    const has = (bit: number) => ((this.#guestFeatures >>> bit) & 1) === 1;
    return {
      eventIndex: has(FEATURE.eventIndex),
      notifyOnEmpty: has(FEATURE.notifyOnEmpty),
    };
  }

  /** By the driver: the halves of features that it selected and the size of its pages stay. */
  #reset(): void {
    this.#guestFeatures =
      this.#queueSelect =
      this.#interrupts =
      this.#status =
        0;
    this.#broken = false;
    this.#queues.forEach((queue, n) => queue.reset(this.#device.queues[n]));
    this.#device.reset?.();
    this.#drive();
  }

  #agree(features: number): void {
    if (this.#guestSelect !== 0 || this.#status & STATUS_FEATURES_OK) return;
    this.#guestFeatures = (features & this.#device.features) >>> 0;
  }

  #writeQueue(register: number, value: number): void {
    if (register === QUEUE_PAGE && value === 0) return this.#reset();
    const queue = this.#queue;
    if (!queue) return;
    if (register === QUEUE_SIZE && value > 0 && value <= MOST_DESCRIPTORS) queue.size = value;
    else if (register === QUEUE_ALIGN) queue.align = value;
    else if (register === QUEUE_PAGE) queue.address = value * 2 ** this.#pageShift;
  }

  #notified(number: number): void {
    const queue = this.#queues[number];
    if (queue && queue.address !== 0 && !this.#broken) this.#device.notified(number);
  }

  #port(): VirtioPort {
    const features = () => this.#guestFeatures, status = () => this.#status;
    return {
      get features() {
        return features();
      },
      get ready() {
        return (status() & STATUS_DRIVER_OK) !== 0;
      },
      hasRoom: (queue) => !this.#broken && this.#queues[queue].hasRoom,
      // As on the reference a device that is broken still looks.
      room: (queue) => this.#guarded(() => this.#queues[queue].room()) ?? 0,
      isEmpty: (queue) => this.#broken || this.#queues[queue].isEmpty,
      take: (queue) => this.#take(queue, this.#features.eventIndex),
      takeAll: (queue, use) => this.#takeAll(queue, use),
      give: (queue, chain, written) => {
        if (this.#broken) this.#queues[queue].drop(chain);
        else this.#queues[queue].give(chain, written);
      },
      interrupt: (queue) => this.#interrupt(queue),
    };
  }

  #take(queue: number, tells: boolean): Chain | undefined {
    return this.#broken ? undefined : this.#guarded(() => this.#queues[queue].take(tells));
  }

  #takeAll(number: number, use: (chain: Chain) => boolean): void {
    const queue = this.#queues[number];
    do {
      for (let chain; (chain = this.#take(number, false));) {
        if (use(chain)) continue;
        this.#broken = true;
        queue.drop(chain);
        break;
      }
      if (queue.address !== 0) queue.listen(this.#features);
    } while (!this.#broken && !queue.isEmpty);
  }

  #interrupt(queue: number): void {
    if (!this.#queues[queue].wantsInterrupt(this.#features, this.#broken)) return;
    this.#interrupts |= INTERRUPT_USED_RING;
    this.#drive();
  }

  /** A queue that makes no sense stops the device. */
  #guarded<T>(action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof BrokenQueue)) throw error;
      this.#broken = true;
      return undefined;
    }
  }

  /** What begins in configuration space but ends behind it is ignored. */
  #configure(offset: number, value: number, size: number): void {
    const { configuration } = this.#device;
    if (offset + size <= configuration.length) this.#device.configure?.(offset, value, size);
  }

  /** Behind its end configuration space reads as ones. */
  #configuration(offset: number, size: number): number {
    const { configuration } = this.#device;
    if (offset + size > configuration.length) return 0xffff_ffff;
    this.#device.configurationRead?.();
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + configuration[offset + i];
    return value;
  }

  #drive(): void {
    this.#line.set(this.#interrupts !== 0);
  }
}
