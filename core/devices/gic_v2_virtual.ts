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
} from "./gic_v2_core.ts";
import { CPU_INTERFACE_IIDR, GICC } from "./gic_v2_cpu_interface.ts";
import {
  ACTIVE,
  countEnd,
  GROUP1,
  HARDWARE,
  hasEnded,
  HCR_ENABLE,
  HCR_WRITABLE,
  highestPending,
  indexOf,
  INTERRUPT_LIMIT,
  isActive,
  isEmpty,
  LR_WRITABLE,
  maintenance,
  MINIMUM_ALIASED_BINARY_POINT,
  MINIMUM_BINARY_POINT,
  PENDING,
  PRIORITY_MASK,
  priorityOf,
  resetVirtualCpu,
  runningPriority,
  signalOf,
  type VirtualCpu,
  VTR_VALUE,
  where,
} from "./gic_v2_virtual_cpu.ts";
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

/** PPI of the maintenance interrupt. */
const MAINTENANCE_INTERRUPT = 25;

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
