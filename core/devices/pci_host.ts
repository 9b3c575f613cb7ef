/**
 * The board's PCI Express host bridge with nothing behind it: configuration space holds the root
 * bridge, every other function and every address of the memory and I/O windows reads as ones.
 */

import type { Device, DeviceState } from "./device.ts";

/** Configuration header of 0:0.0: offset of the word, value, bits that can be written. */
const HEADER: readonly (readonly [number, number, number])[] = [
  [0x00, 0x0008_1b36, 0],
  [0x04, 0, 0x507],
  [0x08, 0x0600_0000, 0],
  [0x0c, 0, 0xff],
  [0x2c, 0x1100_1af4, 0],
  [0x3c, 0, 0xff],
];
/** Bytes of the header. What is behind it can be written, though nothing is in it. */
const HEADER_SIZE = 0x40;
/** Bytes of a function's configuration space; the root bridge has no extended part. */
const CONFIGURATION_SIZE = 0x100;

/** A window in which nothing answers, without an abort: reads give ones. */
export class PciWindow implements Device {
  /** What a stray branch finds there is undefined, not unreachable. */
  readonly executable = true;
  readonly name: string;
  readonly base: number;
  readonly size: number;

  /** Makes a window of `size` bytes; the name must be unique on the board. */
  constructor({ name, base, size }: { name: string; base: number; size: number }) {
    this.name = name;
    this.base = base;
    this.size = size;
  }

  read(_offset: number, _size: number): number {
    return 0xffff_ffff;
  }

  write(_offset: number, _value: number, _size: number): void {}

  save(): DeviceState {
    return {};
  }

  restore(_state: DeviceState): void {}
}

/** Configuration space (ECAM). */
export class PciConfiguration implements Device {
  readonly name = "pci-ecam";
  readonly base: number;
  readonly size: number;
  readonly #words = new Uint32Array(CONFIGURATION_SIZE / 4);
  readonly #masks = new Uint32Array(CONFIGURATION_SIZE / 4).fill(0xffff_ffff, HEADER_SIZE / 4);

  /** Makes the configuration space of `size` bytes, one MiB per bus. */
  constructor({ base, size }: { base: number; size: number }) {
    this.base = base;
    this.size = size;
    for (const [offset, value, mask] of HEADER) {
      this.#words[offset >> 2] = value;
      this.#masks[offset >> 2] = mask;
    }
  }

  read(offset: number, _size: number): number {
    if (offset >= CONFIGURATION_SIZE) return 0xffff_ffff;
    return this.#words[offset >> 2] >>> (8 * (offset & 3));
  }

  write(offset: number, value: number, size: number): void {
    if (offset >= CONFIGURATION_SIZE) return;
    const lanes = (size === 4 ? 0xffff_ffff : (1 << (8 * size)) - 1) << (8 * (offset & 3));
    const mask = this.#masks[offset >> 2] & lanes;
    const shifted = value << (8 * (offset & 3));
    this.#words[offset >> 2] = (this.#words[offset >> 2] & ~mask) | (shifted & mask);
  }

  save(): DeviceState {
    return [...this.#words];
  }

  restore(state: DeviceState): void {
    this.#words.set(state as number[]);
  }
}
