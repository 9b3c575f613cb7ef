/**
 * The heart of the GICv2 (Arm IHI 0048B): the state of every interrupt and the choice of the one
 * to signal. The distributor and the CPU interfaces are register windows on this.
 *
 * Per interrupt there is one byte of CPU bits for each property, so that private interrupts (SGIs
 * 0 to 15 and PPIs 16 to 31) are banked without a second structure; a shared interrupt uses all
 * bits at once where a distributor register is written. An interrupt that a CPU acknowledges
 * becomes active, and stops to be pending, on that CPU alone. That and other rules where the
 * architecture leaves room, or says otherwise, are the reference's.
 */

import type { InterruptLine } from "./device.ts";

/** SGIs and PPIs: banked per CPU. */
export const PRIVATE_INTERRUPTS = 32;
/** Software-generated interrupts. */
export const SGI_COUNT = 16;
/** Interrupts of the board: 32 private and 256 shared ones. */
export const INTERRUPT_COUNT = 288;
/** What GICC_IAR gives if there is nothing to acknowledge. */
export const SPURIOUS = 1023;
/** What it gives for a group 1 interrupt while GICC_CTLR.AckCtl is 0. */
export const SPURIOUS_GROUP1 = 1022;
/** Priorities from here on are those that Non-secure accesses reach. */
export const NON_SECURE_PRIORITY = 0x80;
/** Running priority of a CPU that handles no interrupt. */
export const IDLE_PRIORITY = 0x100;
export const MAXIMUM_CPUS = 8;
/** Bits of all CPUs that there can be: what a register of shared interrupts sets and clears. */
export const ALL_CPUS = 0xff;

/** GICC_CTLR bits. */
export const GICC_CTLR = {
  enableGroup0: 1,
  enableGroup1: 2,
  ackCtl: 4,
  fiqEnable: 8,
  commonBinaryPoint: 0x10,
  eoiMode: 0x200,
  /** With security: EOImode of Non-secure accesses. */
  nonSecureEoiMode: 0x400,
  writable: 0x21f,
} as const;

/** One CPU's interface: registers of GICC. */
export interface CpuInterfaceState {
  control: number;
  priorityMask: number;
  binaryPoint: number;
  aliasedBinaryPoint: number;
  /** GICC_APRn and GICC_NSAPRn: priorities in use, one bit per preemption level. */
  activePriorities: [number, number, number, number];
  nonSecureActivePriorities: [number, number, number, number];
}

/** Outputs of the GIC to one CPU. */
export interface CpuLines {
  /** To the CPU's IRQ input. */
  readonly irq: InterruptLine;
  /** To its FIQ input. */
  readonly fiq: InterruptLine;
  /** What the virtual CPU interface asks for; left out where there is no EL2. */
  readonly virtualIrq?: InterruptLine;
  readonly virtualFiq?: InterruptLine;
}

/** Per-interrupt bytes of CPU bits. */
const BIT_FIELDS = ["enabled", "pending", "active", "level", "group"] as const;
type BitField = (typeof BIT_FIELDS)[number];

/** State of all interrupts, and the signalling logic. */
export class GicCore {
  readonly cpuCount: number;
  /** GICD_CTLR: group 0 and 1 are forwarded. */
  control = 0;
  readonly bits: Record<BitField, Uint8Array>;
  /** 1 where the interrupt is edge-triggered. */
  readonly edge = new Uint8Array(INTERRUPT_COUNT);
  /** CPUs that a shared interrupt goes to. */
  readonly targets = new Uint8Array(INTERRUPT_COUNT);
  /** Priorities of shared interrupts, and after them of each CPU's private ones. */
  readonly priorities: Uint8Array;
  /** For each CPU and SGI: the CPUs that sent it. */
  readonly sgiSources: Uint8Array;
  readonly interfaces: CpuInterfaceState[];
  /** Per CPU: the interrupt that GICC_IAR would give, before groups are looked at. */
  readonly #best: number[];
  readonly #lines: readonly CpuLines[];

  /**
   * @param lines one record per CPU, at most {@linkcode MAXIMUM_CPUS}
   * @param security whether group 0 is Secure
   */
  constructor(lines: readonly CpuLines[], readonly security: boolean) {
    this.cpuCount = lines.length;
    this.#lines = lines;
    this.bits = Object.fromEntries(
      BIT_FIELDS.map((field) => [field, new Uint8Array(INTERRUPT_COUNT)]),
    ) as Record<BitField, Uint8Array>;
    this.priorities = new Uint8Array(INTERRUPT_COUNT + lines.length * PRIVATE_INTERRUPTS);
    this.sgiSources = new Uint8Array(lines.length * SGI_COUNT);
    this.interfaces = lines.map(resetInterface);
    this.#best = lines.map(() => SPURIOUS);
    // SGIs are always enabled and edge-triggered. On one CPU every interrupt goes to it.
    this.bits.enabled.fill(ALL_CPUS, 0, SGI_COUNT);
    this.edge.fill(1, 0, SGI_COUNT);
    if (lines.length === 1) this.targets.fill(1);
  }

  /** What firmware does for a kernel in Non-secure state: every interrupt is its. */
  giveToNonSecure(): void {
    if (!this.security) return;
    this.bits.group.fill(ALL_CPUS);
    this.priorities.fill(NON_SECURE_PRIORITY);
    for (const own of this.interfaces) own.priorityMask = NON_SECURE_PRIORITY;
    this.update();
  }

  /** CPUs whose bits a register access by `cpu` concerns. */
  scope(interrupt: number, cpu: number): number {
    return interrupt < PRIVATE_INTERRUPTS ? 1 << cpu : ALL_CPUS;
  }

  /** CPUs that an interrupt becomes pending on if it is triggered. */
  targetsOf(interrupt: number, cpu: number): number {
    return interrupt < PRIVATE_INTERRUPTS ? 1 << cpu : this.targets[interrupt];
  }

  /** Where the priority of an interrupt for a CPU stands in {@linkcode priorities}. */
  priorityIndex(interrupt: number, cpu: number): number {
    return interrupt < PRIVATE_INTERRUPTS
      ? INTERRUPT_COUNT + cpu * PRIVATE_INTERRUPTS + interrupt
      : interrupt;
  }

  /** Pending: latched, or a level-sensitive wire that is high. */
  isPending(interrupt: number, cpus: number): boolean {
    if (this.bits.pending[interrupt] & cpus) return true;
    return !this.edge[interrupt] && (this.bits.level[interrupt] & cpus) !== 0;
  }

  /** Changes a wire. `cpu` matters for private interrupts only. */
  setLevel(interrupt: number, cpu: number, high: boolean): void {
    const cpus = this.scope(interrupt, cpu);
    const { level, pending } = this.bits;
    if (((level[interrupt] & cpus) !== 0) === high) return;
    if (high) {
      level[interrupt] |= cpus;
      if (this.edge[interrupt]) pending[interrupt] |= this.targetsOf(interrupt, cpu);
    } else {
      level[interrupt] &= ~cpus;
    }
    this.update();
  }

  /** Sends an SGI from one CPU to a set of others. */
  sendSgi(interrupt: number, from: number, to: number): void {
    this.bits.pending[interrupt] |= to;
    for (let cpu = 0; cpu < this.cpuCount; cpu++) {
      if (to & (1 << cpu)) this.sgiSources[cpu * SGI_COUNT + interrupt] |= 1 << from;
    }
  }

  /** Priority of what a CPU is handling, or {@linkcode IDLE_PRIORITY}. */
  runningPriority(cpu: number): number {
    const { activePriorities, nonSecureActivePriorities } = this.interfaces[cpu];
    for (let i = 0; i < activePriorities.length; i++) {
      const bits = activePriorities[i] | nonSecureActivePriorities[i];
      if (bits) return (i * 32 + trailingZeros(bits)) << 1;
    }
    return IDLE_PRIORITY;
  }

  /**
   * The interrupt that a CPU would be given now, or a spurious number (GICC_HPPIR).
   *
   * @param restricted for a Non-secure access, which sees group 1 alone
   */
  highestPending(cpu: number, restricted = false): number {
    const best = this.#best[cpu];
    if (best === SPURIOUS) return SPURIOUS;
    const group1 = this.bits.group[best] & (1 << cpu);
    if (restricted) return group1 ? best : SPURIOUS;
    return group1 && !(this.interfaces[cpu].control & GICC_CTLR.ackCtl) ? SPURIOUS_GROUP1 : best;
  }

  /** GICC_IAR: takes the highest pending interrupt and makes it active. */
  acknowledge(cpu: number, restricted = false): number {
    const interrupt = this.highestPending(cpu, restricted);
    if (interrupt >= SPURIOUS_GROUP1) return interrupt;
    if (this.priorities[this.priorityIndex(interrupt, cpu)] >= this.runningPriority(cpu)) {
      return SPURIOUS;
    }
    this.#activate(interrupt, cpu);
    const source = this.#clearPending(interrupt, cpu);
    this.update();
    return interrupt | (source << 10);
  }

  /** GICC_EOIR: drops the running priority and, unless EOImode splits that off, deactivates. */
  endOfInterrupt(interrupt: number, cpu: number, restricted = false): void {
    if (interrupt >= INTERRUPT_COUNT || this.runningPriority(cpu) === IDLE_PRIORITY) return;
    const state = this.interfaces[cpu];
    const group1 = this.bits.group[interrupt] & (1 << cpu);
    if (restricted && !group1) return;
    const priorities = group1 ? state.nonSecureActivePriorities : state.activePriorities;
    const i = priorities.findIndex((bits) => bits !== 0);
    if (i >= 0) priorities[i] = (priorities[i] & (priorities[i] - 1)) >>> 0;
    if (!this.#splitsEnd(cpu, restricted)) this.#deactivate(interrupt, cpu);
    this.update();
  }

  /** GICC_DIR: deactivates; without EOImode it is ignored. */
  deactivate(interrupt: number, cpu: number, restricted = false): void {
    if (interrupt >= INTERRUPT_COUNT || !this.#splitsEnd(cpu, restricted)) return;
    if (restricted && !(this.bits.group[interrupt] & (1 << cpu))) return;
    this.#deactivate(interrupt, cpu);
    this.update();
  }

  /** Chooses again what to signal to each CPU. To be called after every change. */
  update(): void {
    for (let cpu = 0; cpu < this.cpuCount; cpu++) {
      const { irq, fiq } = this.#lines[cpu];
      const signal = this.#signal(cpu);
      irq.set(signal === "irq");
      fiq.set(signal === "fiq");
    }
  }

  #signal(cpu: number): "irq" | "fiq" | undefined {
    const state = this.interfaces[cpu];
    this.#best[cpu] = SPURIOUS;
    const groups = this.control & state.control;
    if (!(this.control & 3) || !(state.control & 3)) return undefined;
    const best = this.#bestPending(cpu);
    if (best === SPURIOUS) return undefined;
    const priority = this.priorities[this.priorityIndex(best, cpu)];
    if (priority >= state.priorityMask) return undefined;
    this.#best[cpu] = best;
    if (priority >= this.runningPriority(cpu)) return undefined;
    const group1 = (this.bits.group[best] & (1 << cpu)) !== 0;
    if (!(groups & (group1 ? GICC_CTLR.enableGroup1 : GICC_CTLR.enableGroup0))) return undefined;
    return !group1 && state.control & GICC_CTLR.fiqEnable ? "fiq" : "irq";
  }

  /** The enabled, pending, inactive interrupt of lowest priority value; the lower number wins. */
  #bestPending(cpu: number): number {
    const cpus = 1 << cpu;
    const { enabled, active } = this.bits;
    let best = SPURIOUS, bestPriority = IDLE_PRIORITY;
    for (let interrupt = 0; interrupt < INTERRUPT_COUNT; interrupt++) {
      if (!(enabled[interrupt] & cpus) || active[interrupt] & cpus) continue;
      if (!this.isPending(interrupt, cpus)) continue;
      if (interrupt >= PRIVATE_INTERRUPTS && !(this.targets[interrupt] & cpus)) continue;
      const priority = this.priorities[this.priorityIndex(interrupt, cpu)];
      if (priority < bestPriority) {
        bestPriority = priority;
        best = interrupt;
      }
    }
    return best;
  }

  #activate(interrupt: number, cpu: number): void {
    const state = this.interfaces[cpu];
    const group1 = (this.bits.group[interrupt] & (1 << cpu)) !== 0;
    const separate = group1 && !(state.control & GICC_CTLR.commonBinaryPoint);
    const binaryPoint = separate ? state.aliasedBinaryPoint - 1 : state.binaryPoint;
    const groupMask = 0xff & (~0 << (binaryPoint + 1));
    const level = (this.priorities[this.priorityIndex(interrupt, cpu)] & groupMask) >> 1;
    const priorities = group1 ? state.nonSecureActivePriorities : state.activePriorities;
    priorities[level >> 5] = (priorities[level >> 5] | (1 << (level & 31))) >>> 0;
    this.bits.active[interrupt] |= 1 << cpu;
  }

  #splitsEnd(cpu: number, restricted: boolean): boolean {
    const mode = restricted ? GICC_CTLR.nonSecureEoiMode : GICC_CTLR.eoiMode;
    return (this.interfaces[cpu].control & mode) !== 0;
  }

  #deactivate(interrupt: number, cpu: number): void {
    this.bits.active[interrupt] &= ~(1 << cpu);
  }

  /** Takes the latch away. Returns the CPU that sent an SGI, else 0. */
  #clearPending(interrupt: number, cpu: number): number {
    if (interrupt >= SGI_COUNT) {
      this.bits.pending[interrupt] &= ~(1 << cpu);
      return 0;
    }
    const index = cpu * SGI_COUNT + interrupt;
    const source = this.sgiSources[index] ? trailingZeros(this.sgiSources[index]) : 0;
    this.sgiSources[index] &= this.sgiSources[index] - 1;
    if (this.sgiSources[index] === 0) this.bits.pending[interrupt] &= ~(1 << cpu);
    return source;
  }
}

/** Lowest bit that is set in a 32-bit number that is not 0. */
export function trailingZeros(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function resetInterface(): CpuInterfaceState {
  return {
    control: 0,
    priorityMask: 0,
    binaryPoint: 0,
    aliasedBinaryPoint: 1,
    activePriorities: [0, 0, 0, 0],
    nonSecureActivePriorities: [0, 0, 0, 0],
  };
}
