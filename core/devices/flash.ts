/**
 * One bank of NOR flash: two 16-bit chips of the Intel command set (CFI, JESD68) side by side on a
 * 32-bit bus, 64 MiB in sectors of 256 KiB. Empty flash reads as zero, as on the reference.
 *
 * Contents come from a medium, where there is one; what was written since lies over it, by blocks.
 * As on the reference a program operation stores the data as it is (real flash can only clear bits),
 * an erase happens before it is confirmed, and query mode is left only by READ ARRAY. A buffered
 * program takes words of the block at which its count was written, and is dropped when it is
 * confirmed while the status tells of a failure, whichever operation failed.
 */

import { BLOCK_BYTES, type Medium } from "../medium.ts";
import type { Device, DeviceState } from "./device.ts";

/** Bytes that are erased at a time. */
const SECTOR = 0x4_0000;

/** Commands (low byte of the word written). */
const PROGRAM = 0x40;
const PROGRAM_ALTERNATE = 0x10;
const ERASE = 0x20;
const CLEAR_STATUS = 0x50;
const LOCK = 0x60;
const READ_STATUS = 0x70;
const READ_ID = 0x90;
const READ_CFI = 0x98;
const BUFFERED_PROGRAM = 0xe8;
const CONFIRM = 0xd0;
const READ_ARRAY = 0xff;

/** Cycles of a buffered program behind its command. */
const COUNT_CYCLE = 1, DATA_CYCLE = 2, CONFIRM_CYCLE = 3;

const STATUS_READY = 0x80;
/** A program operation failed. */
const STATUS_FAILED = 0x10;
/** The block of a buffered program that is in none. */
const NO_BLOCK = -1;
/** Bytes of the write buffer, over both chips. */
const WRITE_BUFFER = 0x1000;
/** Manufacturer and device. */
const IDENTITY = [0x89, 0x18];
/** The CFI query structure from word 0x10 on. */
const QUERY_START = 0x10;
const QUERY = [
  ...[0x51, 0x52, 0x59, 0x01, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00, 0x45, 0x55, 0x00, 0x00],
  ...[0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00, 0x19, 0x02, 0x00, 0x0b, 0x00, 0x01, 0xff],
  ...[0x00, 0x00, 0x02, 0x50, 0x52, 0x49, 0x31, 0x30, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  ...[0x00, 0x00, 0x01],
];

interface SavedFlash {
  command: number;
  cycle: number;
  status: number;
  remaining: number;
  buffer: { offset: number; bytes: number[] }[];
  /** The block of a buffered program that has begun. */
  block?: number;
  /** Blocks that were written, in order; an erased one has no bytes. */
  sectors: { index: number; bytes: Uint8Array }[];
}

/** Where a bank is, and what it holds. */
export interface FlashOptions {
  readonly name: string;
  /** Physical address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** Contents at `#0`, from the first byte. */
  readonly medium?: Medium | undefined;
}

const ERASED = new Uint8Array(BLOCK_BYTES).fill(0xff);
const EMPTY = new Uint8Array(BLOCK_BYTES);

/** A flash bank. */
export class Flash implements Device {
  readonly executable = true;
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly #medium: Medium | undefined;
  /** What was written, by number of the block; an erased block is {@linkcode ERASED}, shared. */
  readonly #written = new Map<number, Uint8Array>();
  /** The block that was read last. */
  #recent: { number: number; bytes: Uint8Array } = { number: -1, bytes: ERASED };
  /** The command whose cycles are being written; READ_ARRAY at rest. */
  #command = READ_ARRAY;
  /** Writes seen since the command. */
  #cycle = 0;
  #status = STATUS_READY;
  /** Words that a buffered program takes after the next, and those it took, all of one block. */
  #remaining = 0;
  #buffer: { offset: number; bytes: number[] }[] = [];
  #target = NO_BLOCK;

  /** Makes a bank at `base`; `size` in bytes is a multiple of 256 KiB. It is empty without a medium. */
  constructor({ name, base, size, medium }: FlashOptions) {
    this.name = name;
    this.base = base;
    this.size = size;
    this.#medium = medium;
  }

  /** Whether reads give the contents now: then they are no accesses to a device. */
  get readsContents(): boolean {
    return this.#command === READ_ARRAY;
  }

  read(offset: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = (value * 256) + this.#readByte(offset, i, size);
    return value;
  }

  write(offset: number, value: number, size: number): void {
    if (this.#cycle === 0) this.#begin(offset, value & 0xff);
    else this.#continue(offset, value, size);
  }

  save(): DeviceState {
    const written = [...this.#written].sort(([a], [b]) => a - b);
    return {
      command: this.#command,
      cycle: this.#cycle,
      status: this.#status,
      remaining: this.#remaining,
      buffer: this.#buffer.map(({ offset, bytes }) => ({ offset, bytes: [...bytes] })),
      ...this.#target === NO_BLOCK ? {} : { block: this.#target },
      sectors: written.map(([index, bytes]) => ({
        index,
        bytes: bytes === ERASED ? new Uint8Array() : bytes.slice(),
      })),
    };
  }

  restore(state: DeviceState): void {
    const saved = state as unknown as SavedFlash;
    this.#command = saved.command;
    this.#cycle = saved.cycle;
    this.#status = saved.status;
    this.#remaining = saved.remaining;
    this.#target = saved.block ?? NO_BLOCK;
    this.#buffer = saved.buffer.map(({ offset, bytes }) => ({ offset, bytes: [...bytes] }));
    this.#written.clear();
    for (const { index, bytes } of saved.sectors) {
      this.#written.set(index, bytes.length === 0 ? ERASED : bytes.slice());
    }
    this.#recent = { number: -1, bytes: ERASED };
  }

  /** What was written, block by block: offset in the bank, and content. */
  *written(): Iterable<{ offset: number; bytes: Uint8Array }> {
    for (const [number, bytes] of this.#written) yield { offset: number * BLOCK_BYTES, bytes };
  }

  /** Byte `i` of an access of `size` bytes at `offset`, in the mode that the chips are in. */
  #readByte(offset: number, i: number, size: number): number {
    switch (this.#command) {
      case READ_ARRAY:
        return this.#block(Math.floor((offset + i) / BLOCK_BYTES))[(offset + i) % BLOCK_BYTES];
      case READ_ID:
        return this.#queryByte(offset, i, IDENTITY, 0);
      case READ_CFI:
        return this.#queryByte(offset, i, QUERY, QUERY_START);
      default:
        // Each chip gives its status in its low byte.
        return i % 2 === 0 || size === 1 ? this.#status : 0;
    }
  }

  /** Both chips answer a query alike; words are numbered by the 32-bit bus. */
  #queryByte(offset: number, i: number, table: readonly number[], start: number): number {
    const word = (table === IDENTITY ? (offset >> 2) & 0xff : offset >> 2) - start;
    return i % 2 === 0 ? table[word] ?? 0 : 0;
  }

  #begin(offset: number, command: number): void {
    switch (command) {
      case PROGRAM:
      case PROGRAM_ALTERNATE:
      case LOCK:
      case READ_CFI:
        this.#cycle = 1;
        break;
      case ERASE:
        this.#erase(offset);
        this.#status |= STATUS_READY;
        this.#cycle = 1;
        break;
      case BUFFERED_PROGRAM:
        this.#status |= STATUS_READY;
        this.#cycle = 1;
        break;
      case READ_STATUS:
      case READ_ID:
        break;
      case CLEAR_STATUS:
        this.#status = 0;
        return this.#readArray();
      default:
        return this.#readArray();
    }
    this.#command = command;
  }

  #continue(offset: number, value: number, size: number): void {
    const low = value & 0xff;
    switch (this.#command) {
      case PROGRAM:
      case PROGRAM_ALTERNATE:
        this.#program(offset, bytesOf(value, size));
        return this.#finish();
      case ERASE:
        return low === CONFIRM ? this.#finish() : this.#readArray();
      case LOCK:
        return low === CONFIRM || low === 0x01 ? this.#finish() : this.#readArray();
      case READ_CFI:
        return low === READ_ARRAY ? this.#readArray() : undefined;
      default:
        return this.#continueBuffered(offset, value, size);
    }
  }

  /** Count, then the words, then the confirmation. */
  #continueBuffered(offset: number, value: number, size: number): void {
    if (this.#cycle === COUNT_CYCLE) {
      this.#remaining = value & 0xffff;
      this.#target = Math.floor(offset / WRITE_BUFFER);
      this.#cycle = DATA_CYCLE;
    } else if (this.#cycle === DATA_CYCLE) {
      this.#take(offset, bytesOf(value, size));
      if (this.#remaining-- === 0) {
        this.#remaining = 0;
        this.#cycle = CONFIRM_CYCLE;
      }
    } else if ((value & 0xff) === CONFIRM && !(this.#status & STATUS_FAILED)) {
      this.#buffer.forEach(({ offset, bytes }) => this.#program(offset, bytes));
      this.#finish();
    } else {
      this.#readArray();
    }
  }

  /** A word for the buffer, which takes those of one block and loses others. */
  #take(offset: number, bytes: number[]): void {
    const fits = Math.floor(offset / WRITE_BUFFER) === this.#target;
    if (fits) this.#buffer.push({ offset, bytes });
    this.#status |= fits ? STATUS_READY : STATUS_READY | STATUS_FAILED;
  }

  /** A command is complete: ready, and the status stays readable. */
  #finish(): void {
    this.#status |= STATUS_READY;
    this.#cycle = 0;
    this.#buffer = [];
    this.#target = NO_BLOCK;
  }

  #readArray(): void {
    this.#command = READ_ARRAY;
    this.#cycle = 0;
    this.#buffer = [];
    this.#target = NO_BLOCK;
  }

  /** Every store lies in one block: it is naturally aligned. */
  #program(offset: number, bytes: readonly number[]): void {
    const number = Math.floor(offset / BLOCK_BYTES);
    const now = this.#block(number);
    const own = this.#written.get(number) === now && now !== ERASED ? now : now.slice();
    own.set(bytes, offset % BLOCK_BYTES);
    this.#written.set(number, own);
    this.#recent = { number, bytes: own };
  }

  #erase(offset: number): void {
    const first = Math.floor(offset / SECTOR) * (SECTOR / BLOCK_BYTES);
    for (let i = 0; i < SECTOR / BLOCK_BYTES; i++) this.#written.set(first + i, ERASED);
    this.#recent = { number: -1, bytes: ERASED };
  }

  #block(number: number): Uint8Array {
    if (this.#recent.number !== number) {
      const bytes = this.#written.get(number) ?? this.#medium?.block(number) ?? EMPTY;
      this.#recent = { number, bytes };
    }
    return this.#recent.bytes;
  }
}

/** The bytes of a store, lowest address first. */
function bytesOf(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => (value >>> (8 * i)) & 0xff);
}
