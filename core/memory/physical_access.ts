import { type Board, NO_ANSWER } from "../devices/bus.ts";
import type { Engine } from "../engine/engine.ts";
import type { GuestMemory } from "./memory.ts";
import type { RomWindow } from "./rom_window.ts";
import { SLOT } from "../state.ts";

/** An access that a device answered. */
export interface DeviceAccess {
  readonly write: boolean;
  /** Physical address. */
  readonly address: number;
  /** Bytes. */
  readonly size: number;
  readonly value: bigint;
}

/** What physical accesses go to. */
export interface PhysicalHost {
  readonly engine: Engine;
  readonly memory: GuestMemory;
  readonly board: Board;
  readonly rom: RomWindow;
  /** A device was accessed. */
  mmio(access: DeviceAccess): void;
}

/** Moves bytes between the scratch area of generated code and RAM or devices. */
export class PhysicalAccess {
  readonly #scratch: DataView;
  readonly #ram: DataView;
  readonly #long = new Uint32Array(2);

  constructor(readonly host: PhysicalHost) {
    this.#scratch = new DataView(host.engine.memory, SLOT.scratch, 64);
    const { bytes, size } = host.memory;
    this.#ram = new DataView(bytes.buffer, bytes.byteOffset, size);
  }

  /** Moves bytes from or to an offset of scratch. Gives false where nothing answers. */
  transfer(pa: number, bytes: number, offset: number, write: boolean): boolean {
    const { memory } = this.host;
    if (memory.contains(pa, bytes)) {
      if (write) memory.willWrite(pa, bytes);
      this.#moveRam(pa - memory.base, bytes, offset, write);
      return true;
    }
    if (bytes === 3 || bytes > 4 && bytes < 8) return this.#bytewise(pa, bytes, offset, write);
    if (
      !(bytes === 8 ? this.#deviceLong(pa, offset, write) : this.#device(pa, bytes, offset, write))
    ) {
      return false;
    }
    const device = this.host.board.find(pa)!;
    if (write && device.executable) this.host.rom.drop();
    if (!write && device.readsContents) return true;
    this.host.mmio({ write, address: pa, size: bytes, value: this.#take(offset, bytes) });
    return true;
  }

  /** By words where there are whole ones. */
  #moveRam(at: number, bytes: number, offset: number, write: boolean): void {
    const ram = this.#ram, scratch = this.#scratch;
    let i = 0;
    for (; i + 4 <= bytes; i += 4) {
      if (write) ram.setUint32(at + i, scratch.getUint32(offset + i, true), true);
      else scratch.setUint32(offset + i, ram.getUint32(at + i, true), true);
    }
    for (; i < bytes; i++) {
      if (write) ram.setUint8(at + i, scratch.getUint8(offset + i));
      else scratch.setUint8(offset + i, ram.getUint8(at + i));
    }
  }

  #device(pa: number, bytes: number, offset: number, write: boolean): boolean {
    const { board } = this.host;
    if (write) return board.write(pa, this.#takeNumber(offset, bytes), bytes);
    const value = board.read(pa, bytes);
    if (value === NO_ANSWER) return false;
    for (let i = 0; i < bytes; i++) this.#scratch.setUint8(offset + i, value >>> (8 * i));
    return true;
  }

  #deviceLong(pa: number, offset: number, write: boolean): boolean {
    const { board } = this.host;
    const low = this.#scratch.getUint32(offset, true);
    if (write) return board.writeLong(pa, low, this.#scratch.getUint32(offset + 4, true));
    if (!board.readLong(pa, this.#long)) return false;
    this.#scratch.setUint32(offset, this.#long[0], true);
    this.#scratch.setUint32(offset + 4, this.#long[1], true);
    return true;
  }

  /** The odd part of an access that crosses into a device page. */
  #bytewise(pa: number, bytes: number, offset: number, write: boolean): boolean {
    for (let i = 0; i < bytes; i++) {
      if (!this.transfer(pa + i, 1, offset + i, write)) return false;
    }
    return true;
  }

  /** A device access has 1, 2, 4 or 8 bytes. */
  #take(offset: number, bytes: number): bigint {
    return bytes === 8
      ? this.#scratch.getBigUint64(offset, true)
      : BigInt(this.#takeNumber(offset, bytes));
  }

  #takeNumber(offset: number, bytes: number): number {
    if (bytes === 4) return this.#scratch.getUint32(offset, true);
    return bytes === 2 ? this.#scratch.getUint16(offset, true) : this.#scratch.getUint8(offset);
  }
}
