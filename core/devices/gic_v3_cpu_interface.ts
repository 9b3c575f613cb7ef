/**
 * One CPU's GICv3 interface as system registers (Arm IHI 0069, 12.2): ICC_*, and ICV_* in their
 * place where a hypervisor has them. Registers are accessed by name; who may do so is the
 * processor's business.
 */

import type { GicV3Core } from "./gic_v3_core.ts";
import {
  ICC_REGISTERS,
  type IccAccess,
  type IccRegister,
  isSecure,
  NON_SECURE_PRIORITY,
  nonSecureView,
} from "./gic_v3_icc_registers.ts";
import {
  FIRST_LPI,
  type GicV3Cpu,
  GROUP,
  type Group,
  ICC_CTLR,
  ICC_CTLR_FIXED,
  INTERRUPT_COUNT,
  MINIMUM_BINARY_POINT,
  PRIORITY_BITS,
  PRIVATE_INTERRUPTS,
  SPECIAL,
} from "./gic_v3_state.ts";
import { trailingZeros } from "./gic_v3_core.ts";
import { GicV3VirtualInterface } from "./gic_v3_virtual.ts";

export type { IccAccess };

/** ICC_CTLR_EL3 bits. */
const MONITOR = {
  commonSecure: 1,
  commonNonSecure: 2,
  eoiModeEl3: 4,
  eoiModeSecure: 8,
  eoiModeNonSecure: 0x10,
} as const;
const PRIORITY_MASK = 0x1_0000_0000n - (1n << BigInt(8 - PRIORITY_BITS));
const INTERRUPT_ID = 0xff_ffffn;

/** See the top of this file. */
export class GicV3CpuInterface {
  readonly virtual: GicV3VirtualInterface;

  constructor(readonly core: GicV3Core, readonly cpu: GicV3Cpu) {
    this.virtual = new GicV3VirtualInterface(core, cpu);
  }

  /** Reads a register; that may acknowledge an interrupt. */
  read(name: string, access: IccAccess): bigint {
    const register = ICC_REGISTERS[name];
    if (!register) return this.virtual.read(name);
    if (isVirtual(register, access)) return this.virtual.read(name.replace("ICC", "ICV"));
    return BigInt(register.read!(this, access) >>> 0);
  }

  /** Writes a register, all 64 bits. */
  write(name: string, value: bigint, access: IccAccess): void {
    const register = ICC_REGISTERS[name];
    if (!register) return this.virtual.write(name, value);
    if (isVirtual(register, access)) {
      return this.virtual.write(name.replace("ICC", "ICV"), value);
    }
    register.write!(this, value, access);
  }

  /** The CPU has changed its EL or security state, which decides between IRQ and FIQ. */
  securityChanged(): void {
    this.core.signal(this.cpu);
    this.virtual.signal();
  }

  /** The bank of a group 1 register for an access. */
  bank(access: IccAccess): Group {
    return access.secureBelowEl3 ? GROUP.secureOne : GROUP.nonSecureOne;
  }

  /** Whether the access must not see Secure priorities. */
  restricted(access: IccAccess): boolean {
    return this.core.hasSecurity && !isSecure(access) && access.fiqToEl3;
  }

  setPriorityMask(value: bigint, access: IccAccess): void {
    const { cpu, core } = this;
    let mask = value;
    if (this.restricted(access)) {
      if (!(cpu.priorityMask & NON_SECURE_PRIORITY)) return;
      mask = (value >> 1n) | BigInt(NON_SECURE_PRIORITY);
    }
    // The reference keeps what is above the eight bits.
    cpu.priorityMask = Number(mask & PRIORITY_MASK);
    core.signal(cpu);
  }

  /** Which binary point an access to ICC_BPR1_EL1 means, and whether it is the other plus one. */
  binaryPoint1(access: IccAccess): { group: Group; plusOne: boolean } {
    const { cpu } = this;
    const group = this.bank(access);
    const { secureControl, nonSecureControl } = cpu;
    const control = group === GROUP.secureOne ? secureControl : nonSecureControl;
    const common = access.el < 3 && (control & ICC_CTLR.commonBinaryPoint) !== 0;
    if (!common) return { group, plusOne: false };
    return { group: GROUP.zero, plusOne: group === GROUP.nonSecureOne };
  }

  setBinaryPoint(group: Group, value: bigint): void {
    const { cpu, core } = this;
    const least = MINIMUM_BINARY_POINT + (group === GROUP.nonSecureOne ? 1 : 0);
    cpu.binaryPoints[group] = value < BigInt(least) ? least : Number(value & 7n);
    core.signal(cpu);
  }

  setActivePriorities(group: Group, value: bigint): void {
    // With EL3, Non-secure state cannot claim to handle a Secure priority.
    if (group === GROUP.nonSecureOne && this.core.hasSecurity) return;
    this.cpu.activePriorities[group] = Number(value & 0xffff_ffffn);
    this.core.signal(this.cpu);
  }

  setGroupEnable(group: Group, value: bigint): void {
    this.cpu.groupEnables[group] = Number(value & 1n);
    this.core.signal(this.cpu);
  }

  control(access: IccAccess): number {
    const { secureControl, nonSecureControl } = this.cpu;
    return access.secureBelowEl3 ? secureControl : nonSecureControl;
  }

  setControl(value: bigint, access: IccAccess): void {
    const { cpu, core } = this;
    const { commonBinaryPoint, eoiMode } = ICC_CTLR;
    const twoStates = core.hasSecurity && !core.distributor.securityDisabled;
    const mask = twoStates ? eoiMode : commonBinaryPoint | eoiMode;
    const control = (this.control(access) & ~mask) | (Number(value & 0xffn) & mask);
    if (access.secureBelowEl3) cpu.secureControl = control;
    else cpu.nonSecureControl = control;
    core.signal(cpu);
  }

  /** ICC_CTLR_EL3. The reference shows the Non-secure bits for those of both states. */
  monitorControl(): number {
    const { monitorControl, nonSecureControl } = this.cpu;
    const { eoiModeNonSecure, eoiModeSecure, commonNonSecure, commonSecure } = MONITOR;
    return monitorControl |
      (nonSecureControl & ICC_CTLR.eoiMode ? eoiModeNonSecure | eoiModeSecure : 0) |
      (nonSecureControl & ICC_CTLR.commonBinaryPoint ? commonNonSecure | commonSecure : 0);
  }

  setMonitorControl(value: bigint): void {
    const { cpu, core } = this;
    const bits = Number(value & 0xffn);
    const both = (eoiMode: number, common: number) =>
      ICC_CTLR_FIXED | (bits & eoiMode ? ICC_CTLR.eoiMode : 0) |
      (bits & common ? ICC_CTLR.commonBinaryPoint : 0);
    cpu.nonSecureControl = both(MONITOR.eoiModeNonSecure, MONITOR.commonNonSecure);
    cpu.secureControl = both(MONITOR.eoiModeSecure, MONITOR.commonSecure);
    cpu.monitorControl = (cpu.monitorControl & ~MONITOR.eoiModeEl3) | (bits & MONITOR.eoiModeEl3);
    core.signal(cpu);
  }

  runningPriority(access: IccAccess): number {
    const priority = this.core.runningPriority(this.cpu);
    return this.restricted(access) ? nonSecureView(priority) : priority;
  }

  /** ICC_HPPIR0_EL1 and ICC_HPPIR1_EL1 (12.2.9, 12.2.10). */
  highestPending(groupOne: boolean, access: IccAccess): number {
    const { core, cpu } = this;
    const { group, interrupt } = cpu.best;
    if (!core.isForwarded(cpu)) return SPECIAL.spurious;
    const isSecureInterrupt = !core.distributor.securityDisabled && group !== GROUP.nonSecureOne;
    const secure = isSecure(access), el3 = access.el === 3;
    if (isSecureInterrupt && !secure) return SPECIAL.spurious;
    if (groupOne) {
      if (group === GROUP.zero) return SPECIAL.spurious;
      return !isSecureInterrupt && secure && !el3 ? SPECIAL.spurious : interrupt;
    }
    if (group === GROUP.zero) return interrupt;
    if (!el3) return SPECIAL.spurious;
    return isSecureInterrupt ? SPECIAL.secure : SPECIAL.nonSecure;
  }

  /** ICC_IAR0_EL1 and ICC_IAR1_EL1: takes the highest pending interrupt and makes it active. */
  acknowledge(groupOne: boolean, access: IccAccess): number {
    const { core, cpu } = this;
    if (!core.canPreempt(cpu)) return SPECIAL.spurious;
    const interrupt = this.highestPending(groupOne, access);
    if (interrupt >= SPECIAL.secure && interrupt <= SPECIAL.spurious) return interrupt;
    const { group, priority } = cpu.best;
    const level = (priority & core.groupPriorityMask(cpu, group)) >> (8 - PRIORITY_BITS);
    cpu.activePriorities[group] |= 1 << level;
    if (interrupt < PRIVATE_INTERRUPTS) {
      cpu.active |= 1 << interrupt;
      cpu.pending &= ~(1 << interrupt);
      core.updatePrivate(cpu);
    } else if (interrupt < FIRST_LPI) {
      core.distributor.set("active", interrupt, true);
      core.distributor.set("pending", interrupt, false);
      core.updateShared(interrupt, 1);
    } else {
      core.lpis.setPending(cpu, interrupt, false);
    }
    return interrupt;
  }

  /** ICC_EOIR0_EL1 and ICC_EOIR1_EL1: drops the running priority and, unless that is split, deactivates. */
  endOfInterrupt(groupOne: boolean, value: bigint, access: IccAccess): void {
    const { core, cpu } = this;
    const interrupt = Number(value & INTERRUPT_ID);
    if (interrupt >= INTERRUPT_COUNT && interrupt < FIRST_LPI) return;
    const group = this.#activeGroup();
    if (group === undefined || groupOne !== (group !== GROUP.zero)) return;
    const secure = isSecure(access);
    const twoStates = core.hasSecurity && !core.distributor.securityDisabled;
    if (group === GROUP.zero && twoStates && !secure) return;
    if (group === GROUP.secureOne && !secure) return;
    if (group === GROUP.nonSecureOne && secure && access.el !== 3) return;
    cpu.activePriorities[group] &= cpu.activePriorities[group] - 1;
    core.signal(cpu);
    if (!this.#splitsEnd(access) && interrupt < INTERRUPT_COUNT) {
      core.deactivate(cpu, interrupt);
    }
  }

  /** ICC_DIR_EL1 (12.2.8). */
  deactivate(value: bigint, access: IccAccess): void {
    const { core, cpu } = this;
    const interrupt = Number(value & INTERRUPT_ID);
    if (interrupt >= INTERRUPT_COUNT || !this.#splitsEnd(access)) return;
    const group = core.groupOf(cpu, interrupt);
    const one = core.distributor.securityDisabled;
    const isSecureInterrupt = !one && group !== GROUP.nonSecureOne;
    const groupZero = group === GROUP.zero;
    const { el, irqToEl3, fiqToEl3, imo, fmo, secureBelowEl3 } = access;
    const routed = groupZero ? fiqToEl3 : irqToEl3;
    const toEl2 = el === 1 && (groupZero ? fmo : imo);
    const mayBe = secureBelowEl3 && el === 1
      ? !routed && (groupZero || !isSecureInterrupt || !one)
      : !routed && !toEl2 && (groupZero ? one : !isSecureInterrupt);
    if (el === 3 || mayBe) core.deactivate(cpu, interrupt);
  }

  /** ICC_SGI0R_EL1, ICC_SGI1R_EL1, ICC_ASGI1R_EL1: sends an SGI of a group (12.2.20). */
  send(wanted: Group, value: bigint, access: IccAccess): void {
    const { core, cpu } = this;
    const { distributor } = core;
    const oneState = distributor.securityDisabled;
    const group = wanted === GROUP.secureOne && oneState ? GROUP.zero : wanted;
    const cluster = Number(
      ((value >> 48n) & 0xffn) << 16n | ((value >> 32n) & 0xffn) << 8n | ((value >> 16n) & 0xffn),
    );
    const list = Number(value & 0xffffn), interrupt = Number((value >> 24n) & 15n);
    const toOthers = ((value >> 40n) & 1n) !== 0n;
    for (const target of core.cpus) {
      const number = target.affinity & 0xff;
      const listed = target.affinity >>> 8 === cluster && number < 16 && (list >> number) & 1;
      if (toOthers ? target === cpu : !listed) continue;
      if (!this.#accepts(target, interrupt, group, isSecure(access))) continue;
      target.pending |= 1 << interrupt;
      core.updatePrivate(target);
    }
  }

  /** Whether a redistributor takes an SGI sent for a group. */
  #accepts(target: GicV3Cpu, interrupt: number, group: Group, secure: boolean): boolean {
    const { core } = this;
    const own = core.groupOf(target, interrupt);
    const matches = own === group || (group === GROUP.secureOne && own === GROUP.zero);
    if (!matches || secure || core.distributor.securityDisabled) return matches;
    const access = (target.nonSecureAccess >>> (2 * interrupt)) & 3;
    return own === GROUP.zero ? access >= 1 : own === GROUP.secureOne ? access >= 2 : true;
  }

  /** The group of the most urgent active priority. */
  #activeGroup(): Group | undefined {
    const [zero, secureOne, nonSecureOne] = Array.from(
      this.cpu.activePriorities,
      (bits) => bits ? trailingZeros(bits) : 32,
    );
    if (nonSecureOne < zero && nonSecureOne < secureOne) return GROUP.nonSecureOne;
    if (secureOne < zero) return GROUP.secureOne;
    return zero < 32 ? GROUP.zero : undefined;
  }

  /** Whether priority drop and deactivation are two steps for the access. */
  #splitsEnd(access: IccAccess): boolean {
    if (access.el === 3) return (this.cpu.monitorControl & MONITOR.eoiModeEl3) !== 0;
    return (this.control(access) & ICC_CTLR.eoiMode) !== 0;
  }
}

/** Whether a hypervisor has put the virtual register in place of this one. */
function isVirtual({ virtual }: IccRegister, access: IccAccess): boolean {
  if (virtual === undefined || access.el !== 1 || access.secureBelowEl3) return false;
  const { imo, fmo } = access;
  return virtual === "either" ? imo || fmo : access[virtual];
}
