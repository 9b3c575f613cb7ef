/**
 * PL061 GPIO (Arm DDI 0190B): eight lines, behaving as the reference's. On the board line 3 is the
 * power key.
 */

import type { Clock, Device, DeviceState, InterruptLine } from "./device.ts";

/** Register offsets. The data register is repeated: address bits 9:2 are the mask of an access. */
const DATA_END = 0x400;
const DIR = 0x400;
const IS = 0x404;
const IBE = 0x408;
const IEV = 0x40c;
const IE = 0x410;
const RIS = 0x414; // RO
const MIS = 0x418; // RO
const IC = 0x41c; // WO
const AFSEL = 0x420;
const PERIPHERAL_ID = 0xfd0; // RO, twelve words

const IDENTIFICATION = [0, 0, 0, 0, 0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/** Fields of the state, all of eight bits. */
const FIELDS = ["data", "seen", "dir", "is", "ibe", "iev", "ie", "raw", "afsel"] as const;

/** Registers that keep what is written, by offset. */
const STORED: Readonly<Record<number, (typeof FIELDS)[number]>> = {
  [DIR]: "dir",
  [IS]: "is",
  [IBE]: "ibe",
  [IEV]: "iev",
  [IE]: "ie",
  [AFSEL]: "afsel",
};

type Fields = Record<(typeof FIELDS)[number], number>;

/** An input line that a key holds high. */
interface Held {
  readonly line: number;
  /** Virtual time in ns. */
  readonly until: number;
}

/** How long a press of a key lasts on the reference, and what its end is rounded down to, in ns. */
const PRESS = 100e6, PRESS_UNIT = 1e6;

/** How to make a {@linkcode Pl061}. */
export interface Pl061Options {
  /** `pl061` if left out. */
  readonly name?: string;
  readonly base: number;
  /** Virtual time. */
  readonly clock: Clock;
  readonly line: InterruptLine;
  /** Told of each output line, 0 to 7, that becomes high. */
  readonly output?: (line: number) => void;
}

/** The GPIO controller. */
export class Pl061 implements Device {
  readonly name: string;
  readonly base: number;
  readonly size = 0x1000;
  readonly #clock: Clock;
  readonly #line: InterruptLine;
  readonly #output: ((line: number) => void) | undefined;
  #state = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Fields;
  #held: Held | undefined;

  /** Makes a controller as after reset; `line` is the combined interrupt. */
  constructor({ name = "pl061", base, clock, line, output }: Pl061Options) {
    this.name = name;
    this.base = base;
    this.#clock = clock;
    this.#line = line;
    this.#output = output;
  }

  /** Drives an input line, 0 to 7. */
  setInput(line: number, level: boolean): void {
    const bit = 1 << line, state = this.#state;
    if (state.dir & bit) return;
    state.data = level ? state.data | bit : state.data & ~bit;
    this.#update();
  }

  /** Presses the key at an input line. It lets go by itself. */
  press(line: number): void {
    const until = Math.floor(this.#clock.nanoseconds() / PRESS_UNIT) * PRESS_UNIT + PRESS;
    this.#held = { line, until };
    this.setInput(line, true);
  }

  /** Virtual time in ns at which a key lets go, or Infinity. */
  nextEvent(): number {
    return this.#held?.until ?? Infinity;
  }

  /** Lets go if it is time to. */
  update(): void {
    if (!this.#held || this.#clock.nanoseconds() < this.#held.until) return;
    const { line } = this.#held;
    this.#held = undefined;
    this.setInput(line, false);
  }

  read(offset: number, _size: number): number {
    const state = this.#state;
    if (offset < DATA_END) return state.data & (offset >> 2);
    if (offset in STORED) return state[STORED[offset]];
    if (offset === RIS) return state.raw;
    if (offset === MIS) return state.raw & state.ie;
    return offset >= PERIPHERAL_ID ? IDENTIFICATION[(offset - PERIPHERAL_ID) >> 2] : 0;
  }

  write(offset: number, value: number, _size: number): void {
    const state = this.#state;
    if (offset < DATA_END) {
      const mask = (offset >> 2) & state.dir;
      const raised = value & mask & ~state.data;
      state.data = (state.data & ~mask) | (value & mask);
      for (let n = 0; n < 8; n++) if (raised & 1 << n) this.#output?.(n);
    } else if (offset in STORED) {
      state[STORED[offset]] = value & 0xff;
    } else if (offset === IC) {
      state.raw &= ~value;
    } else {
      return;
    }
    this.#update();
  }

  save(): DeviceState {
    const { line, until } = this.#held ?? {};
    return { ...this.#state, ...line === undefined ? {} : { held: line, until: until! } };
  }

  restore(state: DeviceState): void {
    const { held: line, until, ...fields } = state as Record<string, number>;
    this.#state = fields as Fields;
    this.#held = line === undefined ? undefined : { line, until };
    this.#drive();
  }

  /** Detects edges on inputs, and levels. */
  #update(): void {
    const state = this.#state;
    const changed = (state.seen ^ state.data) & ~state.dir & 0xff;
    if (changed) {
      state.seen = state.data;
      const edges = changed & ~state.is;
      state.raw |= (edges & state.ibe) | (edges & ~state.ibe & ~(state.data ^ state.iev));
    }
    state.raw |= ~(state.data ^ state.iev) & state.is;
    state.raw &= 0xff;
    this.#drive();
  }

  #drive(): void {
    this.#line.set((this.#state.raw & this.#state.ie) !== 0);
  }
}
