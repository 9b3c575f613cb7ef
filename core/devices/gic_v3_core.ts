/**
 * The choice of the interrupt that a GICv3 signals to each CPU (Arm IHI 0069, 4.8).
 *
 * As the reference does it, each CPU's best interrupt is remembered and looked for again only among
 * the interrupts that a change concerns, unless the one remembered got worse. That shows where a
 * register that decides it (GICD_ICFGR) takes effect only with the next change.
 */

import type { InterruptLine } from "./device.ts";
import type { DmaMemory } from "./fw_cfg.ts";
import { GicV3Lpis } from "./gic_v3_lpi.ts";
import {
  FIRST_LPI,
  GICD_CTLR,
  GicV3Cpu,
  GicV3Distributor,
  GROUP,
  type Group,
  ICC_CTLR,
  IDLE_PRIORITY,
  INTERRUPT_COUNT,
  PRIVATE_INTERRUPTS,
} from "./gic_v3_state.ts";

/** Outputs to one CPU. */
export interface GicV3Lines {
  readonly irq: InterruptLine;
  readonly fiq: InterruptLine;
  /** What the virtual CPU interface asks for; left out where there is no EL2. */
  readonly virtualIrq?: InterruptLine;
  readonly virtualFiq?: InterruptLine;
}

/** Where a CPU executes, as far as the interrupt controller must know. */
export interface CpuSecurity {
  /** In Secure state, which EL3 is. */
  readonly secure: boolean;
  readonly el3: boolean;
}

/** How the controller is wired. */
export interface GicV3CoreOptions {
  /** One for each CPU. */
  readonly lines: readonly GicV3Lines[];
  /** Affinity of each CPU, as MPIDR has it: Aff3:Aff2:Aff1:Aff0 in 32 bits. */
  readonly affinities: readonly number[];
  /** Two security states after reset. */
  readonly security: boolean;
  /** Where a CPU executes; left out where there is no Secure state. */
  readonly securityOf?: (cpu: number) => CpuSecurity;
  /** Memory for LPI tables. */
  readonly memory: DmaMemory;
}

const NON_SECURE: CpuSecurity = { secure: false, el3: false };

/** See the top of this file. */
export class GicV3Core {
  readonly distributor: GicV3Distributor;
  readonly cpus: readonly GicV3Cpu[];
  readonly lpis: GicV3Lpis;
  readonly #options: GicV3CoreOptions;
  /** CPUs for which the search in hand found something better. */
  readonly #improved: boolean[];

  constructor(options: GicV3CoreOptions) {
    this.#options = options;
    this.distributor = new GicV3Distributor(options.security);
    this.cpus = options.affinities.map((affinity, index) => new GicV3Cpu(index, affinity));
    this.#improved = this.cpus.map(() => false);
    this.lpis = new GicV3Lpis(this, options.memory);
  }

  /** Where a CPU executes. */
  securityOf(cpu: number): CpuSecurity {
    return this.#options.securityOf?.(cpu) ?? NON_SECURE;
  }

  /** Whether EL3 exists. */
  get hasSecurity(): boolean {
    return this.#options.security;
  }

  /** Group of an interrupt below the LPIs as a CPU sees it. */
  groupOf(cpu: GicV3Cpu, interrupt: number): Group {
    const { distributor } = this;
    const isPrivate = interrupt < PRIVATE_INTERRUPTS;
    const group1 = isPrivate ? (cpu.group >>> interrupt) & 1 : distributor.test("group", interrupt);
    if (group1) return GROUP.nonSecureOne;
    const modified = isPrivate
      ? (cpu.groupModifier >>> interrupt) & 1
      : distributor.test("groupModifier", interrupt);
    return modified && !distributor.securityDisabled ? GROUP.secureOne : GROUP.zero;
  }

  /** The CPU that a shared interrupt goes to, or undefined where its affinity is nobody's. */
  targetOf(interrupt: number): GicV3Cpu | undefined {
    const route = this.distributor.routes[interrupt];
    const affinity = Number(((route >> 8n) & 0xff00_0000n) | (route & 0xff_ffffn));
    return this.cpus.find((cpu) => cpu.affinity === affinity);
  }

  /** What firmware does for a kernel in Non-secure state: every interrupt is its. */
  giveToNonSecure(): void {
    if (!this.hasSecurity) return;
    this.distributor.bits.group.fill(~0, 1);
    for (const cpu of this.cpus) cpu.group = ~0;
    this.updateAll();
  }

  /** Changes the wire of a shared interrupt. */
  setShared(interrupt: number, high: boolean): void {
    const { distributor } = this;
    if (distributor.test("level", interrupt) === high) return;
    distributor.set("level", interrupt, high);
    if (high && distributor.test("edge", interrupt)) distributor.set("pending", interrupt, true);
    this.updateShared(interrupt, 1);
  }

  /** Changes the wire of a private interrupt. */
  setPrivate(cpu: GicV3Cpu, interrupt: number, high: boolean): void {
    const bit = 1 << interrupt;
    if (((cpu.level & bit) !== 0) === high) return;
    cpu.level = high ? cpu.level | bit : cpu.level & ~bit;
    if (high && cpu.edge & bit) cpu.pending |= bit;
    this.updatePrivate(cpu);
  }

  /** Makes an interrupt below the LPIs inactive. */
  deactivate(cpu: GicV3Cpu, interrupt: number): void {
    if (interrupt < PRIVATE_INTERRUPTS) {
      cpu.active &= ~(1 << interrupt);
      this.updatePrivate(cpu);
    } else if (interrupt < INTERRUPT_COUNT) {
      this.distributor.set("active", interrupt, false);
      this.updateShared(interrupt, 1);
    }
  }

  /** Shared interrupts changed. */
  updateShared(first: number, count: number): void {
    this.#searchShared(first, count);
    for (const cpu of this.cpus) this.signal(cpu);
  }

  /** Private interrupts or LPIs of a CPU changed. */
  updatePrivate(cpu: GicV3Cpu): void {
    this.#searchPrivate(cpu);
    this.signal(cpu);
  }

  /** Anything may have changed. */
  updateAll(): void {
    this.#searchAll();
    for (const cpu of this.cpus) this.signal(cpu);
  }

  /** Drives a CPU's interrupt lines from its best interrupt (4.6.2). */
  signal(cpu: GicV3Cpu): void {
    const { irq, fiq } = this.#options.lines[cpu.index];
    const signalled = this.canPreempt(cpu);
    const isFiq = signalled && this.#isFiq(cpu);
    fiq.set(isFiq);
    irq.set(signalled && !isFiq);
  }

  /** Drives a CPU's virtual interrupt lines. */
  signalVirtual(cpu: GicV3Cpu, irq: boolean, fiq: boolean): void {
    const { virtualIrq, virtualFiq } = this.#options.lines[cpu.index];
    virtualFiq?.set(fiq);
    virtualIrq?.set(irq);
  }

  /** Whether the best interrupt is one of a group that the CPU interface forwards. */
  isForwarded({ best, groupEnables }: GicV3Cpu): boolean {
    return best.priority !== IDLE_PRIORITY && groupEnables[best.group] !== 0;
  }

  /** Whether the best interrupt is urgent enough to be signalled. */
  canPreempt(cpu: GicV3Cpu): boolean {
    const { best } = cpu;
    if (!this.isForwarded(cpu) || best.priority >= cpu.priorityMask) return false;
    const running = this.runningPriority(cpu);
    if (running === IDLE_PRIORITY) return true;
    const mask = this.groupPriorityMask(cpu, best.group);
    return (best.priority & mask) < (running & mask);
  }

  /** Priority of what the CPU handles. */
  runningPriority({ activePriorities }: GicV3Cpu): number {
    const bits = activePriorities[0] | activePriorities[1] | activePriorities[2];
    return bits ? trailingZeros(bits) << 3 : IDLE_PRIORITY;
  }

  /** The bits of a priority that decide about preemption in a group (4.8.3). */
  groupPriorityMask(cpu: GicV3Cpu, group: Group): number {
    const control = group === GROUP.secureOne ? cpu.secureControl : cpu.nonSecureControl;
    const common = group !== GROUP.zero && (control & ICC_CTLR.commonBinaryPoint) !== 0;
    const point = cpu.binaryPoints[common ? GROUP.zero : group];
    return 0xff & (~0 << (group === GROUP.nonSecureOne && !common ? point : point + 1));
  }

  #isFiq(cpu: GicV3Cpu): boolean {
    const { secure, el3 } = this.securityOf(cpu.index);
    switch (cpu.best.group) {
      case GROUP.zero:
        return true;
      case GROUP.secureOne:
        return !secure || el3;
      default:
        return secure;
    }
  }

  #searchAll(): void {
    for (const { best } of this.cpus) best.priority = IDLE_PRIORITY;
    this.#searchShared(PRIVATE_INTERRUPTS, INTERRUPT_COUNT - PRIVATE_INTERRUPTS);
    for (const cpu of this.cpus) this.#searchPrivate(cpu);
  }

  #searchShared(first: number, count: number): void {
    const { cpus, distributor } = this;
    this.#improved.fill(false);
    for (let interrupt = first; interrupt < first + count;) {
      const word = interrupt >> 5;
      const end = Math.min(first + count, (word + 1) * 32);
      let candidates = this.#candidates(word) & (~0 << (interrupt & 31));
      for (; candidates !== 0; candidates &= candidates - 1) {
        const found = word * 32 + trailingZeros(candidates);
        if (found >= end) break;
        const target = this.targetOf(found);
        if (target && isBetter(target, found, distributor.priorities[found])) {
          this.#improved[target.index] = true;
        }
      }
      interrupt = end;
    }
    for (const cpu of cpus) {
      const { best } = cpu;
      if (this.#improved[cpu.index]) {
        best.group = this.groupOf(cpu, best.interrupt);
      } else if (
        best.priority !== IDLE_PRIORITY && best.interrupt >= first &&
        best.interrupt < first + count
      ) {
        return this.#searchAll();
      }
    }
  }

  #searchPrivate(cpu: GicV3Cpu): void {
    const { best, bestLpi } = cpu;
    const waiting = cpu.pending | (~cpu.edge & cpu.level);
    let candidates = waiting & cpu.enabled & ~cpu.active &
      this.#forwardedGroups(cpu.group, cpu.groupModifier);
    let improved = false;
    for (; candidates !== 0; candidates &= candidates - 1) {
      const interrupt = trailingZeros(candidates);
      if (isBetter(cpu, interrupt, cpu.priorities[interrupt])) improved = true;
    }
    if (improved) best.group = this.groupOf(cpu, best.interrupt);
    if (
      cpu.lpisEnabled && bestLpi.priority !== IDLE_PRIORITY &&
      isBetter(cpu, bestLpi.interrupt, bestLpi.priority)
    ) {
      best.group = bestLpi.group;
      improved = true;
    }
    const own = best.interrupt < PRIVATE_INTERRUPTS || best.interrupt >= FIRST_LPI;
    if (!improved && best.priority !== IDLE_PRIORITY && own) this.#searchAll();
  }

  /** Interrupts of a word that could be signalled: pending, enabled, not active, of a group that is on. */
  #candidates(word: number): number {
    const { group, groupModifier, enabled, pending, active, level, edge } = this.distributor.bits;
    const waiting = pending[word] | (~edge[word] & level[word]);
    return waiting & enabled[word] & ~active[word] &
      this.#forwardedGroups(group[word], groupModifier[word]);
  }

  /** Interrupts whose group GICD_CTLR lets through. */
  #forwardedGroups(group: number, groupModifier: number): number {
    const { control, securityDisabled } = this.distributor;
    const secureOne = securityDisabled ? 0 : groupModifier;
    return (control & GICD_CTLR.nonSecureGroup1 ? group : 0) |
      (control & GICD_CTLR.secureGroup1 ? ~group & secureOne : 0) |
      (control & GICD_CTLR.group0 ? ~group & ~secureOne : 0);
  }
}

/** Takes an interrupt as the best of a CPU if it is not less urgent; of two equal ones the lower number is. */
function isBetter({ best }: GicV3Cpu, interrupt: number, priority: number): boolean {
  const better = priority < best.priority ||
    (priority === best.priority && interrupt <= best.interrupt);
  if (better) {
    best.interrupt = interrupt;
    best.priority = priority;
  }
  return better;
}

/** Number of the lowest bit that is set in a number that is not 0. */
export function trailingZeros(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
