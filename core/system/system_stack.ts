/**
 * The banked stack pointers.
 *
 * `SLOT.sp` holds the one in use. The others wait in the slots of SP_EL0 and SP_ELx; the slot of
 * the one in use is stale. Everything that changes PSTATE.EL or PSTATE.SP goes through here.
 */

import { CpuState, SLOT } from "../state.ts";
import { slotOf } from "./sysregs.ts";

/**
 * Sets PSTATE.EL and PSTATE.SP and exchanges the stack pointers.
 *
 * @param el the new exception level
 * @param spSel the new PSTATE.SP; ignored at EL0, where it is 0
 */
export function selectStackPointer(state: CpuState, el: number, spSel: number): void {
  state.set64(bankSlot(state.el, state.spSel), state.sp);
  state.set32(SLOT.el, el);
  state.set32(SLOT.spSel, el === 0 ? 0 : spSel);
  state.sp = state.get64(bankSlot(el, spSel));
}

/**
 * Writes the stack pointer in use back to the slot it is banked in, so that all slots are valid.
 */
export function bankStackPointer(state: CpuState): void {
  state.set64(bankSlot(state.el, state.spSel), state.sp);
}

/** Where a stack pointer rests while it is not in use. */
function bankSlot(el: number, spSel: number): number {
  return spSel === 0 ? STACK_POINTERS[0] : STACK_POINTERS[el];
}

const STACK_POINTERS = ["SP_EL0", "SP_EL1", "SP_EL2", "SP_EL3"].map(slotOf);
