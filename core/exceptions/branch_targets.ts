/**
 * Where indirect branches may land in guarded pages (FEAT_BTI; Arm ARM D8.4.5, and BTypeCompatible in
 * J1.1.3).
 */

import { type CpuState, SLOT } from "../state.ts";

/** SCTLR_ELx.BT0 and BT1: PACIASP and PACIBSP are no target of BR. */
const SCTLR_BT = { el0: 1n << 35n, others: 1n << 36n } as const;
/** HINT, without its number; and numbers of those that matter. */
const HINT = { mask: 0xffff_f01f, value: 0xd503_201f } as const;
const PACIASP = 0b001_1001, PACIBSP = 0b001_1011;
const BTI = { none: 0b010_0000, c: 0b010_0010, j: 0b010_0100, jc: 0b010_0110 } as const;
/** BRK and HLT, whose exceptions go before. */
const BREAK = { mask: 0xffe0_001f, values: [0xd420_0000, 0xd440_0000] } as const;
/** PSTATE.BTYPE: a jump that is no call, and a call. */
const JUMP = 3, CALL = 2;

/**
 * Whether the next instruction is no target of the branch that led to it.
 *
 * @param control SCTLR_ELx of the current regime
 * @param word gives the instruction
 * @returns PSTATE.BTYPE, which is the syndrome; 0 if nothing is wrong
 */
export function misplacedLanding(state: CpuState, control: bigint, word: () => number): number {
  const { btype } = state;
  if (btype === 0 || state.get32(SLOT.guarded) === 0) return 0;
  const strict = (control & (state.el === 0 ? SCTLR_BT.el0 : SCTLR_BT.others)) !== 0n;
  return isTarget(word(), btype, strict) ? 0 : btype;
}

function isTarget(word: number, btype: number, strict: boolean): boolean {
  if (BREAK.values.some((value) => ((word ^ value) & BREAK.mask) === 0)) return true;
  if (((word ^ HINT.value) & HINT.mask) !== 0) return false;
  switch (word >>> 5 & 0x7f) {
    case PACIASP:
    case PACIBSP:
      return !strict || btype !== JUMP;
    case BTI.c:
      return btype !== JUMP;
    case BTI.j:
      return btype !== CALL;
    case BTI.jc:
      return true;
    default:
      return false;
  }
}
