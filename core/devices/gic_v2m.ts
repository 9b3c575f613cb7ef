/** GICv2m (Arm SBSA, appendix E): turns a message into one of 64 edges on shared interrupts. */

import type { Device, DeviceState, InterruptLine } from "./device.ts";

/** Register offsets. */
const MSI_TYPER = 0x008; // RO
const MSI_SETSPI_NS = 0x040; // WO
const MSI_IIDR = 0xfcc; // RO

/** The first interrupt number and how many there are. */
const FIRST = 80;
const COUNT = 64;
const IIDR = 0x510_0000;

/** The frame. */
export class GicV2m implements Device {
  readonly name = "gic-v2m";
  readonly base: number;
  readonly size = 0x1000;
  readonly #line: (interrupt: number) => InterruptLine;

  /** Makes the frame; `line` gives the wire of an interrupt number, 32 and up. */
  constructor({ base, line }: { base: number; line: (interrupt: number) => InterruptLine }) {
    this.base = base;
    this.#line = line;
  }

  read(offset: number, size: number): number {
    if (size !== 4) return 0;
    return offset === MSI_TYPER ? (FIRST << 16) | COUNT : offset === MSI_IIDR ? IIDR : 0;
  }

  write(offset: number, value: number, _size: number): void {
    const interrupt = value & 0x3ff;
    if (offset !== MSI_SETSPI_NS || interrupt < FIRST || interrupt >= FIRST + COUNT) return;
    const line = this.#line(interrupt);
    line.set(true);
    line.set(false);
  }

  save(): DeviceState {
    return {};
  }

  restore(_state: DeviceState): void {}
}
