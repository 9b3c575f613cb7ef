/** What SYS instructions (IC, DC, AT, TLBI) and barriers do: call-outs of the engine. */

import {
  type SystemContext,
  type SystemException,
  type SystemOutcome,
  systemTrap,
  type TlbRange,
  UNDEFINED,
} from "./system_context.ts";
import { DC_ZVA, type SystemInstruction, systemInstruction } from "./system_instructions.ts";
import { unknownRegister } from "./system_access.ts";
import { highestLevel, isSecureBelowEl3 } from "../privilege.ts";
import { controlOfEl0, trapTarget, zeroBlockTrap } from "./system_traps.ts";
import { slotOf } from "./sysregs.ts";
import { narrow, wide } from "../wide.ts";

const PAR = slotOf("PAR_EL1");
const SCTLR_UCI = 1n << 26n, SCTLR_ENRCTX = 1n << 10n;
/** op0 of SYS in a 16-bit encoding. */
const SYS_OP0 = 1 << 14;

/**
 * SYS: cache and TLB maintenance, address translation.
 *
 * @param argument op1:CRn:CRm:op2, 14 bits
 * @param operand Xt
 */
export function executeSys(
  context: SystemContext,
  argument: number,
  operand: bigint,
): SystemOutcome {
  const instruction = systemInstruction(argument);
  const isMissing = instruction?.feature !== undefined &&
    !context.model.features.has(instruction.feature);
  if (!instruction || instruction.lowestEl > highestLevel(context.levels) || isMissing) {
    return unknownRegister(context, SYS_OP0 | argument);
  }
  const { state } = context;
  if (state.el < instruction.lowestEl || !isPresent(instruction, context)) return UNDEFINED;
  const trap = () => systemTrap(SYS_OP0 | argument, context.word & 31, false);
  const leave = instruction.restriction ? SCTLR_ENRCTX : SCTLR_UCI;
  if (state.el === 0 && !(controlOfEl0(context) & leave)) return trap();
  const target = instruction.trap ? trapTarget(context, instruction.trap, true) : 0;
  if (target > 0) return { ...trap(), target };
  return perform(context, instruction, instruction.operand ? operand : 0n);
}

/**
 * Whether an instruction of a higher level is there: those for EL2's own regime need an EL2, and
 * AT S1E2 from EL3 a Non-secure EL1 (as on the reference).
 */
function isPresent({ needs }: SystemInstruction, { levels, state }: SystemContext): boolean {
  if (needs === undefined || levels.el2 === false) return needs === undefined;
  return needs === "el2" || state.el === 2 || !isSecureBelowEl3(state, levels);
}

/** SYSL: this processor has none, so it is always UNDEFINED. */
export function executeSysl(context: SystemContext, argument: number): SystemException {
  return unknownRegister(context, SYS_OP0 | argument);
}

/**
 * Whether DC ZVA may be executed here. The 64 bytes themselves are the machine's to store.
 *
 * @returns the exception it takes at EL0 with SCTLR_EL1.DZE clear or with HCR_EL2.TDZ, else undefined
 */
export function checkZeroBlock(context: SystemContext): SystemException | undefined {
  const target = zeroBlockTrap(context);
  if (target === 0) return undefined;
  const trap = systemTrap(SYS_OP0 | DC_ZVA, context.word & 31, false);
  return target === 1 ? trap : { ...trap, target };
}

/**
 * DSB, DMB, ISB: an event; nothing is reordered here that they could order.
 *
 * A change of context is seen where it is made, so that an ISB has nothing to wait for.
 *
 * @param argument op2:CRm in 3 and 4 bits
 */
export function executeBarrier(context: SystemContext, argument: number): SystemOutcome {
  const name = BARRIER_NAMES[argument];
  if (!name) {
    const op2 = argument >> 4, crm = argument & 15;
    return unknownRegister(context, (3 << 11) | (3 << 7) | (crm << 3) | op2);
  }
  emit(context, "barrier", name, 0n);
  return "done";
}

/** `DSB ISH`, `DMB #0`, `ISB` from op2:CRm; undefined for CLREX and what is not a barrier. */
export function barrierName(argument: number): string | undefined {
  const crm = argument & 15;
  switch (argument >> 4) {
    case 4:
      return `DSB ${BARRIER_OPTIONS[crm] ?? `#${crm}`}`;
    case 5:
      return `DMB ${BARRIER_OPTIONS[crm] ?? `#${crm}`}`;
    case 6:
      return "ISB";
    default:
      return undefined;
  }
}

const BARRIER_OPTIONS: Readonly<Record<number, string>> = {
  1: "OSHLD",
  2: "OSHST",
  3: "OSH",
  5: "NSHLD",
  6: "NSHST",
  7: "NSH",
  9: "ISHLD",
  10: "ISHST",
  11: "ISH",
  13: "LD",
  14: "ST",
  15: "SY",
};

/** By op2:CRm. A delay that polls a counter executes millions. */
const BARRIER_NAMES = Array.from({ length: 1 << 7 }, (_, argument) => barrierName(argument));

function perform(
  context: SystemContext,
  { name, operation }: SystemInstruction,
  operand: bigint,
): SystemOutcome {
  switch (operation.kind) {
    case "cache":
      emit(context, "cache", name, operand);
      context.maintainCache(name, operand);
      return "done";
    case "restrict":
      return "done";
    case "translate": {
      const { el, write, bothStages, pan } = operation;
      const request = { va: operand, el, write, bothStages, ...(pan ? { pan } : {}) };
      const result = context.translateAddress(request);
      if (typeof result !== "bigint") return result;
      context.state.set64(PAR, result);
      return "done";
    }
    case "tlbi": {
      const { broadcast, scope, lastLevel, regime, inHost = false } = operation;
      emit(context, "tlbi", name, operand);
      const names = operation.byRange
        ? decodeTlbiRange(scope, operand)
        : decodeTlbiOperand(scope, operand);
      context.invalidateTlb({ regime, inHost, broadcast, scope, lastLevel, ...names });
      return "leave";
    }
  }
}

/** Xt of a TLBI: VA[55:12] in bits 43:0, ASID in bits 63:48 (Arm ARM C5.5). */
function decodeTlbiOperand(scope: string, operand: bigint): { va: bigint; asid: number } {
  const byAddress = scope === "va" || scope === "va-any";
  const byAsid = scope === "va" || scope === "asid";
  const words = narrow(operand);
  const lo = words[0], hi = words[1];
  const va = byAddress ? wide((hi << 12 | lo >>> 20) << 8 >> 8, lo << 12) : 0n;
  return { va, asid: byAsid ? hi >>> 16 : 0 };
}

/** By TG: reserved, then log2 of 4, 16 and 64 KB. */
const RANGE_GRANULES = [0, 12, 14, 16];

/**
 * Xt of a TLBI by range: BaseADDR in bits 36:0, NUM in 43:39, SCALE in 45:44, TG in 47:46, ASID in
 * bits 63:48 (Arm ARM C5.5). (NUM + 1) * 2^(5 * SCALE + 1) pages.
 */
function decodeTlbiRange(
  scope: string,
  operand: bigint,
): { va: bigint; asid: number; range: TlbRange } {
  const field = (at: bigint, width: number) => BigInt.asUintN(width, operand >> at);
  const granuleLog2 = RANGE_GRANULES[Number(field(46n, 2))];
  const pages = field(39n, 5) + 1n << 5n * field(44n, 2) + 1n;
  const shift = BigInt(granuleLog2);
  return {
    va: BigInt.asUintN(64, BigInt.asIntN(37, operand) << shift),
    asid: scope === "va" ? Number(field(48n, 16)) : 0,
    range: { granuleLog2, length: pages << shift },
  };
}

function emit(
  context: SystemContext,
  kind: "tlbi" | "cache" | "barrier",
  operation: string,
  value: bigint,
): void {
  const { observer } = context;
  if (observer.wants?.(kind) === false) return;
  const { position, cpu, pc } = context;
  observer.event({ kind, position, cpu, pc, operation, value });
}
