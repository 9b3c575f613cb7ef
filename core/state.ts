import { PSTATE } from "./pstate.ts";

/**
 * The processor state, laid out at fixed addresses at the start of the engine's memory.
 *
 * Generated code reaches a register by an absolute address below 64 KiB, so a decoded instruction
 * carries a register as 16 bits and never asks whether 31 means zero or SP: the decoder chooses
 * the slot. Slots that only the engine uses while it runs (record pointer, page base, budget…) are
 * valid whenever TypeScript has control.
 */

/** Byte addresses of the slots. 64 bits each unless noted. */
export const SLOT = {
  /** X0..X30 at 8 bytes each. */
  x: 0x000,
  /** Always zero: register 31 as a source. */
  zero: 0x0f8,
  /** Never read: register 31 as a destination. */
  sink: 0x100,
  /** The stack pointer in use. */
  sp: 0x108,
  /** Program counter; while an engine runs, its record pointer and page base stand for it. */
  pc: 0x110,
  /** i32: address of the next instruction's record. */
  record: 0x118,
  /** i32: record where the run that has not been delivered yet began. */
  runStart: 0x11c,
  /** PC minus a quarter of the record's address. */
  pcBase: 0x120,
  /** i32: instructions that completed runs may still retire. */
  budget: 0x128,
  /** i32: where the next flow entry is written. */
  ring: 0x12c,
  /** Flags as `ops.ts` defines them; `flagC` is an i32. */
  flagN: 0x130,
  flagZ: 0x138,
  flagV: 0x140,
  flagC: 0x148,
  /** i32: the bits that FPCR has on this processor. */
  fpcrBits: 0x14c,
  exclusiveAddress: 0x150,
  /** 0 while the monitor is open. */
  exclusiveSize: 0x158,
  exclusiveLow: 0x160,
  exclusiveHigh: 0x168,
  fpcr: 0x170,
  fpsr: 0x178,
  /** i32: lookup cache of data accesses at the current EL, and at EL0. */
  dataLookup: 0x180,
  dataLookupEl0: 0x184,
  /** i32: lookup cache of instruction fetches at the current EL. */
  fetchLookup: 0x188,
  /** i32: 15 where SP alignment is checked, else 0. */
  spAlignMask: 0x18c,
  /** Virtual address of the slow access in hand. */
  accessAddress: 0x190,
  /** i32: non-zero where an FP/SIMD instruction is trapped. */
  fpTrap: 0x198,
  /** i32: what {@linkcode CpuState.btype} is while it is in force. */
  btype: 0x19c,
  /** Values to and from TypeScript: up to 64 bytes (16 per element). */
  scratch: 0x1a0,
  /**
   * i32 each: PSTATE.EL, PSTATE.SP, PSTATE.DAIF as in SPSR (bits 9:6), PSTATE.IL and SS as in SPSR
   * (bits 20, 21), and beside them {@linkcode PSTATE}, {@linkcode STEPPED} and
   * {@linkcode STEPPED_EXCLUSIVE}.
   */
  el: 0x1e0,
  spSel: 0x1e4,
  daif: 0x1e8,
  ilss: 0x1ec,
  /** i32 each: the budget where `btype` was set; not 0 if the current page is guarded (FEAT_BTI). */
  btypeBudget: 0x1f8,
  guarded: 0x1fc,
  /** V0..V31 at 16 bytes each. */
  v: 0x200,
  /** i32: non-zero where DC ZVA is not trapped. */
  zeroBlocks: 0x400,
  /** System registers that are plain storage, in the order of the table in `sysregs.ts`. */
  system: 0x408,
  /** First byte after the state. */
  end: 0x2000,
} as const;

/** A software step was made and its exception comes next; it was of a load-exclusive. */
export const STEPPED = 0x1_0000, STEPPED_EXCLUSIVE = 0x2_0000;

/** Fields of PSTATE that stand beside IL and SS. */
const LATER_FIELDS = Object.values(PSTATE).reduce((all, bits) => all | bits, 0) & ~PSTATE.BTYPE;
const BTYPE_SHIFT = 10;
/** Bits of SPSR and PSTATE (Arm ARM C5.2.18). */
const SPSR = { N: 0x8000_0000 | 0, Z: 0x4000_0000, C: 0x2000_0000, V: 0x1000_0000 } as const;

/**
 * One processor's state: in the engine's memory while that processor runs, in memory of its own
 * while another does.
 */
export class CpuState {
  #u64: BigUint64Array;
  #i32: Int32Array;
  #bytes: Uint8Array;
  /** For {@linkcode CpuState.exchange}: the slots that are in use, and room for as many. */
  #used: Int32Array | undefined;
  #spare: Int32Array | undefined;

  constructor(memory: ArrayBufferLike) {
    this.#u64 = new BigUint64Array(memory, 0, SLOT.end / 8);
    this.#i32 = new Int32Array(memory, 0, SLOT.end / 4);
    this.#bytes = new Uint8Array(memory, 0, SLOT.end);
  }

  /**
   * Exchanges places with another processor's state: contents stay, and each is where the other was.
   *
   * @param end the slots from this address on are not in use
   */
  exchange(other: CpuState, end: number): void {
    const mine = this.#i32, theirs = other.#i32;
    const here = this.#upTo(end), there = other.#upTo(end);
    this.#spare ??= new Int32Array(end >> 2);
    this.#spare.set(here);
    here.set(there);
    there.set(this.#spare);
    this.#used = there;
    other.#used = here;
    const u64 = this.#u64, bytes = this.#bytes;
    this.#i32 = theirs;
    other.#i32 = mine;
    this.#u64 = other.#u64;
    other.#u64 = u64;
    this.#bytes = other.#bytes;
    other.#bytes = bytes;
  }

  #upTo(end: number): Int32Array {
    return this.#used ??= this.#i32.subarray(0, end >> 2);
  }

  /** All of the state as 32-bit words; a live view. */
  get words(): Int32Array {
    return this.#i32;
  }

  /** The 64-bit slot at a byte address. */
  get64(address: number): bigint {
    return this.#u64[address >> 3];
  }
  /** Sets the 64-bit slot at a byte address. */
  set64(address: number, value: bigint): void {
    this.#u64[address >> 3] = value;
  }
  /** The i32 slot at a byte address. */
  get32(address: number): number {
    return this.#i32[address >> 2];
  }
  /** Sets the i32 slot at a byte address. */
  set32(address: number, value: number): void {
    this.#i32[address >> 2] = value;
  }

  /** X0..X30. */
  x(n: number): bigint {
    return this.#u64[n];
  }
  /** Sets X0..X30. */
  setX(n: number, value: bigint): void {
    this.#u64[n] = value;
  }
  /** V0..V31 as 16 bytes, lowest first; a live view. */
  v(n: number): Uint8Array {
    return this.#bytes.subarray(SLOT.v + 16 * n, SLOT.v + 16 * n + 16);
  }
  get sp(): bigint {
    return this.get64(SLOT.sp);
  }
  set sp(value: bigint) {
    this.set64(SLOT.sp, value);
  }
  get pc(): bigint {
    return this.get64(SLOT.pc);
  }
  set pc(value: bigint) {
    this.set64(SLOT.pc, value);
  }
  /** PSTATE.EL. */
  get el(): number {
    return this.get32(SLOT.el);
  }
  /** PSTATE.SP. */
  get spSel(): number {
    return this.get32(SLOT.spSel);
  }
  /** PSTATE.DAIF in bits 9:6, as MRS DAIF gives it. */
  get daif(): number {
    return this.get32(SLOT.daif);
  }
  set daif(value: number) {
    this.set32(SLOT.daif, value & 0x3c0);
  }

  /** N, Z, C, V in bits 31:28, as MRS NZCV gives them. */
  get nzcv(): bigint {
    return BigInt(this.flags >>> 0);
  }
  set nzcv(value: bigint) {
    this.flags = Number(value & 0xffff_ffffn);
  }

  /** The same as a signed number; other bits do not count. */
  get flags(): number {
    const zero = (this.get32(SLOT.flagZ) | this.get32(SLOT.flagZ + 4)) === 0;
    return (this.get32(SLOT.flagN + 4) & SPSR.N) | (zero ? SPSR.Z : 0) |
      (this.get32(SLOT.flagC) ? SPSR.C : 0) | (this.get32(SLOT.flagV + 4) < 0 ? SPSR.V : 0);
  }

  set flags(flags: number) {
    this.set32(SLOT.flagN, 0);
    this.set32(SLOT.flagN + 4, flags & SPSR.N);
    this.set32(SLOT.flagZ, flags & SPSR.Z ? 0 : 1);
    this.set32(SLOT.flagZ + 4, 0);
    this.set32(SLOT.flagC, flags & SPSR.C ? 1 : 0);
    this.set32(SLOT.flagV, 0);
    this.set32(SLOT.flagV + 4, flags & SPSR.V ? SPSR.N : 0);
  }

  /** PSTATE in the form of SPSR_ELx for AArch64 (Arm ARM C5.2.18). */
  get pstate(): bigint {
    return BigInt(this.#pstate >>> 0);
  }

  /** What an exception saves of it: what has been stepped is known to the machine alone. */
  get savedPstate(): bigint {
    return BigInt((this.#pstate & ~(STEPPED | STEPPED_EXCLUSIVE)) >>> 0);
  }

  get #pstate(): number {
    const other = this.get32(SLOT.ilss) | this.daif | (this.el << 2) | this.spSel;
    return this.flags | other | this.btype << BTYPE_SHIFT;
  }

  /**
   * PSTATE.BTYPE (FEAT_BTI): how the next instruction was branched to, 0 if not by BR or BLR. Those
   * set it, and nothing clears it: it is in force as long as nothing was executed since.
   */
  get btype(): number {
    const inForce = this.get32(SLOT.record) === this.get32(SLOT.runStart) &&
      this.get32(SLOT.budget) === this.get32(SLOT.btypeBudget);
    return inForce ? this.get32(SLOT.btype) : 0;
  }
  set btype(value: number) {
    this.set32(SLOT.btype, value);
    this.set32(SLOT.btypeBudget, this.get32(SLOT.budget));
  }

  /** Sets all of PSTATE. Changing EL or SP exchanges the stack pointers: see `exception.ts`. */
  setPstateBits(pstate: bigint): void {
    const low = Number(pstate & 0xffff_ffffn);
    this.nzcv = pstate;
    this.set32(SLOT.ilss, low & (0x30_0000 | LATER_FIELDS | STEPPED | STEPPED_EXCLUSIVE));
    this.daif = low;
    this.set32(SLOT.el, (low >> 2) & 3);
    this.set32(SLOT.spSel, low & 1);
    this.btype = (low & PSTATE.BTYPE) >> BTYPE_SHIFT;
  }

  /** Closes nothing and opens the local monitor: a following store-exclusive fails. */
  clearExclusive(): void {
    this.set32(SLOT.exclusiveSize, 0);
    this.set32(SLOT.exclusiveSize + 4, 0);
  }
}
