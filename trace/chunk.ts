/**
 * Framing: every item of the sequence is `[kind, encoding, size, hash, body]`.
 *
 * `body` is a byte string, so an item's length is known after at most 60 bytes, and an index of a
 * file is made by hopping from head to head without decoding anything. `encoding` says how `body`
 * holds the content (0 as it is, 1 one zstd frame), `size` is the content's length, and `hash` is
 * the first 16 bytes of the SHA-256 of the deterministic encoding of `[kind, encoding, size, body]`.
 *
 * The header differs in two ways: the self-describe tag 55799 stands before it, and a sixth element
 * holds the recording time, outside every hash, so that two recordings differ nowhere else.
 */

import { nodeCrypto } from "../core/node_builtins.ts";
import { readHead, writeHead } from "./cbor.ts";
import type { RandomAccess } from "./random_access.ts";
import { ITEM, ITEM_NAMES, MAX_CONTENT } from "./schema.ts";
import { TraceError } from "./trace_error.ts";
import { packFrame, unpackFrame } from "./zstd.ts";

/** The self-describe tag that every trace starts with. */
export const SELF_DESCRIBE = new Uint8Array([0xd9, 0xd9, 0xf7]);

/** Bytes of an item's hash. */
export const HASH_SIZE = 16;

/** Longest text after the header's body. */
const MAX_RECORDED_AT = 64;

/** Bytes that always contain a frame up to its body: tag, array, three integers, hash, body's head. */
const HEAD_ROOM = 3 + 1 + 3 * 9 + 1 + HASH_SIZE + 9;

/** Content shorter than this is stored as it is. */
const MIN_COMPRESSED = 64;

/** Where an item is and what its frame says. */
export interface Frame {
  kind: number;
  encoding: number;
  /** Bytes of the content. */
  size: number;
  hash: Uint8Array;
  /** Offset of the frame's first byte. */
  offset: number;
  /** Offset of the body's first byte. */
  bodyOffset: number;
  bodyLength: number;
  /** Offset of the first byte after the item. */
  end: number;
  /** The header's sixth element, else "". */
  recordedAt: string;
}

/**
 * Frames a content.
 *
 * @param level zstd level, or 0 to store the content as it is
 * @param recordedAt the header's recording time; given for the header only
 */
export function encodeItem(
  kind: number,
  content: Uint8Array,
  level: number,
  recordedAt?: string,
): { bytes: Uint8Array; hash: Uint8Array } {
  if (content.length > MAX_CONTENT) {
    throw new Error(`an item of ${content.length} bytes is above the limit of ${MAX_CONTENT}`);
  }
  let body = content;
  let encoding = 0;
  if (level > 0 && content.length >= MIN_COMPRESSED) {
    const packed = packFrame(content, level);
    if (packed && packed.length < content.length) {
      body = packed;
      encoding = 1;
    }
  }
  const hash = itemHash(kind, encoding, content.length, body);
  const after = recordedAt === undefined ? [] : textString(recordedAt);
  const before = [
    ...(recordedAt === undefined ? [] : SELF_DESCRIBE),
    ...writeHead(4, recordedAt === undefined ? 5 : 6),
    ...writeHead(0, kind),
    ...writeHead(0, encoding),
    ...writeHead(0, content.length),
    ...writeHead(2, HASH_SIZE),
    ...hash,
    ...writeHead(2, body.length),
  ];
  const bytes = new Uint8Array(before.length + body.length + after.length);
  bytes.set(before);
  bytes.set(body, before.length);
  bytes.set(after, before.length + body.length);
  return { bytes, hash };
}

/** The hash in an item's frame. */
export function itemHash(
  kind: number,
  encoding: number,
  size: number,
  body: Uint8Array,
): Uint8Array {
  const head = [
    ...writeHead(4, 4),
    ...writeHead(0, kind),
    ...writeHead(0, encoding),
    ...writeHead(0, size),
    ...writeHead(2, body.length),
  ];
  const digest = nodeCrypto().createHash("sha256").update(new Uint8Array(head)).update(body)
    .digest();
  return new Uint8Array(digest).slice(0, HASH_SIZE);
}

/** What stands for the commit before window 0. */
export const NO_COMMIT: Uint8Array = new Uint8Array(HASH_SIZE);

/**
 * The hash in a commit: over the hash in the commit before ({@linkcode NO_COMMIT} in window 0), so
 * that windows of two recordings cannot be put together, the window's number and steps, and its
 * items' hashes in file order.
 */
export function commitHash(
  before: Uint8Array,
  window: number,
  start: number,
  end: number,
  hashes: readonly Uint8Array[],
): Uint8Array {
  const hash = nodeCrypto().createHash("sha256").update(before);
  hash.update(
    new Uint8Array([
      ...writeHead(4, 3),
      ...writeHead(0, window),
      ...writeHead(0, start),
      ...writeHead(0, end),
    ]),
  );
  for (const item of hashes) hash.update(item);
  return new Uint8Array(hash.digest()).slice(0, HASH_SIZE);
}

/**
 * Reads the frame at `offset`.
 *
 * @returns the frame, or null if the file ends inside it
 * @throws TraceError if the bytes are not a frame
 */
export function readFrame(file: RandomAccess, offset: number): Frame | null {
  const bytes = file.read(offset, HEAD_ROOM);
  const cutOff = bytes.length < HEAD_ROOM;
  let at = 0;
  const fail = (expected: string): never => {
    throw new TraceError(`Cannot read the item at byte ${offset + at}: expected ${expected}`);
  };
  if (offset === 0) {
    for (const expected of SELF_DESCRIBE) {
      if (at < bytes.length && bytes[at] !== expected) fail("a trace's self-describe tag d9d9f7");
      at++;
    }
  }
  const take = (major: number, limit: number, expected: string): number | null => {
    const head = readHead(bytes, at);
    if (!head) return cutOff ? null : fail(expected);
    if (head.major !== major || head.value > limit) fail(expected);
    at = head.end;
    return head.value;
  };
  const elements = offset === 0 ? 6 : 5;
  const count = take(4, elements, `an array of ${elements} elements`);
  if (count !== null && count !== elements) fail(`an array of ${elements} elements`);
  const kind = take(0, 0xffff, "an item kind");
  const encoding = take(0, 1, "an encoding of 0 or 1");
  const size = take(0, MAX_CONTENT, `a content of at most ${MAX_CONTENT} bytes`);
  const hashLength = take(2, HASH_SIZE, `a hash of ${HASH_SIZE} bytes`);
  if (hashLength === null) return null;
  if (hashLength !== HASH_SIZE) fail(`a hash of ${HASH_SIZE} bytes`);
  const hash = bytes.slice(at, at + HASH_SIZE);
  at += HASH_SIZE;
  const bodyLength = take(2, MAX_CONTENT, `a body of at most ${MAX_CONTENT} bytes`);
  if (kind === null || encoding === null || size === null || bodyLength === null) return null;
  if (encoding === 0 && bodyLength !== size) fail(`a body of ${size} bytes`);
  const bodyOffset = offset + at;
  if (bodyLength > file.size - bodyOffset) return null;
  let end = bodyOffset + bodyLength;
  let recordedAt = "";
  if (offset === 0) {
    const text = readTrailer(file, end);
    if (!text) return null;
    recordedAt = text.text;
    end = text.end;
  }
  return { kind, encoding, size, hash, offset, bodyOffset, bodyLength, end, recordedAt };
}

/**
 * Reads and checks an item's content.
 *
 * @param what names the item in errors
 * @throws TraceError if the body does not match its hash or is not one frame of `size` bytes
 */
export function readContent(file: RandomAccess, frame: Frame, what: string): Uint8Array {
  const body = file.read(frame.bodyOffset, frame.bodyLength);
  const hash = itemHash(frame.kind, frame.encoding, frame.size, body);
  if (hash.some((byte, i) => byte !== frame.hash[i])) {
    throw new TraceError(
      `Cannot read ${what} at byte ${frame.offset}: its hash does not match, the file is damaged`,
    );
  }
  if (frame.encoding === 0) return body;
  const content = unpackFrame(body, frame.size, `${what} at byte ${frame.offset}`);
  // Of many items that are read the garbage collector would find the bodies late.
  if (body.byteOffset === 0) (body.buffer as ArrayBuffer).transfer(0);
  return content;
}

/** Name of an item kind for messages. */
export function itemName(kind: number): string {
  return ITEM_NAMES[kind] ?? `kind ${kind}`;
}

function textString(text: string): number[] {
  const utf8 = new TextEncoder().encode(text);
  if (utf8.length > MAX_RECORDED_AT) {
    throw new Error(`recorded_at has ${utf8.length} bytes, expected at most ${MAX_RECORDED_AT}`);
  }
  return [...writeHead(3, utf8.length), ...utf8];
}

function readTrailer(file: RandomAccess, offset: number): { text: string; end: number } | null {
  const bytes = file.read(offset, 2 + MAX_RECORDED_AT);
  const head = readHead(bytes, 0);
  if (!head && bytes.length < 2) return null;
  if (!head || head.major !== 3 || head.value > MAX_RECORDED_AT) {
    throw new TraceError(
      `Cannot read the header at byte ${offset}: expected a recording time as text`,
    );
  }
  if (head.end + head.value > bytes.length) return null;
  const text = new TextDecoder().decode(bytes.subarray(head.end, head.end + head.value));
  return { text: text.replace(/[^\x20-\x7e]/g, "?"), end: offset + head.end + head.value };
}

/** Whether a frame may be the first of a file. */
export function isHeader(frame: Frame): boolean {
  return frame.offset === 0 && frame.kind === ITEM.header;
}
