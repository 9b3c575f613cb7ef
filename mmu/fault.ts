/**
 * Faults of memory accesses, and the one place that turns them into a syndrome.
 *
 * A fault is a named union member that carries what an explanation needs. Levels are 0 to 3.
 */

import { type Access, ACCESS_EXECUTE, ACCESS_WRITE, type PermissionReason } from "./permissions.ts";
import type { Stage2Walk } from "./stage2.ts";

/** Why there is no translation. */
export type TranslationCause =
  /** TxSZ is outside what is implemented. */
  | "txsz"
  /** The address is in neither TTBR's range: bits above the input size are not all equal to bit 55. */
  | "hole"
  /** TCR.EPDn is set. */
  | "walks-disabled"
  /** TCR_EL1.E0PDn keeps EL0 off the range. */
  | "e0pd"
  /** Bit 0 of the descriptor is clear. */
  | "invalid"
  /** Bit 0 is set, bit 1 clear: reserved at level 3, or a block where the granule has none. */
  | "reserved";

/** The faults that the tables of one stage can make. */
export type TableFault =
  | { kind: "translation"; level: number; cause: TranslationCause }
  | { kind: "address-size"; level: number; cause: "ttbr" | "descriptor"; address: number }
  | { kind: "access-flag"; level: number }
  /** Hardware keeps the flags of a descriptor that is not in RAM (FEAT_HAFDBS). */
  | { kind: "unsupported-atomic-update"; level: number }
  | { kind: "external-abort-on-walk"; level: number; address: number };

/** Why stage 2 denied an access. */
export type Stage2Reason =
  /** S2AP[0] is clear. */
  | "s2ap-read"
  /** S2AP[1] is clear. */
  | "s2ap-write"
  /** XN is set. */
  | "s2-xn"
  /** HCR_EL2.PTW, and a stage 1 table is in Device memory. */
  | "protected-walk";

/** What stage 2 can end with. */
export type StageFault =
  | TableFault
  | { kind: "permission"; level: number; reason: Stage2Reason };

/** A fault of stage 2: of an access, or of the read of a stage 1 descriptor (`onWalk`, S1PTW). */
export interface Stage2Fault {
  /** Tells it from the faults of stage 1. */
  kind: "stage2";
  /** Level of the stage 2 fault. */
  level: number;
  /** The intermediate physical address: what HPFAR_EL2 gets. */
  ipa: number;
  /** It was a stage 1 descriptor that could not be read. */
  onWalk: boolean;
  /** What stage 2 found. */
  fault: StageFault;
  /** Its walk. */
  walk: Stage2Walk;
}

/** The faults that a table walk can end with. */
export type WalkFault = TableFault | Stage2Fault;

/** What made an alignment fault. */
export type AlignmentCause =
  /** SCTLR.A is set. */
  | "sctlr-a"
  /** Device memory. */
  | "device"
  /** An exclusive, acquire or release access. */
  | "exclusive-or-ordered"
  /** DC ZVA to Device memory. */
  | "dc-zva";

/** Every synchronous fault of a memory access or of PC and SP alignment. */
export type Fault =
  | WalkFault
  /** With stage 1 off, address bits above the implemented size. Reported as level 0. */
  | { kind: "address-size"; level: 0; cause: "flat" }
  | { kind: "permission"; level: number; reason: PermissionReason }
  | { kind: "alignment"; cause: AlignmentCause }
  /** Nothing answers at `address` (physical), or the device refuses the access (`slaveError`). */
  | { kind: "external-abort"; address: number; slaveError: boolean }
  | { kind: "pc-alignment" }
  | { kind: "sp-alignment" };

/** What the syndrome says beyond the fault. */
export interface FaultContext {
  /** What the faulting access was. */
  access: Access;
  /** Exception level that the exception is taken from. */
  fromEl: number;
  /** Exception level that the exception is taken to. */
  toEl: number;
  /** The access is cache maintenance or address translation: CM = 1, WnR = 1. */
  maintenance?: boolean;
  /** ISS bits 24:14 of the instruction, for a Data Abort taken to EL2; 0 where they are not valid. */
  instruction?: number;
}

/** A syndrome. */
export interface Syndrome {
  /** ESR_ELx, an unsigned 32-bit number. */
  esr: number;
  /** Whether FAR_ELx gets the address; otherwise it is UNKNOWN and keeps its value. */
  farValid: boolean;
}

const EC_INSTRUCTION_ABORT = 0x20;
const EC_PC_ALIGNMENT = 0x22;
const EC_DATA_ABORT = 0x24;
const EC_SP_ALIGNMENT = 0x26;
/** Added to an abort's class where it is taken without a change of exception level. */
const EC_SAME_LEVEL = 1;

const IL = 1 << 25, EA = 1 << 9, CM = 1 << 8, S1PTW = 1 << 7, WNR = 1 << 6;

/**
 * Encodes ESR_ELx for a fault (Arm ARM D17.2.37: ISS encodings for an Instruction Abort, a Data
 * Abort, and PC and SP alignment). ISV is set for EL2 only, and not for a walk.
 */
export function encodeSyndrome(fault: Fault, context: FaultContext): Syndrome {
  if (fault.kind === "pc-alignment") {
    return { esr: syndrome(EC_PC_ALIGNMENT, 0), farValid: true };
  }
  if (fault.kind === "sp-alignment") {
    return { esr: syndrome(EC_SP_ALIGNMENT, 0), farValid: false };
  }
  const execute = context.access === ACCESS_EXECUTE;
  const same = context.fromEl === context.toEl ? EC_SAME_LEVEL : 0;
  let iss = faultStatusCode(fault);
  if (fault.kind === "external-abort" && fault.slaveError) iss |= EA;
  const onWalk = fault.kind === "stage2" && fault.onWalk;
  if (onWalk) iss |= S1PTW;
  if (!execute) {
    if (!onWalk) iss |= context.instruction ?? 0;
    if (context.maintenance) iss |= CM | WNR;
    if (context.access === ACCESS_WRITE) iss |= WNR;
  }
  const ec = (execute ? EC_INSTRUCTION_ABORT : EC_DATA_ABORT) + same;
  return { esr: syndrome(ec, iss), farValid: true };
}

/**
 * DFSC or IFSC: the six-bit fault status code, also FST of PAR_EL1.
 *
 * PC and SP alignment have no code; they give that of an alignment fault.
 */
export function faultStatusCode(fault: Fault | StageFault): number {
  switch (fault.kind) {
    case "address-size":
      return 0b000000 | fault.level;
    case "translation":
      return 0b000100 | fault.level;
    case "access-flag":
      return 0b001000 | fault.level;
    case "permission":
      return 0b001100 | fault.level;
    case "unsupported-atomic-update":
      return 0b110001;
    case "stage2":
      return faultStatusCode(fault.fault);
    case "external-abort":
      return 0b010000;
    case "external-abort-on-walk":
      return 0b010100 | fault.level;
    case "alignment":
    case "pc-alignment":
    case "sp-alignment":
      return 0b100001;
  }
}

/** IL is 1 for every fault in this file, whatever the instruction's length. */
function syndrome(ec: number, iss: number): number {
  return (ec << 26 | IL | iss) >>> 0;
}
