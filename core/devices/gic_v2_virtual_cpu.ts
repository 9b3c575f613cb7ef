/**
 * What one CPU's GICv2 virtual interface holds (Arm IHI 0048B, 5.3): its controls, its list registers,
 * and what follows from them: the interrupt to signal and the conditions of maintenance.
 */

import {
  GICC_CTLR,
  IDLE_PRIORITY,
  SPURIOUS,
  SPURIOUS_GROUP1,
  trailingZeros,
} from "./gic_v2_core.ts";

/** GICH_HCR: EN, conditions of maintenance interrupts as in GICH_MISR, EOICount in 31:27. */
export const HCR_ENABLE = 1;
/** Its writable bits. */
export const HCR_WRITABLE = 0xf800_00ff;
const EOI_COUNT_SHIFT = 27;
const MISR_BITS = {
  endOfInterrupt: 1,
  underflow: 2,
  entryNotPresent: 4,
  noPending: 8,
  group0Enabled: 0x10,
  group0Disabled: 0x20,
  group1Enabled: 0x40,
  group1Disabled: 0x80,
} as const;
/** List registers that are looked at. The reference keeps the value of one more. */
const LIST_COUNT = 4, KEPT_COUNT = 5;
/** 4 list registers, 5 bits of preemption and of priority. */
export const VTR_VALUE = ((LIST_COUNT - 1) | (4 << 26) | (4 << 29)) >>> 0;
/** Fields of a list register. */
export const STATE = 0x3000_0000, PENDING = 0x1000_0000, ACTIVE = 0x2000_0000;
/** The others: group, linked to a physical interrupt, maintenance at its end. */
export const GROUP1 = 0x4000_0000, HARDWARE = 0x8000_0000, END_OF_INTERRUPT = 0x8_0000;
/** Writable bits of a list register. */
export const LR_WRITABLE = 0xff8f_ffff;
/** Least values of GICV_BPR and GICV_ABPR. */
export const MINIMUM_BINARY_POINT = 2, MINIMUM_ALIASED_BINARY_POINT = 3;
/** Bits of a priority that are implemented. */
export const PRIORITY_MASK = 0xf8;
/** From here on numbers are none of interrupts. */
export const INTERRUPT_LIMIT = 1020;

/** The virtual interface of one CPU. */
export interface VirtualCpu {
  hypervisorControl: number;
  maintenance: number;
  activePriorities: number;
  running: number;
  control: number;
  priorityMask: number;
  binaryPoint: number;
  aliasedBinaryPoint: number;
  /** The interrupt that may be signalled, or {@linkcode SPURIOUS}. */
  best: number;
  list: number[];
}

/** The interface after a reset. */
export function resetVirtualCpu(): VirtualCpu {
  return {
    hypervisorControl: 0,
    maintenance: 0,
    activePriorities: 0,
    running: IDLE_PRIORITY,
    control: 0,
    priorityMask: 0,
    binaryPoint: MINIMUM_BINARY_POINT,
    aliasedBinaryPoint: MINIMUM_ALIASED_BINARY_POINT,
    best: SPURIOUS,
    list: new Array(KEPT_COUNT).fill(0),
  };
}

/** Chooses the best interrupt, and gives the line that it is signalled on. */
export function signalOf(cpu: VirtualCpu): "irq" | "fiq" | undefined {
  const { hypervisorControl, control, list, priorityMask, running } = cpu;
  cpu.best = SPURIOUS;
  if (!(hypervisorControl & HCR_ENABLE) || !(control & 3)) return undefined;
  let best: number | undefined;
  for (const entry of list.slice(0, LIST_COUNT)) {
    const isPending = (entry & STATE) === PENDING;
    if (isPending && (best === undefined || priorityOf(entry) < priorityOf(best))) best = entry;
  }
  if (best === undefined || priorityOf(best) >= priorityMask) return undefined;
  cpu.best = best & 0x3ff;
  if (priorityOf(best) >= running) return undefined;
  const { enableGroup0, enableGroup1, fiqEnable } = GICC_CTLR;
  if (!(control & (best & GROUP1 ? enableGroup1 : enableGroup0))) return undefined;
  return !(best & GROUP1) && control & fiqEnable ? "fiq" : "irq";
}

/** GICV_HPPIR. */
export function highestPending(cpu: VirtualCpu): number {
  const { best, control } = cpu;
  if (best >= INTERRUPT_LIMIT) return best;
  const hidden = cpu.list[indexOf(cpu, best)] & GROUP1 && !(control & GICC_CTLR.ackCtl);
  return hidden ? SPURIOUS_GROUP1 : best;
}

/** Priority of the highest active interrupt. */
export function runningPriority({ activePriorities }: VirtualCpu): number {
  return activePriorities ? trailingZeros(activePriorities) << 3 : IDLE_PRIORITY;
}

/** GICH_MISR. */
export function maintenance(cpu: VirtualCpu): number {
  const { hypervisorControl, control } = cpu;
  const list = cpu.list.slice(0, LIST_COUNT);
  const valid = list.filter((entry) => entry & STATE).length;
  const anyPending = list.some((entry) => (entry & STATE) === PENDING);
  const group0 = (control & GICC_CTLR.enableGroup0) !== 0;
  const group1 = (control & GICC_CTLR.enableGroup1) !== 0;
  const when = (bit: number, condition: boolean) => condition ? hypervisorControl & bit : 0;
  return (where(cpu, hasEnded) ? MISR_BITS.endOfInterrupt : 0) |
    when(MISR_BITS.underflow, valid < 2) |
    when(MISR_BITS.entryNotPresent, hypervisorControl >>> EOI_COUNT_SHIFT !== 0) |
    when(MISR_BITS.noPending, !anyPending) |
    when(MISR_BITS.group0Enabled, group0) |
    when(MISR_BITS.group0Disabled, !group0) |
    when(MISR_BITS.group1Enabled, group1) |
    when(MISR_BITS.group1Disabled, !group1);
}

/** An interrupt ended that no list register holds. */
export function countEnd(cpu: VirtualCpu): void {
  cpu.hypervisorControl = (cpu.hypervisorControl + (1 << EOI_COUNT_SHIFT)) >>> 0;
}

/** One bit for each list register for which something holds. */
export function where({ list }: VirtualCpu, holds: (entry: number) => boolean): number {
  return list.slice(0, LIST_COUNT)
    .reduce((bits, entry, i) => holds(entry) ? bits | (1 << i) : bits, 0);
}

/** Whether a list register asks for maintenance at its end (GICH_EISR). */
export function hasEnded(entry: number): boolean {
  return !(entry & STATE) && !(entry & HARDWARE) && (entry & END_OF_INTERRUPT) !== 0;
}

/** Whether a list register may be used anew (GICH_ELRSR). */
export function isEmpty(entry: number): boolean {
  return !(entry & STATE) && ((entry & HARDWARE) !== 0 || !(entry & END_OF_INTERRUPT));
}

/** The first list register that holds an interrupt. */
export function indexOf({ list }: VirtualCpu, interrupt: number): number {
  return list.findIndex((entry, i) =>
    i < LIST_COUNT && (entry & STATE) !== 0 && (entry & 0x3ff) === interrupt
  );
}

/** Whether a list register holds the interrupt as active. */
export function isActive({ list }: VirtualCpu, interrupt: number): boolean {
  return list.some((entry, i) =>
    i < LIST_COUNT && (entry & ACTIVE) !== 0 && (entry & 0x3ff) === interrupt
  );
}

/** A list register's priority. */
export function priorityOf(entry: number): number {
  return ((entry >>> 23) & 0x1f) << 3;
}
