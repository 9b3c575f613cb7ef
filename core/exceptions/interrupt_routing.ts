import { effectiveHcr, type ExceptionLevels, HCR, SCR, scrOf } from "../privilege.ts";
import { type CpuState } from "../state.ts";
import { slotOf } from "../system/sysregs.ts";

/**
 * Which interrupt is taken next, and to which level (Arm ARM D1.3.6, tables D1-11 and D1-13).
 */

/** What decides about interrupts. */
export interface InterruptedCpu {
  readonly state: CpuState;
  readonly levels: ExceptionLevels;
  /** Physical ones that wait: bit 7 IRQ, 6 FIQ. */
  readonly pendingInterrupts: number;
  /** Virtual ones: bit 8 SError, 7 IRQ, 6 FIQ. */
  readonly virtualInterrupts: number;
}

/** An interrupt that is not masked. */
export interface ChosenInterrupt {
  readonly type: "irq" | "fiq" | "serror";
  readonly target: number;
  /** It is the SError that HCR_EL2.VSE asks for. */
  readonly virtualError: boolean;
}

const IRQ = 0x80, FIQ = 0x40, SERROR = 0x100;

/** The interrupt to take before the next instruction, in the order in which the reference looks. */
export function chooseInterrupt(cpu: InterruptedCpu): ChosenInterrupt | undefined {
  const { pendingInterrupts, virtualInterrupts } = cpu;
  if ((pendingInterrupts | virtualInterrupts) === 0) return undefined;
  return physical(cpu, "fiq", FIQ, { scr: SCR.FIQ, hcr: HCR.FMO }) ??
    physical(cpu, "irq", IRQ, { scr: SCR.IRQ, hcr: HCR.IMO }) ??
    virtual(cpu, "irq", IRQ, HCR.IMO) ??
    virtual(cpu, "fiq", FIQ, HCR.FMO) ??
    virtual(cpu, "serror", SERROR, HCR.AMO);
}

function physical(
  { state, levels, pendingInterrupts }: InterruptedCpu,
  type: "irq" | "fiq",
  bit: number,
  routing: { scr: bigint; hcr: bigint },
): ChosenInterrupt | undefined {
  if ((pendingInterrupts & bit) === 0) return undefined;
  const { el } = state;
  const toEl3 = levels.el3 && (scrOf(state, levels) & routing.scr) !== 0n;
  const hcr = effectiveHcr(state, levels);
  const toEl2 = (hcr & (routing.hcr | HCR.TGE)) !== 0n;
  const target = toEl3 ? 3 : toEl2 ? 2 : 1;
  // What goes to a lower level stays pending; what leaves for EL2 or EL3 cannot be masked below.
  if (el > target) return undefined;
  // But a host masks for its EL0.
  const inHost = target === 2 && (hcr & HCR.E2H) !== 0n && (hcr & HCR.TGE) !== 0n;
  const masked = (state.daif & bit) !== 0 && !(target > el && target > 1 && !inHost);
  return masked ? undefined : { type, target, virtualError: false };
}

function virtual(
  { state, levels, virtualInterrupts }: InterruptedCpu,
  type: ChosenInterrupt["type"],
  bit: number,
  routing: bigint,
): ChosenInterrupt | undefined {
  if ((virtualInterrupts & bit) === 0 || state.el > 1 || state.daif & bit) return undefined;
  const hcr = effectiveHcr(state, levels);
  if (!(hcr & routing) || hcr & HCR.TGE) return undefined;
  return { type, target: 1, virtualError: type === "serror" };
}

/** ESR of a virtual SError: its class; the syndrome is 0 or VSESR_EL2's (FEAT_RAS). */
const VIRTUAL_ERROR = 0xbe00_0000n, SYNDROME = 0x1ff_ffffn;
/** DISR_EL1.A. */
const DEFERRED = 1n << 31n;

const HCR_EL2 = slotOf("HCR_EL2"), VSESR_EL2 = slotOf("VSESR_EL2"), VDISR_EL2 = slotOf("VDISR_EL2");

/**
 * The virtual SError is being taken: HCR_EL2.VSE goes back to 0.
 *
 * @returns ESR_EL1
 */
export function acceptVirtualError(state: CpuState): bigint {
  state.set64(HCR_EL2, state.get64(HCR_EL2) & ~HCR.VSE);
  return VIRTUAL_ERROR | state.get64(VSESR_EL2) & SYNDROME;
}

/** ESB (FEAT_RAS): a virtual SError that is masked is noted in VDISR_EL2 instead of being taken. */
export function deferVirtualError(state: CpuState, levels: ExceptionLevels): void {
  const hcr = effectiveHcr(state, levels);
  const pending = (hcr & HCR.VSE) !== 0n && (hcr & HCR.AMO) !== 0n;
  if (state.el > 1 || !pending || !(state.daif & SERROR)) return;
  state.set64(VDISR_EL2, state.get64(VSESR_EL2) & SYNDROME | DEFERRED);
  state.set64(HCR_EL2, state.get64(HCR_EL2) & ~HCR.VSE);
}
