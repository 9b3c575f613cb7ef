/** The contract between a virtio transport and the device behind it. */

import type { DeviceState } from "./device.ts";
import type { Chain } from "./virtqueue.ts";

/** What is behind a transport. */
export interface VirtioDevice {
  readonly id: number;
  /** What it offers: bits 31:0. */
  readonly features: number;
  /** Descriptors of each queue unless the driver chooses. */
  readonly queues: readonly number[];
  /** Configuration space. */
  readonly configuration: Uint8Array;
  /** Before everything else: its side of the transport. */
  attach(port: VirtioPort): void;
  /** The driver reads configuration space. */
  configurationRead?(): void;
  /** The driver wrote to configuration space. */
  configure?(offset: number, value: number, size: number): void;
  /** The driver is ready, or is not any more. */
  driverChanged?(ready: boolean): void;
  /** The driver says that there is something in a queue. */
  notified(queue: number): void;
  /** As after reset, but for what it stores. */
  reset?(): void;
  save(): DeviceState;
  restore(state: DeviceState): void;
}

/** A device's side of its transport. Queues are numbers. */
export interface VirtioPort {
  /** Features that the driver has agreed to: bits 31:0. */
  readonly features: number;
  /** The driver is ready. */
  readonly ready: boolean;
  /** Whether a chain waits that has room for a byte. Changes nothing. */
  hasRoom(queue: number): boolean;
  /** Bytes that waiting chains have room for; 0 if the queue makes no sense. */
  room(queue: number): number;
  /** Whether no chain waits. */
  isEmpty(queue: number): boolean;
  /** The next chain; undefined if there is none or the queue makes no sense. */
  take(queue: number): Chain | undefined;
  /**
   * Does something with each chain that waits, and tells the driver which is awaited only at the
   * end. It ends early where `use` gives false: then the device is broken.
   */
  takeAll(queue: number, use: (chain: Chain) => boolean): void;
  /** Gives a chain back, of which `written` bytes were written. */
  give(queue: number, chain: Chain, written: number): void;
  /** Interrupts if the driver wants that. */
  interrupt(queue: number): void;
}
