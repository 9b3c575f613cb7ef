/** The buffers of a virtqueue's chain as bytes (virtio 1.2, 2.6.4). */

import type { DmaMemory } from "./fw_cfg.ts";
import { BrokenQueue, type Stretch } from "./virtqueue.ts";

/** Longest request that is taken for one. */
const MOST_BYTES = 1 << 28;

/** Bytes of all the stretches. */
export function lengthOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { length }) => sum + length, 0);
}

/**
 * What the stretches hold, one behind the other.
 *
 * @throws BrokenQueue where there is no RAM
 */
export function gather(memory: DmaMemory, stretches: readonly Stretch[]): Uint8Array {
  const length = lengthOf(stretches);
  if (length > MOST_BYTES) throw new BrokenQueue("a request that is too long");
  const result = new Uint8Array(length);
  let done = 0;
  for (const { address, length } of stretches) {
    const bytes = memory.read(address, length);
    if (!bytes) throw new BrokenQueue("a buffer outside of RAM");
    result.set(bytes, done);
    done += bytes.length;
  }
  return result;
}

/**
 * Stores bytes from the `skip`-th of the stretches on.
 *
 * @returns how many there was room for
 * @throws BrokenQueue where there is no RAM
 */
export function scatter(
  memory: DmaMemory,
  stretches: readonly Stretch[],
  skip: number,
  bytes: Uint8Array,
): number {
  let done = 0;
  for (const { address, length } of stretches) {
    const from = Math.min(skip, length);
    skip -= from;
    const part = bytes.subarray(done, done + length - from);
    if (part.length > 0 && !memory.write(address + from, part)) {
      throw new BrokenQueue("a buffer outside of RAM");
    }
    done += part.length;
  }
  return done;
}
