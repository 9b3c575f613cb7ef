/** Whether two arrays hold the same bytes, four at a time. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let at = 0;
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const count = a.length >>> 2;
    const x = new Uint32Array(a.buffer, a.byteOffset, count);
    const y = new Uint32Array(b.buffer, b.byteOffset, count);
    for (let i = 0; i < count; i++) if (x[i] !== y[i]) return false;
    at = 4 * count;
  }
  for (; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
