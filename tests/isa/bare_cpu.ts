import { isSupported, ROWS } from "../../core/isa/table.ts";
import { Machine } from "../../core/machine.ts";
import { RAM_BASE } from "../../core/board_map.ts";
import { SLOT } from "../../core/state.ts";
import { slotOf } from "../../core/system/sysregs.ts";
import {
  type BareCpu,
  CODE,
  CODE_BYTES,
  CODE_START,
  type CpuSnapshot,
  DATA,
  FILLER,
} from "./vectors.ts";

/**
 * Runs vectors on the machine itself: MMU on, at EL0.
 *
 * The guest is one instruction, an ERET at EL1's vector for exceptions from EL0. For each vector
 * the registers are set while the machine stands at it; the ERET enters the vector's code, and the
 * BRK behind it comes back. So decoding after code was changed, translation and exception entry
 * are run through, too.
 */

// Physical layout, in blocks of 2 MiB.
const BLOCK = 0x20_0000;
const TABLE_1 = RAM_BASE + 0x1000, TABLE_2_LOW = RAM_BASE + 0x2000, TABLE_2_RAM = RAM_BASE + 0x3000;
const VECTORS = RAM_BASE + 0x1_0000;
const FROM_EL0 = VECTORS + 0x400;
const DATA_PHYSICAL = RAM_BASE + 2 * BLOCK;
const CODE_PHYSICAL = RAM_BASE + 3 * BLOCK;
const FIRST_WORD = CODE_PHYSICAL + CODE - CODE_START;
const MEMORY_BYTES = 8 * BLOCK;

const ERET = 0xd69f_03e0;

/** Valid block, AF, inner shareable, Normal memory by MAIR attribute 0. */
const BLOCK_DESCRIPTOR = 0x701n;
/** AP[1]: EL0 may read and write. */
const EL0_ACCESS = 0x40n;
const TABLE_DESCRIPTOR = 3n;

/** 39-bit addresses by TTBR0, their top byte ignored as under Linux, 4 KiB granule, none by TTBR1. */
const TCR_VALUE = 25n | 3n << 12n | 1n << 23n | 1n << 37n;
/** M, UMA, DZE, UCT, UCI on; A off. */
const SCTLR_ON = 1n | 1n << 9n | 1n << 14n | 1n << 15n | 1n << 26n;
const SCTLR_A = 2n;
const FP_ENABLED = 3n << 20n;

const SP_EL0 = slotOf("SP_EL0"), ELR = slotOf("ELR_EL1"), SPSR = slotOf("SPSR_EL1");
const ESR = slotOf("ESR_EL1");
const NEVER = Number.MAX_SAFE_INTEGER;
/** Every extension of the instruction set that rows ask for. */
export const ALL_FEATURES: ReadonlySet<string> = new Set(
  ROWS.filter(isSupported).flatMap(({ feature }) => feature === undefined ? [] : [feature]),
);

/** See the top of this file. */
export class MachineCpu implements BareCpu {
  readonly #machine: Machine;

  /** @param features extensions beyond Armv8.0-A */
  constructor(features: ReadonlySet<string> = new Set()) {
    const machine = new Machine({ memoryBytes: MEMORY_BYTES, storm: NEVER, features });
    this.#machine = machine;
    machine.boot({
      kind: "flat",
      segments: segments(),
      pc: BigInt(FROM_EL0),
      x: [],
      deviceTree: null,
      symbols: [],
      lines: [],
      warnings: [],
      describe: "test vectors",
    });
    const { state } = machine.engine;
    const set = (name: string, value: bigint) => state.set64(slotOf(name), value);
    set("TTBR0_EL1", BigInt(TABLE_1));
    set("TCR_EL1", TCR_VALUE);
    set("MAIR_EL1", 0xffn);
    set("VBAR_EL1", BigInt(VECTORS));
    set("CPACR_EL1", FP_ENABLED);
    set("SCTLR_EL1", (state.get64(slotOf("SCTLR_EL1")) | SCTLR_ON) & ~SCTLR_A);
    machine.processor.reloadRegime();
  }

  execute(
    before: CpuSnapshot,
    words: readonly number[],
    data: Uint8Array,
  ): { state: CpuSnapshot; undefined: boolean } {
    const machine = this.#machine;
    this.#placeCode(words);
    machine.memory.write(DATA_PHYSICAL, data);
    this.#load(before);
    this.#step();
    for (let n = 0; n < words.length && machine.engine.state.el === 0; n++) this.#step();
    const found = this.#read();
    data.set(machine.memory.read(DATA_PHYSICAL, data.length));
    this.#placeCode(words.map(() => FILLER));
    if (machine.engine.state.el === 0) this.#step();
    if (machine.engine.state.el === 0) throw new Error("the vector's code does not come back");
    return found;
  }

  #placeCode(words: readonly number[]): void {
    this.#machine.access.store(FIRST_WORD, new Uint8Array(Uint32Array.from(words).buffer));
  }

  #step(): void {
    const machine = this.#machine;
    const reason = machine.run(machine.position + 1);
    if (reason) throw new Error(`the machine ended: ${reason}`);
  }

  #load(before: CpuSnapshot): void {
    const { state } = this.#machine.engine;
    before.x.forEach((value, n) => state.setX(n, value));
    before.v.forEach((value, n) => setVector(state.v(n), value));
    state.set64(SLOT.fpcr, before.fpcr);
    state.set64(SLOT.fpsr, before.fpsr);
    state.set64(SP_EL0, before.sp);
    state.set64(ELR, before.pc);
    state.set64(SPSR, BigInt(before.nzcv) << 28n);
  }

  #read(): { state: CpuSnapshot; undefined: boolean } {
    const machine = this.#machine;
    const { state } = machine.engine;
    const trapped = state.el !== 0;
    const errorClass = Number(state.get64(ESR) >> 26n);
    if (trapped && errorClass !== 0) {
      throw new Error(`takes an exception of class 0x${errorClass.toString(16)}`);
    }
    const snapshot: CpuSnapshot = {
      x: Array.from({ length: 31 }, (_, n) => state.x(n)),
      v: Array.from({ length: 32 }, (_, n) => vectorOf(state.v(n))),
      sp: trapped ? state.get64(SP_EL0) : state.sp,
      pc: trapped ? state.get64(ELR) : machine.pc,
      nzcv: Number((trapped ? state.get64(SPSR) : state.nzcv) >> 28n & 15n),
      fpcr: state.get64(SLOT.fpcr),
      fpsr: state.get64(SLOT.fpsr),
    };
    return { state: snapshot, undefined: trapped };
  }
}

/** Translation tables, the ERET, and code that is all BRK. */
function segments() {
  const word = (address: number, value: number) => segment(address, Uint32Array.of(value));
  const table = (address: number, entries: readonly (readonly [number, bigint])[]) => {
    const descriptors = new BigUint64Array(512);
    for (const [index, descriptor] of entries) descriptors[index] = descriptor;
    return segment(address, descriptors);
  };
  const block = (virtual: number, physical: number, bits: bigint) =>
    [virtual / BLOCK % 512, BigInt(physical) | BLOCK_DESCRIPTOR | bits] as const;
  return [
    table(TABLE_1, [
      [0, BigInt(TABLE_2_LOW) | TABLE_DESCRIPTOR],
      [1, BigInt(TABLE_2_RAM) | TABLE_DESCRIPTOR],
    ]),
    table(TABLE_2_LOW, [
      block(DATA - BLOCK, DATA_PHYSICAL - BLOCK, EL0_ACCESS),
      block(DATA, DATA_PHYSICAL, EL0_ACCESS),
      block(CODE_START, CODE_PHYSICAL, EL0_ACCESS),
      block(CODE_START + BLOCK, CODE_PHYSICAL + BLOCK, EL0_ACCESS),
    ]),
    table(TABLE_2_RAM, [block(RAM_BASE, RAM_BASE, 0n)]),
    word(FROM_EL0, ERET),
    segment(CODE_PHYSICAL, new Uint32Array(CODE_BYTES / 4).fill(FILLER)),
  ];
}

function segment(address: number, contents: BigUint64Array | Uint32Array) {
  const bytes = new Uint8Array(contents.buffer);
  return { name: "test", address, bytes, zeroTo: address + bytes.length };
}

function setVector(bytes: Uint8Array, value: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  view.setBigUint64(8, value >> 64n, true);
}

function vectorOf(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  return view.getBigUint64(8, true) << 64n | view.getBigUint64(0, true);
}
