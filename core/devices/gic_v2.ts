/**
 * GICv2 (Arm IHI 0048B): distributor and CPU interface windows of the board's interrupt
 * controller, without the security and virtualization extensions, as the reference's.
 */

import type { Device, DeviceState, InterruptLine } from "./device.ts";
import {
  ALL_CPUS,
  type CpuInterfaceState,
  type CpuLines,
  GICC_CTLR,
  GicCore,
  INTERRUPT_COUNT,
  PRIVATE_INTERRUPTS,
  SGI_COUNT,
} from "./gic_v2_core.ts";

/** Distributor register offsets (4.1.2). Each array holds one bit, byte or two bits per interrupt. */
const GICD_CTLR = 0x000;
// GICD_TYPER at 0x004 and GICD_IIDR at 0x008 are RO.
const GICD_IGROUPR = 0x080;
const GICD_ISENABLER = 0x100;
const GICD_ICENABLER = 0x180;
const GICD_ISPENDR = 0x200;
const GICD_ICPENDR = 0x280;
const GICD_ISACTIVER = 0x300;
const GICD_ICACTIVER = 0x380;
const GICD_IPRIORITYR = 0x400;
const GICD_ITARGETSR = 0x800;
const GICD_ICFGR = 0xc00;
const GICD_RESERVED = 0xd00;
const GICD_SGIR = 0xf00; // WO
const GICD_CPENDSGIR = 0xf10;
const GICD_SPENDSGIR = 0xf20;
const GICD_ID = 0xfd0; // RO

/** CPU interface register offsets (4.1.3). */
const GICC = {
  CTLR: 0x00,
  PMR: 0x04,
  BPR: 0x08,
  IAR: 0x0c, // RO; reading acknowledges
  EOIR: 0x10, // WO
  RPR: 0x14, // RO
  HPPIR: 0x18, // RO
  ABPR: 0x1c,
  APR: 0xd0,
  NSAPR: 0xe0,
  IIDR: 0xfc, // RO
  DIR: 0x1000, // WO
} as const;

const DISTRIBUTOR_IIDR = 0x43b;
const CPU_INTERFACE_IIDR = 0x2043b;
/** GICD_PIDR4..7, 0..3 and CIDR0..3. */
const IDENTIFICATION = [4, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1];

/** How the controller is wired. */
export interface GicV2Options {
  /** Physical address of the GICD window. */
  readonly distributorBase: number;
  /** Physical address of the GICC window. */
  readonly cpuInterfaceBase: number;
  /** Outputs, one pair per CPU (at most 8). */
  readonly lines: readonly CpuLines[];
  /** Index of the CPU that makes the access in hand. */
  readonly currentCpu: () => number;
}

export type { CpuLines };

/** The interrupt controller: two devices over one {@linkcode GicCore}. */
export class GicV2 {
  /** The GICD window. */
  readonly distributor: Device;
  /** The GICC window of the CPU that accesses it. */
  readonly cpuInterface: Device;
  readonly #core: GicCore;

  /** Makes a controller as after reset: everything off, SGIs enabled. */
  constructor({ distributorBase, cpuInterfaceBase, lines, currentCpu }: GicV2Options) {
    this.#core = new GicCore(lines);
    this.distributor = new Distributor(this.#core, distributorBase, currentCpu);
    this.cpuInterface = new CpuInterface(this.#core, cpuInterfaceBase, currentCpu);
  }

  /** The wire of a shared interrupt; `number` counts from 0 and becomes interrupt 32 + number. */
  sharedLine(number: number): InterruptLine {
    const interrupt = PRIVATE_INTERRUPTS + number;
    return { set: (level) => this.#core.setLevel(interrupt, 0, level) };
  }

  /** The wire of a private interrupt of one CPU; `interrupt` is 16 to 31. */
  privateLine(cpu: number, interrupt: number): InterruptLine {
    return { set: (level) => this.#core.setLevel(interrupt, cpu, level) };
  }
}

class Distributor implements Device {
  readonly name = "gic-distributor";
  readonly base: number;
  readonly size = 0x1000;
  readonly #core: GicCore;
  readonly #currentCpu: () => number;

  constructor(core: GicCore, base: number, currentCpu: () => number) {
    this.#core = core;
    this.base = base;
    this.#currentCpu = currentCpu;
  }

  read(offset: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#readByte(offset + i) << (8 * i);
    return value >>> 0;
  }

  write(offset: number, value: number, size: number): void {
    if (offset === GICD_SGIR) {
      if (size === 4) this.#generate(value);
    } else {
      for (let i = 0; i < size; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    }
    this.#core.update();
  }

  save(): DeviceState {
    const { control, bits, edge, targets, priorities, sgiSources } = this.#core;
    const copies = Object.entries({ ...bits, edge, targets, priorities, sgiSources });
    return { control, ...Object.fromEntries(copies.map(([key, bytes]) => [key, bytes.slice()])) };
  }

  restore(state: DeviceState): void {
    const saved = state as Record<string, number | Uint8Array>;
    const { bits, edge, targets, priorities, sgiSources } = this.#core;
    this.#core.control = saved.control as number;
    for (const [key, bytes] of Object.entries({ ...bits, edge, targets, priorities, sgiSources })) {
      bytes.set(saved[key] as Uint8Array);
    }
    this.#core.update();
  }

  #readByte(offset: number): number {
    const core = this.#core, cpu = this.#currentCpu();
    if (offset < GICD_IGROUPR) return this.#readHeader(offset);
    if (offset >= GICD_ID) return offset & 3 ? 0 : IDENTIFICATION[(offset - GICD_ID) >> 2];
    if (offset >= GICD_CPENDSGIR) {
      const sgi = offset & 15;
      return offset < GICD_SPENDSGIR + SGI_COUNT ? core.sgiSources[cpu * SGI_COUNT + sgi] : 0;
    }
    if (offset < GICD_IPRIORITYR) {
      const interrupt = (offset & 0x7f) * 8;
      return interrupt < INTERRUPT_COUNT ? this.#readBits(offset & ~0x7f, interrupt, cpu) : 0;
    }
    const first = offset < GICD_ICFGR ? offset & 0x3ff : (offset & 0xff) * 4;
    if (first >= INTERRUPT_COUNT || offset >= GICD_RESERVED) return 0;
    if (offset < GICD_ITARGETSR) return core.priorities[core.priorityIndex(first, cpu)];
    if (offset < GICD_ICFGR) {
      // One CPU: no targets to choose, the registers read as zero.
      return core.cpuCount === 1 ? 0 : core.targetsOf(first, cpu);
    }
    return [0, 1, 2, 3].reduce((value, i) => value | ((core.edge[first + i] * 2) << (2 * i)), 0);
  }

  #readHeader(offset: number): number {
    const { control, cpuCount } = this.#core;
    const words = [control, (INTERRUPT_COUNT / 32 - 1) | ((cpuCount - 1) << 5), DISTRIBUTOR_IIDR];
    return ((words[offset >> 2] ?? 0) >>> (8 * (offset & 3))) & 0xff;
  }

  /** Eight interrupts of one of the bit arrays. */
  #readBits(register: number, first: number, cpu: number): number {
    const { bits } = this.#core;
    const cpus = this.#core.scope(first, cpu);
    const test = (interrupt: number) => {
      switch (register) {
        case GICD_IGROUPR:
          return bits.group[interrupt] & cpus;
        case GICD_ISENABLER:
        case GICD_ICENABLER:
          return bits.enabled[interrupt] & cpus;
        case GICD_ISPENDR:
        case GICD_ICPENDR:
          return this.#core.isPending(interrupt, cpus);
        default:
          return bits.active[interrupt] & cpus;
      }
    };
    let value = 0;
    for (let i = 0; i < 8; i++) if (test(first + i)) value |= 1 << i;
    return value;
  }

  #writeByte(offset: number, value: number): void {
    const core = this.#core, cpu = this.#currentCpu();
    if (offset === GICD_CTLR) core.control = value & 3;
    if (offset < GICD_IGROUPR || offset >= GICD_SPENDSGIR + SGI_COUNT) return;
    if (offset >= GICD_CPENDSGIR) return this.#writeSgiPending(offset, value, cpu);
    if (offset < GICD_IPRIORITYR) {
      const interrupt = (offset & 0x7f) * 8;
      if (interrupt >= INTERRUPT_COUNT) return;
      for (let i = 0; i < 8; i++) {
        this.#writeBit(offset & ~0x7f, interrupt + i, (value & (1 << i)) !== 0, cpu);
      }
      return;
    }
    const first = offset < GICD_ICFGR ? offset & 0x3ff : (offset & 0xff) * 4;
    if (first >= INTERRUPT_COUNT || offset >= GICD_RESERVED) return;
    if (offset < GICD_ITARGETSR) core.priorities[core.priorityIndex(first, cpu)] = value;
    else if (offset < GICD_ICFGR) this.#writeTargets(first, value);
    else if (first >= SGI_COUNT) {
      for (let i = 0; i < 4; i++) core.edge[first + i] = (value >> (2 * i + 1)) & 1;
    }
  }

  #writeBit(register: number, interrupt: number, value: boolean, cpu: number): void {
    const core = this.#core, { bits } = core;
    const cpus = core.scope(interrupt, cpu);
    const isSgi = interrupt < SGI_COUNT;
    if (register === GICD_IGROUPR) {
      if (value) bits.group[interrupt] |= cpus;
      else bits.group[interrupt] &= ~cpus;
    } else if (value) {
      switch (register) {
        case GICD_ISENABLER:
          bits.enabled[interrupt] |= cpus;
          break;
        case GICD_ICENABLER:
          if (!isSgi) bits.enabled[interrupt] &= ~cpus;
          break;
        case GICD_ISPENDR:
          if (!isSgi) bits.pending[interrupt] |= core.targetsOf(interrupt, cpu);
          break;
        case GICD_ICPENDR:
          if (!isSgi) bits.pending[interrupt] = 0;
          break;
        case GICD_ISACTIVER:
          bits.active[interrupt] |= cpus;
          break;
        case GICD_ICACTIVER:
          bits.active[interrupt] &= ~cpus;
          break;
      }
    }
  }

  #writeTargets(interrupt: number, value: number): void {
    const core = this.#core;
    if (core.cpuCount === 1 || interrupt < PRIVATE_INTERRUPTS) return;
    core.targets[interrupt] = value & ALL_CPUS;
    if (core.bits.pending[interrupt]) core.bits.pending[interrupt] = value & ALL_CPUS;
  }

  #writeSgiPending(offset: number, value: number, cpu: number): void {
    const { sgiSources, bits } = this.#core;
    const sgi = offset & 15, index = cpu * SGI_COUNT + sgi;
    if (offset >= GICD_SPENDSGIR) {
      sgiSources[index] |= value;
      bits.pending[sgi] |= 1 << cpu;
    } else {
      sgiSources[index] &= ~value;
      if (sgiSources[index] === 0) bits.pending[sgi] &= ~(1 << cpu);
    }
  }

  /** GICD_SGIR: sends an SGI to a list, to all others, or to the sender. */
  #generate(value: number): void {
    const core = this.#core, cpu = this.#currentCpu();
    const list = (value >>> 16) & 0xff;
    const filter = (value >>> 24) & 3;
    const to = [list, ~(1 << cpu), 1 << cpu, 0xff][filter] & ALL_CPUS;
    core.sendSgi(value & 15, cpu, to);
  }
}

class CpuInterface implements Device {
  readonly name = "gic-cpu-interface";
  readonly base: number;
  readonly size = 0x2000;
  readonly #core: GicCore;
  readonly #currentCpu: () => number;

  constructor(core: GicCore, base: number, currentCpu: () => number) {
    this.#core = core;
    this.base = base;
    this.#currentCpu = currentCpu;
  }

  read(offset: number, _size: number): number {
    return this.#readWord(offset);
  }

  write(offset: number, value: number, _size: number): void {
    const core = this.#core, cpu = this.#currentCpu();
    const state = core.interfaces[cpu];
    const index = (offset >> 2) & 3;
    switch (offset) {
      case GICC.CTLR:
        state.control = value & GICC_CTLR.writable;
        break;
      case GICC.PMR:
        state.priorityMask = value & 0xff;
        break;
      case GICC.BPR:
        state.binaryPoint = value & 7;
        break;
      case GICC.ABPR:
        state.aliasedBinaryPoint = Math.max(value & 7, 1);
        break;
      case GICC.EOIR:
        core.endOfInterrupt(value & 0x3ff, cpu);
        break;
      case GICC.DIR:
        core.deactivate(value & 0x3ff, cpu);
        break;
      default:
        if (isArray(offset, GICC.APR)) state.activePriorities[index] = value >>> 0;
        if (isArray(offset, GICC.NSAPR)) state.nonSecureActivePriorities[index] = value >>> 0;
    }
    core.update();
  }

  save(): DeviceState {
    return this.#core.interfaces.map((state) => ({
      ...state,
      activePriorities: [...state.activePriorities],
      nonSecureActivePriorities: [...state.nonSecureActivePriorities],
    }));
  }

  restore(state: DeviceState): void {
    (state as unknown as CpuInterfaceState[]).forEach((saved, cpu) =>
      this.#core.interfaces[cpu] = {
        ...saved,
        activePriorities: [...saved.activePriorities],
        nonSecureActivePriorities: [...saved.nonSecureActivePriorities],
      }
    );
    this.#core.update();
  }

  #readWord(offset: number): number {
    const core = this.#core, cpu = this.#currentCpu();
    const state = core.interfaces[cpu];
    const index = (offset >> 2) & 3;
    switch (offset) {
      case GICC.CTLR:
        return state.control;
      case GICC.PMR:
        return state.priorityMask;
      case GICC.BPR:
        return state.binaryPoint;
      case GICC.IAR:
        return core.acknowledge(cpu);
      case GICC.RPR:
        return Math.min(core.runningPriority(cpu), 0xff);
      case GICC.HPPIR:
        return core.highestPending(cpu);
      case GICC.ABPR:
        return state.aliasedBinaryPoint;
      case GICC.IIDR:
        return CPU_INTERFACE_IIDR;
    }
    if (isArray(offset, GICC.APR)) return state.activePriorities[index];
    if (isArray(offset, GICC.NSAPR)) return state.nonSecureActivePriorities[index];
    return 0;
  }
}

/** Whether an offset is that of one of the four words from `first`. */
function isArray(offset: number, first: number): boolean {
  return offset >= first && offset < first + 16 && offset % 4 === 0;
}
