/**
 * The GICv2 virtualization extensions (Arm IHI 0048B, 5): list registers and controls for a hypervisor
 * (GICH), and the CPU interface that its guest has in place of GICC (GICV).
 */

import type { Device, DeviceState } from "./device.ts";
import {
  type CpuLines,
  GICC_CTLR,
  type GicCore,
  IDLE_PRIORITY,
  SGI_COUNT,
  SPURIOUS,
  SPURIOUS_GROUP1,
  trailingZeros,
} from "./gic_v2_core.ts";
import { CPU_INTERFACE_IIDR, GICC } from "./gic_v2_cpu_interface.ts";
import type { Requester } from "./gic_v3_registers.ts";

/** GICH register offsets (5.3). */
const HCR = 0x00;
const VTR = 0x04; // RO
const VMCR = 0x08;
const MISR = 0x10; // RO
const EISR = 0x20; // RO, 2 words
const ELRSR = 0x30; // RO, 2 words
const APR = 0xf0;
const LR = 0x100;

/** GICH_HCR: EN, conditions of maintenance interrupts as in GICH_MISR, EOICount in 31:27. */
const HCR_ENABLE = 1;
const HCR_WRITABLE = 0xf800_00ff;
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
const VTR_VALUE = ((LIST_COUNT - 1) | (4 << 26) | (4 << 29)) >>> 0;
/** Fields of a list register. */
const STATE = 0x3000_0000, PENDING = 0x1000_0000, ACTIVE = 0x2000_0000;
const GROUP1 = 0x4000_0000, HARDWARE = 0x8000_0000, END_OF_INTERRUPT = 0x8_0000;
const LR_WRITABLE = 0xff8f_ffff;
const MINIMUM_BINARY_POINT = 2, MINIMUM_ALIASED_BINARY_POINT = 3;
const PRIORITY_MASK = 0xf8;
/** From here on numbers are none of interrupts. */
const INTERRUPT_LIMIT = 1020;
/** PPI of the maintenance interrupt. */
const MAINTENANCE_INTERRUPT = 25;

/** The virtual interface of one CPU. */
interface VirtualCpu {
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

/** GICH and GICV of all CPUs. */
export class GicV2Virtual {
  /** The GICH window. */
  readonly hypervisorInterface: Device;
  /** The GICV window. */
  readonly virtualCpuInterface: Device;
  readonly #core: GicCore;
  readonly #lines: readonly CpuLines[];
  readonly #requester: Requester;
  #cpus: VirtualCpu[];

  constructor(
    core: GicCore,
    lines: readonly CpuLines[],
    requester: Requester,
    bases: { readonly hypervisor: number; readonly virtual: number },
  ) {
    this.#core = core;
    this.#lines = lines;
    this.#requester = requester;
    this.#cpus = lines.map(resetVirtualCpu);
    this.hypervisorInterface = {
      name: "gic-hypervisor-interface",
      base: bases.hypervisor,
      size: 0x1000,
      read: (offset) => this.#readHypervisor(offset),
      write: (offset, value) => this.#writeHypervisor(offset, value),
      save: () => this.#cpus.map((cpu) => ({ ...cpu, list: [...cpu.list] })),
      restore: (state) => this.#restore(state),
    };
    this.virtualCpuInterface = {
      name: "gic-virtual-cpu-interface",
      base: bases.virtual,
      size: 0x2000,
      read: (offset) => this.#readGuest(offset),
      write: (offset, value) => this.#writeGuest(offset, value),
      save: () => ({}),
      restore: () => {},
    };
  }

  get #cpu(): VirtualCpu {
    return this.#cpus[this.#requester.cpu];
  }

  #restore(state: DeviceState): void {
    (state as DeviceState[]).forEach((saved, i) => {
      const fields = saved as Record<string, DeviceState>;
      Object.assign(this.#cpus[i], fields, { list: [...fields.list as number[]] });
    });
    this.#cpus.forEach((_, i) => this.#signal(i));
  }

  // ---- GICH ----

  #readHypervisor(offset: number): number {
    const cpu = this.#cpu;
    switch (offset) {
      case HCR:
        return cpu.hypervisorControl;
      case VTR:
        return VTR_VALUE;
      case VMCR:
        return (cpu.control & 0x3ff) | (cpu.aliasedBinaryPoint << 18) | (cpu.binaryPoint << 21) |
          ((cpu.priorityMask >> 3) << 27);
      case MISR:
        return cpu.maintenance;
      case EISR:
        return where(cpu, hasEnded);
      case ELRSR:
        return where(cpu, isEmpty);
      case APR:
        return cpu.activePriorities;
      default:
        return cpu.list[(offset - LR) / 4] ?? 0;
    }
  }

  #writeHypervisor(offset: number, value: number): void {
    const cpu = this.#cpu;
    switch (offset) {
      case HCR:
        cpu.hypervisorControl = (value & HCR_WRITABLE) >>> 0;
        break;
      case VMCR:
        cpu.control = this.#controlOf(value & 0x3ff);
        cpu.aliasedBinaryPoint = Math.max((value >>> 18) & 7, MINIMUM_ALIASED_BINARY_POINT);
        cpu.binaryPoint = Math.max((value >>> 21) & 7, MINIMUM_BINARY_POINT);
        cpu.priorityMask = (value >>> 27) << 3;
        break;
      case APR:
        cpu.activePriorities = value >>> 0;
        cpu.running = runningPriority(cpu);
        break;
      default: {
        const index = (offset - LR) / 4;
        if (!(index in cpu.list)) return;
        cpu.list[index] = (value & LR_WRITABLE) >>> 0;
      }
    }
    this.#update();
  }

  /** GICV_CTLR as it is kept. */
  #controlOf(value: number): number {
    const { writable, nonSecureEoiMode } = GICC_CTLR;
    return value & (this.#core.security ? writable | nonSecureEoiMode : writable);
  }

  // ---- GICV ----

  #readGuest(offset: number): number {
    const cpu = this.#cpu;
    switch (offset) {
      case GICC.CTLR:
        return cpu.control;
      case GICC.PMR:
        return cpu.priorityMask;
      case GICC.BPR:
        return cpu.binaryPoint;
      case GICC.IAR:
        return this.#acknowledge();
      case GICC.RPR:
        return Math.min(cpu.running, 0xff);
      case GICC.HPPIR:
        return highestPending(cpu);
      case GICC.ABPR:
        return cpu.aliasedBinaryPoint;
      case GICC.APR:
        return cpu.activePriorities;
      case GICC.IIDR:
        return CPU_INTERFACE_IIDR;
      default:
        return 0;
    }
  }

  #writeGuest(offset: number, value: number): void {
    const cpu = this.#cpu;
    switch (offset) {
      case GICC.CTLR:
        cpu.control = this.#controlOf(value);
        break;
      case GICC.PMR:
        cpu.priorityMask = value & PRIORITY_MASK;
        break;
      case GICC.BPR:
        cpu.binaryPoint = Math.max(value & 7, MINIMUM_BINARY_POINT);
        break;
      case GICC.ABPR:
        // The reference lets the guest go as low as it does without a hypervisor.
        cpu.aliasedBinaryPoint = Math.max(value & 7, 1);
        break;
      case GICC.APR:
        cpu.activePriorities = value >>> 0;
        cpu.running = runningPriority(cpu);
        break;
      case GICC.EOIR:
        this.#endOfInterrupt(value & 0x3ff);
        break;
      case GICC.DIR:
        this.#deactivate(value & 0x3ff);
        break;
      default:
        return;
    }
    this.#update();
  }

  #acknowledge(): number {
    const cpu = this.#cpu;
    const interrupt = highestPending(cpu);
    if (interrupt >= INTERRUPT_LIMIT) return interrupt;
    const index = indexOf(cpu, interrupt);
    const entry = cpu.list[index];
    if (priorityOf(entry) >= cpu.running) return SPURIOUS;
    const separate = entry & GROUP1 && !(cpu.control & GICC_CTLR.commonBinaryPoint);
    const point = separate ? cpu.aliasedBinaryPoint - 1 : cpu.binaryPoint;
    const priority = priorityOf(entry) & (~0 << (point + 1));
    cpu.activePriorities = (cpu.activePriorities | (1 << (priority >> 3))) >>> 0;
    cpu.running = priority;
    cpu.list[index] = ((entry & ~PENDING) | ACTIVE) >>> 0;
    this.#update();
    const source = interrupt < SGI_COUNT ? (entry >>> 10) & 7 : 0;
    return interrupt | (source << 10);
  }

  #endOfInterrupt(interrupt: number): void {
    const cpu = this.#cpu;
    if (interrupt >= INTERRUPT_LIMIT) return;
    const dropped = cpu.running < IDLE_PRIORITY;
    cpu.activePriorities = (cpu.activePriorities & (cpu.activePriorities - 1)) >>> 0;
    cpu.running = runningPriority(cpu);
    if (cpu.control & GICC_CTLR.eoiMode) return;
    if (isActive(cpu, interrupt)) this.#clearActive(cpu, interrupt);
    else if (dropped) countEnd(cpu);
  }

  #deactivate(interrupt: number): void {
    const cpu = this.#cpu;
    if (interrupt >= INTERRUPT_LIMIT || !(cpu.control & GICC_CTLR.eoiMode)) return;
    if (isActive(cpu, interrupt)) this.#clearActive(cpu, interrupt);
    else countEnd(cpu);
  }

  /**
   * Takes the active state off a list register, and off the physical interrupt that stands behind it.
   * As on the reference, that is looked at only when the physical interface next changes.
   */
  #clearActive(cpu: VirtualCpu, interrupt: number): void {
    const core = this.#core;
    const index = indexOf(cpu, interrupt);
    const entry = cpu.list[index];
    cpu.list[index] = (entry & ~ACTIVE) >>> 0;
    const physical = (entry >>> 10) & 0x3ff;
    if (!(entry & HARDWARE) || physical < SGI_COUNT || physical >= core.edge.length) return;
    const own = this.#requester.cpu;
    if (core.security && !(core.bits.group[physical] & (1 << own))) return;
    core.bits.active[physical] &= ~(1 << own);
  }

  // ---- signals ----

  /** Works out for every CPU what to signal, and whether its hypervisor is to be told of something. */
  #update(): void {
    this.#cpus.forEach((cpu, i) => {
      this.#signal(i);
      cpu.maintenance = maintenance(cpu);
    });
    this.#cpus.forEach((cpu, i) => {
      const told = (cpu.hypervisorControl & HCR_ENABLE) !== 0 && cpu.maintenance !== 0;
      this.#core.setLevel(MAINTENANCE_INTERRUPT, i, told);
    });
  }

  #signal(index: number): void {
    const cpu = this.#cpus[index];
    const { virtualIrq, virtualFiq } = this.#lines[index];
    const signal = signalOf(cpu);
    virtualIrq?.set(signal === "irq");
    virtualFiq?.set(signal === "fiq");
  }
}

function resetVirtualCpu(): VirtualCpu {
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
function signalOf(cpu: VirtualCpu): "irq" | "fiq" | undefined {
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
function highestPending(cpu: VirtualCpu): number {
  const { best, control } = cpu;
  if (best >= INTERRUPT_LIMIT) return best;
  const hidden = cpu.list[indexOf(cpu, best)] & GROUP1 && !(control & GICC_CTLR.ackCtl);
  return hidden ? SPURIOUS_GROUP1 : best;
}

function runningPriority({ activePriorities }: VirtualCpu): number {
  return activePriorities ? trailingZeros(activePriorities) << 3 : IDLE_PRIORITY;
}

/** GICH_MISR. */
function maintenance(cpu: VirtualCpu): number {
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
function countEnd(cpu: VirtualCpu): void {
  cpu.hypervisorControl = (cpu.hypervisorControl + (1 << EOI_COUNT_SHIFT)) >>> 0;
}

/** One bit for each list register for which something holds. */
function where({ list }: VirtualCpu, holds: (entry: number) => boolean): number {
  return list.slice(0, LIST_COUNT)
    .reduce((bits, entry, i) => holds(entry) ? bits | (1 << i) : bits, 0);
}

function hasEnded(entry: number): boolean {
  return !(entry & STATE) && !(entry & HARDWARE) && (entry & END_OF_INTERRUPT) !== 0;
}

function isEmpty(entry: number): boolean {
  return !(entry & STATE) && ((entry & HARDWARE) !== 0 || !(entry & END_OF_INTERRUPT));
}

/** The first list register that holds an interrupt. */
function indexOf({ list }: VirtualCpu, interrupt: number): number {
  return list.findIndex((entry, i) =>
    i < LIST_COUNT && (entry & STATE) !== 0 && (entry & 0x3ff) === interrupt
  );
}

function isActive({ list }: VirtualCpu, interrupt: number): boolean {
  return list.some((entry, i) =>
    i < LIST_COUNT && (entry & ACTIVE) !== 0 && (entry & 0x3ff) === interrupt
  );
}

function priorityOf(entry: number): number {
  return ((entry >>> 23) & 0x1f) << 3;
}
