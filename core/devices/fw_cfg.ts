/**
 * fw_cfg, the reference's way to hand items to firmware (docs/specs/fw_cfg of QEMU): a selector, a
 * data port that reads byte after byte, and DMA.
 *
 * Items are the reference's with `acpi=off`: SMBIOS tables, but none of ACPI. Kernel, initial ramdisk and command line are there when firmware is to boot them.
 */

import { type Media, type Medium, mediumOf, readMedium } from "../medium.ts";

import type { Device, DeviceState } from "./device.ts";
import { makeSmbios } from "./smbios.ts";

/** Register offsets. Multi-byte values are big-endian. */
const DATA = 0x00; // 1 to 8 bytes
const SELECTOR = 0x08; // WO, 2 bytes
const DMA_HIGH = 0x10; // reads as `QEMU`
const DMA_LOW = 0x14; // reads as ` CFG`; writing starts a transfer

/** Keys of the items that every machine has. */
const KEY = { signature: 0x00, id: 0x01, nographic: 0x04, cpus: 0x05, directory: 0x19 } as const;
/** Keys of what firmware boots: size (u32, little-endian) and content. */
const BOOTED = [
  { name: "kernel", size: 0x08, data: 0x11 },
  { name: "initrd", size: 0x0b, data: 0x12 },
  { name: "cmdline", size: 0x14, data: 0x15 },
] as const;
const FIRST_FILE = 0x20;
/** Bit of a key that once chose to write; it makes no difference. */
const WRITE_CHANNEL = 0x4000;
/** Traditional interface and DMA. */
const INTERFACES = 3;
/** Bytes of a name in the directory. */
const NAME_SIZE = 56;

/** Bits of a DMA control word. */
const DMA = { error: 1, read: 2, skip: 4, select: 8, write: 0x10 } as const;
const DMA_HEADER = 16;
const PAGE = 4096;

/** Guest memory as DMA sees it. */
export interface DmaMemory {
  /** Bytes at a physical address, or undefined where there is no RAM. */
  read(address: number, length: number): Uint8Array | undefined;
  /** Stores bytes; false where there is no RAM. */
  write(address: number, bytes: Uint8Array): boolean;
}

/** What the device is made with. */
export interface FwCfgOptions {
  /** Physical address. */
  readonly base: number;
  /** CPUs that the machine reports. */
  readonly cpuCount: number;
  /** Bytes of RAM that the SMBIOS tables speak of; no tables if left out. */
  readonly memoryBytes?: number | undefined;
  /** Where DMA reads and writes. */
  readonly memory: DmaMemory;
  /** Further files by name. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** `kernel`, `initrd` and `cmdline` are items. */
  readonly media?: Media;
}

interface SavedFwCfg {
  key: number;
  position: number;
  dmaHigh: number;
}

/** The firmware configuration device. */
export class FwCfg implements Device {
  readonly name = "fw-cfg";
  readonly base: number;
  readonly size = 0x1000;
  readonly #items: Map<number, Medium>;
  readonly #memory: DmaMemory;
  #key = 0;
  #position = 0;
  #dmaHigh = 0;

  /** Makes the device with its items; nothing is selected but the signature. */
  constructor(options: FwCfgOptions) {
    const { base, cpuCount, memoryBytes, memory, files = {}, media = {} } = options;
    this.base = base;
    this.#memory = memory;
    this.#items = makeItems(cpuCount, {
      "bios-geometry": new Uint8Array(),
      "bootorder": new Uint8Array(),
      "etc/boot-fail-wait": new Uint8Array(4).fill(0xff),
      ...memoryBytes === undefined ? {} : smbiosFiles(memoryBytes, cpuCount),
      ...files,
    });
    for (const { name, size, data } of BOOTED) {
      const medium = media[name];
      if (!medium) continue;
      this.#items.set(size, mediumOf(new Uint8Array(Uint32Array.of(medium.size).buffer)));
      this.#items.set(data, medium);
    }
  }

  accepts(offset: number, size: number, isWrite: boolean): boolean {
    if (offset % size) return false;
    if (offset < SELECTOR) return offset === DATA;
    if (offset < DMA_HIGH) return isWrite && offset === SELECTOR && size === 2;
    const end = offset + size;
    return end <= DMA_LOW + 4 && (!isWrite || size >= 4);
  }

  read(offset: number, size: number): number {
    if (offset >= DMA_HIGH) return readDmaSignature(offset - DMA_HIGH, size);
    let value = 0;
    for (let i = 0; i < size; i++) value += this.#next() * 2 ** (8 * i);
    return value;
  }

  write(offset: number, value: number, _size: number): void {
    if (offset === SELECTOR) this.#select(swap16(value));
    if (offset === DMA_HIGH) this.#dmaHigh = swap32(value);
    if (offset === DMA_LOW) this.#transfer(this.#dmaHigh * 2 ** 32 + swap32(value));
  }

  save(): DeviceState {
    return { key: this.#key, position: this.#position, dmaHigh: this.#dmaHigh };
  }

  restore(state: DeviceState): void {
    const saved = state as unknown as SavedFwCfg;
    this.#key = saved.key;
    this.#position = saved.position;
    this.#dmaHigh = saved.dmaHigh;
  }

  #select(key: number): void {
    this.#key = key & ~WRITE_CHANNEL;
    this.#position = 0;
  }

  /** The next byte of the item; zero behind its end and for items that do not exist. */
  #next(): number {
    return this.#take(1)[0] ?? 0;
  }

  /** The next bytes of the item, fewer at its end. */
  #take(length: number): Uint8Array {
    const item = this.#items.get(this.#key);
    if (!item) return new Uint8Array();
    const bytes = readMedium(item, this.#position, length);
    this.#position += bytes.length;
    return bytes;
  }

  /** Executes the transfer that the structure at `address` describes. */
  #transfer(address: number): void {
    this.#dmaHigh = 0;
    const header = this.#memory.read(address, DMA_HEADER);
    if (!header) return;
    const view = new DataView(header.buffer, header.byteOffset, DMA_HEADER);
    const control = view.getUint32(0);
    const length = view.getUint32(4);
    const target = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
    const status = this.#perform(control, length, target) ? 0 : DMA.error;
    const answer = new Uint8Array(4);
    answer[3] = status;
    this.#memory.write(address, answer);
  }

  /** Returns whether it worked. Without an operation, or without bytes, nothing is done. */
  #perform(control: number, length: number, target: number): boolean {
    if (control & DMA.select) this.#select(control >>> 16);
    if (control & DMA.read) return this.#copyOut(length, target);
    const left = (this.#items.get(this.#key)?.size ?? 0) - this.#position;
    const isWrite = (control & DMA.write) !== 0;
    // No item can be written, but as on the reference the bytes are passed over.
    if (isWrite || control & DMA.skip) this.#position += Math.max(0, Math.min(length, left));
    return !isWrite || length === 0;
  }

  /** Stores the item's bytes, then zeros: what does not fit into RAM is lost. */
  #copyOut(length: number, target: number): boolean {
    let works = true;
    for (let done = 0; done < length;) {
      // RAM begins and ends at a page's border.
      const bytes = new Uint8Array(Math.min(PAGE - (target + done) % PAGE, length - done));
      const count = this.#takeInto(bytes);
      // As on the reference, after an error of the item's bytes no zeros follow.
      if (!works && count === 0) break;
      if (!this.#memory.write(target + done, bytes)) works = false;
      done += bytes.length;
    }
    return works;
  }

  #takeInto(bytes: Uint8Array): number {
    const taken = this.#take(bytes.length);
    bytes.set(taken);
    return taken.length;
  }
}

function smbiosFiles(memoryBytes: number, cpuCount: number): Record<string, Uint8Array> {
  const { anchor, tables } = makeSmbios(memoryBytes, cpuCount);
  return { "etc/smbios/smbios-anchor": anchor, "etc/smbios/smbios-tables": tables };
}

/** The items by key, with the directory of files. */
function makeItems(
  cpuCount: number,
  files: Readonly<Record<string, Uint8Array>>,
): Map<number, Medium> {
  const items = new Map<number, Uint8Array>([
    [KEY.signature, new TextEncoder().encode("QEMU")],
    [KEY.id, Uint8Array.of(INTERFACES, 0, 0, 0)],
    [KEY.nographic, Uint8Array.of(1, 0)],
    [KEY.cpus, Uint8Array.of(cpuCount, 0)],
  ]);
  const names = Object.keys(files).sort();
  const directory = new Uint8Array(4 + names.length * (8 + NAME_SIZE));
  const view = new DataView(directory.buffer);
  view.setUint32(0, names.length);
  names.forEach((name, i) => {
    const at = 4 + i * (8 + NAME_SIZE);
    view.setUint32(at, files[name].length);
    view.setUint16(at + 4, FIRST_FILE + i);
    directory.set(new TextEncoder().encode(name).subarray(0, NAME_SIZE - 1), at + 8);
    items.set(FIRST_FILE + i, files[name]);
  });
  items.set(KEY.directory, directory);
  return new Map([...items].map(([key, bytes]) => [key, mediumOf(bytes)]));
}

function readDmaSignature(offset: number, size: number): number {
  const signature = "QEMU CFG";
  let value = 0;
  for (let i = 0; i < size; i++) value += signature.charCodeAt(offset + i) * 2 ** (8 * i);
  return value;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >> 8) & 0xff);
}

function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>>
    0;
}
