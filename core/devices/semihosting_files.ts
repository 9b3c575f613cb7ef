/**
 * The host's files as semihosting asks for them. Answers come from outside the machine: a recording
 * notes each, and a re-execution takes what was noted.
 */

/** What is asked of the host. Handles are the guest's. */
export type FileRequest =
  | { readonly what: "open"; readonly handle: number; readonly name: string; readonly mode: number }
  | { readonly what: "close" | "length"; readonly handle: number }
  | { readonly what: "read"; readonly handle: number; readonly length: number }
  | { readonly what: "write"; readonly handle: number; readonly bytes: Uint8Array }
  | { readonly what: "seek"; readonly handle: number; readonly offset: number }
  | { readonly what: "remove"; readonly name: string }
  | { readonly what: "rename"; readonly name: string; readonly to: string };

/** What the host answers. */
export interface FileAnswer {
  /** Bytes written, the length of a file, 0; -1 where it failed. */
  readonly result: number;
  /** Number of the error, as on Linux; 0 for none. */
  readonly errno: number;
  /** What was read. */
  readonly bytes: Uint8Array;
}

/** Who answers. */
export interface SemihostingFiles {
  /** @param position steps so far, the call included */
  ask(request: FileRequest, position: number): FileAnswer;
}

/** Name of the inputs that hold answers. */
export const FILE_INPUT = "semihosting";
const HEADER_BYTES = 12;

/** An answer as an input: result (s64) and error (u32), little-endian, then what was read. */
export function encodeAnswer({ result, errno, bytes }: FileAnswer): Uint8Array {
  const encoded = new Uint8Array(HEADER_BYTES + bytes.length);
  const view = new DataView(encoded.buffer);
  view.setBigInt64(0, BigInt(result), true);
  view.setUint32(8, errno, true);
  encoded.set(bytes, HEADER_BYTES);
  return encoded;
}

/** The answer in an input; undefined if it is none. */
export function decodeAnswer(input: Uint8Array): FileAnswer | undefined {
  if (input.length < HEADER_BYTES) return undefined;
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  const bytes = input.subarray(HEADER_BYTES);
  return { result: Number(view.getBigInt64(0, true)), errno: view.getUint32(8, true), bytes };
}
