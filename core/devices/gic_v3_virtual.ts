/**
 * One CPU's virtual GICv3 interface (Arm IHI 0069, 6): the list registers and controls that a
 * hypervisor has (ICH_*, 12.4), and what its guest sees of them (ICV_*, 12.3).
 */

import type { GicV3Core } from "./gic_v3_core.ts";
import { trailingZeros } from "./gic_v3_core.ts";
import { groupOf, listIndex, LR, priorityOf, virtualNumber } from "./gic_v3_list_register.ts";
import {
  FIRST_LPI,
  type GicV3Cpu,
  ICC_CTLR,
  ICC_CTLR_FIXED,
  IDLE_PRIORITY,
  LIST_REGISTER_COUNT,
  MINIMUM_BINARY_POINT,
  PRIORITY_BITS,
  SPECIAL,
  VIRTUAL_FIQ_ENABLE,
  VMCR,
} from "./gic_v3_state.ts";

/** ICH_HCR_EL2 bits. EOIcount is in 31:27. */
export const ICH_HCR = {
  enable: 1,
  underflow: 2,
  entryNotPresent: 4,
  noPending: 8,
  group0Enabled: 0x10,
  group0Disabled: 0x20,
  group1Enabled: 0x40,
  group1Disabled: 0x80,
  trapCommon: 0x400,
  trapGroup0: 0x800,
  trapGroup1: 0x1000,
  trapDeactivate: 0x4000,
} as const;
const EOI_COUNT_SHIFT = 27;
const ICH_HCR_WRITABLE = 0xf800_7cff;
/** ICH_VMCR_EL2 bits. */
const ENABLE_GROUP0 = 1, ENABLE_GROUP1 = 2, COMMON_BINARY_POINT = 0x10, EOI_MODE = 0x200;
const VMCR_WRITABLE = 0xfffc_0213;
/** ICH_MISR_EL2 bits. */
const MISR = {
  endOfInterrupt: 1,
  underflow: 2,
  entryNotPresent: 4,
  noPending: 8,
  group0Enabled: 0x10,
  group0Disabled: 0x20,
  group1Enabled: 0x40,
  group1Disabled: 0x80,
} as const;
/** List registers, TDS, nV4, A3V, 24 bits of interrupt number, preemption and priority bits. */
const VTR = ((LIST_REGISTER_COUNT - 1) | (7 << 19) | (1 << 23) |
  ((PRIORITY_BITS - 1) << 26) | ((PRIORITY_BITS - 1) << 29)) >>> 0;
/** PPI of the maintenance interrupt. */
const MAINTENANCE_INTERRUPT = 25;
const PRIORITY_MASK = 0xff & (~0 << (8 - PRIORITY_BITS));
const INTERRUPT_ID = 0xff_ffffn;
/** From here on numbers are none of shared interrupts. */
const INTERRUPT_LIMIT = 1020;

/** See the top of this file. */
export class GicV3VirtualInterface {
  constructor(readonly core: GicV3Core, readonly cpu: GicV3Cpu) {}

  /** Reads `ICV_…_EL1` or `ICH_…_EL2`. */
  read(name: string): bigint {
    const { cpu } = this;
    const list = listIndex(name);
    if (list !== undefined) return cpu.list[list];
    switch (name) {
      case "ICH_AP0R0_EL2":
      case "ICV_AP0R0_EL1":
        return BigInt(cpu.virtualActivePriorities[0]);
      case "ICH_AP1R0_EL2":
      case "ICV_AP1R0_EL1":
        return BigInt(cpu.virtualActivePriorities[1]);
      case "ICH_HCR_EL2":
        return BigInt(cpu.hypervisorControl >>> 0);
      case "ICH_VTR_EL2":
        return BigInt(VTR);
      case "ICH_MISR_EL2":
        return BigInt(this.#maintenance());
      case "ICH_EISR_EL2":
        return BigInt(this.#ended());
      case "ICH_ELRSR_EL2":
        return BigInt(this.#empty());
      case "ICH_VMCR_EL2":
        return BigInt(cpu.virtualControl >>> 0);
      default:
        return BigInt(this.#readGuest(name));
    }
  }

  /** Writes `ICV_…_EL1` or `ICH_…_EL2`. */
  write(name: string, value: bigint): void {
    const { cpu } = this;
    const list = listIndex(name), word = Number(value & 0xffff_ffffn);
    if (list !== undefined) {
      // Priority bits that are not implemented stay 0.
      cpu.list[list] = value & ~(BigInt(0xff & ~PRIORITY_MASK) << 48n);
      return this.update();
    }
    switch (name) {
      case "ICH_AP0R0_EL2":
      case "ICV_AP0R0_EL1":
        cpu.virtualActivePriorities[0] = word;
        return this.signal();
      case "ICH_AP1R0_EL2":
      case "ICV_AP1R0_EL1":
        cpu.virtualActivePriorities[1] = word;
        return this.signal();
      case "ICH_HCR_EL2":
        cpu.hypervisorControl = word & ICH_HCR_WRITABLE;
        return this.update();
      case "ICH_VMCR_EL2":
        cpu.virtualControl = (word & VMCR_WRITABLE) | VIRTUAL_FIQ_ENABLE;
        for (const group of [0, 1]) this.#setBinaryPoint(group, this.#binaryPoint(group));
        return this.update();
      default:
        return this.#writeGuest(name, value);
    }
  }

  /** Drives the virtual interrupt lines. */
  signal(): void {
    const best = this.#best();
    const signalled = best !== undefined && this.#canPreempt(best);
    const group1 = signalled && (best & LR.group1) !== 0n;
    this.core.signalVirtual(this.cpu, group1, signalled && !group1);
  }

  /** Drives the virtual interrupt lines and the maintenance interrupt. */
  update(): void {
    this.signal();
    const enabled = (this.cpu.hypervisorControl & ICH_HCR.enable) !== 0;
    this.core.setPrivate(
      this.cpu,
      MAINTENANCE_INTERRUPT,
      enabled && this.#maintenance() !== 0,
    );
  }

  #readGuest(name: string): number {
    const control = this.cpu.virtualControl;
    switch (name) {
      case "ICV_PMR_EL1":
        return control >>> VMCR.priorityMask;
      case "ICV_BPR0_EL1":
        return this.#binaryPoint(0);
      case "ICV_BPR1_EL1":
        return control & COMMON_BINARY_POINT
          ? Math.min(this.#binaryPoint(0) + 1, 7)
          : this.#binaryPoint(1);
      case "ICV_IGRPEN0_EL1":
        return control & ENABLE_GROUP0;
      case "ICV_IGRPEN1_EL1":
        return (control & ENABLE_GROUP1) >> 1;
      case "ICV_CTLR_EL1":
        return ICC_CTLR_FIXED | (control & EOI_MODE ? ICC_CTLR.eoiMode : 0) |
          (control & COMMON_BINARY_POINT ? ICC_CTLR.commonBinaryPoint : 0);
      case "ICV_RPR_EL1":
        return this.#runningPriority();
      case "ICV_HPPIR0_EL1":
      case "ICV_HPPIR1_EL1":
        return this.#highestPending(name === "ICV_HPPIR1_EL1");
      default:
        return this.#acknowledge(name === "ICV_IAR1_EL1");
    }
  }

  #writeGuest(name: string, value: bigint): void {
    const { cpu } = this;
    const word = Number(value & 0xffff_ffffn);
    const setBits = (bits: number, set: boolean) =>
      cpu.virtualControl = set ? cpu.virtualControl | bits : cpu.virtualControl & ~bits;
    switch (name) {
      case "ICV_PMR_EL1":
        setBits(0xff << VMCR.priorityMask, false);
        setBits((word & PRIORITY_MASK) << VMCR.priorityMask, true);
        return this.signal();
      case "ICV_BPR0_EL1":
        this.#setBinaryPoint(0, Number(BigInt.asIntN(32, value)));
        return this.signal();
      case "ICV_BPR1_EL1":
        if (cpu.virtualControl & COMMON_BINARY_POINT) return;
        this.#setBinaryPoint(1, Number(BigInt.asIntN(32, value)));
        return this.signal();
      case "ICV_IGRPEN0_EL1":
        setBits(ENABLE_GROUP0, (word & 1) !== 0);
        return this.update();
      case "ICV_IGRPEN1_EL1":
        setBits(ENABLE_GROUP1, (word & 1) !== 0);
        return this.update();
      case "ICV_CTLR_EL1":
        setBits(COMMON_BINARY_POINT, (word & ICC_CTLR.commonBinaryPoint) !== 0);
        setBits(EOI_MODE, (word & ICC_CTLR.eoiMode) !== 0);
        return this.signal();
      case "ICV_DIR_EL1":
        return this.#deactivate(Number(value & INTERRUPT_ID));
      default:
        return this.#endOfInterrupt(name === "ICV_EOIR1_EL1", Number(value & INTERRUPT_ID));
    }
  }

  #binaryPoint(group: number): number {
    const shift = group === 0 ? VMCR.binaryPoint0 : VMCR.binaryPoint1;
    return (this.cpu.virtualControl >>> shift) & 7;
  }

  #setBinaryPoint(group: number, value: number): void {
    const shift = group === 0 ? VMCR.binaryPoint0 : VMCR.binaryPoint1;
    const field = Math.max(value, MINIMUM_BINARY_POINT + group) & 7;
    this.cpu.virtualControl = (this.cpu.virtualControl & ~(7 << shift)) | (field << shift);
  }

  /** The bits of a priority that decide about preemption in a group. */
  #groupMask(group: number): number {
    const common = group === 1 && (this.cpu.virtualControl & COMMON_BINARY_POINT) !== 0;
    const point = this.#binaryPoint(common ? 0 : group);
    return 0xff & (~0 << (group === 1 && !common ? point : point + 1));
  }

  #runningPriority(): number {
    const [zero, one] = this.cpu.virtualActivePriorities;
    return zero | one ? trailingZeros(zero | one) << (8 - PRIORITY_BITS) : IDLE_PRIORITY;
  }

  /** The list register of the highest pending virtual interrupt of a group that is on. */
  #best(): bigint | undefined {
    const { list, virtualControl } = this.cpu;
    let best: bigint | undefined, bestPriority = IDLE_PRIORITY;
    for (const entry of list) {
      if ((entry & LR.state) !== LR.pending) continue;
      if (!(virtualControl & (entry & LR.group1 ? ENABLE_GROUP1 : ENABLE_GROUP0))) continue;
      if (priorityOf(entry) >= bestPriority) continue;
      best = entry;
      bestPriority = priorityOf(entry);
    }
    return best;
  }

  #canPreempt(entry: bigint): boolean {
    const { hypervisorControl, virtualControl } = this.cpu;
    const priority = priorityOf(entry);
    if (!(hypervisorControl & ICH_HCR.enable)) return false;
    if (priority >= virtualControl >>> VMCR.priorityMask) return false;
    const running = this.#runningPriority();
    if (running === IDLE_PRIORITY) return true;
    const mask = this.#groupMask(groupOf(entry));
    return (priority & mask) < (running & mask);
  }

  #highestPending(group1: boolean): number {
    const best = this.#best();
    return best === undefined || groupOf(best) !== Number(group1)
      ? SPECIAL.spurious
      : virtualNumber(best);
  }

  #acknowledge(group1: boolean): number {
    const { cpu } = this;
    const best = this.#best();
    let number: number = SPECIAL.spurious;
    if (best !== undefined && groupOf(best) === Number(group1) && this.#canPreempt(best)) {
      number = virtualNumber(best);
      const index = cpu.list.indexOf(best);
      if (number >= SPECIAL.secure && number <= SPECIAL.spurious) {
        // A number that means something else cannot become active.
        cpu.list[index] = best & ~LR.pending;
      } else {
        const group = groupOf(best);
        const level = (priorityOf(best) & this.#groupMask(group)) >> (8 - PRIORITY_BITS);
        cpu.list[index] = (best & ~LR.pending) | LR.active;
        cpu.virtualActivePriorities[group] |= 1 << level;
      }
    }
    this.update();
    return number;
  }

  #endOfInterrupt(group1: boolean, interrupt: number): void {
    if (interrupt >= SPECIAL.secure && interrupt <= SPECIAL.spurious) return;
    const dropped = this.#dropPriority();
    if (dropped === undefined) return;
    const index = this.#activeIndex(interrupt);
    if (index < 0) {
      if (interrupt < FIRST_LPI) this.#countEnd();
    } else {
      const entry = this.cpu.list[index];
      const isSame = groupOf(entry) === Number(group1) &&
        (priorityOf(entry) & this.#groupMask(Number(group1))) === dropped;
      const split = (this.cpu.virtualControl & EOI_MODE) !== 0 && interrupt < FIRST_LPI;
      if (isSame && !split) this.#deactivateEntry(index);
    }
    this.update();
  }

  #deactivate(interrupt: number): void {
    if (interrupt >= INTERRUPT_LIMIT || !(this.cpu.virtualControl & EOI_MODE)) return;
    const index = this.#activeIndex(interrupt);
    if (index < 0) this.#countEnd();
    else this.#deactivateEntry(index);
    this.update();
  }

  /** Index of the list register in which an interrupt is active, or -1. */
  #activeIndex(interrupt: number): number {
    return this.cpu.list.findIndex((entry) =>
      (entry & LR.active) !== 0n && virtualNumber(entry) === interrupt
    );
  }

  #deactivateEntry(index: number): void {
    const { cpu, core } = this;
    const entry = cpu.list[index];
    const physical = Number((entry >> 32n) & 0x3ffn);
    if (entry & LR.hardware && physical < SPECIAL.secure) core.deactivate(cpu, physical);
    cpu.list[index] = entry & ~LR.active;
  }

  /** An interrupt ended that no list register holds. */
  #countEnd(): void {
    this.cpu.hypervisorControl = (this.cpu.hypervisorControl + (1 << EOI_COUNT_SHIFT)) | 0;
  }

  /** Clears the most urgent active priority, group 0 before group 1, and gives it. */
  #dropPriority(): number | undefined {
    const active = this.cpu.virtualActivePriorities;
    const [zero, one] = Array.from(active, (bits) => bits ? trailingZeros(bits) : 32);
    if (zero === 32 && one === 32) return undefined;
    const group = zero <= one ? 0 : 1;
    active[group] &= active[group] - 1;
    return Math.min(zero, one) << (8 - PRIORITY_BITS);
  }

  /** ICH_EISR_EL2: entries that ended and whose end was to be reported. */
  #ended(): number {
    return this.#where((entry) =>
      (entry & (LR.state | LR.hardware | LR.endOfInterrupt)) === LR.endOfInterrupt
    );
  }

  /** ICH_ELRSR_EL2: entries that hold nothing. */
  #empty(): number {
    return this.#where((entry) =>
      !(entry & LR.state) && ((entry & LR.hardware) !== 0n || !(entry & LR.endOfInterrupt))
    );
  }

  /** ICH_MISR_EL2. */
  #maintenance(): number {
    const { hypervisorControl: control, virtualControl, list } = this.cpu;
    const valid = list.filter((entry) => entry & LR.state).length;
    const anyPending = list.some((entry) => (entry & LR.state) === LR.pending);
    const group1 = (virtualControl & ENABLE_GROUP1) !== 0;
    const group0 = (virtualControl & ENABLE_GROUP0) !== 0;
    const when = (bit: number, condition: boolean) => condition ? control & bit : 0;
    return (this.#ended() ? MISR.endOfInterrupt : 0) |
      when(MISR.underflow, valid < 2) |
      when(MISR.entryNotPresent, control >>> EOI_COUNT_SHIFT !== 0) |
      when(MISR.noPending, !anyPending) |
      when(MISR.group0Enabled, group0) |
      // The reference looks at group 1 here.
      when(MISR.group0Disabled, !group1) |
      when(MISR.group1Enabled, group1) |
      when(MISR.group1Disabled, !group1);
  }

  /** One bit for each list register for which something holds. */
  #where(holds: (entry: bigint) => boolean): number {
    return this.cpu.list.reduce((bits, entry, i) => holds(entry) ? bits | (1 << i) : bits, 0);
  }
}
