import type { Bound } from "../frame.ts";
import { type Expression, i64, type Local, op } from "../wasm/function_builder.ts";
import type { RegionRegisters } from "./region_registers.ts";

/** What the code of a region knows of the instruction in hand: its record's content is constant. */
export class RegionBound implements Bound {
  /** The instruction's record. */
  at = 0;
  /** Registers are written to the state, too. */
  writesThrough = false;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;

  /** @param memory the engine's, as it is now */
  constructor(
    memory: ArrayBufferLike,
    readonly registers: RegionRegisters,
    readonly pcBase: Local,
  ) {
    this.#u16 = new Uint16Array(memory);
    this.#u32 = new Uint32Array(memory);
  }

  /** The word at an address. */
  word(address: number): number {
    return this.#u32[address >> 2];
  }

  u16(offset: number): number {
    return this.#u16[(this.at + offset) >> 1];
  }

  i32(offset: number): number {
    return this.word(this.at + offset) | 0;
  }

  i64(offset: number): bigint {
    return BigInt(this.word(this.at + offset)) | BigInt(this.word(this.at + offset + 4)) << 32n;
  }

  register(slot: number): Local {
    return this.registers.local(slot);
  }

  wrote(slot: number): void {
    if (this.writesThrough) this.registers.saveOne(slot);
  }

  pc(): Expression {
    return op("i64.add", this.pcBase, i64(BigInt(this.at >>> 2)));
  }
}
