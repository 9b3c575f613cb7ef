/**
 * What MRS, MSR, SYS and barriers do: the machine's side of the engine's call-outs.
 *
 * Access is checked as in the manual's pseudocode of each register (Arm ARM D13): a register that
 * does not exist or is out of reach of the current EL is UNDEFINED; one that EL0 may use only with
 * leave of SCTLR_EL1, CNTKCTL_EL1 or PMUSERENR_EL0 traps with EC 0x18 instead.
 */

import { namedInstruction, systemRegisterName } from "../isa/system_names.ts";
import { effectiveHcr, HCR, isInHost, SCR } from "../privilege.ts";
import {
  type SystemContext,
  type SystemException,
  type SystemOutcome,
  systemTrap,
  UNDEFINED,
} from "./system_context.ts";
import { EncodingTable } from "./encoding_table.ts";
import { reachedRegister } from "./system_host.ts";
import { writeLaterField } from "./system_extensions.ts";
import { SLOT } from "../state.ts";
import { SPECIAL_REGISTERS, type SpecialRegister } from "./system_special.ts";
import { controlOfEl0, type TrapGroup, trapGroup, trapTarget } from "./system_traps.ts";
import type { El0Gate } from "./sysregs_row.ts";
import {
  genericName,
  isPresent,
  slotOf,
  SYSTEM_REGISTERS,
  type SystemRegister,
  systemRegister,
} from "./sysregs.ts";

const CNTKCTL = slotOf("CNTKCTL_EL1"), CNTHCTL = slotOf("CNTHCTL_EL2");
const PMUSERENR = slotOf("PMUSERENR_EL0");
const MDSCR = slotOf("MDSCR_EL1");

/** SCTLR_EL1 bits that give EL0 access. */
const SCTLR_UMA = 1n << 9n;
const SCTLR_UCT = 1n << 15n;
/** And one that takes it. */
const SCTLR_TSCXT = 1n << 20n;
/** CNTKCTL_EL1: EL0PCTEN, EL0VCTEN, EL0VTEN, EL0PTEN. */
const CNTKCTL_BITS = { pct: 1n, vct: 2n, vt: 0x100n, pt: 0x200n };
/** PMUSERENR_EL0: all, software increment, cycle counter, event counters. */
const PMUSERENR_BITS = { en: 1n, sw: 2n, cr: 4n, er: 8n };

const SP_EL0_ENCODING = 0xc208;
/** SPSR/DAIF bits of SError, IRQ and FIQ. */
const DAIF_INTERRUPTS = 0x1c0, DAIF_DEBUG = 0x200;
const ASID_SHIFT = 48n;

const OF_HOST_TIMERS = /_EL02$/;
/** Functions of the special registers, by encoding. */
const SPECIAL = new EncodingTable<SpecialRegister>();
for (const { name, encoding } of SYSTEM_REGISTERS) {
  const special = SPECIAL_REGISTERS[name];
  if (special) SPECIAL.set(encoding, special);
}
/** What EL2 and EL3 may trap, by encoding, of the registers met so far; null for nothing. */
const TRAP_GROUPS = new EncodingTable<TrapGroup | null>();

/**
 * MRS.
 *
 * @param encoding op0:op1:CRn:CRm:op2, 16 bits
 * @returns the register's value, or the exception that the access takes
 */
export function readSystemRegister(
  context: SystemContext,
  encoding: number,
): bigint | SystemException {
  const register = presentRegister(context, encoding);
  if (!register) return unknownRead(context, encoding);
  const exception = checkAccess(context, register, false);
  return exception ?? currentValue(context, reachedRegister(context, register));
}

/**
 * MSR (register). Reports the write as a `sysreg` event, except for PSTATE fields.
 *
 * @param encoding op0:op1:CRn:CRm:op2, 16 bits
 */
export function writeSystemRegister(
  context: SystemContext,
  encoding: number,
  value: bigint,
): SystemOutcome {
  const named = presentRegister(context, encoding);
  if (!named) return unknownRegister(context, encoding);
  const exception = checkAccess(context, named, true);
  if (exception) return exception;
  const register = reachedRegister(context, named);
  if (register.constant) return "done";
  const old = register.slot || register.read < 4 ? currentValue(context, register) : 0n;
  const masks = context.state.daif;
  const later = context.state.get32(SLOT.ilss);
  const set = SPECIAL.get(register.encoding)?.set;
  if (set) set(context, value);
  else context.state.set64(register.slot, value & register.mask);
  if (isPstate(register)) {
    if (context.state.get32(SLOT.ilss) === later) return pstateOutcome(context, masks);
    context.rightsChanged();
    return "leave";
  }
  const stored = register.read < 4 ? currentValue(context, register) : value;
  const { observer } = context;
  if (observer.wants?.("sysreg", register.name) !== false) {
    const { position, cpu, pc } = context;
    const { name } = register;
    observer.event({ kind: "sysreg", position, cpu, pc, register: name, old, new: stored });
  }
  return applyEffect(context, register, old, stored);
}

/**
 * MSR (immediate): SPSel, DAIFSet, DAIFClr (Arm ARM C6.2.195).
 *
 * @param argument op1:op2:CRm in 3, 3 and 4 bits
 */
export function writePstateImmediate(context: SystemContext, argument: number): SystemOutcome {
  const { state } = context;
  const field = argument >> 4, immediate = argument & 15;
  const masks = state.daif;
  switch (field) {
    case PSTATE_FIELD.spSel:
      if (state.el === 0) return UNDEFINED;
      SPECIAL_REGISTERS.SPSel.set!(context, BigInt(immediate));
      return "leave";
    case PSTATE_FIELD.daifSet:
    case PSTATE_FIELD.daifClear:
      if (state.el === 0 && !(controlOfEl0(context) & SCTLR_UMA)) {
        return systemTrap(exchangedEncoding(argument), 31, false);
      }
      state.daif = field === PSTATE_FIELD.daifSet
        ? masks | (immediate << 6)
        : masks & ~(immediate << 6);
      return pstateOutcome(context, masks);
    default:
      return writeLaterField(context, field, immediate) ??
        unknownRegister(context, pstateEncoding(argument));
  }
}

/** op1:op2 of the PSTATE fields that this processor has. */
const PSTATE_FIELD = { spSel: 0o05, daifSet: 0o36, daifClear: 0o37 } as const;

/** The reference's syndrome of a trapped DAIFSet or DAIFClr has op1 and op2 exchanged. */
function exchangedEncoding(argument: number): number {
  const encoding = pstateEncoding(argument);
  return (encoding & 0xc7f8) | ((encoding & 7) << 11) | ((encoding >> 11) & 7);
}

/** The encoding of an MSR (immediate) as a trap's syndrome has it: op0 0, CRn 4. */
function pstateEncoding(argument: number): number {
  const op1 = argument >> 7, op2 = (argument >> 4) & 7, crm = argument & 15;
  return (op1 << 11) | (4 << 7) | (crm << 3) | op2;
}

/** The register at an encoding, if this machine has it. */
function presentRegister(context: SystemContext, encoding: number): SystemRegister | undefined {
  const register = systemRegister(encoding);
  if (!register?.needs) return register;
  if (register.needs === "gic-v3") return context.gic ? register : undefined;
  if (isPresent(register, context.levels, context.model)) return register;
  const { levels, model } = context;
  const isKnown = register.needs === "el2" ||
    (register.withoutEl2 && isPresent(register, { ...levels, el2: true }, model));
  if (!isKnown || levels.el2 || !levels.el3) return undefined;
  // From EL3 the registers of an EL2 that does not exist are constants.
  const known = context.model.registers[register.name] ?? register.reset;
  const reset = register.withoutEl2 === "constant" ? known : 0n;
  return { ...register, constant: true, slot: 0, reset };
}

/** The value that a read gives, access rights aside. Used for listing registers, too. */
export function currentValue(context: SystemContext, register: SystemRegister): bigint {
  const get = SPECIAL.get(register.encoding)?.get;
  if (get && !(register.constant && register.needs === "el2")) return get(context);
  if (register.slot) return context.state.get64(register.slot);
  return context.model.registers[register.name] ?? register.reset;
}

/** A read that is out of reach: of the identification registers a trap, with FEAT_IDST. */
function outOfReach(context: SystemContext, encoding: number): SystemException {
  const isIdentification = (encoding & ID_SPACE.mask) === ID_SPACE.value &&
    ID_SPACE.op1.has(encoding >> 11 & 7);
  if (!isIdentification || !context.model.features.has("FEAT_IDST")) return UNDEFINED;
  return systemTrap(encoding, context.word & 31, true);
}

/** op0 3, CRn 0, CRm 0 to 7 and these op1. */
const ID_SPACE = { mask: 0xc7c0, value: 0xc000, op1: new Set([0, 1, 3]) } as const;

function unknownRead(context: SystemContext, encoding: number): SystemException {
  const unknown = unknownRegister(context, encoding);
  return context.model.features.has("FEAT_IDST") ? outOfReach(context, encoding) : unknown;
}

/** The exception of an encoding that nothing implements; reported as an `unknown` event. */
export function unknownRegister(context: SystemContext, encoding: number): SystemException {
  const { position, cpu, pc, word, observer } = context;
  observer.event({ kind: "unknown", position, cpu, pc, word, text: describe(encoding) });
  return UNDEFINED;
}

/** `S3_0_C15_C2_0`, or `HCR_EL2 (S3_4_C1_C1_0)` where other processors have it. */
function describe(encoding: number): string {
  const generic = genericName(encoding);
  const isInstruction = encoding >> 14 === 1;
  const instruction = isInstruction ? namedInstruction(encoding & 0x3fff) : undefined;
  const name = instruction
    ? `${instruction.mnemonic} ${instruction.operation}`.toUpperCase()
    : systemRegisterName(encoding).toUpperCase();
  return name === generic ? generic : `${name} (${generic})`;
}

function checkAccess(
  context: SystemContext,
  register: SystemRegister,
  isWrite: boolean,
): SystemException | undefined {
  const { state } = context;
  const lowest = isWrite ? register.write : register.read;
  if (state.el < lowest) return isWrite ? UNDEFINED : outOfReach(context, register.encoding);
  // As on the reference; the manual says UNDEFINED.
  const ofHost = register.needs === "el2-vhe" && OF_HOST_TIMERS.test(register.name);
  if (ofHost && !(effectiveHcr(state, context.levels) & HCR.E2H)) {
    return { ...systemTrap(register.encoding, context.word & 31, !isWrite), target: state.el };
  }
  const refused = SPECIAL.get(register.encoding)?.refuse?.(context, isWrite);
  if (refused) return refused;
  // SP_EL0 has no name of its own while it is the stack pointer in use.
  if (register.encoding === SP_EL0_ENCODING && state.spSel === 0) return UNDEFINED;
  const trap = (target?: number) => ({
    ...systemTrap(register.encoding, context.word & 31, !isWrite),
    ...(target === undefined ? {} : { target }),
  });
  if (state.el === 0 && register.gate && !isGateOpen(context, register.gate, isWrite)) {
    return trap();
  }
  const group = trapGroupOf(register);
  const target = group === null ? 0 : trapTarget(context, group, isWrite);
  return target === 0 ? undefined : target < 0 ? UNDEFINED : trap(target);
}

function trapGroupOf({ encoding, name }: SystemRegister): TrapGroup | null {
  const known = TRAP_GROUPS.get(encoding);
  if (known !== undefined) return known;
  const group = trapGroup(name) ?? null;
  TRAP_GROUPS.set(encoding, group);
  return group;
}

/** Whether EL0 may use what a gate guards. */
function isGateOpen(context: SystemContext, gate: El0Gate, isWrite: boolean): boolean {
  const { state, levels } = context;
  const counters = state.get64(isInHost(state, levels, 0) ? CNTHCTL : CNTKCTL);
  const monitors = state.get64(PMUSERENR);
  const { pct, vct, vt, pt } = CNTKCTL_BITS;
  const { en, sw, cr, er } = PMUSERENR_BITS;
  switch (gate) {
    case "UCT":
      return (controlOfEl0(context) & SCTLR_UCT) !== 0n;
    case "UMA":
      return (controlOfEl0(context) & SCTLR_UMA) !== 0n;
    case "context-number":
      return (controlOfEl0(context) & SCTLR_TSCXT) === 0n;
    case "counter-frequency":
      return (counters & (pct | vct)) !== 0n;
    case "physical-counter":
      return (counters & pct) !== 0n;
    case "virtual-counter":
      return (counters & vct) !== 0n;
    case "physical-timer":
      return (counters & pt) !== 0n;
    case "virtual-timer":
      return (counters & vt) !== 0n;
    case "pmu":
      return (monitors & en) !== 0n;
    case "pmu-increment":
      return (monitors & (en | sw)) !== 0n;
    case "pmu-cycles":
      return (monitors & (isWrite ? en : en | cr)) !== 0n;
    case "pmu-select":
      return (monitors & (en | er)) !== 0n;
    case "pmu-events":
      return (monitors & (isWrite ? en : en | er)) !== 0n;
  }
}

/** What the reference forgets with a write to a register that EL2 or EL3 has for itself. */
function dropped(
  { state, levels }: SystemContext,
  { name }: SystemRegister,
  old: bigint,
  value: bigint,
): "nothing" | "el1" | "host" | "all" {
  const changed = old ^ value;
  switch (name) {
    case "TTBR0_EL2":
    case "TTBR1_EL2":
      return changed >> ASID_SHIFT && effectiveHcr(state, levels) & HCR.E2H ? "host" : "nothing";
    case "SCTLR_EL2":
    case "SCTLR_EL3":
      return changed ? "all" : "nothing";
    case "TCR_EL2":
      return "all";
    case "HCR_EL2":
      return changed & (HCR.VM | HCR.PTW | HCR.DC | HCR.FWB) ? "all" : "nothing";
    case "VTTBR_EL2":
      return changed >> ASID_SHIFT ? "el1" : "nothing";
    case "SCR_EL3":
      return changed & SCR.NS ? "el1" : "nothing";
    default:
      return "nothing";
  }
}

function isPstate(register: SystemRegister): boolean {
  return register.effect === "pstate";
}

/** After a change of DAIF or SPSel: leave if an interrupt may now be taken. */
function pstateOutcome(context: SystemContext, old: number): SystemOutcome {
  // Debug exceptions that are on may be taken from here on, or no longer.
  const debug = (old ^ context.state.daif) & DAIF_DEBUG;
  if (debug && context.state.get64(MDSCR)) return "leave";
  const unmasked = old & ~context.state.daif & DAIF_INTERRUPTS;
  return unmasked && (context.pendingInterrupts | context.virtualInterrupts) ? "leave" : "done";
}

/** Tells the machine what a write means beside its value. */
function applyEffect(
  context: SystemContext,
  register: SystemRegister,
  old: bigint,
  value: bigint,
): SystemOutcome {
  switch (register.effect) {
    case "sctlr":
      context.regimeChanged(old !== value);
      return "leave";
    case "tcr":
      context.regimeChanged(true);
      return "leave";
    case "ttbr":
      context.regimeChanged((old ^ value) >> ASID_SHIFT !== 0n);
      return "leave";
    case "mair":
      context.regimeChanged(false);
      return "leave";
    case "traps":
      context.trapsChanged();
      return "leave";
    case "timer":
      context.timer.update();
      return "leave";
    case "el2-regime":
    case "el3-regime":
    case "stage2":
    case "hypervisor":
    case "security":
      context.privilegedRegimeChanged(dropped(context, register, old, value));
      return "leave";
    default:
      return "done";
  }
}
