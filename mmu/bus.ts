/**
 * What the translation table walk needs of physical memory.
 *
 * Physical addresses have at most 48 bits and are plain numbers. A descriptor is read as two
 * 32-bit halves, so that a walk makes no BigInt.
 */
export interface DescriptorBus {
  /**
   * Reads the naturally aligned 64-bit little-endian descriptor at `address`.
   *
   * @param address physical address in bytes, a multiple of 8
   * @param into receives `[low word, high word]`
   * @param secure reads the Secure physical address space; the Non-secure one if left out
   * @returns false where nothing answers: a synchronous external abort on the walk
   */
  readDescriptor(address: number, into: Uint32Array, secure?: boolean): boolean;
  /**
   * Writes one back, as a walk does that keeps the access flag or the dirty state (FEAT_HAFDBS).
   * Left out where memory is only looked at.
   *
   * @returns false where there is no RAM
   */
  writeDescriptor?(address: number, low: number, high: number, secure?: boolean): boolean;
}
