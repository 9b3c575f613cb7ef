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

/** Where the UART is and what it is connected to. */
export interface Pl011Options {
  readonly name?: string;
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
  #received: number[] = [];
  #last = 0;
  #status = 0;

  constructor({ name = "pl011", base, line, output }: Pl011Options) {
    this.name = name;
    this.base = base;
    this.#line = line;
    this.#output = output;
  }

  /** Whether the receive FIFO has room for a byte of input. */
  get canReceive(): boolean {
    return this.#received.length < this.#depth;
  }

  /** Takes a byte from the line. Where {@linkcode canReceive} is false the byte is lost. */
  receive(byte: number): void {
    if (!this.canReceive) return;
    this.#received.push(byte & 0xff);
    if (this.#received.length === 1) this.#raw |= INTERRUPT_RX;
    this.#update();
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
        // Turning the FIFOs on or off empties them.
        if ((this.#registers[LCR_H] ^ value) & LCR_H_FEN) this.#received = [];
        this.#registers[LCR_H] = value >>> 0;
        break;
      default:
        if (register in STORED) this.#registers[register] = value >>> 0;
    }
    this.#update();
  }

  save(): DeviceState {
    return {
      registers: Object.keys(STORED).map((register) => this.#registers[Number(register)]),
      raw: this.#raw,
      received: [...this.#received],
      last: this.#last,
      status: this.#status,
    };
  }

  restore(state: DeviceState): void {
    const saved = state as {
      registers: number[];
      raw: number;
      received: number[];
      last: number;
      status: number;
    };
    Object.keys(STORED).forEach((register, i) =>
      this.#registers[Number(register)] = saved.registers[i]
    );
    this.#raw = saved.raw;
    this.#received = [...saved.received];
    this.#last = saved.last;
    this.#status = saved.status;
    this.#update();
  }

  get #depth(): number {
    return this.#registers[LCR_H] & LCR_H_FEN ? FIFO_DEPTH : 1;
  }

  get #flags(): number {
    const { length } = this.#received;
    return FR_TXFE | (length === 0 ? FR_RXFE : 0) | (length >= this.#depth ? FR_RXFF : 0);
  }

  /** The next received byte; reading an empty FIFO gives the last one again. */
  #take(): number {
    if (this.#received.length > 0) this.#last = this.#received.shift()!;
    if (this.#received.length === 0) this.#raw &= ~INTERRUPT_RX;
    this.#status = 0;
    this.#update();
    return this.#last;
  }

  #update(): void {
    this.#line.set((this.#raw & this.#registers[IMSC]) !== 0);
  }
}
