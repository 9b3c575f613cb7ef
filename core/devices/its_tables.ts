/**
 * The tables of an ITS in guest memory (Arm IHI 0069, 5.2.3 and 12.18.1). The architecture leaves the
 * form of entries to the implementation; these are the reference's:
 *
 *     device       63:0  valid 0, size - 1 in 5:1, ITT address 51:8 in 49:6
 *     collection   63:0  valid 0, CPU 16:1
 *     translation  12 bytes: valid 0, physical 1, LPI 25:2, collection 47:32; doorbell in the last 4
 */

import type { DmaMemory } from "./fw_cfg.ts";

/** Where a table is. Entries have 8 bytes. */
export interface Table {
  readonly base: number;
  readonly pageBytes: number;
  /** The pages at `base` hold addresses of pages with entries. */
  readonly indirect: boolean;
  /** Entries that it may have. */
  readonly entries: number;
}

/** A device: where its translation table is, and how many events that has. */
export interface DeviceEntry {
  readonly table: number;
  readonly size: number;
}

/** What an event of a device is. */
export interface Translation {
  readonly interrupt: number;
  readonly collection: number;
}

/** Memory could not be reached: the command stalls. */
export const UNREACHABLE = "unreachable";
/** Nothing is there. */
export const ABSENT = "absent";

const ENTRY_BYTES = 8, TRANSLATION_BYTES = 12;
const NO_TABLE: Table = { base: 0, pageBytes: 4096, indirect: false, entries: 0 };
const PAGE_BYTES = [0x1000, 0x4000, 0x1_0000, 0x1_0000];
const VALID = 1n << 63n, INDIRECT = 1n << 62n;
/** Entries that 16 bits of device or collection number can mean. */
const MOST_ENTRIES = 0x1_0000;
const NO_DOORBELL = 1023n;

/** The table that a GITS_BASERn value describes. */
export function tableAt(baser: bigint): Table {
  if (!(baser & VALID)) return NO_TABLE;
  const pageBytes = PAGE_BYTES[Number((baser >> 8n) & 3n)];
  const address = pageBytes === 0x1_0000
    ? (baser & 0xffff_ffff_0000n) | (((baser >> 12n) & 0xfn) << 48n)
    : baser & 0xffff_ffff_f000n;
  const bytes = (Number(baser & 0xffn) + 1) * pageBytes;
  const indirect = (baser & INDIRECT) !== 0n;
  const entries = bytes / ENTRY_BYTES * (indirect ? pageBytes / ENTRY_BYTES : 1);
  return {
    base: Number(address),
    pageBytes,
    indirect,
    entries: Math.min(entries, MOST_ENTRIES),
  };
}

/** Reads and writes entries. */
export class ItsTables {
  devices: Table = NO_TABLE;
  collections: Table = NO_TABLE;

  constructor(readonly memory: DmaMemory) {}

  device(id: number): DeviceEntry | typeof ABSENT | typeof UNREACHABLE {
    const entry = this.#entry(this.devices, id);
    if (typeof entry !== "bigint") return entry;
    if (!(entry & 1n)) return ABSENT;
    return {
      size: Number((entry >> 1n) & 31n),
      table: Number((entry >> 6n) & 0xfff_ffff_ffffn) * 256,
    };
  }

  /** Gives false where memory cannot be reached. */
  setDevice(id: number, device: DeviceEntry | undefined): boolean {
    const entry = device ? 1n | BigInt(device.size) << 1n | BigInt(device.table / 256) << 6n : 0n;
    return this.#setEntry(this.devices, id, entry);
  }

  /** The CPU that a collection is of. */
  collection(id: number): number | typeof ABSENT | typeof UNREACHABLE {
    const entry = this.#entry(this.collections, id);
    if (typeof entry !== "bigint") return entry;
    return entry & 1n ? Number((entry >> 1n) & 0xffffn) : ABSENT;
  }

  setCollection(id: number, cpu: number | undefined): boolean {
    const entry = cpu === undefined ? 0n : 1n | BigInt(cpu) << 1n;
    return this.#setEntry(this.collections, id, entry);
  }

  translation(
    { table }: DeviceEntry,
    event: number,
  ): Translation | typeof ABSENT | typeof UNREACHABLE {
    const address = table + event * TRANSLATION_BYTES;
    const entry = this.#read(address);
    if (entry === undefined || !this.memory.read(address + 8, 4)) return UNREACHABLE;
    // Virtual interrupts would have bit 1 clear; nothing here makes them.
    if ((entry & 3n) !== 3n) return ABSENT;
    return {
      interrupt: Number((entry >> 2n) & 0xff_ffffn),
      collection: Number((entry >> 32n) & 0xffffn),
    };
  }

  setTranslation(
    { table }: DeviceEntry,
    event: number,
    translation: Translation | undefined,
  ): boolean {
    const address = table + event * TRANSLATION_BYTES;
    const entry = translation
      ? 3n | BigInt(translation.interrupt) << 2n | BigInt(translation.collection) << 32n
      : 0n;
    const last = bytesOf(translation ? NO_DOORBELL : 0n).subarray(0, 4);
    return this.#write(address, entry) && this.memory.write(address + 8, last);
  }

  #entry(table: Table, index: number): bigint | typeof ABSENT | typeof UNREACHABLE {
    const address = this.#addressOf(table, index);
    return typeof address === "number" ? this.#read(address) ?? UNREACHABLE : address;
  }

  /** An entry for which there is no page is not written. */
  #setEntry(table: Table, index: number, entry: bigint): boolean {
    const address = this.#addressOf(table, index);
    if (address === ABSENT) return true;
    return address === UNREACHABLE ? false : this.#write(address, entry);
  }

  #addressOf(table: Table, index: number): number | typeof ABSENT | typeof UNREACHABLE {
    const { base, pageBytes, indirect } = table;
    if (!indirect) return base + index * ENTRY_BYTES;
    const perPage = pageBytes / ENTRY_BYTES;
    const page = this.#read(base + Math.floor(index / perPage) * ENTRY_BYTES);
    if (page === undefined) return UNREACHABLE;
    if (!(page & VALID)) return ABSENT;
    return Number(page & 0x7_ffff_ffff_ffffn) + index % perPage * ENTRY_BYTES;
  }

  #read(address: number): bigint | undefined {
    const bytes = this.memory.read(address, 8);
    return bytes && new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }

  #write(address: number, value: bigint): boolean {
    return this.memory.write(address, bytesOf(value));
  }
}

function bytesOf(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}
