/**
 * GICv2 distributor registers (Arm IHI 0048B, 4.3).
 */

import type { Device, DeviceState } from "./device.ts";
import {
  ALL_CPUS,
  type GicCore,
  INTERRUPT_COUNT,
  NON_SECURE_PRIORITY,
  PRIVATE_INTERRUPTS,
  SGI_COUNT,
} from "./gic_v2_core.ts";
import type { Requester } from "./gic_v3_registers.ts";

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

const DISTRIBUTOR_IIDR = 0x43b;
/** GICD_TYPER.SecurityExtn. */
const TYPER_SECURITY = 0x400;
/** GICD_PIDR4..7, 0..3 and CIDR0..3. */
const IDENTIFICATION = [4, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1];

/** The window of the distributor. */
export class GicV2Distributor implements Device {
  readonly name = "gic-distributor";
  readonly base: number;
  readonly size = 0x1000;
  readonly #core: GicCore;
  readonly #requester: Requester;

  constructor(core: GicCore, base: number, requester: Requester) {
    this.#core = core;
    this.base = base;
    this.#requester = requester;
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

  /** Whether the access is Non-secure where that is less. */
  get #restricted(): boolean {
    return this.#core.security && !this.#requester.secure;
  }

  /** Whether the access must not see an interrupt: it is of group 0, which is Secure. */
  #isHidden(interrupt: number): boolean {
    const { bits } = this.#core;
    return this.#restricted && !(bits.group[interrupt] & (1 << this.#requester.cpu));
  }

  #readByte(offset: number): number {
    const core = this.#core, { cpu } = this.#requester;
    if (offset < GICD_IGROUPR) return this.#readHeader(offset);
    if (offset >= GICD_ID) return offset & 3 ? 0 : IDENTIFICATION[(offset - GICD_ID) >> 2];
    if (offset >= GICD_CPENDSGIR) {
      const sgi = offset & 15;
      const isThere = offset < GICD_SPENDSGIR + SGI_COUNT && !this.#isHidden(sgi);
      return isThere ? core.sgiSources[cpu * SGI_COUNT + sgi] : 0;
    }
    if (offset < GICD_IPRIORITYR) {
      const interrupt = (offset & 0x7f) * 8;
      return interrupt < INTERRUPT_COUNT ? this.#readBits(offset & ~0x7f, interrupt, cpu) : 0;
    }
    const first = offset < GICD_ICFGR ? offset & 0x3ff : (offset & 0xff) * 4;
    if (first >= INTERRUPT_COUNT || offset >= GICD_RESERVED) return 0;
    if (offset < GICD_ITARGETSR) return this.#readPriority(first);
    if (offset < GICD_ICFGR) {
      // One CPU: no targets to choose, the registers read as zero.
      return core.cpuCount === 1 ? 0 : core.targetsOf(first, cpu);
    }
    return [0, 1, 2, 3].reduce(
      (value, i) =>
        this.#isHidden(first + i) ? value : value | ((core.edge[first + i] * 2) << (2 * i)),
      0,
    );
  }

  #readPriority(interrupt: number): number {
    if (this.#isHidden(interrupt)) return 0;
    const { priorities } = this.#core;
    const priority = priorities[this.#core.priorityIndex(interrupt, this.#requester.cpu)];
    return this.#restricted ? (priority << 1) & 0xff : priority;
  }

  #writePriority(interrupt: number, value: number): void {
    if (this.#isHidden(interrupt)) return;
    const index = this.#core.priorityIndex(interrupt, this.#requester.cpu);
    this.#core.priorities[index] = this.#restricted ? NON_SECURE_PRIORITY | (value >> 1) : value;
  }

  #readHeader(offset: number): number {
    const { control, cpuCount, security } = this.#core;
    const typer = (INTERRUPT_COUNT / 32 - 1) | ((cpuCount - 1) << 5) |
      (security ? TYPER_SECURITY : 0);
    const words = [this.#restricted ? (control >> 1) & 1 : control, typer, DISTRIBUTOR_IIDR];
    return ((words[offset >> 2] ?? 0) >>> (8 * (offset & 3))) & 0xff;
  }

  /** Eight interrupts of one of the bit arrays. */
  #readBits(register: number, first: number, cpu: number): number {
    const { bits } = this.#core;
    const cpus = this.#core.scope(first, cpu);
    const test = (interrupt: number) => {
      if (this.#isHidden(interrupt)) return 0;
      switch (register) {
        case GICD_IGROUPR:
          return this.#restricted ? 0 : bits.group[interrupt] & cpus;
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
    const core = this.#core, { cpu } = this.#requester;
    if (offset === GICD_CTLR) {
      core.control = this.#restricted ? (core.control & 1) | ((value & 1) << 1) : value & 3;
    }
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
    if (offset < GICD_ITARGETSR) this.#writePriority(first, value);
    else if (offset < GICD_ICFGR) this.#writeTargets(first, value);
    else if (first >= SGI_COUNT) {
      for (let i = 0; i < 4; i++) {
        if (!this.#isHidden(first + i)) core.edge[first + i] = (value >> (2 * i + 1)) & 1;
      }
    }
  }

  #writeBit(register: number, interrupt: number, value: boolean, cpu: number): void {
    const core = this.#core, { bits } = core;
    const cpus = core.scope(interrupt, cpu);
    const isSgi = interrupt < SGI_COUNT;
    if (register === GICD_IGROUPR) {
      if (this.#restricted) return;
      if (value) bits.group[interrupt] |= cpus;
      else bits.group[interrupt] &= ~cpus;
    } else if (value && !this.#isHidden(interrupt)) {
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
    if (this.#isHidden(sgi)) return;
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
    const core = this.#core, { cpu } = this.#requester;
    const list = (value >>> 16) & 0xff;
    const filter = (value >>> 24) & 3;
    const to = [list, ~(1 << cpu), 1 << cpu, 0xff][filter] & ALL_CPUS;
    core.sendSgi(value & 15, cpu, to);
  }
}
