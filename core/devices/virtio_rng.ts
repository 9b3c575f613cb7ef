/**
 * A source of random numbers behind a virtio transport (virtio 1.2, 5.4). The numbers are those of
 * SplitMix64 from a seed, so that a re-execution finds the same without being told.
 */

import type { DeviceState } from "./device.ts";
import { lengthOf, scatter } from "./virtio_buffers.ts";
import type { VirtioDevice, VirtioPort } from "./virtio_device.ts";
import type { Chain, VirtioMemory } from "./virtqueue.ts";

/** notify on empty, any layout, indirect descriptors, event index. */
const FEATURES = 0x3900_0000;
const QUEUE_SIZE = 8;

/** See the top of this file. */
export class VirtioRng implements VirtioDevice {
  readonly id = 4;
  readonly features = FEATURES;
  readonly queues = [QUEUE_SIZE];
  readonly configuration = new Uint8Array();
  readonly #memory: VirtioMemory;
  #port: VirtioPort | undefined;
  #seed: bigint;

  /** @param seed what the numbers follow from: 64 bits */
  constructor(seed: bigint, memory: VirtioMemory) {
    this.#seed = BigInt.asUintN(64, seed);
    this.#memory = memory;
  }

  attach(port: VirtioPort): void {
    this.#port = port;
  }

  driverChanged(): void {
    this.notified();
  }

  /** Fills what there is room for once the driver is ready, and interrupts when it is full. */
  notified(): void {
    const port = this.#port!;
    if (!port.ready) return;
    do {
      let room = port.room(0);
      if (room === 0) return;
      for (let chain; room > 0 && (chain = port.take(0));) {
        const written = this.#fill(chain);
        room -= written;
        port.give(0, chain, written);
      }
      port.interrupt(0);
    } while (!port.isEmpty(0));
  }

  #fill(chain: Chain): number {
    const bytes = new Uint8Array(Math.ceil(lengthOf(chain.in) / 8) * 8);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < bytes.length; at += 8) view.setBigUint64(at, this.#next(), true);
    return scatter(this.#memory, chain.in, 0, bytes.subarray(0, lengthOf(chain.in)));
  }

  save(): DeviceState {
    return new Uint8Array(BigUint64Array.of(this.#seed).buffer);
  }

  restore(state: DeviceState): void {
    const { buffer, byteOffset } = state as Uint8Array;
    this.#seed = new DataView(buffer, byteOffset).getBigUint64(0, true);
  }

  #next(): bigint {
    this.#seed = BigInt.asUintN(64, this.#seed + 0x9e37_79b9_7f4a_7c15n);
    let z = this.#seed;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    return z ^ (z >> 31n);
  }
}
