/**
 * What a GICv3 (Arm IHI 0069) remembers: distributor, and per CPU its redistributor, its CPU
 * interface and the virtual one. The register windows and the signalling logic work on this.
 *
 * A property of shared interrupts is one bit each in `SharedBits`, in words of 32 interrupts; word 0
 * stands for the private interrupts, which are in {@linkcode GicV3Cpu} instead, and is not used.
 */

import type { DeviceState } from "./device.ts";

/** SGIs and PPIs: banked per CPU. */
export const PRIVATE_INTERRUPTS = 32;
/** Software-generated interrupts. */
export const SGI_COUNT = 16;
/** Interrupts of the board: 32 private and 256 shared ones. */
export const INTERRUPT_COUNT = 288;
/** First interrupt number of an LPI. */
export const FIRST_LPI = 8192;
/** GICD_TYPER.IDbits: bits of an interrupt number, minus one. */
export const ID_BITS = 15;
/** Interrupt numbers from 1020 to 1023 mean something else. */
export const SPECIAL = { secure: 1020, nonSecure: 1021, spurious: 1023 } as const;
/** Priority of nothing at all. */
export const IDLE_PRIORITY = 0xff;
/** List registers of a Cortex-A57. */
export const LIST_REGISTER_COUNT = 4;
/** Priority and preemption bits, physical and virtual, of a Cortex-A57. */
export const PRIORITY_BITS = 5;

/** Groups as an index of banked CPU interface registers. */
export const GROUP = { zero: 0, secureOne: 1, nonSecureOne: 2 } as const;
/** One of {@linkcode GROUP}. */
export type Group = 0 | 1 | 2;

/** GICD_CTLR bits (12.9.4). */
export const GICD_CTLR = {
  group0: 1,
  nonSecureGroup1: 2,
  secureGroup1: 4,
  affinityRouting: 0x10,
  nonSecureAffinityRouting: 0x20,
  disableSecurity: 0x40,
  writePending: 0x8000_0000,
} as const;
/** GICR_CTLR.EnableLPIs. */
export const ENABLE_LPIS = 1;
/** GICR_WAKER bits. */
export const WAKER = { processorSleep: 2, childrenAsleep: 4 } as const;
/** Index into {@linkcode GicV3Cpu.bases}. */
export const BASE = { properties: 0, pending: 1 } as const;
/** ICC_CTLR_EL1 bits. */
export const ICC_CTLR = { commonBinaryPoint: 1, eoiMode: 2 } as const;
/** A3V, 24 bits of interrupt number, 5 of priority: what ICC_CTLR_ELx always shows. */
export const ICC_CTLR_FIXED = 0x8000 | (1 << 11) | ((PRIORITY_BITS - 1) << 8);
/** ICC_CTLR_EL3.nDS. */
const NO_DISABLED_SECURITY = 0x2_0000;
/** ICH_VMCR_EL2.VFIQEn, always set. */
export const VIRTUAL_FIQ_ENABLE = 8;
/** Where the fields of ICH_VMCR_EL2 begin. */
export const VMCR = { binaryPoint1: 18, binaryPoint0: 21, priorityMask: 24 } as const;
/** Smallest binary point of group 0. */
export const MINIMUM_BINARY_POINT = 7 - PRIORITY_BITS;

/** A pending interrupt and how urgent it is. */
export interface PendingInterrupt {
  interrupt: number;
  /** {@linkcode IDLE_PRIORITY} if there is none. */
  priority: number;
  group: Group;
}

/** The properties of shared interrupts that are one bit. */
export const SHARED_BITS = [
  "group",
  "groupModifier",
  "enabled",
  "pending",
  "active",
  "level",
  "edge",
] as const;
/** One of {@linkcode SHARED_BITS}. */
export type SharedBit = (typeof SHARED_BITS)[number];

const WORDS = INTERRUPT_COUNT / 32;

/** The distributor. */
export class GicV3Distributor {
  control: number;
  readonly bits: Record<SharedBit, Uint32Array>;
  readonly priorities = new Uint8Array(INTERRUPT_COUNT);
  /** GICD_IROUTER: affinity in 32 bits as Aff3:Aff2:Aff1:Aff0, and the mode bits that read back. */
  readonly routes = new BigUint64Array(INTERRUPT_COUNT);
  /** GICD_NSACR, 16 interrupts a word. */
  readonly nonSecureAccess = new Uint32Array(INTERRUPT_COUNT / 16);

  /** @param security whether there are two security states after reset */
  constructor(security: boolean) {
    const { affinityRouting, nonSecureAffinityRouting, disableSecurity } = GICD_CTLR;
    this.control = affinityRouting | (security ? nonSecureAffinityRouting : disableSecurity);
    this.bits = Object.fromEntries(
      SHARED_BITS.map((name) => [name, new Uint32Array(WORDS)]),
    ) as Record<SharedBit, Uint32Array>;
  }

  /** Whether there is only one security state. */
  get securityDisabled(): boolean {
    return (this.control & GICD_CTLR.disableSecurity) !== 0;
  }

  test(bit: SharedBit, interrupt: number): boolean {
    return ((this.bits[bit][interrupt >> 5] >>> (interrupt & 31)) & 1) !== 0;
  }

  set(bit: SharedBit, interrupt: number, value: boolean): void {
    const mask = 1 << (interrupt & 31);
    if (value) this.bits[bit][interrupt >> 5] |= mask;
    else this.bits[bit][interrupt >> 5] &= ~mask;
  }

  /** The whole of it as plain data. */
  save(): DeviceState {
    const { control, bits, priorities, routes, nonSecureAccess } = this;
    return {
      control,
      ...copies({ ...bits, priorities, routes, nonSecureAccess }),
    };
  }

  restore(state: DeviceState): void {
    const saved = state as Record<string, DeviceState>;
    const { bits, priorities, routes, nonSecureAccess } = this;
    this.control = saved.control as number;
    fill({ ...bits, priorities, routes, nonSecureAccess }, saved);
  }
}

/** Scalars of {@linkcode GicV3Cpu}, with their values after reset. */
const CPU_RESET = {
  /** GICR_CTLR, GICR_WAKER. */
  control: 0,
  waker: WAKER.processorSleep | WAKER.childrenAsleep,
  /** One bit for each private interrupt. */
  group: 0,
  groupModifier: 0,
  enabled: 0,
  pending: 0,
  active: 0,
  level: 0,
  edge: 0xffff,
  /** GICR_NSACR. */
  nonSecureAccess: 0,
  priorityMask: 0,
  /** ICC_CTLR_EL1 of the two security states, and what is ICC_CTLR_EL3's own. */
  secureControl: ICC_CTLR_FIXED,
  nonSecureControl: ICC_CTLR_FIXED,
  monitorControl: ICC_CTLR_FIXED | NO_DISABLED_SECURITY,
  hypervisorControl: 0,
  virtualControl: VIRTUAL_FIQ_ENABLE |
    ((MINIMUM_BINARY_POINT + 1) << VMCR.binaryPoint1) |
    (MINIMUM_BINARY_POINT << VMCR.binaryPoint0),
};
type CpuScalar = keyof typeof CPU_RESET;
const CPU_SCALARS = Object.keys(CPU_RESET) as CpuScalar[];

/** One CPU's redistributor and interfaces. */
export class GicV3Cpu implements Record<CpuScalar, number> {
  control = CPU_RESET.control;
  waker = CPU_RESET.waker;
  group = CPU_RESET.group;
  groupModifier = CPU_RESET.groupModifier;
  enabled = CPU_RESET.enabled;
  pending = CPU_RESET.pending;
  active = CPU_RESET.active;
  level = CPU_RESET.level;
  edge = CPU_RESET.edge;
  nonSecureAccess = CPU_RESET.nonSecureAccess;
  priorityMask = CPU_RESET.priorityMask;
  secureControl = CPU_RESET.secureControl;
  nonSecureControl = CPU_RESET.nonSecureControl;
  monitorControl = CPU_RESET.monitorControl;
  hypervisorControl = CPU_RESET.hypervisorControl;
  virtualControl = CPU_RESET.virtualControl;
  readonly priorities = new Uint8Array(PRIVATE_INTERRUPTS);
  /** GICR_PROPBASER, GICR_PENDBASER. */
  readonly bases = new BigUint64Array(2);
  /** By {@linkcode GROUP}: ICC_BPRn, ICC_IGRPENn, ICC_APnR0. */
  readonly binaryPoints = Uint8Array.of(
    MINIMUM_BINARY_POINT,
    MINIMUM_BINARY_POINT,
    MINIMUM_BINARY_POINT + 1,
  );
  readonly groupEnables = new Uint8Array(3);
  readonly activePriorities = new Uint32Array(3);
  /** ICH_LRn_EL2; ICH_AP0R0_EL2 and ICH_AP1R0_EL2. */
  readonly list = new BigUint64Array(LIST_REGISTER_COUNT);
  readonly virtualActivePriorities = new Uint32Array(2);
  /** The best interrupt that may be signalled, as it was when last looked for. */
  readonly best: PendingInterrupt = nothingPending();
  readonly bestLpi: PendingInterrupt = nothingPending();

  /**
   * @param index of the CPU
   * @param affinity Aff3:Aff2:Aff1:Aff0, 32 bits
   */
  constructor(readonly index: number, readonly affinity: number) {}

  get lpisEnabled(): boolean {
    return (this.control & ENABLE_LPIS) !== 0;
  }

  save(): DeviceState {
    const scalars = Object.fromEntries(CPU_SCALARS.map((name) => [name, this[name] >>> 0]));
    const { best, bestLpi } = this;
    return { ...scalars, ...copies(this.#arrays), best: { ...best }, bestLpi: { ...bestLpi } };
  }

  restore(state: DeviceState): void {
    const saved = state as Record<string, DeviceState>;
    for (const name of CPU_SCALARS) this[name] = saved[name] as number;
    fill(this.#arrays, saved);
    Object.assign(this.best, saved.best);
    Object.assign(this.bestLpi, saved.bestLpi);
  }

  get #arrays(): Record<string, Bytes> {
    const { priorities, bases, binaryPoints, groupEnables, activePriorities, list } = this;
    const { virtualActivePriorities } = this;
    return {
      priorities,
      bases,
      binaryPoints,
      groupEnables,
      activePriorities,
      list,
      virtualActivePriorities,
    };
  }
}

type Bytes = Uint8Array | Uint32Array | BigUint64Array;

function nothingPending(): PendingInterrupt {
  return { interrupt: 0, priority: IDLE_PRIORITY, group: GROUP.zero };
}

/** Copies of arrays as bytes. */
function copies(arrays: Record<string, Bytes>): Record<string, Uint8Array> {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { buffer }]) => [name, new Uint8Array(buffer.slice(0))]),
  );
}

/** Fills arrays from what {@linkcode copies} gave. */
function fill(arrays: Record<string, Bytes>, saved: Record<string, DeviceState>): void {
  for (const [name, { buffer }] of Object.entries(arrays)) {
    new Uint8Array(buffer).set(saved[name] as Uint8Array);
  }
}
