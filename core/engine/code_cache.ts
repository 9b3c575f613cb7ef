import { BUILT_IN } from "./handlers.ts";
import type { Decoder } from "./decoder.ts";
import { DECODED_PAGE_BYTES, LAYOUT, type MemoryLayout, RECORD_SLOT_BYTES } from "./layout.ts";

/** The state of a page: whether it holds code, and how often it came to do so. */
const HOLDS_CODE = 1, ONE_CHANGE = 2;
const MOST_CHANGES = 8;

/** Lines remembered as modified at the most. */
const MOST_MODIFIED = 4096;

/**
 * Decoded instructions: for each guest page that holds code, 1,024 records of 16 bytes and a
 * trailer, in an arena of slots.
 *
 * A page gets a slot when it is first fetched from, a 64-byte line is decoded when one of its
 * instructions is first executed. A write to decoded words, by whatever agent, makes their records
 * "decode me" again, so the very next fetch sees the new bytes. When the arena is full all
 * of it is dropped: record addresses are never kept across that by anyone ({@linkcode onDrop}).
 * Guest pages may lie above 2 GiB in the engine's memory: their addresses need unsigned operators.
 */
export class CodeCache {
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #pageOfSlot: Uint32Array;
  #slots = 0;
  /** Handlers that plants replaced, by record. */
  readonly #planted = new Map<number, number>();
  #probe = 0;
  /** Told of the record when the probe moves. */
  onProbe: (record: number) => void = () => {};
  /** Handlers under the ways into translated code. */
  readonly #ways = new Map<number, number>();
  /** Lines written since they were decoded and not maintained since: their words before. */
  readonly #modified = new Map<number, Uint32Array>();

  /**
   * @param onChange records `[start, end)` are about to change because their bytes will
   * @param onDrop all records are about to go
   * @param onStale an instruction that was changed after it was decoded, without maintenance, is about to be executed
   */
  constructor(
    readonly memory: ArrayBufferLike,
    readonly layout: MemoryLayout,
    readonly decoder: Decoder,
    readonly onChange: (start: number, end: number) => void,
    readonly onDrop: () => void,
    readonly onStale: () => void,
  ) {
    this.#u8 = new Uint8Array(memory);
    this.#u16 = new Uint16Array(memory);
    this.#u32 = new Uint32Array(memory);
    this.#pageOfSlot = new Uint32Array(layout.arenaSlots);
  }

  /** Address of the records of the guest page at engine address `host`; takes a slot if it has none. */
  recordsOf(host: number): number {
    const entry = this.#entry(host) >> 2;
    if (this.#u32[entry]) return this.#u32[entry];
    if (this.#slots === this.layout.arenaSlots) this.drop();
    const slot = this.#slots++;
    this.#pageOfSlot[slot] = host & ~0xfff;
    const records = this.layout.arena + slot * RECORD_SLOT_BYTES;
    this.#u16[(records + 1024 * 16) >> 1] = BUILT_IN.pageEnd;
    return this.#u32[entry] = records;
  }

  /** Address of the decoded words (`layout.ts`) of the guest page at engine address `host`; 0 if it has no records. */
  decodedWords(host: number): number {
    const records = this.#u32[this.#entry(host) >> 2];
    return records && this.#decodedWord(records);
  }

  /** Guest page (engine address) and byte offset in it of a record. */
  locate(record: number): { host: number; offset: number } {
    const slot = Math.floor((record - this.layout.arena) / RECORD_SLOT_BYTES);
    const offset = (record - this.layout.arena - slot * RECORD_SLOT_BYTES) >> 2;
    return { host: this.#pageOfSlot[slot], offset };
  }

  /** Engine address of a record's instruction. */
  instructionAddress(record: number): number {
    const { host, offset } = this.locate(record);
    return host + offset;
  }

  /** The record behind the last of a record's page. */
  pageEnd(record: number): number {
    return record - (this.locate(record).offset << 2) + 1024 * 16;
  }

  /** A copy of memory at an engine address. */
  bytes(address: number, length: number): Uint8Array {
    return this.#u8.slice(address, address + length);
  }

  /** Word of a record's instruction. */
  wordAt(record: number): number {
    return this.#u32[this.instructionAddress(record) >>> 2];
  }

  /**
   * Decodes the line of a record. Gives true if its page did not hold code until now.
   *
   * Words that were executed before and have changed since, without maintenance, stay undecoded
   * until they are executed themselves, so that each can be reported.
   */
  decode(record: number): boolean {
    const { host, offset } = this.locate(record);
    const line = offset >>> 6;
    const records = this.#u32[this.#entry(host) >> 2];
    const before = this.#modified.get(host + line * 64);
    for (let i = 0; i < 16; i++) {
      const at = records + (line * 16 + i) * 16;
      const word = this.#u32[(host >>> 2) + line * 16 + i];
      const planted = this.#u16[at >> 1];
      if (planted !== BUILT_IN.decode && this.operation(at) !== BUILT_IN.decode) continue;
      if (before && before[i] !== word) {
        if (at !== record) continue;
        before[i] = word;
        this.onStale();
      }
      this.decoder.decode(at, word, (line * 16 + i) * 4);
      this.#u8[this.#decodedWord(at)] = 1;
      if (planted === BUILT_IN.decode) continue;
      this.#replaced(at, this.#u16[at >> 1]);
      this.#u16[at >> 1] = planted;
    }
    const entry = this.#entry(host) >> 2;
    this.#u32[entry + 2 + (line >>> 5)] |= 1 << (line & 31);
    const first = !(this.#u32[entry + 1] & HOLDS_CODE);
    if (first) this.#u32[entry + 1] += HOLDS_CODE + ONE_CHANGE;
    return first;
  }

  /** The first records of all lines that are decoded. */
  *decodedLines(): Iterable<number> {
    for (let slot = 0; slot < this.#slots; slot++) {
      const entry = this.#entry(this.#pageOfSlot[slot]) >> 2;
      for (let line = 0; line < 64; line++) {
        if (!(this.#u32[entry + 2 + (line >>> 5)] & (1 << (line & 31)))) continue;
        yield this.layout.arena + slot * RECORD_SLOT_BYTES + line * 256;
      }
    }
  }

  /**
   * Whether stores to the guest page at `host` must look at the line they hit. A page whose code
   * has all been overwritten becomes a data page again, but not for ever: one that holds a variable
   * beside its only code would change with every store.
   */
  holdsCode(host: number): boolean {
    const entry = this.#entry(host) >> 2;
    const state = this.#u32[entry + 1];
    if (!(state & HOLDS_CODE)) return false;
    const isEmpty = this.#u32[entry + 2] === 0 && this.#u32[entry + 3] === 0;
    if (!isEmpty || state >= MOST_CHANGES * ONE_CHANGE) return true;
    this.#u32[entry + 1] = state & ~HOLDS_CODE;
    return false;
  }

  /** Must be called before guest bytes `[host, host + length)` change. Gives true if some were decoded. */
  willWrite(host: number, length: number): boolean {
    let hit = false;
    for (let at = host - (host & 63); at < host + length; at += 64) {
      const entry = this.#entry(at) >> 2;
      const line = (at & 0xfff) >>> 6;
      const bit = 1 << (line & 31);
      if (!(this.#u32[entry + 2 + (line >>> 5)] & bit)) continue;
      const records = this.#u32[entry] + line * 256;
      const first = Math.max(0, host - at) >>> 2;
      const last = (Math.min(64, host + length - at) - 1) >>> 2;
      if (!this.#isDecoded(records + first * 16, records + last * 16)) continue;
      hit = true;
      this.onChange(records + first * 16, records + last * 16 + 16);
      this.#remember(at);
      for (let i = first; i <= last; i++) this.#forget(records + i * 16);
      if (!this.#isDecoded(records, records + 240)) this.#u32[entry + 2 + (line >>> 5)] &= ~bit;
    }
    return hit;
  }

  /** Whether some record from `first` to `last` is. */
  #isDecoded(first: number, last: number): boolean {
    for (let record = first; record <= last; record += 16) {
      if (this.operation(record) !== BUILT_IN.decode) return true;
    }
    return false;
  }

  /**
   * The guest has maintained its instruction cache: code it wrote may be executed from now on.
   *
   * @param offset byte offset in its page of the line maintained; left out for all lines
   */
  maintained(offset?: number): void {
    if (offset === undefined) return this.#modified.clear();
    for (const line of this.#modified.keys()) {
      if ((line & 0xfc0) === (offset & 0xfc0)) this.#modified.delete(line);
    }
  }

  /** The page at `host` shows other memory from now on: what stood there was not modified. */
  replaced(host: number): void {
    this.willWrite(host, 4096);
    for (let line = host; line < host + 4096; line += 64) this.#modified.delete(line);
  }

  /** Drops all records. */
  drop(): void {
    this.onDrop();
    const { arena, guestBytes } = this.layout;
    this.#u32.fill(0, LAYOUT.codeTable >> 2, (LAYOUT.codeTable + (guestBytes / 4096) * 16) >> 2);
    this.#u32.fill(0, arena >> 2, (arena + this.#slots * RECORD_SLOT_BYTES) >> 2);
    const { regions, decodedWords } = this.layout;
    this.#u8.fill(0, decodedWords, decodedWords + this.#slots * DECODED_PAGE_BYTES);
    if (regions) {
      this.#u32.fill(0, regions >> 2, (regions + this.#slots * RECORD_SLOT_BYTES / 2) >> 2);
    }
    this.#ways.clear();
    this.#slots = 0;
    this.#planted.clear();
  }

  /** Handler id in a record, whatever is planted there. */
  operation(record: number): number {
    const planted = this.#planted.get(record) ?? this.#u16[record >> 1];
    return planted === BUILT_IN.region ? this.#ways.get(record)! : planted;
  }

  /** Makes a record the `way`-th into the translated function `index` of the table. */
  openWay(record: number, index: number, way: number): void {
    const operation = this.operation(record);
    const entry = this.#way(record);
    this.#u16[entry >> 1] = operation;
    this.#u16[(entry >> 1) + 1] = way;
    this.#u32[(entry >> 2) + 1] = index + 1;
    this.#ways.set(record, operation);
    this.#putBelow(record, BUILT_IN.region);
  }

  /** Takes {@linkcode openWay} back. */
  closeWay(record: number): void {
    const operation = this.#ways.get(record);
    if (operation === undefined) return;
    this.#ways.delete(record);
    this.#u32[(this.#way(record) >> 2) + 1] = 0;
    this.#putBelow(record, operation);
  }

  /** Whether translated code begins at a record. */
  hasWay(record: number): boolean {
    return this.#ways.has(record);
  }

  /** Index of the translated function that a record is a way into; -1 if none. */
  wayInto(record: number): number {
    return this.#ways.has(record) ? this.#u32[(this.#way(record) >> 2) + 1] - 1 : -1;
  }

  #way(record: number): number {
    return this.layout.regions + ((record - this.layout.arena) >>> 1);
  }

  /** Sets a record's handler, under what may be planted there. */
  #putBelow(record: number, operation: number): void {
    if (this.#planted.has(record)) this.#replaced(record, operation);
    else this.#u16[record >> 1] = operation;
  }

  /**
   * Plants the probe, which stops the engine when `slot` of the processor state holds `value`. The
   * slot must be one that generated code keeps in memory at all times.
   */
  plantProbe(record: number, slot: number, value: bigint): void {
    if (record !== this.#probe) this.onProbe(record);
    this.#probe = record;
    this.plant(record, BUILT_IN.probe);
    this.#u32[(LAYOUT.probe >> 2) + 1] = slot;
    this.#u32[(LAYOUT.probe >> 2) + 2] = Number(value & 0xffff_ffffn);
    this.#u32[(LAYOUT.probe >> 2) + 3] = Number(value >> 32n);
    this.#u32[(LAYOUT.probe >> 2) + 4] = record;
  }

  /** Whether the probe is planted at a record, and nothing in its place. */
  isProbe(record: number): boolean {
    return this.#u16[record >> 1] === BUILT_IN.probe;
  }

  /** Replaces a record's handler until {@linkcode unplant}, even if its line is written meanwhile. */
  plant(record: number, handler: number): void {
    if (!this.#planted.has(record)) this.#replaced(record, this.#u16[record >> 1]);
    this.#u16[record >> 1] = handler;
  }

  /** Takes a plant back. */
  unplant(record: number): void {
    const op = this.#planted.get(record);
    if (op === undefined) return;
    this.#u16[record >> 1] = op;
    this.#planted.delete(record);
    if (record === this.#probe) this.#u32[(LAYOUT.probe >> 2) + 4] = 0;
  }

  /** Keeps the words of a decoded line that is about to be written. */
  #remember(line: number): void {
    if (this.#modified.size >= MOST_MODIFIED) this.#modified.clear();
    if (!this.#modified.has(line)) {
      this.#modified.set(line, this.#u32.slice(line >>> 2, (line >>> 2) + 16));
    }
  }

  #replaced(record: number, operation: number): void {
    this.#planted.set(record, operation);
    if (record === this.#probe) this.#u32[LAYOUT.probe >> 2] = operation;
  }

  #forget(record: number): void {
    this.#putBelow(record, BUILT_IN.decode);
    this.#u8[this.#decodedWord(record)] = 0;
  }

  #decodedWord(record: number): number {
    const at = record - this.layout.arena;
    const slot = Math.floor(at / RECORD_SLOT_BYTES);
    const word = (at - slot * RECORD_SLOT_BYTES) >> 4;
    return this.layout.decodedWords + slot * DECODED_PAGE_BYTES + word;
  }

  #entry(host: number): number {
    return LAYOUT.codeTable + ((host - this.layout.guest) >>> 12) * 16;
  }
}
