import type { CpuModel } from "./cpu_models.ts";
import type { Board } from "./devices/bus.ts";
import type { DeviceState } from "./devices/device.ts";
import { type CpuState, SLOT } from "./state.ts";
import { bankStackPointer } from "./system_stack.ts";
import { type ExceptionLevels, highestLevel } from "./privilege.ts";
import { STORED_REGISTERS, storedRegistersOf } from "./sysregs.ts";
import type { Tlb } from "../mmu/tlb.ts";

/** One CPU's registers, as keyframes hold them. A type, so that it is a CBOR map to the recorder. */
export type SavedCpu = {
  /** X0 to X30. */
  x: bigint[];
  /** The stack pointer in use; the banked ones are among `system`. */
  sp: bigint;
  pc: bigint;
  /** As SPSR_ELx holds it: NZCV, DAIF, EL, SP, IL, SS. */
  pstate: bigint;
  /** V0 to V31, 16 bytes each, lowest first. */
  v: Uint8Array;
  fpcr: bigint;
  fpsr: bigint;
  /** Local exclusive monitor: address, size in bytes (0: open), and the value loaded. */
  exclusive: { address: bigint; size: bigint; low: bigint; high: bigint };
  /** System registers that are stored, by manual name. */
  system: Record<string, bigint>;
  /**
   * Physical page that the next instruction was fetched from, which the modelled TLB may have
   * dropped since; null where it is still to be fetched.
   */
  fetchedFrom: number | null;
};

/** Everything that decides what a machine does next, but memory. Plain data. */
export type MachineState = {
  cpus: SavedCpu[];
  /** The modelled TLB's words, little-endian. */
  tlb: Uint8Array;
  devices: Record<string, DeviceState>;
  time: {
    /** Instructions retired. */
    retired: number;
    /** Exception entries that retired nothing: `position = retired + entries`. */
    entries: number;
    /** Nanoseconds skipped while waiting for an interrupt. */
    skippedNs: number;
  };
  /** The level at which the guest started; absent where there is neither EL2 nor EL3. */
  bootLevel?: number;
  /** Resets after which it booted again; absent in early traces, which have none. */
  resets?: number;
};

/** Copies a machine's state. */
export function saveMachine(machine: {
  state: CpuState;
  levels: ExceptionLevels;
  model: CpuModel;
  bootLevel: number;
  tlb: Tlb;
  board: Board;
  pc: bigint;
  fetchedFrom: number | null;
  retired: number;
  entries: number;
  skippedNs: number;
  resets: number;
}): MachineState {
  const {
    state,
    levels,
    model,
    bootLevel,
    tlb,
    board,
    pc,
    fetchedFrom,
    retired,
    entries,
    skippedNs,
    resets,
  } = machine;
  bankStackPointer(state);
  const v = new Uint8Array(512);
  for (let n = 0; n < 32; n++) v.set(state.v(n), 16 * n);
  return {
    cpus: [{
      x: Array.from({ length: 31 }, (_, n) => state.x(n)),
      sp: state.sp,
      pc,
      pstate: state.pstate,
      v,
      fpcr: state.get64(SLOT.fpcr),
      fpsr: state.get64(SLOT.fpsr),
      exclusive: {
        address: state.get64(SLOT.exclusiveAddress),
        size: state.get64(SLOT.exclusiveSize),
        low: state.get64(SLOT.exclusiveLow),
        high: state.get64(SLOT.exclusiveHigh),
      },
      system: Object.fromEntries(
        storedRegistersOf(levels, model).map(({ name, slot }) => [name, state.get64(slot)]),
      ),
      fetchedFrom,
    }],
    tlb: new Uint8Array(tlb.save().buffer),
    devices: board.save(),
    time: { retired, entries, skippedNs },
    ...(highestLevel(levels) > 1 ? { bootLevel } : {}),
    resets,
  };
}

/** Puts registers, TLB and devices in a saved state. What is derived from them is the caller's to renew. */
export function restoreMachine(
  machine: { state: CpuState; tlb: Tlb; board: Board },
  saved: MachineState,
): void {
  const { state, tlb, board } = machine;
  const [cpu] = saved.cpus;
  cpu.x.forEach((value, n) => state.setX(n, value));
  for (let n = 0; n < 32; n++) state.v(n).set(cpu.v.subarray(16 * n, 16 * n + 16));
  for (const { name, slot } of STORED_REGISTERS) state.set64(slot, cpu.system[name] ?? 0n);
  state.setPstateBits(cpu.pstate);
  state.sp = cpu.sp;
  state.pc = cpu.pc;
  state.set64(SLOT.fpcr, cpu.fpcr);
  state.set64(SLOT.fpsr, cpu.fpsr);
  state.set64(SLOT.exclusiveAddress, cpu.exclusive.address);
  state.set64(SLOT.exclusiveSize, cpu.exclusive.size);
  state.set64(SLOT.exclusiveLow, cpu.exclusive.low);
  state.set64(SLOT.exclusiveHigh, cpu.exclusive.high);
  tlb.restore(new Uint32Array(saved.tlb.slice().buffer));
  board.restore(saved.devices);
}

const WORDS = SLOT.end / 4;
const captured = new Uint32Array(WORDS);

/**
 * The processor state as words, without what only the engine uses, for comparison with a copy
 * taken earlier. The same array is returned each time.
 */
export function captureProcessor(state: CpuState, pc: bigint): Uint32Array {
  captured.set(state.words);
  captured.fill(0, SLOT.sink >> 2, (SLOT.sink >> 2) + 2);
  captured.fill(0, SLOT.pc >> 2, SLOT.exclusiveAddress >> 2);
  captured.fill(0, SLOT.dataLookup >> 2, SLOT.el >> 2);
  captured.fill(0, SLOT.guestBase >> 2, SLOT.v >> 2);
  captured[SLOT.pc >> 2] = Number(pc & 0xffff_ffffn);
  captured[(SLOT.pc >> 2) + 1] = Number(pc >> 32n);
  captured[SLOT.flagN >> 2] = Number(state.nzcv);
  return captured;
}
