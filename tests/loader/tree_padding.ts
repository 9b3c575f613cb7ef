/**
 * Zeroes the padding of a flattened device tree blob.
 *
 * The reference edits its blob in place, and the up to three bytes that pad a name or value keep
 * whatever was there before. They mean nothing.
 */
export function zeroPadding(blob: Uint8Array): Uint8Array {
  const result = blob.slice();
  const view = new DataView(result.buffer);
  const strings = view.getUint32(12);
  let at = view.getUint32(8);
  function pad(end: number): void {
    at = (end + 3) & ~3;
    result.fill(0, end, at);
  }
  while (at < strings) {
    const token = view.getUint32(at);
    at += 4;
    if (token === 1) pad(result.indexOf(0, at) + 1);
    else if (token === 3) pad(at + 8 + view.getUint32(at));
  }
  return result;
}
