import type { Cpu } from "./cpu.ts";
import { admitLowerLevel } from "./privilege.ts";
import { SLOT } from "./state.ts";
import { resetSystemRegisters, slotOf } from "./system/sysregs.ts";
import { affinity } from "./system/system_special.ts";

/** Where a CPU begins. */
export interface CpuStart {
  /** Exception level. */
  readonly level: number;
  readonly pc: bigint;
  /** X0 and so on; 0 where left out. */
  readonly x: readonly bigint[];
  /** Data is big-endian. */
  readonly bigEndian?: boolean | undefined;
}

/** ELx with its own stack pointer, all interrupts masked, Z set: as the reference leaves reset. */
const RESET_PSTATE = 0x4000_03c1n;
/** SCTLR_ELx.EE and SCTLR_EL1.E0E. */
const EE = 1n << 25n, E0E = 1n << 24n;
const SCTLR = ["SCTLR_EL1", "SCTLR_EL2", "SCTLR_EL3"].map(slotOf);
const VMPIDR = slotOf("VMPIDR_EL2");

/** Registers as reset leaves them, and what is asked for; an empty TLB. */
export function resetCpu({ processor }: Cpu, start: CpuStart): void {
  const { state, levels, model } = processor;
  resetSystemRegisters(state, model);
  if (start.bigEndian) {
    SCTLR.forEach((slot, n) => state.set64(slot, state.get64(slot) | EE | (n === 0 ? E0E : 0n)));
  }
  state.setPstateBits(RESET_PSTATE | BigInt(start.level << 2));
  admitLowerLevel(state, levels, start.level);
  state.sp = 0n;
  for (let n = 0; n < 31; n++) state.setX(n, start.x[n] ?? 0n);
  for (let n = 0; n < 32; n++) state.v(n).fill(0);
  state.set64(SLOT.fpcr, 0n);
  state.set64(SLOT.fpsr, 0n);
  state.pc = start.pc;
  state.clearExclusive();
  state.set64(VMPIDR, affinity(processor.cpu));
  processor.event = false;
  processor.reloadRegime();
  processor.tlb.clear();
}
