/**
 * GICv3 distributor registers (Arm IHI 0069, 12.9), as the reference's: affinity routing is always
 * on, there are no message-based SPIs, and what is not there reads as zero.
 */

import type { Device, DeviceState } from "./device.ts";
import type { GicV3Core } from "./gic_v3_core.ts";
import { identification, IIDR, oddBits, type Requester, spread } from "./gic_v3_registers.ts";
import {
  GICD_CTLR,
  type GicV3Distributor as State,
  ID_BITS,
  INTERRUPT_COUNT,
  PRIVATE_INTERRUPTS,
  type SharedBit,
} from "./gic_v3_state.ts";

/** Register offsets. */
const CTLR = 0x0000;
const TYPER = 0x0004; // RO
const IIDR_OFFSET = 0x0008; // RO
const IGROUPR = 0x0080;
const ISENABLER = 0x0100;
const ICENABLER = 0x0180;
const ISPENDR = 0x0200;
const ICPENDR = 0x0280;
const ISACTIVER = 0x0300;
const ICACTIVER = 0x0380;
const IPRIORITYR = 0x0400;
const ITARGETSR = 0x0800; // RES0 with affinity routing
const ICFGR = 0x0c00;
const IGRPMODR = 0x0d00;
const NSACR = 0x0e00;
const NSACR_END = 0x0f00;
const IROUTER = 0x6000;
const IROUTER_END = 0x7fe0;
const ID_REGISTERS = 0xffd0; // RO

const PART_NUMBER = 0x92;
/** TYPER: No1N, A3V, IDbits, LPIS. */
const TYPER_FIXED = (1 << 25) | (1 << 24) | (ID_BITS << 19);
/** TYPER.ITLinesNumber as the reference has it: one less than there are. */
const SHARED_LINES = INTERRUPT_COUNT / 32 - 2;
const TYPER_LPIS = 1 << 17, TYPER_SECURITY = 1 << 10;

/** The window of the distributor. */
export class GicV3DistributorWindow implements Device {
  readonly name = "gic-v3-distributor";
  readonly size = 0x1_0000;
  readonly #state: State;

  constructor(
    readonly base: number,
    readonly core: GicV3Core,
    readonly requester: Requester,
    readonly hasLpis: boolean,
  ) {
    this.#state = core.distributor;
  }

  read(offset: number, size: number): number {
    if (size === 1) {
      const interrupt = offset - IPRIORITYR;
      return offset >= IPRIORITYR && offset < ITARGETSR ? this.#readPriority(interrupt) : 0;
    }
    return size === 4 ? this.#readWord(offset) : 0;
  }

  write(offset: number, value: number, size: number): void {
    if (size === 1 && offset >= IPRIORITYR && offset < ITARGETSR) {
      const interrupt = offset - IPRIORITYR;
      if (!isShared(interrupt)) return;
      this.#writePriority(interrupt, value & 0xff);
      this.core.updateShared(interrupt, 1);
    }
    if (size === 4) this.#writeWord(offset, value);
  }

  readLong(offset: number, into: Uint32Array): void {
    const isRoute = offset >= IROUTER && offset < IROUTER_END;
    const route = isRoute ? this.#readRoute((offset - IROUTER) >> 3) : 0n;
    into[0] = Number(route & 0xffff_ffffn);
    into[1] = Number(route >> 32n);
  }

  writeLong(offset: number, low: number, high: number): void {
    if (offset < IROUTER || offset >= IROUTER_END) return;
    this.#writeRoute((offset - IROUTER) >> 3, BigInt(high) << 32n | BigInt(low));
  }

  save(): DeviceState {
    return this.#state.save();
  }

  restore(state: DeviceState): void {
    this.#state.restore(state);
  }

  /** Whether the access sees one security state only. */
  get #restricted(): boolean {
    return !this.requester.secure && !this.#state.securityDisabled;
  }

  #readWord(offset: number): number {
    if (offset < IGROUPR) return this.#readHeader(offset);
    if (offset < IPRIORITYR) return this.#readBits(offset & ~0x7f, (offset & 0x7f) * 8);
    if (offset < ITARGETSR) {
      const first = offset - IPRIORITYR;
      return [3, 2, 1, 0].reduce((word, i) => (word << 8) | this.#readPriority(first + i), 0);
    }
    if (offset >= ICFGR && offset < IGRPMODR) return this.#readConfiguration((offset - ICFGR) * 4);
    if (offset >= IGRPMODR && offset < NSACR) {
      return this.#readSecure(this.#state.bits.groupModifier, (offset - IGRPMODR) * 8, 32);
    }
    if (offset >= NSACR && offset < NSACR_END) {
      return this.#readSecure(this.#state.nonSecureAccess, (offset - NSACR) * 4, 16);
    }
    if (offset >= IROUTER && offset < IROUTER_END) {
      const route = this.#readRoute((offset - IROUTER) >> 3);
      return Number(offset & 4 ? route >> 32n : route & 0xffff_ffffn);
    }
    return offset >= ID_REGISTERS ? identification(offset - ID_REGISTERS, PART_NUMBER) : 0;
  }

  #readHeader(offset: number): number {
    const { control, securityDisabled } = this.#state;
    const { affinityRouting, nonSecureGroup1, writePending } = GICD_CTLR;
    switch (offset) {
      case CTLR:
        return this.#restricted
          ? control & (affinityRouting | nonSecureGroup1 | writePending)
          : control;
      case TYPER:
        return TYPER_FIXED | (this.hasLpis ? TYPER_LPIS : 0) |
          (securityDisabled ? 0 : TYPER_SECURITY) | SHARED_LINES;
      case IIDR_OFFSET:
        return IIDR;
      default:
        return 0;
    }
  }

  #readBits(register: number, first: number): number {
    if (!isShared(first)) return 0;
    const word = first >> 5;
    const { group, enabled, pending, active, edge, level } = this.#state.bits;
    switch (register) {
      case IGROUPR:
        return this.#restricted ? 0 : group[word];
      case ISENABLER:
      case ICENABLER:
        return enabled[word] & this.#mask(word);
      case ISPENDR:
        return (pending[word] | (~edge[word] & level[word])) & this.#mask(word, 1);
      case ICPENDR:
        return (pending[word] | (~edge[word] & level[word])) & this.#mask(word, 2);
      default:
        return active[word] & this.#mask(word, 2);
    }
  }

  /** A register that only Secure state has, and only while there are two. */
  #readSecure(array: Uint32Array, first: number, perWord: number): number {
    const visible = isShared(first) && !this.#state.securityDisabled && this.requester.secure;
    return visible ? array[first / perWord] : 0;
  }

  #readConfiguration(first: number): number {
    if (!isShared(first)) return 0;
    const word = first >> 5;
    const edge = this.#state.bits.edge[word] & this.#mask(word);
    return spread((edge >>> (first & 16)) & 0xffff) << 1;
  }

  #readPriority(interrupt: number): number {
    if (!isShared(interrupt)) return 0;
    const priority = this.#state.priorities[interrupt];
    if (!this.#restricted) return priority;
    return this.#state.test("group", interrupt) ? (priority << 1) & 0xff : 0;
  }

  #writePriority(interrupt: number, value: number): void {
    if (this.#restricted) {
      if (!this.#state.test("group", interrupt)) return;
      value = 0x80 | (value >> 1);
    }
    this.#state.priorities[interrupt] = value;
  }

  #readRoute(interrupt: number): bigint {
    return this.#routable(interrupt) ? this.#state.routes[interrupt] : 0n;
  }

  #writeRoute(interrupt: number, value: bigint): void {
    if (!this.#routable(interrupt)) return;
    this.#state.routes[interrupt] = value;
    this.core.updateShared(interrupt, 1);
  }

  #routable(interrupt: number): boolean {
    if (!isShared(interrupt)) return false;
    if (!this.#restricted || this.#state.test("group", interrupt)) return true;
    const access = this.#state.nonSecureAccess[interrupt >> 4] >>> (2 * (interrupt & 15));
    return (access & 3) === 3;
  }

  #writeWord(offset: number, value: number): void {
    if (offset === CTLR) return this.#writeControl(value);
    if (offset < IGROUPR) return;
    if (offset < IPRIORITYR) return this.#writeBits(offset & ~0x7f, (offset & 0x7f) * 8, value);
    if (offset < ITARGETSR) {
      const first = offset - IPRIORITYR;
      if (!isShared(first)) return;
      for (let i = 0; i < 4; i++) this.#writePriority(first + i, (value >>> (8 * i)) & 0xff);
      return this.core.updateShared(first, 4);
    }
    if (offset >= ICFGR && offset < IGRPMODR) {
      return this.#writeConfiguration((offset - ICFGR) * 4, value);
    }
    if (offset >= IGRPMODR && offset < NSACR) {
      const first = (offset - IGRPMODR) * 8;
      if (!this.#writeSecure(this.#state.bits.groupModifier, first, 32, value)) return;
      return this.core.updateShared(first, 32);
    }
    if (offset >= NSACR && offset < NSACR_END) {
      this.#writeSecure(this.#state.nonSecureAccess, (offset - NSACR) * 4, 16, value);
    } else if (offset >= IROUTER && offset < IROUTER_END) {
      const interrupt = (offset - IROUTER) >> 3;
      const route = this.#readRoute(interrupt);
      const half = BigInt(value);
      this.#writeRoute(
        interrupt,
        offset & 4
          ? (route & 0xffff_ffffn) | (half << 32n)
          : (route & 0xffff_ffff_0000_0000n) | half,
      );
    }
  }

  #writeControl(value: number): void {
    const state = this.#state;
    const { group0, nonSecureGroup1, secureGroup1, disableSecurity } = GICD_CTLR;
    let mask: number = group0 | nonSecureGroup1;
    if (this.#restricted) mask = nonSecureGroup1;
    else if (!state.securityDisabled) mask |= secureGroup1 | disableSecurity;
    state.control = (state.control & ~mask) | (value & mask);
    // One security state is for good, and has neither of these.
    if (value & mask & disableSecurity) {
      state.control &= ~(secureGroup1 | GICD_CTLR.nonSecureAffinityRouting);
    }
    this.core.updateAll();
  }

  #writeBits(register: number, first: number, value: number): void {
    if (!isShared(first)) return;
    const word = first >> 5;
    if (register === IGROUPR) {
      if (this.#restricted) return;
      this.#state.bits.group[word] = value;
    } else {
      const [bit, set, access] = WRITES[register];
      const bits = this.#state.bits[bit];
      const mask = value & this.#mask(word, access);
      bits[word] = set ? bits[word] | mask : bits[word] & ~mask;
    }
    this.core.updateShared(first, 32);
  }

  #writeSecure(array: Uint32Array, first: number, perWord: number, value: number): boolean {
    if (!isShared(first) || this.#state.securityDisabled || !this.requester.secure) return false;
    array[first / perWord] = value;
    return true;
  }

  #writeConfiguration(first: number, value: number): void {
    if (!isShared(first)) return;
    const word = first >> 5, half = first & 16;
    const { edge } = this.#state.bits;
    const mask = this.#mask(word) & (0xffff << half);
    edge[word] = (edge[word] & ~mask) | ((oddBits(value) << half) & mask);
  }

  /**
   * The interrupts of a word that the access may see.
   *
   * @param access GICD_NSACR value from which on Non-secure state may; 0 for never
   */
  #mask(word: number, access: 0 | 1 | 2 = 0): number {
    if (!this.#restricted) return ~0;
    const { bits, nonSecureAccess } = this.#state;
    let mask = bits.group[word];
    for (let i = 0; access > 0 && i < 32; i++) {
      const field = (nonSecureAccess[2 * word + (i >> 4)] >>> (2 * (i & 15))) & 3;
      if (field >= access) mask |= 1 << i;
    }
    return mask;
  }
}

/** What a write of 1 does in the registers of one bit per interrupt: which bit, set or clear, GICD_NSACR. */
const WRITES: Readonly<Record<number, readonly [SharedBit, boolean, 0 | 1 | 2]>> = {
  [ISENABLER]: ["enabled", true, 0],
  [ICENABLER]: ["enabled", false, 0],
  [ISPENDR]: ["pending", true, 1],
  [ICPENDR]: ["pending", false, 2],
  [ISACTIVER]: ["active", true, 0],
  [ICACTIVER]: ["active", false, 0],
};

function isShared(interrupt: number): boolean {
  return interrupt >= PRIVATE_INTERRUPTS && interrupt < INTERRUPT_COUNT;
}
