import type { CpuModel } from "./cpu_models.ts";
import type { Cpu } from "./cpu.ts";
import type { Board } from "./devices/bus.ts";
import type { DeviceState } from "./devices/device.ts";
import { type CpuState, SLOT } from "./state.ts";
import { bankStackPointer } from "./system/system_stack.ts";
import { type ExceptionLevels, highestLevel } from "./privilege.ts";
import { STORED_REGISTERS, storedRegistersOf } from "./system/sysregs.ts";
import type { SavedTurn, Turns } from "./turns.ts";

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
  /** Where there are several CPUs. */
  power?: {
    on: boolean;
    /** WFI was executed, and it has had no turn since. */
    waiting: boolean;
    /** The event register. */
    event: boolean;
    /** Instructions that it has retired. */
    retired: number;
  };
};

/** Everything that decides what a machine does next, but memory. Plain data. */
export type MachineState = {
  cpus: SavedCpu[];
  /** The words of the CPUs' modelled TLBs, little-endian, one behind the other. */
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
  /** Where there are several CPUs. */
  turn?: SavedTurn;
};

/** The CPU whose turn it is. */
export function cpuInTurn({ cpus, turn }: MachineState): SavedCpu {
  return cpus[turn?.cpu ?? 0];
}

/** Copies a machine's state. */
export function saveMachine(machine: {
  cpus: readonly Cpu[];
  turns: Turns;
  levels: ExceptionLevels;
  model: CpuModel;
  bootLevel: number;
  board: Board;
  /** Of the CPU in turn. */
  pc: bigint;
  fetchedFrom: number | null;
  retired: number;
  entries: number;
  skippedNs: number;
  resets: number;
}): MachineState {
  const { cpus, turns, board, levels, retired, entries, skippedNs, resets } = machine;
  const { pc, fetchedFrom } = machine;
  const several = cpus.length > 1;
  return {
    cpus: cpus.map((cpu) => ({
      ...saveRegisters(machine, cpu.processor.state),
      // A CPU whose turn it is not fetches anew when it begins.
      ...(cpu === turns.current ? { pc, fetchedFrom } : {}),
      ...(several ? { power: powerOf(cpu) } : {}),
    })),
    tlb: joinTlbs(cpus),
    devices: board.save(),
    time: { retired, entries, skippedNs },
    ...(highestLevel(levels) > 1 ? { bootLevel: machine.bootLevel } : {}),
    resets,
    ...(several ? { turn: turns.save(retired + entries) } : {}),
  };
}

function saveRegisters(
  { levels, model }: { levels: ExceptionLevels; model: CpuModel },
  state: CpuState,
): SavedCpu {
  bankStackPointer(state);
  const v = new Uint8Array(512);
  for (let n = 0; n < 32; n++) v.set(state.v(n), 16 * n);
  return {
    x: Array.from({ length: 31 }, (_, n) => state.x(n)),
    sp: state.sp,
    pc: state.pc,
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
    fetchedFrom: null,
  };
}

function powerOf({ on, waiting, retired, processor: { event } }: Cpu) {
  return { on, waiting, event, retired };
}

function joinTlbs(cpus: readonly Cpu[]): Uint8Array {
  const tlbs = cpus.map(({ processor }) => new Uint8Array(processor.tlb.save().buffer));
  if (tlbs.length === 1) return tlbs[0];
  const joined = new Uint8Array(tlbs.length * tlbs[0].length);
  tlbs.forEach((tlb, n) => joined.set(tlb, n * tlb.length));
  return joined;
}

/** Puts registers, TLBs and devices in a saved state. What is derived from them is the caller's to renew. */
export function restoreMachine(
  { cpus, board }: { cpus: readonly Cpu[]; board: Board },
  saved: MachineState,
): void {
  const tlbBytes = saved.tlb.length / cpus.length;
  for (const cpu of cpus) {
    const { index, processor } = cpu;
    const { power, ...registers } = saved.cpus[index];
    restoreRegisters(processor.state, registers);
    cpu.on = power?.on ?? true;
    cpu.waiting = power?.waiting ?? false;
    processor.event = power?.event ?? false;
    const tlb = saved.tlb.slice(index * tlbBytes, (index + 1) * tlbBytes);
    processor.tlb.restore(new Uint32Array(tlb.buffer));
  }
  board.restore(saved.devices);
}

function restoreRegisters(state: CpuState, cpu: SavedCpu): void {
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
  captured.fill(0, SLOT.btypeBudget >> 2, SLOT.v >> 2);
  captured.fill(0, SLOT.zeroBlocks >> 2, SLOT.system >> 2);
  captured[SLOT.pc >> 2] = Number(pc & 0xffff_ffffn);
  captured[(SLOT.pc >> 2) + 1] = Number(pc >> 32n);
  captured[SLOT.flagN >> 2] = Number(state.nzcv);
  captured[SLOT.btype >> 2] = state.btype;
  return captured;
}
