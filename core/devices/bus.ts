/**
 * The board's address map: which device answers at a physical address.
 *
 * A table with one byte per 4 KB page from address 0 up to {@linkcode DEVICE_SPACE} gives the
 * device, so finding one costs an index. The few windows above RAM are searched. A page without a
 * device is not ours: an access there is an external abort.
 *
 * Accesses that are not naturally aligned are made as the reference makes them: a load as two
 * aligned loads of its size, a store byte by byte.
 */

import type { Device, DeviceState } from "./device.ts";

/** First address behind the table: RAM begins here. */
export const DEVICE_SPACE: number = 0x4000_0000;

/** What {@linkcode Board.read} returns where nothing answers. */
export const NO_ANSWER: number = -1;

const PAGE = 4096;

/** The devices of a machine and the addresses they answer at. */
export class Board {
  readonly #devices: Device[] = [];
  /** Those that stand above the table. */
  readonly #high: Device[] = [];
  /** Those that do something by themselves. */
  readonly #timed: Device[] = [];
  /** Index + 1 of the device in each page; 0 for none. */
  readonly #pages = new Uint8Array(DEVICE_SPACE / PAGE);

  /**
   * Maps a device.
   *
   * @throws {Error} if its window is not made of whole pages, straddles the start of RAM, or overlaps another
   */
  add(device: Device): void {
    const { name, base, size } = device;
    const isHigh = base >= DEVICE_SPACE;
    if (base % PAGE || size % PAGE || size <= 0 || (!isHigh && base + size > DEVICE_SPACE)) {
      throw new Error(`Cannot map ${name} at 0x${base.toString(16)}, ${size} bytes`);
    }
    if (isHigh) {
      this.#high.push(device);
    } else {
      const pages = this.#pages.subarray(base / PAGE, (base + size) / PAGE);
      const taken = pages.find((index) => index !== 0);
      if (taken) throw new Error(`Cannot map ${name}: ${this.#devices[taken - 1].name} is there`);
      if (this.#devices.length === 255) throw new Error(`Cannot map ${name}: too many devices`);
      pages.fill(this.#devices.length + 1);
    }
    this.#devices.push(device);
    if (device.nextEvent) this.#timed.push(device);
  }

  /** The devices in the order they were added. */
  get devices(): readonly Device[] {
    return this.#devices;
  }

  /** The device at a physical address, or undefined. */
  find(address: number): Device | undefined {
    if (address >= DEVICE_SPACE) {
      return this.#high.find(({ base, size }) => address >= base && address < base + size);
    }
    return this.#devices[this.#pages[Math.floor(address / PAGE)] - 1];
  }

  /**
   * Reads 1, 2 or 4 bytes.
   *
   * @returns an unsigned number, or {@linkcode NO_ANSWER}: an external abort
   */
  read(address: number, size: number): number {
    const shift = 8 * (address % size);
    if (shift) {
      const low = this.read(address - address % size, size);
      const high = this.read(address - address % size + size, size);
      if (low === NO_ANSWER || high === NO_ANSWER) return NO_ANSWER;
      const value = (low >>> shift) | (high << (8 * size - shift));
      return size === 4 ? value >>> 0 : value & 0xffff;
    }
    const device = this.#accepting(address, size, false);
    if (!device) return NO_ANSWER;
    const value = device.read(address - device.base, size);
    return size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1);
  }

  /**
   * Writes the low 1, 2 or 4 bytes of `value`.
   *
   * @returns false where nothing answers: an external abort
   */
  write(address: number, value: number, size: number): boolean {
    if (address % size) {
      for (let i = 0; i < size; i++) {
        if (!this.write(address + i, (value >>> (8 * i)) & 0xff, 1)) return false;
      }
      return true;
    }
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
    if (address % 8) return this.#readLongUnaligned(address, into);
    const device = this.#accepting(address, 8, false);
    if (!device) return false;
    if (device.readLong) {
      device.readLong(address - device.base, into);
      return true;
    }
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
    if (address % 8) {
      for (let i = 0; i < 8; i++) {
        const byte = ((i < 4 ? low : high) >>> (8 * (i % 4))) & 0xff;
        if (!this.write(address + i, byte, 1)) return false;
      }
      return true;
    }
    const device = this.#accepting(address, 8, true);
    if (!device) return false;
    if (device.writeLong) {
      device.writeLong(address - device.base, low >>> 0, high >>> 0);
      return true;
    }
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

  /** Virtual time in ns at which a device does something by itself, or Infinity. */
  nextEvent(): number {
    let next = Infinity;
    for (const device of this.#timed) next = Math.min(next, device.nextEvent!());
    return next;
  }

  /** Lets devices do what is due at the present virtual time. */
  update(): void {
    for (const device of this.#timed) device.update?.();
  }

  /** Two aligned loads, of which the bytes asked for are put together. */
  #readLongUnaligned(address: number, into: Uint32Array): boolean {
    const skip = address % 8;
    const words = new Uint32Array(4);
    if (!this.readLong(address - skip, words)) return false;
    if (!this.readLong(address - skip + 8, words.subarray(2))) return false;
    const view = new DataView(new ArrayBuffer(16));
    words.forEach((word, i) => view.setUint32(4 * i, word, true));
    into[0] = view.getUint32(skip, true);
    into[1] = view.getUint32(skip + 4, true);
    return true;
  }

  /** The device that takes a naturally aligned access. */
  #accepting(address: number, size: number, isWrite: boolean): Device | undefined {
    const device = this.find(address);
    if (!device) return undefined;
    const accepts = device.accepts?.(address - device.base, size, isWrite) ?? true;
    return accepts ? device : undefined;
  }
}
