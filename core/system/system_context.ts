/**
 * What the semantics of system instructions need of the machine.
 *
 * `system_access.ts` and the register functions in `system_special.ts` are plain functions over
 * this record. The machine implements it once per CPU; tests implement it with a few fields.
 */

import type { CpuModel } from "../cpu_models.ts";
import type { Clock } from "../devices/device.ts";
import type { GicV3CpuInterface } from "../devices/gic_v3_cpu_interface.ts";
import type { GenericTimer } from "../devices/generic_timer.ts";
import type { Observer } from "../observer.ts";
import type { ExceptionLevels } from "../privilege.ts";
import type { CpuState } from "../state.ts";

/** One CPU while it executes a system instruction. */
export interface SystemContext {
  /** This CPU's registers. */
  readonly state: CpuState;
  /** The exception levels above EL1 that there are. */
  readonly levels: ExceptionLevels;
  /** Which processor it is. */
  readonly model: CpuModel;
  /** Faults where hardware may, instead of going on as the reference does. */
  readonly strict: boolean;
  /** Index of this CPU, from 0. */
  readonly cpu: number;
  /** Number of CPUs of the machine. */
  readonly cpuCount: number;
  /** Virtual time. */
  readonly clock: Clock;
  /** This CPU's timers. */
  readonly timer: GenericTimer;
  /** This CPU's interface to the interrupt controller, where it is one of system registers (GICv3). */
  readonly gic?: GicV3CpuInterface | undefined;
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
  /** Physical interrupts that wait for this CPU, masked or not: bit 7 IRQ, 6 FIQ. */
  readonly pendingInterrupts: number;
  /** Virtual ones: bit 8 SError, 7 IRQ, 6 FIQ. */
  readonly virtualInterrupts: number;
  /**
   * SCTLR, TCR, TTBRn or MAIR of EL1 was written; the slots hold the new values.
   *
   * @param dropStale true where the reference forgets every cached translation with this write: any change of
   * SCTLR, any write to TCR, a TTBR write that changes the ASID
   */
  regimeChanged(dropStale: boolean): void;
  /**
   * A register of the regimes above EL1, of stage 2, HCR_EL2 or SCR_EL3 was written.
   *
   * @param drop what the reference forgets with this write; `host` is EL2&0
   */
  privilegedRegimeChanged(drop: "nothing" | "el1" | "host" | "all"): void;
  /** A register that traps FP, debug or alignment was written: what the engine derives from them is out of date. */
  trapsChanged(): void;
  /** PSTATE.PAN or UAO was written: which accesses are allowed. */
  rightsChanged(): void;
  /** A TLBI was executed. */
  invalidateTlb(invalidation: TlbInvalidation): void;
  /** An IC or DC instruction was executed. Nothing has to happen: caches are not modelled. */
  maintainCache(operation: string, address: bigint): void;
  /**
   * Translation for an AT instruction.
   *
   * @returns the value for PAR_EL1, or the Data Abort (CM set) that an external abort on the walk takes
   */
  translateAddress(request: AddressTranslation): bigint | SystemException;
}

/** Operand of a TLBI, decoded (Arm ARM D5.10.2). */
export interface TlbInvalidation {
  /** The EL whose translations go: 1 stands for EL1&0. */
  readonly regime: 1 | 2 | 3;
  /** While HCR_EL2.E2H and TGE are set, EL2&0 goes instead of EL1&0. */
  readonly inHost?: boolean;
  /** Inner Shareable: on every CPU. */
  readonly broadcast: boolean;
  /**
   * `all`: everything of the regime and the current VMID; `all-vmids`: and of any other; `asid`:
   * non-global entries of an ASID; `va`: a page in an ASID, or global; `va-any`: a page in any ASID;
   * `ipa`: stage 2 alone, which is not held by itself.
   */
  readonly scope: "all" | "all-vmids" | "asid" | "va" | "va-any" | "ipa";
  /** Virtual address, sign-extended from bit 55; 0 where the scope has none. */
  readonly va: bigint;
  /** 0 where the scope has none. */
  readonly asid: number;
  /** Only last-level entries need go. */
  readonly lastLevel: boolean;
  /** Of an invalidation by range (FEAT_TLBIRANGE): from `va` on. */
  readonly range?: TlbRange;
}

/** The range of a TLBI. */
export interface TlbRange {
  /** log2 of the granule that the instruction names; 0 for the reserved one. */
  readonly granuleLog2: number;
  /** Bytes. */
  readonly length: bigint;
}

/** What an AT instruction asks. */
export interface AddressTranslation {
  /** The address in Xt. */
  readonly va: bigint;
  /** The EL whose permissions count: 0 and 1 of the EL1&0 regime. */
  readonly el: 0 | 1 | 2 | 3;
  /** Stage 2 is applied, too. */
  readonly bothStages: boolean;
  /** PSTATE.PAN counts. */
  readonly pan?: boolean;
  /** Whether write permission is asked for. */
  readonly write: boolean;
}

/** The instruction traps: with this syndrome. IL is set. */
export interface SystemException {
  /** ESR_ELx.EC: 0x00 UNDEFINED, 0x18 trapped MSR, MRS or system instruction; 0x25 where AT aborts. */
  readonly ec: number;
  /** ESR_ELx.ISS, 25 bits. */
  readonly iss: number;
  /** FAR_ELx; left out where it keeps its value. */
  readonly far?: bigint;
  /** HPFAR_EL2; left out where it keeps its value. */
  readonly hpfar?: bigint;
  /** The EL it is taken to, if not the one that takes EL1's exceptions. */
  readonly target?: number;
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
