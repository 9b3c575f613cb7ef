/**
 * Reads `FILE.idx` (`index_format.ts`). An index is untrusted, as a trace is: it is bound to one
 * trace by the hash of its last commit, everything is bounded and hashed, and what is damaged ends
 * in a note and an index that knows nothing.
 */
import { decodeContent } from "../../trace/cbor.ts";
import { type Frame, readContent, readFrame } from "../../trace/chunk.ts";
import { ColumnReader } from "../../trace/columns.ts";
import { Fields } from "../../trace/fields.ts";
import type { RandomAccess, Trace } from "../../trace/mod.ts";
import { TraceError } from "../../trace/trace_error.ts";
import {
  GROUP_WINDOWS,
  INDEX_FORMAT,
  INDEX_ITEM,
  INDEX_VERSION,
  MASK_BYTES,
  MAX_CHUNK,
  type PageSets,
  REGISTER_BYTES,
  TRAILER_BYTES,
} from "./index_format.ts";
import { INDEXED_REGISTERS, type TraceIndex } from "./trace_index.ts";

const PAGE_UNITS = 512;
const MOST_PAGES = 2 ** 52;
/** Decoded chunks that are kept: some 100 KB each. */
const MOST_CHUNKS = 128;

/** A chunk of the directory. */
interface ChunkPlace {
  readonly page: number;
  readonly offset: number;
  readonly end: number;
}

/** See the top of this file. */
export class IndexReader implements TraceIndex {
  readonly #file: RandomAccess;
  readonly #note: (why: string) => void;
  readonly #windows: number;
  readonly #registers: Uint8Array;
  /** By space, by group: ascending by page. */
  readonly #places: readonly (readonly ChunkPlace[])[][];
  readonly #decoded = new Map<number, ReadonlyMap<number, PageSets>>();
  #damaged = false;

  /**
   * Opens the index of a trace.
   *
   * @param note is told once, in one line, if it turns out to be damaged
   * @throws TraceError if it is damaged, of another version or of another trace
   */
  constructor(file: RandomAccess, trace: Trace, note: (why: string) => void) {
    this.#file = file;
    this.#note = note;
    this.#windows = trace.windows.length;
    const header = readHeader(file, trace);
    const directory = readDirectory(file);
    const groups = Math.ceil((this.#windows - 1) / GROUP_WINDOWS);
    const size = REGISTER_BYTES * (this.#windows - 1);
    this.#registers = directory.fields.bytes("registers", size);
    this.#places = readPlaces(directory.fields, groups, header.end, directory.offset);
  }

  writtenUnits(window: number, first: number, end: number): Uint8Array | undefined {
    return this.#guarded(() => {
      const marks = new Uint8Array(end - first);
      for (let at = first; at < end;) {
        const page = Math.floor(at / PAGE_UNITS);
        const next = Math.min(end, (page + 1) * PAGE_UNITS);
        const mask = this.#mask(0, window, page);
        for (; at < next; at++) {
          const unit = at - page * PAGE_UNITS;
          if (mask) marks[at - first] = mask[unit >> 3] >> (unit & 7) & 1;
        }
      }
      return marks;
    });
  }

  executed(window: number, pc: bigint): boolean | undefined {
    return this.#guarded(() => {
      const mask = this.#mask(1, window, Number(pc >> 12n));
      const slot = Number(pc & 0xfffn) >> 2;
      return mask !== undefined && (pc & 3n) === 0n && (mask[slot >> 3] >> (slot & 7) & 1) !== 0;
    });
  }

  writesRegister(window: number, name: string): boolean | undefined {
    const bit = INDEXED_REGISTERS.indexOf(name);
    if (bit < 0 || window < 1 || window >= this.#windows) return undefined;
    const at = REGISTER_BYTES * (window - 1) + (bit >> 3);
    return (this.#registers[at] >> (bit & 7) & 1) !== 0;
  }

  missed(): void {}

  #guarded<T>(body: () => T): T | undefined {
    if (this.#damaged) return undefined;
    try {
      return body();
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      this.#damaged = true;
      this.#note(error.message);
      return undefined;
    }
  }

  #mask(space: number, window: number, page: number): Uint8Array | undefined {
    const n = (window - 1) % GROUP_WINDOWS;
    const places = this.#places[space][(window - 1 - n) / GROUP_WINDOWS];
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (places[middle].page <= page) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const sets = this.#chunk(places[low - 1], space).get(page);
    if (!sets || !(sets.windows >> n & 1)) return undefined;
    return sets.masks[bitCount(sets.windows & ((1 << n) - 1))];
  }

  #chunk({ page, offset, end }: ChunkPlace, space: number): ReadonlyMap<number, PageSets> {
    const known = this.#decoded.get(offset);
    if (known) {
      this.#decoded.delete(offset);
      this.#decoded.set(offset, known);
      return known;
    }
    const frame = readFrame(this.#file, offset);
    if (frame?.kind !== INDEX_ITEM.chunk || frame.end !== end || frame.size > MAX_CHUNK) {
      throw new TraceError(`Cannot read the index at byte ${offset}: expected a chunk`);
    }
    const content = readContent(this.#file, frame, "a chunk of the index");
    const chunk = readChunk(content, page, MASK_BYTES[space]);
    if (this.#decoded.size >= MOST_CHUNKS) {
      this.#decoded.delete(this.#decoded.keys().next().value!);
    }
    this.#decoded.set(offset, chunk);
    return chunk;
  }
}

function readHeader(file: RandomAccess, trace: Trace): Frame {
  const frame = file.size === 0 ? null : readFrame(file, 0);
  if (frame?.kind !== INDEX_ITEM.header) {
    throw new TraceError("Cannot read the index: expected a header at byte 0");
  }
  const fields = fieldsOf(file, frame, "the header of the index");
  const version = fields.uint("version");
  if (fields.text("format") !== INDEX_FORMAT || version !== INDEX_VERSION) {
    throw new TraceError(`Cannot read the index: expected ${INDEX_FORMAT} ${INDEX_VERSION}`);
  }
  const hash = trace.identity();
  const own = fields.bytes("trace", hash.length).every((byte, i) => byte === hash[i]);
  if (!own || fields.uint("windows") !== trace.windows.length) {
    throw new TraceError("Cannot use the index: it is of another trace");
  }
  return frame;
}

function readDirectory(file: RandomAccess): { fields: Fields; offset: number } {
  const tail = file.read(Math.max(0, file.size - TRAILER_BYTES), TRAILER_BYTES);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  const offset = tail[0] === 0x1b && tail.length === TRAILER_BYTES
    ? Number(view.getBigUint64(1))
    : 0;
  const frame = offset > 0 && offset < file.size ? readFrame(file, offset) : null;
  if (frame?.kind !== INDEX_ITEM.directory || frame.end !== file.size - TRAILER_BYTES) {
    throw new TraceError("Cannot read the index: it is cut off");
  }
  return { fields: fieldsOf(file, frame, "the directory of the index"), offset };
}

function fieldsOf(file: RandomAccess, frame: Frame, what: string): Fields {
  return new Fields(decodeContent(readContent(file, frame, what), what), what);
}

function readPlaces(fields: Fields, groups: number, start: number, end: number): ChunkPlace[][][] {
  const { what } = fields;
  const column = (name: string) => new ColumnReader(fields.bytes(name), `"${name}" of ${what}`);
  const spaces = fields.bytes("space");
  const [group, page, length] = ["group", "page", "length"].map(column);
  const places = MASK_BYTES.map(() => Array.from({ length: groups }, (): ChunkPlace[] => []));
  let offset = start;
  for (const space of spaces) {
    if (space >= MASK_BYTES.length) {
      throw new TraceError(`Cannot read ${what}: a space of ${space}`);
    }
    const of = places[space][group.uint(groups - 1)];
    const place = { page: page.uint(MOST_PAGES), offset, end: offset + length.uint(end - offset) };
    const before = of.at(-1);
    if (before && before.page >= place.page) {
      throw new TraceError(`Cannot read ${what}: expected pages in order`);
    }
    of.push(place);
    offset = place.end;
  }
  for (const reader of [group, page, length]) reader.finish();
  if (offset !== end) throw new TraceError(`Cannot read ${what}: expected chunks up to ${end}`);
  return places;
}

function readChunk(content: Uint8Array, first: number, size: number): Map<number, PageSets> {
  const reader = new ColumnReader(content, "a chunk of the index");
  const chunk = new Map<number, PageSets>();
  let page = first;
  while (!reader.done) {
    page += reader.uint(MOST_PAGES - page);
    const windows = reader.byte() | reader.byte() << 8;
    const masks: Uint8Array[] = [];
    let before = new Uint8Array(size);
    for (let n = bitCount(windows); n > 0; n--) {
      before = reader.view(size).map((byte, i) => byte ^ before[i]);
      masks.push(before);
    }
    chunk.set(page, { windows, masks });
  }
  return chunk;
}

/** Ones among the low 16 bits. */
function bitCount(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}
