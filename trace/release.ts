/** Shorter ones may share their buffer with others, as those of node:zlib do. */
const LEAST = 1 << 16;

/**
 * Gives the memory of an array that nobody uses any more back at once. The garbage collector sees only
 * the small object in front of it, and lets hundreds of megabytes gather.
 */
export function release({ buffer }: Uint8Array | Uint32Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= LEAST) buffer.transfer(0);
}
