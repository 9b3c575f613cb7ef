/**
 * GICv3 Interrupt Translation Service (Arm IHI 0069, 5.2 and 12.18): registers and the window for
 * messages. Commands and tables are in `its_commands.ts` and `its_tables.ts`.
 */

import type { Device, DeviceState } from "./device.ts";
import type { DmaMemory } from "./fw_cfg.ts";
import type { GicV3Core } from "./gic_v3_core.ts";
import { identification, IIDR } from "./gic_v3_registers.ts";
import { ID_BITS } from "./gic_v3_state.ts";
import { ItsCommands } from "./its_commands.ts";
import { ItsTables, tableAt } from "./its_tables.ts";

/** Register offsets. */
const CTLR = 0x0000;
const IIDR_OFFSET = 0x0004; // RO
const TYPER = 0x0008; // RO, 64 bits
const CBASER = 0x0080; // 64 bits
const CWRITER = 0x0088; // 64 bits
const CREADR = 0x0090; // 64 bits; written only with one security state
const BASER = 0x0100; // 8 of 64 bits
const BASER_END = 0x0140;
const ID_REGISTERS = 0xffd0; // RO
const TRANSLATER = 0x1_0040; // WO

const ENABLED = 1, QUIESCENT = 0x8000_0000;
const PART_NUMBER = 0x94;
const WORD = 0xffff_ffffn;
/** Physical, entries of 12 bytes, 16 bits of event, of device and (CIL) of collection. */
const TYPER_VALUE = 1n | (11n << 4n) | (BigInt(ID_BITS) << 8n) | (15n << 13n) | (15n << 32n) |
  (1n << 36n);
/** BASER: Type and Entry_Size are read-only; pages of 64 KB after reset. */
const BASER_RO = (7n << 56n) | (0x1fn << 48n);
const DEVICE_TABLE = (1n << 56n) | (7n << 48n) | 0x200n;
const COLLECTION_TABLE = (4n << 56n) | (7n << 48n) | 0x200n;
const CBASER_ADDRESS = 0xf_ffff_ffff_f000n;
const VALID = 1n << 63n;
const COMMAND_BYTES = 32, QUEUE_PAGE = 4096;
/** CWRITER.Retry and CREADR.Stalled. */
const FLAG = 1n;

/** The registers that are stored, as they are saved. */
interface Registers {
  control: number;
  queueBase: bigint;
  queueWrite: bigint;
  queueRead: bigint;
  tables: bigint[];
}

/** The translation service. */
export class Its implements Device {
  readonly name = "gic-v3-its";
  readonly size = 0x2_0000;
  readonly #core: GicV3Core;
  readonly #commands: ItsCommands;
  #registers: Registers = {
    control: QUIESCENT,
    queueBase: 0n,
    queueWrite: 0n,
    queueRead: 0n,
    tables: [DEVICE_TABLE, COLLECTION_TABLE, 0n, 0n, 0n, 0n, 0n, 0n],
  };
  /** Where tables and queue are, as it was when the service was last enabled. */
  #taken: { tables: bigint[]; queueBase: bigint } = { tables: [0n, 0n], queueBase: 0n };

  constructor(readonly base: number, core: GicV3Core, memory: DmaMemory) {
    this.#core = core;
    this.#commands = new ItsCommands(core, new ItsTables(memory));
  }

  /** Registers take 4 and 8 bytes; the window for messages 2 and 4. */
  accepts(offset: number, size: number): boolean {
    return offset < 0x1_0000 ? size >= 4 : size === 2 || size === 4;
  }

  read(offset: number, _size: number): number {
    if (offset >= 0x1_0000) return 0;
    if (offset >= ID_REGISTERS) return identification(offset - ID_REGISTERS, PART_NUMBER);
    if (offset === CTLR) return this.#registers.control;
    if (offset === IIDR_OFFSET) return IIDR;
    const value = this.#long(offset & ~7) ?? 0n;
    return Number(offset & 4 ? value >> 32n : value & WORD);
  }

  write(offset: number, value: number, _size: number): void {
    if (offset === TRANSLATER) return this.message(0, value);
    if (offset === CTLR) return this.#writeControl(value);
    const old = this.#long(offset & ~7);
    if (old === undefined) return;
    const half = BigInt(value);
    const merged = offset & 4 ? (old & WORD) | (half << 32n) : (old & ~WORD) | half;
    // The reference looks at the queue only for a write of the low half.
    this.#writeLong(offset & ~7, merged, (offset & 4) === 0);
  }

  readLong(offset: number, into: Uint32Array): void {
    const value = this.#long(offset) ?? 0n;
    into[0] = Number(value & WORD);
    into[1] = Number(value >> 32n);
  }

  writeLong(offset: number, low: number, high: number): void {
    this.#writeLong(offset, BigInt(high) << 32n | BigInt(low), true);
  }

  /** A message of a device: an event of it, which becomes an LPI. */
  message(device: number, event: number): void {
    if (this.#registers.control & ENABLED) this.#commands.trigger(device, event);
  }

  save(): DeviceState {
    const { control, queueBase, queueWrite, queueRead, tables } = this.#registers;
    const taken = [this.#taken.queueBase, ...this.#taken.tables];
    const words = [queueBase, queueWrite, queueRead, ...tables, ...taken];
    return { control, words: new Uint8Array(BigUint64Array.from(words).buffer) };
  }

  restore(state: DeviceState): void {
    const { control, words } = state as { control: number; words: Uint8Array };
    const [queueBase, queueWrite, queueRead, ...rest] = new BigUint64Array(words.slice().buffer);
    this.#registers = { control, queueBase, queueWrite, queueRead, tables: rest.slice(0, 8) };
    this.#taken = { queueBase: rest[8], tables: rest.slice(9) };
    this.#take();
  }

  /** The value of a 64-bit register, or undefined where there is none. */
  #long(offset: number): bigint | undefined {
    const { queueBase, queueWrite, queueRead, tables } = this.#registers;
    switch (offset) {
      case TYPER:
        return TYPER_VALUE;
      case CBASER:
        return queueBase;
      case CWRITER:
        return queueWrite;
      case CREADR:
        return queueRead;
      default:
        return offset >= BASER && offset < BASER_END ? tables[(offset - BASER) >> 3] : undefined;
    }
  }

  #writeLong(offset: number, value: bigint, low: boolean): void {
    const registers = this.#registers;
    const enabled = (registers.control & ENABLED) !== 0;
    switch (offset) {
      case CBASER:
        if (enabled) return;
        registers.queueBase = value;
        registers.queueRead = 0n;
        return;
      case CWRITER:
        registers.queueWrite = low ? value & ~FLAG : value;
        if (low && registers.queueWrite !== registers.queueRead) this.#runQueue();
        return;
      case CREADR:
        if (this.#core.distributor.securityDisabled) {
          registers.queueRead = low ? value & ~FLAG : value;
        }
        return;
      default: {
        const index = (offset - BASER) >> 3;
        if (enabled || offset < BASER || offset >= BASER_END || !registers.tables[index]) return;
        registers.tables[index] = (registers.tables[index] & BASER_RO) | (value & ~BASER_RO);
      }
    }
  }

  #writeControl(value: number): void {
    const registers = this.#registers;
    if (!(value & ENABLED)) {
      registers.control &= ~ENABLED;
      return;
    }
    registers.control |= ENABLED;
    this.#taken = { queueBase: registers.queueBase, tables: registers.tables.slice(0, 2) };
    this.#take();
    this.#runQueue();
  }

  #take(): void {
    const [devices, collections] = this.#taken.tables;
    this.#commands.tables.devices = tableAt(devices);
    this.#commands.tables.collections = tableAt(collections);
  }

  /** Executes commands until the queue is empty or one cannot be read or carried out. */
  #runQueue(): void {
    const registers = this.#registers;
    const { queueBase } = this.#taken;
    if (!(registers.control & ENABLED) || !(queueBase & VALID)) return;
    const length = (Number(queueBase & 0xffn) + 1) * QUEUE_PAGE / COMMAND_BYTES;
    const end = indexOf(registers.queueWrite);
    let next = indexOf(registers.queueRead);
    if (end >= length || next >= length) return;
    const base = Number(queueBase & CBASER_ADDRESS);
    while (next !== end) {
      if (!this.#commands.execute(base + next * COMMAND_BYTES)) {
        registers.queueRead |= FLAG;
        return;
      }
      next = (next + 1) % length;
      registers.queueRead = (registers.queueRead & ~0xf_ffe0n) | BigInt(next * COMMAND_BYTES);
    }
  }
}

/** Number of the command that CWRITER or CREADR means. */
function indexOf(register: bigint): number {
  return Number((register >> 5n) & 0x7fffn);
}
