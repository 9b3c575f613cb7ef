/**
 * `FILE.idx`: exact sets per window of a trace, so that a query looks into the one window that matters.
 *
 * It is derived from the trace, can be made again at any time and is never required. Its items are
 * framed as those of a trace (`trace/chunk.ts`: bounded, hashed, one zstd frame each):
 *
 * ```text
 * header     {format: "unboot-index", version, trace: hash of its last commit, windows}
 * chunk …    sets of some pages in one group of windows, pages ascending
 * directory  {registers, space, group, page, length}: columns, one value per chunk
 * 1b + u64   offset of the directory, big-endian
 * ```
 *
 * A **group** is 16 windows, from window 1. A **chunk** holds, for each page: its number as LEB128
 * difference from the page before, a 16-bit set of the group's windows (little-endian), and for each
 * of those a mask, as XOR with the mask before it. Space 0: pages of physical memory, 512 bits of
 * 8 bytes each, written. Space 1: virtual pages, 1,024 bits of one instruction each, retired.
 * `registers` has a set of 72 bits per window: `INDEXED_REGISTERS`.
 *
 * The same trace gives the same bytes, however many workers made them.
 */
import { encodeContent } from "../../trace/cbor.ts";
import { encodeItem, HASH_SIZE } from "../../trace/chunk.ts";
import { ByteColumn } from "../../trace/columns.ts";

/** Windows per group: bits of a page's set of windows. */
export const GROUP_WINDOWS = 16;
/** What the header names. */
export const INDEX_FORMAT = "unboot-index";
/** Raised by every change: another version is made again. */
export const INDEX_VERSION = 1;
/** Item kinds. */
export const INDEX_ITEM = { header: 0, chunk: 1, directory: 2 } as const;
/** Bytes of a mask by space. */
export const MASK_BYTES = [64, 128] as const;
/** Bytes of a window's set of registers. */
export const REGISTER_BYTES = 9;
/** Largest content of a chunk. */
export const MAX_CHUNK = 1 << 19;
/** Bytes of the trailer. */
export const TRAILER_BYTES = 9;

/** A chunk ends when it has so many bytes. */
const CHUNK_BYTES = 1 << 16;
const ZSTD_LEVEL = 3;

/** What the windows of a group did to a page. */
export interface PageSets {
  /** Bit n: window n of the group. */
  windows: number;
  /** A mask for each of them, ascending. */
  readonly masks: Uint8Array[];
}

/** Sets by page number. */
export type SpaceSets = Map<number, PageSets>;

/** A chunk ready to be written. */
export interface EncodedChunk {
  readonly space: number;
  /** Its first page. */
  readonly page: number;
  /** The whole item. */
  readonly bytes: Uint8Array;
}

/** A group ready to be written. */
export interface EncodedGroup {
  readonly group: number;
  readonly chunks: readonly EncodedChunk[];
  /** Sets of registers of its windows. */
  readonly registers: Uint8Array;
}

/** Notes a window's mask of a page; windows must ascend. */
export function addMask(sets: SpaceSets, page: number, window: number, mask: Uint8Array): void {
  let own = sets.get(page);
  if (!own) sets.set(page, own = { windows: 0, masks: [] });
  own.windows |= 1 << window;
  own.masks.push(mask);
}

/** The chunks of one space of a group. */
export function encodeChunks(space: number, sets: SpaceSets): EncodedChunk[] {
  const chunks: EncodedChunk[] = [];
  const column = new ByteColumn();
  let first = 0;
  let before = 0;
  const flush = () => {
    if (column.length === 0) return;
    const { bytes } = encodeItem(INDEX_ITEM.chunk, column.take(), ZSTD_LEVEL);
    chunks.push({ space, page: first, bytes });
  };
  for (const page of [...sets.keys()].sort((a, b) => a - b)) {
    if (column.length === 0) first = before = page;
    const { windows, masks } = sets.get(page)!;
    column.pushUint(page - before);
    column.push(windows & 0xff);
    column.push(windows >> 8);
    let last = new Uint8Array(MASK_BYTES[space]);
    for (const mask of masks) {
      column.pushBytes(mask.map((byte, i) => byte ^ last[i]));
      last = mask.slice();
    }
    before = page;
    if (column.length >= CHUNK_BYTES) flush();
  }
  flush();
  return chunks;
}

/** The file's bytes in parts. Groups in order, all of them. */
export function encodeIndex(
  trace: Uint8Array,
  windows: number,
  groups: readonly EncodedGroup[],
): Uint8Array[] {
  if (trace.length !== HASH_SIZE) throw new RangeError(`a hash of ${trace.length} bytes`);
  const parts: Uint8Array[] = [];
  let offset = 0;
  const add = (bytes: Uint8Array) => {
    parts.push(bytes);
    offset += bytes.length;
  };
  const header = { format: INDEX_FORMAT, version: INDEX_VERSION, trace, windows };
  add(encodeItem(INDEX_ITEM.header, encodeContent(header), 0, "").bytes);
  const columns = {
    space: new ByteColumn(),
    group: new ByteColumn(),
    page: new ByteColumn(),
    length: new ByteColumn(),
  };
  const registers = new ByteColumn();
  for (const group of groups) {
    registers.pushBytes(group.registers);
    for (const { space, page, bytes } of group.chunks) {
      columns.space.push(space);
      columns.group.pushUint(group.group);
      columns.page.pushUint(page);
      columns.length.pushUint(bytes.length);
      add(bytes);
    }
  }
  const trailer = new Uint8Array(TRAILER_BYTES);
  trailer[0] = 0x1b;
  new DataView(trailer.buffer).setBigUint64(1, BigInt(offset));
  const directory = {
    registers: registers.take(),
    space: columns.space.take(),
    group: columns.group.take(),
    page: columns.page.take(),
    length: columns.length.take(),
  };
  add(encodeItem(INDEX_ITEM.directory, encodeContent(directory), ZSTD_LEVEL).bytes);
  add(trailer);
  return parts;
}
