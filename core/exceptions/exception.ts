import {
  effectiveHcr,
  type ExceptionLevels,
  HCR,
  isEl2Enabled,
  isInHost,
  SCR,
  scrOf,
  usesAArch64,
} from "../privilege.ts";
import { slotOf } from "../system/sysregs.ts";
import { PSTATE, pstateAtEntry } from "../pstate.ts";
import { selectStackPointer } from "../system/system_stack.ts";
import { type CpuState, SLOT } from "../state.ts";

/** An exception, ready to be entered. */
export interface Exception {
  readonly type: "sync" | "irq" | "fiq" | "serror";
  /** Syndrome; not written for interrupts. */
  readonly esr: bigint;
  /** Fault address; left out where the syndrome makes it UNKNOWN (FAR_ELx keeps its value). */
  readonly far?: bigint;
  /** HPFAR_EL2, for faults of stage 2. */
  readonly hpfar?: bigint;
  /** Preferred return address. */
  readonly elr: bigint;
  /** The EL it is routed to; left out for what EL1 or the current EL takes. */
  readonly target?: number;
}

/** What an entry did. */
export interface ExceptionEntry {
  readonly fromEl: number;
  readonly toEl: number;
  readonly vector: bigint;
  readonly spsr: bigint;
  /** As written to ESR_ELx. */
  readonly esr: bigint;
}

/** Exception classes used by the machine itself (Arm ARM D17.2.37). */
export const EC = {
  unknown: 0x00,
  wfx: 0x01,
  fpTrapped: 0x07,
  branchTarget: 0x0d,
  illegalState: 0x0e,
  svc: 0x15,
  hvc: 0x16,
  smc: 0x17,
  systemRegister: 0x18,
  breakpoint: 0x30,
  softwareStep: 0x32,
  watchpoint: 0x34,
  brk: 0x3c,
} as const;

const VECTOR_OFFSET = { sync: 0x000, irq: 0x080, fiq: 0x100, serror: 0x180 } as const;
const FROM_SP0 = 0x000, FROM_SPX = 0x200, FROM_LOWER = 0x400, FROM_LOWER_AARCH32 = 0x600;
const DAIF_ALL = 0x3c0;
const IL_BIT = 0x10_0000, SS_BIT = 0x20_0000;

/** The registers that each EL has of its own. */
const BANK = [1, 2, 3].map((el) => ({
  elr: slotOf(`ELR_EL${el}`),
  spsr: slotOf(`SPSR_EL${el}`),
  esr: slotOf(`ESR_EL${el}`),
  far: slotOf(`FAR_EL${el}`),
  vbar: slotOf(`VBAR_EL${el}`),
  sctlr: slotOf(`SCTLR_EL${el}`),
}));
const HPFAR_EL2 = slotOf("HPFAR_EL2");

/** ESR_ELx from class and syndrome; IL is set, as for every A64 instruction. */
export function esrOf(ec: number, iss: number): bigint {
  return BigInt(((ec << 26) | 0x0200_0000 | iss) >>> 0);
}

/** The EL that takes an exception: what is routed to EL1 goes to EL2 while HCR_EL2.TGE is set. */
export function targetOf(
  state: CpuState,
  levels: ExceptionLevels,
  { target }: { readonly target?: number | undefined },
): number {
  const wanted = Math.max(target ?? 1, state.el, 1);
  return wanted === 1 && effectiveHcr(state, levels) & HCR.TGE ? 2 : wanted;
}

/**
 * AArch64.TakeException() (Arm ARM J1.1.2): saves the state and moves to the vector.
 *
 * @param laterBits the bits of PSTATE beyond Armv8.0 that there are
 */
export function enterException(
  state: CpuState,
  levels: ExceptionLevels,
  exception: Exception,
  laterBits: number,
): ExceptionEntry {
  const fromEl = state.el;
  const toEl = targetOf(state, levels, exception);
  const bank = BANK[toEl - 1];
  const spsr = state.savedPstate;
  const offset = vectorBase(state, levels, toEl) + VECTOR_OFFSET[exception.type];
  // A trap of FP by CPACR_EL1 is no trap to the EL2 that stands for EL1 (D1.10.4).
  const fpForEl1 = (exception.target ?? 1) === 1 && fromEl < 2 && toEl === 2 &&
    Number(exception.esr >> 26n) === EC.fpTrapped;
  const esr = fpForEl1 ? esrOf(EC.unknown, 0) : exception.esr;
  state.set64(bank.spsr, spsr);
  state.set64(bank.elr, exception.elr);
  if (exception.type === "sync" || exception.type === "serror") {
    state.set64(bank.esr, esr);
    if (exception.far !== undefined) state.set64(bank.far, exception.far);
    if (exception.hpfar !== undefined) state.set64(HPFAR_EL2, exception.hpfar);
  }
  selectStackPointer(state, toEl, 1);
  state.daif = DAIF_ALL;
  const old = state.get32(SLOT.ilss);
  const hasEl0 = toEl === 1 || (toEl === 2 && isInHost(state, levels, 0));
  state.set32(SLOT.ilss, pstateAtEntry(old, laterBits, state.get64(bank.sctlr), hasEl0));
  state.btype = 0;
  goToVector(state, bank.vbar, offset);
  return { fromEl, toEl, vector: state.pc, spsr, esr };
}

/** Bits 10:5 of VBAR are RES0; the reference adds what software wrote there. */
function goToVector(state: CpuState, vbar: number, offset: number): void {
  const low = ((state.get32(vbar) & ~0x1f) >>> 0) + offset;
  state.set32(SLOT.pc, low);
  state.set32(SLOT.pc + 4, state.get32(vbar + 4) + (low >= 0x1_0000_0000 ? 1 : 0));
}

function vectorBase(state: CpuState, levels: ExceptionLevels, toEl: number): number {
  if (state.el >= toEl) return state.spSel ? FROM_SPX : FROM_SP0;
  // It is the EL just below the target that counts, not the one that was left.
  if (toEl === 3 && !(scrOf(state, levels) & SCR.RW)) return FROM_LOWER_AARCH32;
  // A host has only EL0 below it, and what was left was AArch64.
  if (toEl === 2 && !isInHost(state, levels, 0) && !(effectiveHcr(state, levels) & HCR.RW)) {
    return FROM_LOWER_AARCH32;
  }
  return FROM_LOWER;
}

/**
 * AArch64.ExceptionReturn() (Arm ARM J1.1.2). The exclusive monitor is cleared.
 *
 * @param laterBits the bits of PSTATE beyond Armv8.0 that there are
 * @param keepsStep whether PSTATE.SS takes the value saved: software step is active where it returns to
 */
export function returnFromException(
  state: CpuState,
  levels: ExceptionLevels,
  laterBits: number,
  keepsStep: (toEl: number, spsr: bigint) => boolean,
): { toEl: number; elr: bigint; spsr: bigint; illegal: boolean } {
  const bank = BANK[state.el - 1];
  const spsr = state.get64(bank.spsr);
  const elr = state.get64(bank.elr);
  const saved = state.get32(bank.spsr);
  const illegal = isIllegalReturn(state, levels, saved);
  const toEl = illegal ? state.el : (saved >> 2) & 3;
  const step = keepsStep(toEl, spsr) ? saved & SS_BIT : 0;
  state.clearExclusive();
  state.flags = saved;
  state.daif = saved;
  const later = (illegal ? state.get32(SLOT.ilss) : saved) & laterBits & ~PSTATE.BTYPE;
  state.set32(SLOT.ilss, (illegal ? IL_BIT : saved & IL_BIT) | step | later);
  if (!illegal) selectStackPointer(state, toEl, saved & 1);
  state.btype = illegal ? 0 : (saved & laterBits & PSTATE.BTYPE) >> 10;
  state.pc = elr;
  return { toEl, elr, spsr, illegal };
}

/** IllegalExceptionReturn(), where no EL executes AArch32. */
function isIllegalReturn(state: CpuState, levels: ExceptionLevels, spsr: number): boolean {
  const mode = spsr & 0x1f;
  const aarch32 = (mode & 0x10) !== 0, reserved = (mode & 2) !== 0;
  const el = (mode >> 2) & 3;
  if (aarch32 || reserved || el > state.el || (el === 0 && (mode & 1) !== 0)) return true;
  if (el === 2 && !isEl2Enabled(state, levels)) return true;
  if (el !== 0 && !usesAArch64(state, levels, el)) return true;
  return el === 1 && (effectiveHcr(state, levels) & HCR.TGE) !== 0n;
}
