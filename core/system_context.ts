/**
 * What the semantics of system instructions need of the machine.
 *
 * `system_access.ts` and the register functions in `system_special.ts` are plain functions over
 * this record. The machine implements it once per CPU; tests implement it with a few fields.
 */

import type { Clock } from "./devices/device.ts";
import type { GenericTimer } from "./devices/generic_timer.ts";
import type { Observer } from "./observer.ts";
import type { CpuState } from "./state.ts";

/** One CPU while it executes a system instruction. */
export interface SystemContext {
  /** This CPU's registers. */
  readonly state: CpuState;
  /** Index of this CPU, from 0. */
  readonly cpu: number;
  /** Number of CPUs of the machine. */
  readonly cpuCount: number;
  /** Virtual time. */
  readonly clock: Clock;
  /** This CPU's timers. */
  readonly timer: GenericTimer;
  /** Receives the events. */
  readonly observer: Observer;
  /** Steps executed before the instruction in hand. */
  readonly position: number;
  /** Instructions retired by this CPU before the one in hand. */
  readonly retired: number;
  /** Address of the instruction in hand. */
  readonly pc: bigint;
  /** The instruction word in hand; read only where an access traps or is unknown. */
  readonly word: number;
  /** Interrupts that wait for this CPU, masked or not, as ISR_EL1: bit 8 SError, 7 IRQ, 6 FIQ. */
  readonly pendingInterrupts: number;
  /**
   * SCTLR, TCR, TTBRn or MAIR of EL1 was written; the slots hold the new values.
   *
   * @param dropStale true where the reference forgets every cached translation with this write: any change of
   * SCTLR, any write to TCR, a TTBR write that changes the ASID
   */
  regimeChanged(dropStale: boolean): void;
  /** CPACR_EL1 or MDSCR_EL1 was written: what the engine derives from them is out of date. */
  trapsChanged(): void;
  /** A TLBI was executed. */
  invalidateTlb(invalidation: TlbInvalidation): void;
  /** An IC or DC instruction was executed. Nothing has to happen: caches are not modelled. */
  maintainCache(operation: string, address: bigint): void;
  /**
   * Stage 1 translation for an AT instruction.
   *
   * @returns the value for PAR_EL1, or the Data Abort (CM set) that an external abort on the walk takes
   */
  translateAddress(request: AddressTranslation): bigint | SystemException;
}

/** Operand of a TLBI, decoded (Arm ARM D5.10.2). */
export interface TlbInvalidation {
  /** Inner Shareable: on every CPU. */
  readonly broadcast: boolean;
  /** `all`: everything of EL1&0; `asid`: non-global entries of an ASID; `va`: a page in an ASID, or global; `va-any`: a page in any ASID. */
  readonly scope: "all" | "asid" | "va" | "va-any";
  /** Virtual address, sign-extended from bit 55; 0 where the scope has none. */
  readonly va: bigint;
  /** 0 where the scope has none. */
  readonly asid: number;
  /** Only last-level entries need go. */
  readonly lastLevel: boolean;
}

/** What an AT instruction asks. */
export interface AddressTranslation {
  /** The address in Xt. */
  readonly va: bigint;
  /** The EL whose permissions count. */
  readonly el: 0 | 1;
  /** Whether write permission is asked for. */
  readonly write: boolean;
}

/** The instruction traps: to EL1 with this syndrome. IL is set. */
export interface SystemException {
  /** ESR_ELx.EC: 0x00 UNDEFINED, 0x18 trapped MSR, MRS or system instruction; 0x25 where AT aborts. */
  readonly ec: number;
  /** ESR_ELx.ISS, 25 bits. */
  readonly iss: number;
  /** FAR_EL1; left out where it keeps its value. */
  readonly far?: bigint;
}

/**
 * How a system instruction ended: `leave` where the engine must look again before the next
 * instruction (regime, interrupt masks, timers, TLB), or with an exception and nothing changed.
 */
export type SystemOutcome = "done" | "leave" | SystemException;

/** The UNDEFINED exception. */
export const UNDEFINED: SystemException = { ec: 0, iss: 0 };

/**
 * The exception of a trapped MSR, MRS or system instruction (Arm ARM D13.2.37, ISS for EC 0x18).
 *
 * @param encoding op0:op1:CRn:CRm:op2, 16 bits
 * @param rt register number of the instruction
 * @param read true for MRS and SYSL
 */
export function systemTrap(encoding: number, rt: number, read: boolean): SystemException {
  const op0 = encoding >> 14, op1 = (encoding >> 11) & 7, op2 = encoding & 7;
  const crn = (encoding >> 7) & 15, crm = (encoding >> 3) & 15;
  return {
    ec: 0x18,
    iss: (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (rt << 5) | (crm << 1) |
      Number(read),
  };
}
