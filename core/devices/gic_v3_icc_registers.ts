/**
 * A table: the ICC_* registers by name, as accesses to a CPU's interface (Arm IHI 0069, 12.2).
 */

import type { GicV3CpuInterface } from "./gic_v3_cpu_interface.ts";
import { GROUP, IDLE_PRIORITY } from "./gic_v3_state.ts";

/** Where the processor is when it accesses a register. */
export interface IccAccess {
  readonly el: number;
  /** EL0 to EL2 are Secure: EL3 exists and SCR_EL3.NS is 0. */
  readonly secureBelowEl3: boolean;
  /** HCR_EL2.IMO and FMO, as they are in effect. */
  readonly imo: boolean;
  readonly fmo: boolean;
  /** SCR_EL3.IRQ and FIQ. */
  readonly irqToEl3: boolean;
  readonly fiqToEl3: boolean;
}

/** Which of HCR_EL2.IMO and FMO makes a register the virtual one. */
export type Virtualized = "imo" | "fmo" | "either";

/** How a register is read and written; values are unsigned. */
export interface IccRegister {
  readonly virtual?: Virtualized;
  readonly read?: (cpu: GicV3CpuInterface, access: IccAccess) => number;
  readonly write?: (cpu: GicV3CpuInterface, value: bigint, access: IccAccess) => void;
}

/** Priorities from here on are Non-secure ones. */
export const NON_SECURE_PRIORITY = 0x80;
/** System registers are the only interface there is. */
const SYSTEM_REGISTERS_ENABLED = { el1: 7, el2: 0xf } as const;

/** Whether an access is Secure. */
export function isSecure({ el, secureBelowEl3 }: IccAccess): boolean {
  return el === 3 || secureBelowEl3;
}

/** A priority as Non-secure state sees it. */
export function nonSecureView(priority: number): number {
  if (!(priority & NON_SECURE_PRIORITY)) return 0;
  return priority === IDLE_PRIORITY ? priority : (priority << 1) & 0xff;
}

function constant(value: number): IccRegister {
  return { read: () => value, write: () => {} };
}

/** See the top of this file. */
export const ICC_REGISTERS: Readonly<Record<string, IccRegister | undefined>> = {
  ICC_PMR_EL1: {
    virtual: "either",
    read: (own, access) => {
      const { priorityMask } = own.cpu;
      return own.restricted(access) ? nonSecureView(priorityMask) : priorityMask;
    },
    write: (own, value, access) => own.setPriorityMask(value, access),
  },
  ICC_IAR0_EL1: { virtual: "fmo", read: (own, access) => own.acknowledge(false, access) },
  ICC_IAR1_EL1: { virtual: "imo", read: (own, access) => own.acknowledge(true, access) },
  ICC_EOIR0_EL1: {
    virtual: "fmo",
    write: (own, value, access) => own.endOfInterrupt(false, value, access),
  },
  ICC_EOIR1_EL1: {
    virtual: "imo",
    write: (own, value, access) => own.endOfInterrupt(true, value, access),
  },
  ICC_HPPIR0_EL1: { virtual: "fmo", read: (own, access) => own.highestPending(false, access) },
  ICC_HPPIR1_EL1: { virtual: "imo", read: (own, access) => own.highestPending(true, access) },
  ICC_BPR0_EL1: {
    virtual: "fmo",
    read: (own) => own.cpu.binaryPoints[GROUP.zero],
    write: (own, value) => own.setBinaryPoint(GROUP.zero, value),
  },
  ICC_BPR1_EL1: {
    virtual: "imo",
    read: (own, access) => {
      const { group, plusOne } = own.binaryPoint1(access);
      const point = own.cpu.binaryPoints[group];
      return plusOne ? Math.min(point + 1, 7) : point;
    },
    write: (own, value, access) => {
      const { group, plusOne } = own.binaryPoint1(access);
      if (!plusOne) own.setBinaryPoint(group, value);
    },
  },
  ICC_AP0R0_EL1: {
    virtual: "fmo",
    read: (own) => own.cpu.activePriorities[GROUP.zero],
    write: (own, value) => own.setActivePriorities(GROUP.zero, value),
  },
  ICC_AP1R0_EL1: {
    virtual: "imo",
    read: (own, access) => own.cpu.activePriorities[own.bank(access)],
    write: (own, value, access) => own.setActivePriorities(own.bank(access), value),
  },
  ICC_DIR_EL1: { virtual: "either", write: (own, value, access) => own.deactivate(value, access) },
  ICC_RPR_EL1: { virtual: "either", read: (own, access) => own.runningPriority(access) },
  ICC_SGI0R_EL1: { write: (own, value, access) => own.send(GROUP.zero, value, access) },
  ICC_SGI1R_EL1: {
    write: (own, value, access) =>
      own.send(isSecure(access) ? GROUP.secureOne : GROUP.nonSecureOne, value, access),
  },
  ICC_ASGI1R_EL1: {
    write: (own, value, access) =>
      own.send(isSecure(access) ? GROUP.nonSecureOne : GROUP.secureOne, value, access),
  },
  ICC_CTLR_EL1: {
    virtual: "either",
    read: (own, access) => own.control(access),
    write: (own, value, access) => own.setControl(value, access),
  },
  ICC_SRE_EL1: constant(SYSTEM_REGISTERS_ENABLED.el1),
  ICC_SRE_EL2: constant(SYSTEM_REGISTERS_ENABLED.el2),
  ICC_SRE_EL3: constant(SYSTEM_REGISTERS_ENABLED.el2),
  ICC_IGRPEN0_EL1: {
    virtual: "fmo",
    read: (own) => own.cpu.groupEnables[GROUP.zero],
    write: (own, value) => own.setGroupEnable(GROUP.zero, value),
  },
  ICC_IGRPEN1_EL1: {
    virtual: "imo",
    read: (own, access) => own.cpu.groupEnables[own.bank(access)],
    write: (own, value, access) => own.setGroupEnable(own.bank(access), value),
  },
  ICC_CTLR_EL3: {
    read: (own) => own.monitorControl(),
    write: (own, value) => own.setMonitorControl(value),
  },
  ICC_IGRPEN1_EL3: {
    read: ({ cpu: { groupEnables } }) =>
      groupEnables[GROUP.nonSecureOne] | (groupEnables[GROUP.secureOne] << 1),
    write: (own, value) => {
      own.setGroupEnable(GROUP.nonSecureOne, value);
      own.setGroupEnable(GROUP.secureOne, value >> 1n);
    },
  },
};
