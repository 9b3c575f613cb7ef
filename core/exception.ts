import { slotOf } from "./sysregs.ts";
import { selectStackPointer } from "./system_stack.ts";
import { type CpuState, SLOT } from "./state.ts";

/** An exception to EL1, ready to be entered. */
export interface Exception {
  readonly type: "sync" | "irq" | "fiq" | "serror";
  /** Syndrome; not written for interrupts. */
  readonly esr: bigint;
  /** Fault address; left out where the syndrome makes it UNKNOWN (FAR_EL1 keeps its value). */
  readonly far?: bigint;
  /** Preferred return address. */
  readonly elr: bigint;
}

/** What an entry did. */
export interface ExceptionEntry {
  readonly fromEl: number;
  readonly toEl: number;
  readonly vector: bigint;
  readonly spsr: bigint;
}

/** Exception classes used by the machine itself (Arm ARM D17.2.37). */
export const EC = {
  unknown: 0x00,
  wfx: 0x01,
  fpTrapped: 0x07,
  illegalState: 0x0e,
  svc: 0x15,
  hvc: 0x16,
  smc: 0x17,
  systemRegister: 0x18,
  brk: 0x3c,
} as const;

const VECTOR_OFFSET = { sync: 0x000, irq: 0x080, fiq: 0x100, serror: 0x180 } as const;
const FROM_SP0 = 0x000n, FROM_SPX = 0x200n, FROM_LOWER = 0x400n;
const DAIF_ALL = 0x3c0;
const IL_BIT = 0x10_0000;

const ELR_EL1 = slotOf("ELR_EL1");
const SPSR_EL1 = slotOf("SPSR_EL1");
const ESR_EL1 = slotOf("ESR_EL1");
const FAR_EL1 = slotOf("FAR_EL1");
const VBAR_EL1 = slotOf("VBAR_EL1");

/** ESR_ELx from class and syndrome; IL is set, as for every A64 instruction. */
export function esrOf(ec: number, iss: number): bigint {
  return BigInt(((ec << 26) | 0x0200_0000 | iss) >>> 0);
}

/** AArch64.TakeException() to EL1 (Arm ARM J1.1.2): saves the state and moves to the vector. */
export function enterException(state: CpuState, exception: Exception): ExceptionEntry {
  const fromEl = state.el;
  const spsr = state.pstate;
  const base = fromEl < 1 ? FROM_LOWER : state.spSel ? FROM_SPX : FROM_SP0;
  // Bits 10:5 of VBAR are RES0; the reference adds what software wrote there.
  const vector = (state.get64(VBAR_EL1) & ~0x1fn) + base + BigInt(VECTOR_OFFSET[exception.type]);
  state.set64(SPSR_EL1, spsr);
  state.set64(ELR_EL1, exception.elr);
  if (exception.type === "sync" || exception.type === "serror") {
    state.set64(ESR_EL1, exception.esr);
    if (exception.far !== undefined) state.set64(FAR_EL1, exception.far);
  }
  selectStackPointer(state, 1, 1);
  state.daif = DAIF_ALL;
  state.set32(SLOT.ilss, 0);
  state.pc = vector;
  return { fromEl, toEl: 1, vector, spsr };
}

/** AArch64.ExceptionReturn() from EL1 (Arm ARM J1.1.2). The exclusive monitor is cleared. */
export function returnFromException(
  state: CpuState,
): { toEl: number; elr: bigint; spsr: bigint; illegal: boolean } {
  const spsr = state.get64(SPSR_EL1);
  const elr = state.get64(ELR_EL1);
  const illegal = isIllegalReturn(spsr);
  state.clearExclusive();
  state.nzcv = spsr;
  state.daif = Number(spsr & 0x3c0n);
  // Software step is not implemented, so PSTATE.SS becomes 0.
  state.set32(SLOT.ilss, illegal ? IL_BIT : Number(spsr) & IL_BIT);
  if (!illegal) {
    selectStackPointer(state, Number((spsr >> 2n) & 3n), Number(spsr & 1n));
  }
  state.pc = elr;
  return { toEl: state.el, elr, spsr, illegal };
}

/** IllegalExceptionReturn() where EL2 and EL3 are not implemented and AArch32 is not supported. */
function isIllegalReturn(spsr: bigint): boolean {
  const mode = Number(spsr & 0x1fn);
  const aarch32 = (mode & 0x10) !== 0, reserved = (mode & 2) !== 0;
  const el = (mode >> 2) & 3;
  return aarch32 || reserved || el > 1 || (el === 0 && (mode & 1) !== 0);
}
