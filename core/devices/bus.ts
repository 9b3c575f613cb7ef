/**
 * The board's address map: which device answers at a physical address.
 *
 * A table with one byte per 4 KB page from address 0 up to {@linkcode DEVICE_SPACE} gives the
 * device, so finding one costs an index. Everything above, and every page without a device, is
 * not ours: an access there is an external abort.
 */

import type { Device, DeviceState } from "./device.ts";

/** First address behind the devices: RAM begins here. */
export const DEVICE_SPACE = 0x4000_0000;

/** What {@linkcode Board.read} returns where nothing answers. */
export const NO_ANSWER = -1;

const PAGE = 4096;

/** The devices of a machine and the addresses they answer at. */
export class Board {
  readonly #devices: Device[] = [];
  /** Index + 1 of the device in each page; 0 for none. */
  readonly #pages = new Uint8Array(DEVICE_SPACE / PAGE);

  /**
   * Maps a device.
   *
   * @throws {Error} if its window is not made of whole pages, lies outside the device space, or overlaps another
   */
  add(device: Device): void {
    const { name, base, size } = device;
    if (base % PAGE || size % PAGE || size <= 0 || base + size > DEVICE_SPACE) {
      throw new Error(`Cannot map ${name} at 0x${base.toString(16)}, ${size} bytes`);
    }
    const pages = this.#pages.subarray(base / PAGE, (base + size) / PAGE);
    const taken = pages.find((index) => index !== 0);
    if (taken) throw new Error(`Cannot map ${name}: ${this.#devices[taken - 1].name} is there`);
    if (this.#devices.length === 255) throw new Error(`Cannot map ${name}: too many devices`);
    this.#devices.push(device);
    pages.fill(this.#devices.length);
  }

  /** The devices in the order they were added. */
  get devices(): readonly Device[] {
    return this.#devices;
  }

  /** The device at a physical address, or undefined. */
  find(address: number): Device | undefined {
    if (address >= DEVICE_SPACE) return undefined;
    return this.#devices[this.#pages[Math.floor(address / PAGE)] - 1];
  }

  /**
   * Reads 1, 2 or 4 bytes.
   *
   * @returns an unsigned number, or {@linkcode NO_ANSWER}: an external abort
   */
  read(address: number, size: number): number {
    const device = this.#accepting(address, size, false);
    return device ? device.read(address - device.base, size) : NO_ANSWER;
  }

  /**
   * Writes the low 1, 2 or 4 bytes of `value`.
   *
   * @returns false where nothing answers: an external abort
   */
  write(address: number, value: number, size: number): boolean {
    const device = this.#accepting(address, size, true);
    device?.write(address - device.base, value >>> 0, size);
    return device !== undefined;
  }

  /**
   * Reads 8 bytes as two words, the low one first.
   *
   * @param into receives `[low, high]`
   * @returns false where nothing answers
   */
  readLong(address: number, into: Uint32Array): boolean {
    const device = this.#accepting(address, 8, false);
    if (!device) return false;
    into[0] = device.read(address - device.base, 4);
    into[1] = device.read(address - device.base + 4, 4);
    return true;
  }

  /**
   * Writes 8 bytes as two words, the low one first.
   *
   * @returns false where nothing answers
   */
  writeLong(address: number, low: number, high: number): boolean {
    const device = this.#accepting(address, 8, true);
    if (!device) return false;
    device.write(address - device.base, low >>> 0, 4);
    device.write(address - device.base + 4, high >>> 0, 4);
    return true;
  }

  /** The state of every device, by name. */
  save(): Record<string, DeviceState> {
    return Object.fromEntries(this.#devices.map((device) => [device.name, device.save()]));
  }

  /**
   * Restores what {@linkcode save} returned.
   *
   * @throws {Error} if a device is missing there
   */
  restore(states: Record<string, DeviceState>): void {
    for (const device of this.#devices) {
      if (!(device.name in states)) throw new Error(`No state of device ${device.name}`);
      device.restore(states[device.name]);
    }
  }

  /** The device that takes an access; none for unaligned ones, as on the reference. */
  #accepting(address: number, size: number, isWrite: boolean): Device | undefined {
    const device = this.find(address);
    if (!device) return undefined;
    if (device.accepts) {
      return device.accepts(address - device.base, size, isWrite) ? device : undefined;
    }
    return address % size === 0 ? device : undefined;
  }
}
