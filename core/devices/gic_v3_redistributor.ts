/**
 * GICv3 redistributor registers (Arm IHI 0069, 12.11): two frames of 64 KB for each CPU, one behind
 * the other in one window.
 */

import type { Device, DeviceState } from "./device.ts";
import type { GicV3Core } from "./gic_v3_core.ts";
import { identification, IIDR, oddBits, type Requester, spread } from "./gic_v3_registers.ts";
import { BASE, ENABLE_LPIS, type GicV3Cpu, WAKER } from "./gic_v3_state.ts";

/** Offsets in the first frame. */
const CTLR = 0x0000;
const IIDR_OFFSET = 0x0004; // RO
const TYPER = 0x0008; // RO, 64 bits
const WAKER_OFFSET = 0x0014;
const PROPBASER = 0x0070; // 64 bits
const PENDBASER = 0x0078; // 64 bits
const ID_REGISTERS = 0xffd0; // RO
/** Offsets of the second frame, for SGIs and PPIs. */
const IGROUPR0 = 0x1_0080;
const ISENABLER0 = 0x1_0100;
const ICENABLER0 = 0x1_0180;
const ISPENDR0 = 0x1_0200;
const ICPENDR0 = 0x1_0280;
const ISACTIVER0 = 0x1_0300;
const ICACTIVER0 = 0x1_0380;
const IPRIORITYR = 0x1_0400;
const IPRIORITYR_END = 0x1_0420;
const ICFGR0 = 0x1_0c00; // RO
const ICFGR1 = 0x1_0c04;
const IGRPMODR0 = 0x1_0d00;
const NSACR = 0x1_0e00;

const FRAME_BYTES = 0x2_0000;
const PART_NUMBER = 0x93;
/** GICR_CTLR.CES: LPIs can be switched off again. */
const CLEAR_ENABLE_SUPPORTED = 2;
/** TYPER: CommonLPIAff (bit 24), Last, PLPIS. */
const TYPER_COMMON = 1 << 24, TYPER_LAST = 0x10, TYPER_LPIS = 1;

/** What a write of 1 does in the registers of one bit per interrupt: which bit, set or clear. */
const WRITES: Readonly<Record<number, readonly ["enabled" | "pending" | "active", boolean]>> = {
  [ISENABLER0]: ["enabled", true],
  [ICENABLER0]: ["enabled", false],
  [ISPENDR0]: ["pending", true],
  [ICPENDR0]: ["pending", false],
  [ISACTIVER0]: ["active", true],
  [ICACTIVER0]: ["active", false],
};

/** The window of the redistributors. */
export class GicV3RedistributorWindow implements Device {
  readonly name = "gic-v3-redistributors";
  readonly size: number;

  constructor(
    readonly base: number,
    readonly core: GicV3Core,
    readonly requester: Requester,
    readonly hasLpis: boolean,
  ) {
    this.size = core.cpus.length * FRAME_BYTES;
  }

  read(offset: number, size: number): number {
    const cpu = this.#cpuAt(offset), register = offset % FRAME_BYTES;
    if (size === 1) return isPriority(register) ? this.#readPriority(cpu, register & 31) : 0;
    return size === 4 ? this.#readWord(cpu, register) : 0;
  }

  write(offset: number, value: number, size: number): void {
    const cpu = this.#cpuAt(offset), register = offset % FRAME_BYTES;
    if (size === 1 && isPriority(register)) {
      this.#writePriority(cpu, register & 31, value & 0xff);
      this.core.updatePrivate(cpu);
    }
    if (size === 4) this.#writeWord(cpu, register, value);
  }

  readLong(offset: number, into: Uint32Array): void {
    const cpu = this.#cpuAt(offset), register = offset % FRAME_BYTES;
    const isLong = register === TYPER || register === PROPBASER || register === PENDBASER;
    into[0] = isLong ? this.#readWord(cpu, register) : 0;
    into[1] = isLong ? this.#readWord(cpu, register + 4) : 0;
  }

  writeLong(offset: number, low: number, high: number): void {
    const register = offset % FRAME_BYTES;
    if (register !== PROPBASER && register !== PENDBASER) return;
    const base = register === PROPBASER ? BASE.properties : BASE.pending;
    this.#cpuAt(offset).bases[base] = BigInt(high) << 32n | BigInt(low);
  }

  save(): DeviceState {
    return this.core.cpus.map((cpu) => cpu.save());
  }

  restore(state: DeviceState): void {
    const saved = state as DeviceState[];
    this.core.cpus.forEach((cpu, i) => cpu.restore(saved[i]));
    for (const cpu of this.core.cpus) this.core.signal(cpu);
  }

  #cpuAt(offset: number): GicV3Cpu {
    return this.core.cpus[Math.floor(offset / FRAME_BYTES)];
  }

  get #restricted(): boolean {
    return !this.requester.secure && !this.core.distributor.securityDisabled;
  }

  /** Whether the registers of Secure state are there for the access. */
  get #secureOnly(): boolean {
    return this.requester.secure && !this.core.distributor.securityDisabled;
  }

  /** The interrupts that the access may see. */
  #mask(cpu: GicV3Cpu): number {
    return this.#restricted ? cpu.group : ~0;
  }

  #readWord(cpu: GicV3Cpu, register: number): number {
    if (isPriority(register)) {
      const first = register & 31;
      return [3, 2, 1, 0].reduce((word, i) => (word << 8) | this.#readPriority(cpu, first + i), 0);
    }
    if (register >= ID_REGISTERS && register < 0x1_0000) {
      return identification(register - ID_REGISTERS, PART_NUMBER);
    }
    switch (register) {
      case CTLR:
        return cpu.control | (this.hasLpis ? CLEAR_ENABLE_SUPPORTED : 0);
      case IIDR_OFFSET:
        return IIDR;
      case TYPER:
        return TYPER_COMMON | (cpu.index << 8) | (this.hasLpis ? TYPER_LPIS : 0) |
          (cpu.index === this.core.cpus.length - 1 ? TYPER_LAST : 0);
      case TYPER + 4:
        return cpu.affinity;
      case WAKER_OFFSET:
        return cpu.waker;
      case PROPBASER:
      case PENDBASER:
        return Number(cpu.bases[(register - PROPBASER) >> 3] & 0xffff_ffffn);
      case PROPBASER + 4:
      case PENDBASER + 4:
        return Number(cpu.bases[(register - PROPBASER) >> 3] >> 32n);
      default:
        return this.#readPrivate(cpu, register);
    }
  }

  #readPrivate(cpu: GicV3Cpu, register: number): number {
    const mask = this.#mask(cpu);
    switch (register) {
      case IGROUPR0:
        return this.#restricted ? 0 : cpu.group;
      case ISENABLER0:
      case ICENABLER0:
        return cpu.enabled & mask;
      case ISPENDR0:
      case ICPENDR0:
        return (cpu.pending | (~cpu.edge & cpu.level)) & mask;
      case ISACTIVER0:
      case ICACTIVER0:
        return cpu.active & mask;
      case ICFGR0:
        return spread(cpu.edge & mask & 0xffff) << 1;
      case ICFGR1:
        return spread((cpu.edge & mask) >>> 16) << 1;
      case IGRPMODR0:
        return this.#secureOnly ? cpu.groupModifier : 0;
      case NSACR:
        return this.#secureOnly ? cpu.nonSecureAccess : 0;
      default:
        return 0;
    }
  }

  #readPriority(cpu: GicV3Cpu, interrupt: number): number {
    const priority = cpu.priorities[interrupt];
    if (!this.#restricted) return priority;
    return (cpu.group >>> interrupt) & 1 ? (priority << 1) & 0xff : 0;
  }

  #writePriority(cpu: GicV3Cpu, interrupt: number, value: number): void {
    if (this.#restricted) {
      if (!((cpu.group >>> interrupt) & 1)) return;
      value = 0x80 | (value >> 1);
    }
    cpu.priorities[interrupt] = value;
  }

  #writeWord(cpu: GicV3Cpu, register: number, value: number): void {
    if (isPriority(register)) {
      const first = register & 31;
      for (let i = 0; i < 4; i++) this.#writePriority(cpu, first + i, (value >>> (8 * i)) & 0xff);
      return this.core.updatePrivate(cpu);
    }
    switch (register) {
      case CTLR:
        return this.#writeControl(cpu, value);
      case WAKER_OFFSET:
        cpu.waker = value & WAKER.processorSleep ? WAKER.processorSleep | WAKER.childrenAsleep : 0;
        return;
      case PROPBASER:
      case PENDBASER: {
        const high = cpu.bases[(register - PROPBASER) >> 3] & 0xffff_ffff_0000_0000n;
        cpu.bases[(register - PROPBASER) >> 3] = high | BigInt(value);
        return;
      }
      case PROPBASER + 4:
      case PENDBASER + 4: {
        const low = cpu.bases[(register - PROPBASER) >> 3] & 0xffff_ffffn;
        cpu.bases[(register - PROPBASER) >> 3] = low | BigInt(value) << 32n;
        return;
      }
      default:
        return this.#writePrivate(cpu, register, value);
    }
  }

  #writeControl(cpu: GicV3Cpu, value: number): void {
    if (!this.hasLpis) return;
    cpu.control = value & ENABLE_LPIS;
    if (cpu.lpisEnabled) this.core.lpis.refresh(cpu);
    else this.core.updatePrivate(cpu);
  }

  #writePrivate(cpu: GicV3Cpu, register: number, value: number): void {
    const mask = this.#mask(cpu);
    switch (register) {
      case IGROUPR0:
        if (this.#restricted) return;
        cpu.group = value;
        break;
      case ICFGR1: {
        const configurable = mask & ~0xffff;
        cpu.edge = (cpu.edge & ~configurable) | ((oddBits(value) << 16) & configurable);
        break;
      }
      case IGRPMODR0:
        if (!this.#secureOnly) return;
        cpu.groupModifier = value;
        break;
      case NSACR:
        if (this.#secureOnly) cpu.nonSecureAccess = value;
        return;
      default: {
        if (!(register in WRITES)) return;
        const [bit, set] = WRITES[register];
        cpu[bit] = set ? cpu[bit] | (value & mask) : cpu[bit] & ~(value & mask);
      }
    }
    this.core.updatePrivate(cpu);
  }
}

function isPriority(register: number): boolean {
  return register >= IPRIORITYR && register < IPRIORITYR_END;
}
