/** The items of a trace as they stand in the file, taken apart and put together with nothing of `trace/`. */
import { decode } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";

/** Kind of a commit. */
export const COMMIT = 11;
const FOOTER = 12;

/** One item of a file, as section 2 of the specification has it. */
export interface FileItem {
  readonly kind: number;
  readonly start: number;
  readonly end: number;
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** All items of a file that is whole. */
export function splitItems(bytes: Uint8Array<ArrayBuffer>): FileItem[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const items: FileItem[] = [];
  let at = 0;
  const head = () => {
    const low = bytes[at++] & 31;
    if (low < 24) return low;
    at += 1 << (low - 24);
    if (low === 24) return view.getUint8(at - 1);
    return low === 25 ? view.getUint16(at - 2) : view.getUint32(at - 4);
  };
  const string = () => {
    const length = head();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const start = at;
    if (start === 0) at += 3;
    const elements = head();
    const [kind] = [head(), head(), head()];
    const hash = string();
    const body = string();
    if (elements === 6) string();
    items.push({ kind, start, end: at, hash, body });
  }
  return items;
}

/** The file with two unknown items in every window but the first, and a new field in its commits. */
export async function withUnknownItems(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = new Encoder({ useRecords: false, tagUint8Array: false });
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const sizes: { lengths: number[]; commits: number[] } = { lengths: [], commits: [] };
  let window: Uint8Array<ArrayBuffer>[] = [];
  let hashes: Uint8Array<ArrayBuffer>[] = [];
  let before = new Uint8Array(16);
  const add = (part: Uint8Array<ArrayBuffer>, hash: Uint8Array<ArrayBuffer>) => {
    window.push(part);
    hashes.push(hash);
  };
  for (const item of splitItems(bytes)) {
    if (item.kind === COMMIT) {
      const commit = decode(item.body);
      if (commit.window > 0) {
        for (const kind of [99, 4000]) {
          const unknown = await makeItem(kind, new TextEncoder().encode("\xffnot even CBOR"));
          add(unknown.bytes, unknown.hash);
        }
      }
      const place = [commit.window, commit.start, commit.end].map((value) => shortest(value, 0));
      const start = [before, new Uint8Array([0x83]), ...place];
      commit.hash = before = (await sha256([...start, ...hashes])).slice(0, 16);
      commit.length = join(window).length;
      const made = await makeItem(COMMIT, encoder.encode({ later: ["a", 1], ...commit }).slice());
      sizes.lengths.push(commit.length);
      sizes.commits.push(made.bytes.length);
      parts.push(...window, made.bytes);
      [window, hashes] = [[], []];
    } else if (item.kind === FOOTER) {
      const { at: _, ...footer } = decode(item.body);
      footer.index = { lengths: uints(sizes.lengths), commits: uints(sizes.commits) };
      const at = BigInt(join(parts).length);
      parts.push((await makeItem(FOOTER, encoder.encode({ ...footer, at }).slice())).bytes);
    } else {
      add(bytes.slice(item.start, item.end), item.hash);
    }
  }
  return join(parts);
}

/** An item as it stands in the file, stored as it is. */
async function makeItem(
  kind: number,
  body: Uint8Array<ArrayBuffer>,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; hash: Uint8Array<ArrayBuffer> }> {
  const before = [kind, 0, body.length].map((value) => shortest(value, 0));
  const after = [shortest(body.length, 2), body];
  const hash = (await sha256([new Uint8Array([0x84]), ...before, ...after])).slice(0, 16);
  const head = [new Uint8Array([0x85]), ...before, new Uint8Array([0x50]), hash];
  return { bytes: join([...head, ...after]), hash };
}

/** The shortest CBOR head of a number below 2^32 (major type 0) or of a byte string (2). */
function shortest(value: number, major: number): Uint8Array<ArrayBuffer> {
  const size = value < 24 ? 0 : value < 1 << 8 ? 1 : value < 1 << 16 ? 2 : 4;
  const bytes = new Uint8Array(1 + size);
  bytes[0] = (major << 5) | (size === 0 ? value : size === 1 ? 24 : size === 2 ? 25 : 26);
  for (let i = size; i > 0; i--, value = Math.floor(value / 256)) bytes[i] = value & 255;
  return bytes;
}

/** A column of LEB128 numbers. */
function uints(values: number[]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (let value of values) {
    for (; value >= 128; value >>>= 7) bytes.push((value & 127) | 128);
    bytes.push(value);
  }
  return new Uint8Array(bytes);
}

async function sha256(parts: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(parts)));
}

function join(parts: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
