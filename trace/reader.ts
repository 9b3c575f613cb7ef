/**
 * Reads traces. Everything here is a pure function of the file: nothing is written, no clock.
 *
 * A trace is untrusted input. Lengths are bounded before anything is allocated, every item's hash is
 * checked when it is read, and whatever is wrong ends in one {@linkcode TraceError}.
 */

import type { LineRow } from "../core/loader/dwarf_line.ts";
import type { GuestSymbol } from "../core/loader/elf.ts";
import type { MachineEvent, TurnEvent } from "../core/observer.ts";
import { BlockReader } from "./block_reader.ts";
import type { BlockTable } from "./block_table.ts";
import { type CborMap, decodeContent } from "./cbor.ts";
import { type Frame, isHeader, itemName, readContent, readFrame } from "./chunk.ts";

import type { EventFilter } from "./event_filter.ts";
import { executedIn, type ExecutedInstruction } from "./executed.ts";
import type { Fields } from "./fields.ts";
import { filteredEvents } from "./filtered_events.ts";
import type { WindowFlow } from "./flow_decoder.ts";
import { type InputEvent, readInput } from "./input_columns.ts";
import { type FollowedMemory, PageReader } from "./page_reader.ts";
import { readLines, readSymbols } from "./program_tables.ts";
import { bytesAccess, type RandomAccess } from "./random_access.ts";
import { ITEM, PAGE_SIZE, SPACE } from "./schema.ts";
import { addHash, hashBytes, hashPage, hashState, type StateHash } from "./state_hash.ts";
import { readSummary, type WindowSummary } from "./summary.ts";
import { TraceError } from "./trace_error.ts";
import { decodeValues, type InstructionResults, joinValues } from "./window_values.ts";
import { TurnTable } from "./turn_table.ts";
import {
  type Keyframe,
  parseFooter,
  parseHeader,
  parseImage,
  parseLoaded,
  type TraceFooter,
  type TraceHeader,
} from "./trace_info.ts";
import type { LoadedRange } from "./keyframe_writer.ts";
import type { ImageDescription } from "./recorder_options.ts";
import {
  findWindows,
  readFields,
  windowFrames,
  windowHash,
  type WindowInfo,
} from "./window_index.ts";

/**
 * Opens a trace.
 *
 * @param source the whole file, or random access to it
 * @throws TraceError if it is not a trace, of another major version, or has no committed prologue
 */
export function openTrace(source: Uint8Array | RandomAccess): Trace {
  return new Trace(source instanceof Uint8Array ? bytesAccess(source) : source);
}

/** An opened trace. Positions are steps; `#N` is the moment before step N+1. */
export class Trace {
  /** Who recorded what, and how. */
  readonly header: TraceHeader;
  /** What was booted. */
  readonly image: ImageDescription;
  /** Physical memory that a boot writes; null if the trace does not say. */
  readonly loaded: readonly LoadedRange[] | null;
  /** Committed windows; `windows[0]` is the prologue and has no steps. */
  readonly windows: readonly WindowInfo[];
  /** What the recorder wrote last; null in a truncated trace. */
  readonly footer: TraceFooter | null;
  /** Set if the recording was cut off: the position up to which everything is here, and why. */
  readonly truncated: { position: number; why: string } | null;
  readonly #file: RandomAccess;
  readonly #blocks: BlockReader;
  readonly #pages: PageReader;
  #turns: TurnTable | undefined;
  #frames = new Map<number, Frame[]>();

  /** Opens a trace; see {@linkcode openTrace}. */
  constructor(file: RandomAccess) {
    this.#file = file;
    const frame = file.size === 0 ? null : readFrame(file, 0);
    if (!frame || !isHeader(frame)) {
      throw new TraceError(`Cannot open the trace: expected a header at byte 0 of ${file.size}`);
    }
    this.header = parseHeader(readFields(file, frame, "the header"), frame.recordedAt);
    const { windows, footer, damage } = findWindows(file, this.header.windowSteps);
    if (windows.length === 0) {
      throw new TraceError(
        `Cannot open the trace: expected a committed prologue, but ${damage || "found none"}`,
      );
    }
    this.windows = windows;
    this.footer = footer ? parseFooter(footer) : null;
    this.truncated = damage === "" ? null : { position: this.end, why: damage };
    this.#pages = new PageReader((window) =>
      this.#framesOf(window).filter((f) => f.kind === ITEM.pages).map((f) => ({
        window,
        hash: f.hash,
        read: () => this.#fields(f, window),
      }))
    );
    this.#blocks = new BlockReader(
      windows,
      (window) => this.#items(window.number, ITEM.flow),
      (address, length) => this.#pages.imageBytes(address, length),
    );
    const [image] = this.#items(0, ITEM.image);
    if (!image) throw new TraceError("Cannot open the trace: expected an image item, found none");
    this.image = parseImage(image);
    this.loaded = parseLoaded(image);
  }

  /** Position after the last step that the trace holds. */
  get end(): number {
    return this.windows[this.windows.length - 1].end;
  }

  /** The hash in the last commit, which covers everything before it: 16 bytes. */
  identity(): Uint8Array {
    return windowHash(this.#file, this.windows[this.windows.length - 1]);
  }

  /** Symbols of the image, in file order. Read anew on each call. */
  symbols(): GuestSymbol[] {
    return [...this.#items(0, ITEM.symbols)].flatMap(readSymbols);
  }

  /** Line table rows of the image, in file order. Read anew on each call. */
  lines(): LineRow[] {
    return [...this.#items(0, ITEM.lines)].flatMap(readLines);
  }

  /** The window that holds the step after `position`; the last one for the end. */
  windowAt(position: number): WindowInfo {
    const number = 1 + Math.floor(position / this.header.windowSteps);
    return this.windows[Math.min(number, this.windows.length - 1)];
  }

  /** Events in order of position, a bounded part of them in memory at a time. */
  *events(filter: EventFilter = {}): Generator<MachineEvent> {
    for (const window of this.windows) {
      if (!this.#mayHold(window, filter)) continue;
      for (const fields of this.#items(window.number, ITEM.events)) {
        yield* filteredEvents(fields, window, filter);
      }
    }
  }

  /** Events, the last one first, a bounded part of them in memory at a time. */
  *eventsBackwards(filter: EventFilter = {}): Generator<MachineEvent> {
    for (let number = this.windows.length - 1; number > 0; number--) {
      const window = this.windows[number];
      if (!this.#mayHold(window, filter)) continue;
      const frames = this.#framesOf(number).filter(({ kind }) => kind === ITEM.events);
      for (const frame of frames.toReversed()) {
        const fields = this.#fields(frame, number);
        yield* [...filteredEvents(fields, window, filter)].reverse();
      }
    }
  }

  /** Inputs of the guest in order of position; those of one window if it is given. */
  *inputs(window?: number): Generator<InputEvent> {
    for (const { number } of window === undefined ? this.windows : [this.#window(window)]) {
      for (const fields of this.#items(number, ITEM.input)) yield* readInput(fields);
    }
  }

  /** The blocks that a window executed. Its block table is shared between windows and only grows. */
  blocks(window: number): WindowFlow {
    if (window < 1) this.#window(-1);
    return this.#blocks.read(this.#window(window));
  }

  /** The block table, which may go on to grow, and how many blocks it has at the end of a window. */
  blockTable(window: number): { table: BlockTable; count: number } {
    if (window < 1) this.#window(-1);
    return this.#blocks.table(this.#window(window));
  }

  /** Which CPU made which steps. */
  get turns(): TurnTable {
    return this.#turns ??= new TurnTable(this.header.cpus > 1 ? this.#turnEvents() : []);
  }

  *#turnEvents(): Generator<TurnEvent> {
    for (const event of this.events({ kinds: new Set(["turn"]) })) {
      if (event.kind === "turn") yield event;
    }
  }

  /** Instructions executed from position `from` up to, not including, position `to`. */
  *executed(from = 0, to = this.end): Generator<ExecutedInstruction> {
    for (const window of this.windows) {
      if (window.number === 0 || window.end <= from || window.start >= to) continue;
      yield* executedIn(this.blocks(window.number), this.turns, from, to);
    }
  }

  /** Whether a window's results of instructions are here. */
  hasValues(window: number): boolean {
    return this.#framesOf(window).some(({ kind }) => kind === ITEM.values);
  }

  /** The results of a window's instructions in order, decoded as they are taken; null if they are not here. */
  values(window: number): Iterable<InstructionResults> | null {
    const { start, end } = this.#window(window);
    const what = `the values of window ${window}`;
    const columns = joinValues(this.#items(window, ITEM.values), end - start, what);
    return columns && decodeValues(columns, this.blocks(window), what);
  }

  /** What lets a query skip a window. */
  summary(window: number): WindowSummary {
    return readSummary(this.#only(window, ITEM.summary));
  }

  /** The state at the end of a window; window 0 gives the state at #0. */
  keyframe(window: number): Keyframe {
    if (window > 0 && this.header.profile === "attach") throw this.#missing(window, "the state");
    const fields = this.#only(window, ITEM.keyframe);
    const what = `the state of window ${window}`;
    return {
      window,
      position: fields.uint("position"),
      retired: fields.uints("retired"),
      state: decodeContent(fields.bytes("state"), what) as CborMap,
      tlb: this.#tlb(window, fields.uint("tlb", 1 << 24)),
      hash: fields.bytes("hash", 8).slice(),
    };
  }

  /**
   * The page of RAM at physical address `address` (a multiple of 4096) as a window left it.
   *
   * @param into 4096 bytes that it is put in; a fresh array if left out
   */
  page(address: number, window: number, into?: Uint8Array<ArrayBuffer>): Uint8Array {
    this.#memoryAt(window);
    return this.#pages.read(SPACE.memory, Math.floor(address / PAGE_SIZE), window, into);
  }

  /** Physical addresses of all pages that the trace holds content of at a window's end; others are zero. */
  pageAddresses(window: number): number[] {
    this.#memoryAt(window);
    return this.#pages.pages(SPACE.memory, window).map((number) => number * PAGE_SIZE);
  }

  /** Physical addresses of the pages that the windows behind `after`, up to `to`, changed; ascending. */
  changedPages(after: number, to: number): number[] {
    this.#memoryAt(to);
    return this.#pages.changed(SPACE.memory, after, to).map((number) => number * PAGE_SIZE);
  }

  /** Whether what was booted has the same page as in another trace, without reading it; false if unsure. */
  isStoredAlike(address: number, other: Trace): boolean {
    return this.#pages.isStoredAlike(Math.floor(address / PAGE_SIZE), other.#pages);
  }

  /** Makes the changes to RAM of the windows behind one, up to another; see {@linkcode PageReader.follow}. */
  followPages(from: number, to: number, memory: FollowedMemory): void {
    this.#memoryAt(to);
    this.#pages.follow(SPACE.memory, from, to, memory);
  }

  /** Addresses of memory at #0 that a window's pages are stored as changed copies of. */
  pageSources(window: number): number[] {
    this.#memoryAt(window);
    return this.#pages.sources(window);
  }

  /** Sets how many bytes of decoded changes of pages are kept: 64 MiB if nobody does. */
  keepPages(bytes: number): void {
    this.#pages.keep(bytes);
  }

  /** Gives up what is kept of pages, to be read again when it is wanted. */
  dropPages(): void {
    this.#pages.drop();
  }

  /** The state hash at a window's end: 8 bytes. */
  stateHash(window: number): Uint8Array {
    const kind = this.header.profile === "attach" && window > 0 ? ITEM.digest : ITEM.keyframe;
    return this.#only(window, kind).bytes("hash", 8).slice();
  }

  /** The hashes of a window's items of a kind: what is the same bytes has the same ones. */
  itemHashes(window: number, kind: number): Uint8Array[] {
    return this.#framesOf(window).filter((frame) => frame.kind === kind).map(({ hash }) => hash);
  }

  /** The contents of a window's items, as they are, without its commit. */
  *contents(window: number): Generator<{ kind: number; content: Uint8Array }> {
    for (const frame of this.#framesOf(window)) {
      const what = `the ${itemName(frame.kind)} of window ${window}`;
      yield { kind: frame.kind, content: readContent(this.#file, frame, what) };
    }
  }

  /** Computes the state hash of a keyframe from its content: equal to its `hash` in a sound trace. */
  computeStateHash(window: number): Uint8Array {
    const { tlb } = this.keyframe(window);
    let hash: StateHash = hashState(this.#only(window, ITEM.keyframe).bytes("state"));
    for (const number of this.#pages.pages(SPACE.memory, window)) {
      const page = this.#pages.read(SPACE.memory, number, window);
      hash = addHash(hash, hashPage(new Uint32Array(page.buffer), SPACE.memory, number));
    }
    const padded = new Uint8Array(Math.ceil(tlb.length / PAGE_SIZE) * PAGE_SIZE);
    padded.set(tlb);
    for (let at = 0; at < padded.length; at += PAGE_SIZE) {
      const words = new Uint32Array(padded.buffer, at, PAGE_SIZE / 4);
      hash = addHash(hash, hashPage(words, SPACE.tlb, at / PAGE_SIZE));
    }
    return hashBytes(hash);
  }

  /**
   * Bytes of the file by item kind, and items of each kind, in the windows from `first` on: hops
   * through the whole file. Window 0 holds what was booted.
   */
  sizes(first = 0): Map<string, { items: number; bytes: number; content: number }> {
    const sizes = new Map<string, { items: number; bytes: number; content: number }>();
    for (const window of this.windows.slice(first)) {
      for (const { kind, offset, end, size } of this.#framesOf(window.number)) {
        const total = sizes.get(itemName(kind)) ?? { items: 0, bytes: 0, content: 0 };
        total.items++;
        total.bytes += end - offset;
        total.content += size;
        sizes.set(itemName(kind), total);
      }
    }
    return sizes;
  }

  /** Whether a window lies in the filter's range and has events of its kinds. */
  #mayHold(window: WindowInfo, { from = 0, to = Infinity, kinds }: EventFilter): boolean {
    if (window.number === 0 || window.end <= from || window.start >= to) return false;
    if (!kinds) return true;
    const { events } = this.summary(window.number);
    for (const kind of kinds) if (events[kind]) return true;
    return false;
  }

  #tlb(window: number, length: number): Uint8Array {
    const tlb = new Uint8Array(Math.ceil(length / PAGE_SIZE) * PAGE_SIZE);
    for (let at = 0; at < length; at += PAGE_SIZE) {
      tlb.set(this.#pages.read(SPACE.tlb, at / PAGE_SIZE, window), at);
    }
    return tlb.slice(0, length);
  }

  #memoryAt(window: number): void {
    this.#window(window);
    if (window > 0 && this.header.profile === "attach") throw this.#missing(window, "its pages");
  }

  #window(number: number): WindowInfo {
    const window = this.windows[number];
    if (!window) {
      throw new TraceError(
        `Cannot read window ${number}: expected 0 to ${this.windows.length - 1}`,
      );
    }
    return window;
  }

  /** Frames of a window, checked against its commit; the last few windows' are kept. */
  #framesOf(number: number): Frame[] {
    const known = this.#frames.get(number);
    if (known) return known;
    const frames = windowFrames(this.#file, this.#window(number));
    if (this.#frames.size >= 16) this.#frames.delete(this.#frames.keys().next().value!);
    this.#frames.set(number, frames);
    return frames;
  }

  *#items(window: number, kind: number): Generator<Fields> {
    for (const frame of this.#framesOf(window)) {
      if (frame.kind === kind) yield this.#fields(frame, window);
    }
  }

  #only(window: number, kind: number): Fields {
    const [fields] = this.#items(window, kind);
    if (fields) return fields;
    throw this.#missing(window, `a ${itemName(kind)} item`);
  }

  #missing(window: number, expected: string): TraceError {
    const why = this.header.profile === "attach"
      ? "; it must be executed again (profile attach)"
      : "";
    return new TraceError(`Cannot read window ${window}: expected ${expected}, found none${why}`);
  }

  #fields(frame: Frame, window: number): Fields {
    return readFields(this.#file, frame, `the ${itemName(frame.kind)} of window ${window}`);
  }
}
