/**
 * Self-hosted debug: software step and address breakpoints (Arm ARM D2.8 to D2.12).
 *
 * As on the reference the OS lock holds debug exceptions back only where the machine is strict.
 */

import { EC, esrOf } from "./exception.ts";
import { isSecure, isSecureBelowEl3 } from "./privilege.ts";
import { type Caller, debugTarget } from "./privileged_calls.ts";
import { slotOf } from "./sysregs.ts";
import { SLOT, STEPPED, STEPPED_EXCLUSIVE } from "./state.ts";

/** What decides about debug exceptions. */
export interface Debugged extends Caller {
  readonly strict: boolean;
}

const MDSCR = slotOf("MDSCR_EL1"), MDCR_EL3 = slotOf("MDCR_EL3"), OSLSR = slotOf("OSLSR_EL1");
const OSDLR = slotOf("OSDLR_EL1"), CONTEXTIDR = slotOf("CONTEXTIDR_EL1");
const BREAKPOINTS = [0, 1, 2, 3, 4, 5].map((n) => ({
  value: slotOf(`DBGBVR${n}_EL1`),
  control: slotOf(`DBGBCR${n}_EL1`),
}));

/** MDSCR_EL1: software step, debug exceptions of the EL that handles them, breakpoints. */
const MDSCR_SS = 1n, MDSCR_KDE = 0x2000n, MDSCR_MDE = 0x8000n;
const MDCR_SDD = 0x1_0000n;
const OSLSR_OSLK = 2n;
/** PSTATE.D, and PSTATE.SS, as SPSR has them. */
const D_BIT = 0x200, SS_BIT = 0x20_0000;
/** ISS of debug exceptions: the status code, and for a step ISV and EX. */
const DEBUG_STATUS = 0x22, STEP_ISV = 1 << 24, STEP_EX = 1 << 6;
/** DBGBCRn: fields by lowest bit. Linked context matching is type 3. */
const CONTROL = { enable: 0, privilege: 1, bas: 5, hmc: 13, ssc: 14, lbn: 16, type: 20 } as const;
const TYPE = { address: 0, linkedAddress: 1, linkedContext: 3 } as const;

/** Whether software step or breakpoints are switched on at all: the rest need not be asked. */
export function isDebugOn({ state }: Debugged): boolean {
  return (state.get64(MDSCR) & (MDSCR_SS | MDSCR_MDE)) !== 0n;
}

/** AArch64.GenerateDebugExceptionsFrom(). */
function generates(cpu: Debugged, el: number, masked: boolean): boolean {
  const { state, levels, strict } = cpu;
  const locked = (strict && state.get64(OSLSR) & OSLSR_OSLK) || state.get64(OSDLR) & 1n;
  if (el === 3 || locked) return false;
  if (isSecureBelowEl3(state, levels) && state.get64(MDCR_EL3) & MDCR_SDD) return false;
  const target = debugTarget(cpu);
  if (el === target) return (state.get64(MDSCR) & MDSCR_KDE) !== 0n && !masked;
  return target > el;
}

/** Whether software step is active. */
export function isStepping(cpu: Debugged): boolean {
  const { state } = cpu;
  if (!(state.get64(MDSCR) & MDSCR_SS)) return false;
  return generates(cpu, state.el, (state.daif & D_BIT) !== 0);
}

/** Whether PSTATE.SS takes what an exception return from the current EL finds in SPSR (D2.12.4). */
export function stepsAfterReturn(cpu: Debugged, toEl: number, spsr: bigint): boolean {
  const { state } = cpu;
  if (!(state.get64(MDSCR) & MDSCR_SS)) return false;
  if (generates(cpu, state.el, (state.daif & D_BIT) !== 0)) return false;
  return generates(cpu, toEl, (Number(spsr) & D_BIT) !== 0);
}

/** PSTATE.SS: the instruction may be executed before the exception. */
export function mayStep({ state }: Debugged): boolean {
  return (state.get32(SLOT.ilss) & SS_BIT) !== 0;
}

/** A call is executed, whose exception saves PSTATE. */
export function clearStep({ state }: Debugged): void {
  state.set32(SLOT.ilss, state.get32(SLOT.ilss) & ~SS_BIT);
}

/** The step is made: its exception comes next. `word` is the instruction, undefined if it branched. */
export function completeStep(cpu: Debugged, word: number | undefined): void {
  const { state } = cpu;
  clearStep(cpu);
  const exclusive = word !== undefined && isLoadExclusive(word) ? STEPPED_EXCLUSIVE : 0;
  state.set32(SLOT.ilss, state.get32(SLOT.ilss) | STEPPED | exclusive);
}

/** A debug exception, to be taken to `target`. */
export interface DebugException {
  readonly esr: bigint;
  readonly target: number;
  readonly far?: bigint;
}

/** The exception of a step; its syndrome is valid if one was made here. */
export function stepException(cpu: Debugged): DebugException {
  const flags = cpu.state.get32(SLOT.ilss);
  const iss = (flags & STEPPED ? STEP_ISV : 0) | (flags & STEPPED_EXCLUSIVE ? STEP_EX : 0);
  return exception(cpu, EC.softwareStep, iss);
}

/** The exception of a breakpoint at the next instruction; undefined if none matches. */
export function breakpointException(cpu: Debugged, pc: bigint): DebugException | undefined {
  const { state } = cpu;
  if (!(state.get64(MDSCR) & MDSCR_MDE)) return undefined;
  if (!generates(cpu, state.el, (state.daif & D_BIT) !== 0)) return undefined;
  if (!BREAKPOINTS.some((_, n) => matches(cpu, n, pc))) return undefined;
  // FAR is UNKNOWN; the reference clears it.
  return { ...exception(cpu, EC.breakpoint, 0), far: 0n };
}

function exception(cpu: Debugged, ec: number, iss: number): DebugException {
  const target = Math.max(debugTarget(cpu), cpu.state.el);
  const same = target === cpu.state.el ? 1 : 0;
  return { esr: esrOf(ec + same, iss | DEBUG_STATUS), target };
}

/** Whether an address breakpoint matches (pseudocode AArch64.BreakpointMatch). */
function matches(cpu: Debugged, n: number, pc: bigint): boolean {
  const { state } = cpu;
  const control = Number(state.get64(BREAKPOINTS[n].control));
  const field = (at: number, width: number) => control >>> at & (1 << width) - 1;
  if (field(CONTROL.enable, 1) === 0) return false;
  const type = field(CONTROL.type, 4);
  if (type !== TYPE.address && type !== TYPE.linkedAddress) return false;
  const bas = field(CONTROL.bas, 4);
  if (bas === 0) return false;
  const address = BigInt.asUintN(64, BigInt.asIntN(49, state.get64(BREAKPOINTS[n].value))) & ~3n;
  if (pc !== (bas === 0xc ? address + 2n : address)) return false;
  if (!isWatchedState(cpu, field)) return false;
  return type === TYPE.address || contextMatches(cpu, field(CONTROL.lbn, 4));
}

/** SSC, HMC and PMC: the Security states and levels that it is for. */
function isWatchedState(
  { state, levels }: Debugged,
  field: (at: number, width: number) => number,
): boolean {
  const secure = isSecure(state, levels);
  const ssc = field(CONTROL.ssc, 2);
  if (ssc === 2 ? !secure : ssc !== 0 && secure) return false;
  if (state.el >= 2) return field(CONTROL.hmc, 1) === 1;
  return (field(CONTROL.privilege, 2) & (state.el === 1 ? 1 : 2)) !== 0;
}

function contextMatches({ state }: Debugged, n: number): boolean {
  if (n >= BREAKPOINTS.length || state.el > 1) return false;
  const { value, control } = BREAKPOINTS[n];
  const bits = Number(state.get64(control));
  const linked = (bits & 1) !== 0 && (bits >>> CONTROL.type & 15) === TYPE.linkedContext;
  return linked &&
    BigInt.asUintN(32, state.get64(CONTEXTIDR)) === BigInt.asUintN(32, state.get64(value));
}

/** LDXR, LDAXR, LDXP, LDAXP: o2 clear, L set. */
function isLoadExclusive(word: number): boolean {
  return (word & 0x3fc0_0000) === 0x0840_0000;
}
