const words = new Uint32Array(2);
const long = new BigUint64Array(words.buffer);

/** The 64-bit value of two unsigned 32-bit words. */
export function wide(hi: number, lo: number): bigint {
  words[0] = lo;
  words[1] = hi;
  return long[0];
}

/** The words of a 64-bit value, the low one first; valid until the next call of a function here. */
export function narrow(value: bigint): Uint32Array {
  long[0] = value;
  return words;
}
