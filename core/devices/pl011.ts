/**
 * PL011 UART (Arm DDI 0183G), behaving as the reference's: a byte leaves the moment it is written,
 * whatever the control register says, and the line never delays anything.
 */

import type { Device, DeviceState, InterruptLine } from "./device.ts";

/** Register offsets. */
const DR = 0x00; // data
const RSR = 0x04; // receive status; a write clears it
const FR = 0x18; // RO flags
const ILPR = 0x20;
const IBRD = 0x24;
const FBRD = 0x28;
const LCR_H = 0x2c;
const CR = 0x30;
const IFLS = 0x34;
const IMSC = 0x38;
const RIS = 0x3c; // RO raw interrupts
const MIS = 0x40; // RO masked interrupts
const ICR = 0x44; // WO
const DMACR = 0x48;
const PERIPHERAL_ID = 0xfe0; // RO, eight words

/** FR bits. */
const FR_TXFE = 0x80;
const FR_RXFF = 0x40;
const FR_RXFE = 0x10;
/** LCR_H bits. */
const LCR_H_FEN = 0x10;
/** Interrupt bits of IMSC, RIS, MIS and ICR. */
const INTERRUPT_TX = 0x20;
const INTERRUPT_RX = 0x10;

const FIFO_DEPTH = 16;
/** PeriphID0..3 and PCellID0..3. */
const IDENTIFICATION = [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];
/** Registers that simply keep what is written, and what they hold after reset. */
const STORED: Readonly<Record<number, number>> = {
  [ILPR]: 0,
  [IBRD]: 0,
  [FBRD]: 0,
  [LCR_H]: 0,
  [CR]: 0x300,
  [IFLS]: 0x12,
  [IMSC]: 0,
  [DMACR]: 0,
};

const STORED_OFFSETS = Object.keys(STORED).map(Number);

interface SavedPl011 {
  registers: number[];
  raw: number;
  flags: number;
  status: number;
  fifo: Uint8Array;
  position: number;
  count: number;
}

/** Where the UART is and what it is connected to. */
export interface Pl011Options {
  /** Name in saved states; `pl011` if left out. */
  readonly name?: string;
  /** Physical address. */
  readonly base: number;
  /** The combined interrupt, UARTINTR. */
  readonly line: InterruptLine;
  /** Receives each byte that the guest sends. */
  readonly output: (byte: number) => void;
}

/** The UART. */
export class Pl011 implements Device {
  readonly name: string;
  readonly base: number;
  readonly size = 0x1000;
  readonly #line: InterruptLine;
  readonly #output: (byte: number) => void;
  #registers: Record<number, number> = { ...STORED };
  #raw = 0;
  #flags = FR_TXFE | FR_RXFE;
  #status = 0;
  /** The receive FIFO as a ring; with FIFOs off one byte of it is used at a time. */
  #fifo = new Uint8Array(FIFO_DEPTH);
  #position = 0;
  #count = 0;

  /** Makes a UART as after reset: FIFOs off, nothing received. */
  constructor({ name = "pl011", base, line, output }: Pl011Options) {
    this.name = name;
    this.base = base;
    this.#line = line;
    this.#output = output;
  }

  /** Whether the receive FIFO has room for a byte of input. */
  get canReceive(): boolean {
    return this.#count < this.#depth;
  }

  /** Takes a byte from the line. Where {@linkcode canReceive} is false the byte is lost. */
  receive(byte: number): void {
    if (!this.canReceive) return;
    this.#fifo[(this.#position + this.#count) % FIFO_DEPTH] = byte;
    this.#count++;
    this.#flags &= ~FR_RXFE;
    if (this.#count === this.#depth) this.#flags |= FR_RXFF;
    if (this.#count === 1) this.#raw |= INTERRUPT_RX;
    this.#update();
  }

  /** Takes a byte that was received and not yet read, in place of the guest; undefined if there is none. */
  takeReceived(): number | undefined {
    return this.#count > 0 ? this.#take() : undefined;
  }

  read(offset: number, _size: number): number {
    const register = offset & ~3;
    switch (register) {
      case DR:
        return this.#take();
      case RSR:
        return this.#status;
      case FR:
        return this.#flags;
      case RIS:
        return this.#raw;
      case MIS:
        return (this.#raw & this.#registers[IMSC]) >>> 0;
    }
    if (register >= PERIPHERAL_ID) return IDENTIFICATION[(register - PERIPHERAL_ID) >> 2];
    return this.#registers[register] ?? 0;
  }

  write(offset: number, value: number, _size: number): void {
    const register = offset & ~3;
    switch (register) {
      case DR:
        this.#raw |= INTERRUPT_TX;
        this.#output(value & 0xff);
        break;
      case RSR:
        this.#status = 0;
        break;
      case ICR:
        this.#raw &= ~value;
        break;
      case LCR_H:
        // Turning the FIFOs on or off empties them; the reference leaves the flags as they were.
        if ((this.#registers[LCR_H] ^ value) & LCR_H_FEN) this.#position = this.#count = 0;
        this.#registers[LCR_H] = value >>> 0;
        break;
      default:
        if (register in STORED) this.#registers[register] = value >>> 0;
    }
    this.#update();
  }

  save(): DeviceState {
    return {
      registers: STORED_OFFSETS.map((register) => this.#registers[register]),
      raw: this.#raw,
      flags: this.#flags,
      status: this.#status,
      fifo: this.#fifo.slice(),
      position: this.#position,
      count: this.#count,
    };
  }

  restore(state: DeviceState): void {
    const saved = state as unknown as SavedPl011;
    STORED_OFFSETS.forEach((register, i) => this.#registers[register] = saved.registers[i]);
    this.#raw = saved.raw;
    this.#flags = saved.flags;
    this.#status = saved.status;
    this.#fifo = Uint8Array.from(saved.fifo);
    this.#position = saved.position;
    this.#count = saved.count;
    this.#update();
  }

  get #depth(): number {
    return this.#registers[LCR_H] & LCR_H_FEN ? FIFO_DEPTH : 1;
  }

  /** The next received byte; an empty FIFO gives what its ring holds there. */
  #take(): number {
    const byte = this.#fifo[this.#position];
    this.#flags &= ~FR_RXFF;
    if (this.#count > 0) {
      this.#count--;
      this.#position = (this.#position + 1) % FIFO_DEPTH;
    }
    if (this.#count === 0) {
      this.#flags |= FR_RXFE;
      this.#raw &= ~INTERRUPT_RX;
    }
    this.#status = 0;
    this.#update();
    return byte;
  }

  #update(): void {
    this.#line.set((this.#raw & this.#registers[IMSC]) !== 0);
  }
}
