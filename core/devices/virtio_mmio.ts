/**
 * The board's 32 virtio-mmio transports (virtio 1.2, 4.2), 512 bytes each. Nothing is plugged in:
 * each answers with its magic, the legacy version and device id 0, which drivers skip.
 */

import type { Device, DeviceState } from "./device.ts";

const SLOT_SIZE = 0x200;
const SLOTS = 32;

/** Register offsets within a slot; all others read as zero without a device. */
const MAGIC_VALUE = 0x000;
const VERSION = 0x004;
const VENDOR_ID = 0x00c;

const REGISTERS: Readonly<Record<number, number>> = {
  [MAGIC_VALUE]: 0x74726976,
  [VERSION]: 1,
  [VENDOR_ID]: 0x554d4551,
};

/** All transports as one window. */
export class VirtioMmio implements Device {
  readonly name = "virtio-mmio";
  readonly base: number;
  readonly size = SLOT_SIZE * SLOTS;

  /** Makes the transports; `base` is the address of the first. */
  constructor({ base }: { base: number }) {
    this.base = base;
  }

  read(offset: number, _size: number): number {
    return REGISTERS[offset % SLOT_SIZE] ?? 0;
  }

  write(_offset: number, _value: number, _size: number): void {}

  save(): DeviceState {
    return {};
  }

  restore(_state: DeviceState): void {}
}
