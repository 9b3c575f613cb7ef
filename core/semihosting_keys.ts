/**
 * What a guest is told when it asks semihosting for what is typed. While it waits it is stopped, but
 * for its clock.
 */

/** Bytes, and when the last of the wait was over. */
export interface TypedKeys {
  /** Virtual time in ns. */
  readonly until: number;
  /** None if there is nobody to type. */
  readonly bytes: Uint8Array;
}

/** What was told while a trace was recorded. */
export interface SemihostingKeys {
  /** @param position steps so far, the call included */
  at(position: number): TypedKeys | undefined;
}

/** Name of the inputs that hold it. */
export const KEYS_INPUT = "semihosting-console";
const HEADER_BYTES = 8;

/** As an input: the time (u64, little-endian), then what was typed. */
export function encodeKeys({ until, bytes }: TypedKeys): Uint8Array {
  const encoded = new Uint8Array(HEADER_BYTES + bytes.length);
  new DataView(encoded.buffer).setBigUint64(0, BigInt(until), true);
  encoded.set(bytes, HEADER_BYTES);
  return encoded;
}

/** What an input says; undefined if it is none of these. */
export function decodeKeys(input: Uint8Array): TypedKeys | undefined {
  if (input.length < HEADER_BYTES) return undefined;
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  return { until: Number(view.getBigUint64(0, true)), bytes: input.subarray(HEADER_BYTES) };
}
