/** The buffers of a virtqueue's chain as bytes (virtio 1.2, 2.6.4). What is not RAM reads as zero and keeps nothing. */

import type { Stretch, VirtioMemory } from "./virtqueue.ts";

const PAGE = 4096;

/** Bytes of all the stretches. */
export function lengthOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { length }) => sum + length, 0);
}

/** What the stretches hold from the `skip`-th byte on, at most `most` bytes. */
export function gather(
  memory: VirtioMemory,
  stretches: readonly Stretch[],
  skip = 0,
  most = Infinity,
): Uint8Array {
  const result = new Uint8Array(Math.max(0, Math.min(lengthOf(stretches) - skip, most)));
  let done = 0;
  for (const part of partsOf(memory, stretches, skip, result.length)) {
    const bytes = memory.read(part.address, part.length);
    if (bytes) result.set(bytes, done);
    done += part.length;
  }
  return result;
}

/**
 * Stores bytes from the `skip`-th of the stretches on.
 *
 * @returns how many there was room for
 */
export function scatter(
  memory: VirtioMemory,
  stretches: readonly Stretch[],
  skip: number,
  bytes: Uint8Array,
): number {
  let done = 0;
  for (const { address, length } of partsOf(memory, stretches, skip, bytes.length)) {
    memory.write(address, bytes.subarray(done, done + length));
    done += length;
  }
  return done;
}

/** At most `most` bytes of the stretches, in parts that are RAM or not as a whole. */
function* partsOf(
  memory: VirtioMemory,
  stretches: readonly Stretch[],
  skip: number,
  most: number,
): Generator<Stretch> {
  for (const stretch of stretches) {
    const from = Math.min(skip, stretch.length);
    skip -= from;
    let address = stretch.address + from;
    let left = Math.min(stretch.length - from, most);
    most -= left;
    while (left > 0) {
      const length = memory.contains(address, left) ? left : Math.min(left, PAGE - address % PAGE);
      yield { address, length };
      address += length;
      left -= length;
    }
  }
}
