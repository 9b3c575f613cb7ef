const words = new Uint32Array(2);
const long = new BigUint64Array(words.buffer);

/** The 64-bit value of two unsigned 32-bit words. */
export function wide(hi: number, lo: number): bigint {
  words[0] = lo;
  words[1] = hi;
  return long[0];
}
