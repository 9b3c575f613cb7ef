/**
 * PL031 real-time clock (Arm DDI 0224B): seconds of virtual time from a start value, with an alarm.
 */

import type { Clock, Device, DeviceState, InterruptLine } from "./device.ts";

/** Register offsets. */
const DR = 0x00; // RO the time in seconds
const MR = 0x04; // match
const LR = 0x08; // load: sets the time
const CR = 0x0c; // always on
const IMSC = 0x10;
const RIS = 0x14; // RO
const MIS = 0x18; // RO
const ICR = 0x1c; // WO
const PERIPHERAL_ID = 0xfe0; // RO, eight words

const IDENTIFICATION = [0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];
const NANOSECONDS = 1e9;

/** What the clock is made with. */
export interface Pl031Options {
  /** Physical address. */
  readonly base: number;
  /** Virtual time. */
  readonly clock: Clock;
  /** The alarm interrupt. */
  readonly line: InterruptLine;
  /** Seconds since 1970 at virtual time 0. */
  readonly start: number;
}

interface SavedPl031 {
  offset: number;
  match: number;
  load: number;
  mask: number;
  raw: number;
  alarm: number;
}

/** The real-time clock. */
export class Pl031 implements Device {
  readonly name = "pl031";
  readonly base: number;
  readonly size = 0x1000;
  readonly #clock: Clock;
  readonly #line: InterruptLine;
  /** Seconds to add to those of virtual time. */
  #offset: number;
  #match = 0;
  #load = 0;
  #mask = 0;
  #raw = 0;
  /** Virtual time in ns at which the alarm goes off; -1 if it is not set. */
  #alarm = -1;

  /** Makes a clock that shows `start` now, without an alarm. */
  constructor({ base, clock, line, start }: Pl031Options) {
    this.base = base;
    this.#clock = clock;
    this.#line = line;
    this.#offset = start >>> 0;
  }

  read(offset: number, _size: number): number {
    switch (offset) {
      case DR:
        return this.#seconds();
      case MR:
        return this.#match;
      case LR:
        return this.#load;
      case CR:
        return 1;
      case IMSC:
        return this.#mask;
      case RIS:
        return this.#raw;
      case MIS:
        return this.#raw & this.#mask;
    }
    return offset >= PERIPHERAL_ID ? IDENTIFICATION[(offset - PERIPHERAL_ID) >> 2] : 0;
  }

  write(offset: number, value: number, _size: number): void {
    switch (offset) {
      case MR:
        this.#match = value;
        this.#setAlarm();
        break;
      case LR:
        this.#offset = (this.#offset + value - this.#seconds()) >>> 0;
        this.#load = value;
        this.#setAlarm();
        break;
      case IMSC:
        this.#mask = value & 1;
        break;
      case ICR:
        this.#raw &= ~value;
        break;
    }
    this.#drive();
  }

  /** Virtual time in ns of the alarm, or Infinity. */
  nextEvent(): number {
    return this.#alarm < 0 ? Infinity : this.#alarm;
  }

  /** Lets the alarm go off if its time has come. */
  update(): void {
    if (this.#alarm < 0 || this.#clock.nanoseconds() < this.#alarm) return;
    this.#alarm = -1;
    this.#raw = 1;
    this.#drive();
  }

  save(): DeviceState {
    return {
      offset: this.#offset,
      match: this.#match,
      load: this.#load,
      mask: this.#mask,
      raw: this.#raw,
      alarm: this.#alarm,
    };
  }

  restore(state: DeviceState): void {
    const saved = state as unknown as SavedPl031;
    this.#offset = saved.offset;
    this.#match = saved.match;
    this.#load = saved.load;
    this.#mask = saved.mask;
    this.#raw = saved.raw;
    this.#alarm = saved.alarm;
    this.#drive();
  }

  #seconds(): number {
    return (this.#offset + Math.floor(this.#clock.nanoseconds() / NANOSECONDS)) >>> 0;
  }

  /** The alarm counts whole seconds from now, modulo 2^32; a match now goes off at once. */
  #setAlarm(): void {
    const seconds = (this.#match - this.#seconds()) >>> 0;
    this.#alarm = seconds === 0 ? -1 : this.#clock.nanoseconds() + seconds * NANOSECONDS;
    if (seconds === 0) this.#raw = 1;
  }

  #drive(): void {
    this.#line.set((this.#raw & this.#mask) !== 0);
  }
}
