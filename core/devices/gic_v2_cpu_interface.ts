/**
 * GICv2 CPU interface registers (Arm IHI 0048B, 4.4): the window shows those of the CPU that accesses
 * it. With the security extensions a Non-secure access has a view of its own.
 */

import type { Device, DeviceState } from "./device.ts";
import {
  type CpuInterfaceState,
  GICC_CTLR,
  type GicCore,
  NON_SECURE_PRIORITY,
} from "./gic_v2_core.ts";
import type { Requester } from "./gic_v3_registers.ts";

/** Register offsets (4.1.3). GICV has the same (5.5). */
export const GICC = {
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

/** GICC_IIDR and GICV_IIDR. */
export const CPU_INTERFACE_IIDR = 0x2043b;
/** Words of priorities that Non-secure accesses reach: the upper two of four. */
const NON_SECURE_WORDS = 2;

/** The window of the CPU interface. */
export class GicV2CpuInterface implements Device {
  readonly name = "gic-cpu-interface";
  readonly base: number;
  readonly size = 0x2000;
  readonly #core: GicCore;
  readonly #requester: Requester;

  constructor(core: GicCore, base: number, requester: Requester) {
    this.#core = core;
    this.base = base;
    this.#requester = requester;
  }

  read(offset: number, _size: number): number {
    return this.#restricted ? this.#readRestricted(offset) : this.#readWord(offset);
  }

  write(offset: number, value: number, _size: number): void {
    const core = this.#core, { cpu } = this.#requester;
    const restricted = this.#restricted;
    if (offset === GICC.EOIR) core.endOfInterrupt(value & 0x3ff, cpu, restricted);
    else if (offset === GICC.DIR) core.deactivate(value & 0x3ff, cpu, restricted);
    else if (restricted) this.#writeRestricted(offset, value);
    else this.#writeWord(offset, value);
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
    (state as DeviceState[]).forEach((saved, cpu) => {
      const { activePriorities, nonSecureActivePriorities, ...rest } = saved as Record<
        string,
        DeviceState
      >;
      Object.assign(this.#core.interfaces[cpu], rest, {
        activePriorities: [...activePriorities as number[]],
        nonSecureActivePriorities: [...nonSecureActivePriorities as number[]],
      });
    });
    this.#core.update();
  }

  get #restricted(): boolean {
    return this.#core.security && !this.#requester.secure;
  }

  get #state(): CpuInterfaceState {
    return this.#core.interfaces[this.#requester.cpu];
  }

  #readWord(offset: number): number {
    const core = this.#core, { cpu } = this.#requester, state = this.#state;
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

  #writeWord(offset: number, value: number): void {
    const state = this.#state;
    const index = (offset >> 2) & 3;
    switch (offset) {
      case GICC.CTLR: {
        const { writable, nonSecureEoiMode } = GICC_CTLR;
        state.control = value & (this.#core.security ? writable | nonSecureEoiMode : writable);
        return;
      }
      case GICC.PMR:
        state.priorityMask = value & 0xff;
        return;
      case GICC.BPR:
        state.binaryPoint = value & 7;
        return;
      case GICC.ABPR:
        state.aliasedBinaryPoint = Math.max(value & 7, 1);
        return;
    }
    if (isArray(offset, GICC.APR)) state.activePriorities[index] = value >>> 0;
    if (isArray(offset, GICC.NSAPR)) state.nonSecureActivePriorities[index] = value >>> 0;
  }

  /** What a Non-secure access reads: group 1, and the upper half of the priorities (4.2.4). */
  #readRestricted(offset: number): number {
    const core = this.#core, { cpu } = this.#requester, state = this.#state;
    const { enableGroup1, nonSecureEoiMode, commonBinaryPoint } = GICC_CTLR;
    switch (offset) {
      case GICC.CTLR:
        return (state.control & (enableGroup1 | nonSecureEoiMode)) >> 1;
      case GICC.PMR:
        return nonSecureView(state.priorityMask);
      case GICC.BPR:
        return state.control & commonBinaryPoint
          ? Math.min(state.binaryPoint + 1, 7)
          : state.aliasedBinaryPoint;
      case GICC.IAR:
        return core.acknowledge(cpu, true);
      case GICC.RPR: {
        const running = core.runningPriority(cpu);
        return running > 0xff ? 0xff : nonSecureView(running);
      }
      case GICC.HPPIR:
        return core.highestPending(cpu, true);
      case GICC.IIDR:
        return CPU_INTERFACE_IIDR;
    }
    const index = (offset >> 2) & 3;
    const isView = isArray(offset, GICC.APR) && index < NON_SECURE_WORDS;
    return isView ? state.nonSecureActivePriorities[index + NON_SECURE_WORDS] : 0;
  }

  #writeRestricted(offset: number, value: number): void {
    const state = this.#state;
    const { enableGroup1, nonSecureEoiMode, commonBinaryPoint } = GICC_CTLR;
    const mask = enableGroup1 | nonSecureEoiMode;
    switch (offset) {
      case GICC.CTLR:
        state.control = (state.control & ~mask) | ((value << 1) & mask);
        return;
      case GICC.PMR:
        // A Secure mask is not for Non-secure accesses to change.
        if (!(state.priorityMask & NON_SECURE_PRIORITY)) return;
        state.priorityMask = NON_SECURE_PRIORITY | ((value & 0xff) >> 1);
        return;
      case GICC.BPR:
        if (state.control & commonBinaryPoint) return;
        state.aliasedBinaryPoint = Math.max(value & 7, 1);
        return;
    }
    const index = (offset >> 2) & 3;
    if (isArray(offset, GICC.APR) && index < NON_SECURE_WORDS) {
      state.nonSecureActivePriorities[index + NON_SECURE_WORDS] = value >>> 0;
    }
  }
}

/** A priority as a Non-secure access sees it. */
function nonSecureView(priority: number): number {
  return priority & NON_SECURE_PRIORITY ? (priority << 1) & 0xff : 0;
}

/** Whether an offset is that of one of the four words from `first`. */
function isArray(offset: number, first: number): boolean {
  return offset >= first && offset < first + 16 && offset % 4 === 0;
}
