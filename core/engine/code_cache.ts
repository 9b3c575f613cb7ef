import { BUILT_IN } from "./handlers.ts";
import type { Decoder } from "./decoder.ts";
import { LAYOUT, type MemoryLayout, RECORD_SLOT_BYTES } from "./layout.ts";

/**
 * Decoded instructions: for each guest page that holds code, 1,024 records of 16 bytes and a
 * trailer, in an arena of slots.
 *
 * A page gets a slot when it is first fetched from, a 64-byte line is decoded when one of its
 * instructions is first executed. A write to a decoded line, by whatever agent, makes the line's
 * records "decode me" again, so the very next fetch sees the new bytes. When the arena is full all
 * of it is dropped: record addresses are never kept across that by anyone ({@linkcode onDrop}).
 */
export class CodeCache {
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #pageOfSlot: Int32Array;
  #slots = 0;
  /** Handlers that plants replaced, by record. */
  readonly #planted = new Map<number, number>();

  /**
   * @param onChange records `[start, end)` are about to change because their bytes will
   * @param onDrop all records are about to go
   */
  constructor(
    readonly memory: ArrayBufferLike,
    readonly layout: MemoryLayout,
    readonly decoder: Decoder,
    readonly onChange: (start: number, end: number) => void,
    readonly onDrop: () => void,
  ) {
    this.#u16 = new Uint16Array(memory);
    this.#u32 = new Uint32Array(memory);
    this.#pageOfSlot = new Int32Array(layout.arenaSlots);
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

  /** Decodes the line of a record. Gives true if it is the first decoded line of its page. */
  decode(record: number): boolean {
    const { host, offset } = this.locate(record);
    const line = offset >>> 6;
    const records = this.#u32[this.#entry(host) >> 2];
    for (let i = line * 16; i < line * 16 + 16; i++) {
      const at = records + i * 16;
      if (this.#u16[at >> 1] === BUILT_IN.decode) {
        this.decoder.decode(at, this.#u32[(host >> 2) + i], i * 4);
      }
    }
    const set = (this.#entry(host) >> 2) + 2;
    const first = this.#u32[set] === 0 && this.#u32[set + 1] === 0;
    this.#u32[set + (line >>> 5)] |= 1 << (line & 31);
    return first;
  }

  /** Whether the guest page at `host` has decoded lines. */
  holdsCode(host: number): boolean {
    const set = (this.#entry(host) >> 2) + 2;
    return this.#u32[set] !== 0 || this.#u32[set + 1] !== 0;
  }

  /** Must be called before guest bytes `[host, host + length)` change. Gives true if some were decoded. */
  willWrite(host: number, length: number): boolean {
    let hit = false;
    for (let at = host & ~63; at < host + length; at += 64) {
      const entry = this.#entry(at) >> 2;
      const line = (at & 0xfff) >>> 6;
      const bit = 1 << (line & 31);
      if (!(this.#u32[entry + 2 + (line >>> 5)] & bit)) continue;
      hit = true;
      const start = this.#u32[entry] + line * 256;
      this.onChange(start, start + 256);
      this.#u32[entry + 2 + (line >>> 5)] &= ~bit;
      for (let i = 0; i < 16; i++) this.#forget(start + i * 16);
    }
    return hit;
  }

  /** Drops all records. */
  drop(): void {
    this.onDrop();
    const { arena, guestBytes } = this.layout;
    this.#u32.fill(0, LAYOUT.codeTable >> 2, (LAYOUT.codeTable + (guestBytes >> 12) * 16) >> 2);
    this.#u32.fill(0, arena >> 2, (arena + this.#slots * RECORD_SLOT_BYTES) >> 2);
    this.#slots = 0;
    this.#planted.clear();
  }

  /** Handler id in a record, whatever is planted there. */
  operation(record: number): number {
    return this.#planted.get(record) ?? this.#u16[record >> 1];
  }

  /** Replaces a record's handler until {@linkcode unplant}, even if its line is written meanwhile. */
  plant(record: number, handler: number): void {
    if (!this.#planted.has(record)) this.#planted.set(record, this.#u16[record >> 1]);
    this.#u16[record >> 1] = handler;
  }

  /** Takes a plant back. */
  unplant(record: number): void {
    const op = this.#planted.get(record);
    if (op === undefined) return;
    this.#u16[record >> 1] = op;
    this.#planted.delete(record);
  }

  #forget(record: number): void {
    if (this.#planted.has(record)) this.#planted.set(record, BUILT_IN.decode);
    else this.#u16[record >> 1] = BUILT_IN.decode;
  }

  #entry(host: number): number {
    return LAYOUT.codeTable + ((host - this.layout.guest) >>> 12) * 16;
  }
}
