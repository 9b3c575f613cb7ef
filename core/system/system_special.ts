/**
 * Registers that are more than a slot: how each is read and written.
 *
 * Keyed by the names of `sysregs_table.ts`. A row without an entry here is plain: its slot or its
 * constant is the value, and a write stores `value & mask`.
 */

import { SLOT } from "../state.ts";
import { EXTENSION_REGISTERS } from "./system_extensions.ts";
import { GIC_REGISTERS } from "./system_gic.ts";
import { isInHost } from "../privilege.ts";
import type { SystemContext, SystemException } from "./system_context.ts";
import { PMU_REGISTERS } from "./system_pmu.ts";
import { PRIVILEGED_REGISTERS, seenFromEl1 } from "./system_privileged.ts";
import { selectStackPointer } from "./system_stack.ts";
import { zeroBlockTrap } from "./system_traps.ts";
import { slotOf } from "./sysregs.ts";

/** How to access a register that is not plain. */
export interface SpecialRegister {
  /** The value that MRS gives. */
  readonly get?: (context: SystemContext) => bigint;
  /** Takes all 64 bits that MSR writes. */
  readonly set?: (context: SystemContext, value: bigint) => void;
  /** The trap that an access takes from an EL that otherwise may make it. */
  readonly refuse?: (context: SystemContext, isWrite: boolean) => SystemException | undefined;
}

const OSLSR = slotOf("OSLSR_EL1");
const CSSELR = slotOf("CSSELR_EL1");
const VMPIDR = slotOf("VMPIDR_EL2");

const OSLSR_OSLK = 2n;
const DCZID_DZP = 0x10n;
/** 2 to this many words are zeroed by DC ZVA: 64 bytes. */
const ZERO_BLOCK = 4n;
/** CPUs in one cluster of the board: as many as one write can send an SGI to. */
const CLUSTER = { gicV2: 8, gicV3: 16 } as const;

/** MPIDR_EL1 of a CPU: RES1 and its affinity. */
export function affinity(cpu: number, cluster: number = CLUSTER.gicV2): bigint {
  return 0x8000_0000n | BigInt((Math.floor(cpu / cluster) << 8) | (cpu % cluster));
}

function clusterOf({ gic }: SystemContext): number {
  return gic ? CLUSTER.gicV3 : CLUSTER.gicV2;
}

/** Registers that are not plain, by name. */
export const SPECIAL_REGISTERS: Readonly<Record<string, SpecialRegister>> = {
  MPIDR_EL1: {
    get: (context) => seenFromEl1(context, VMPIDR) ?? affinity(context.cpu, clusterOf(context)),
  },
  ...PRIVILEGED_REGISTERS,
  CurrentEL: { get: (context) => BigInt(context.state.el << 2) },
  SPSel: {
    get: (context) => BigInt(context.state.spSel),
    set: ({ state }, value) => selectStackPointer(state, state.el, Number(value & 1n)),
  },
  NZCV: {
    get: (context) => context.state.nzcv,
    set: (context, value) => context.state.nzcv = value,
  },
  DAIF: {
    get: (context) => BigInt(context.state.daif),
    set: (context, value) => context.state.daif = Number(value & 0x3c0n),
  },
  FPCR: slotRegister(SLOT.fpcr),
  FPSR: slotRegister(SLOT.fpsr),
  CCSIDR_EL1: {
    get: (context) => context.model.caches[Number(context.state.get64(CSSELR))] ?? 0n,
  },
  L2CTLR_EL1: { get: (context) => BigInt(context.cpuCount - 1) << 24n, set: ignored },
  DCZID_EL0: {
    get: (context) => zeroBlockTrap(context) ? ZERO_BLOCK | DCZID_DZP : ZERO_BLOCK,
  },
  OSLAR_EL1: {
    set({ state }, value) {
      const rest = state.get64(OSLSR) & ~OSLSR_OSLK;
      state.set64(OSLSR, value & 1n ? rest | OSLSR_OSLK : rest);
    },
  },
  // The reference executes both directions as NOP: a read leaves Xt as it was.
  MDCCINT_EL1: {
    get: ({ state, word }) => (word & 31) === 31 ? 0n : state.x(word & 31),
    set: ignored,
  },
  ...Object.fromEntries([0, 1, 2, 3, 4, 5].map((n) => breakpointControl(`DBGBCR${n}_EL1`))),

  CNTPCT_EL0: { get: (context) => context.timer.counter() },
  CNTVCT_EL0: {
    // There is no guest below a host whose time could be behind.
    get: ({ state, levels, timer }) =>
      isInHost(state, levels, state.el) ? timer.counter() : timer.virtualCounter(),
  },
  CNTP_CTL_EL0: { get: (context) => context.timer.control("physical") },
  CNTV_CTL_EL0: { get: (context) => context.timer.control("virtual") },
  CNTP_TVAL_EL0: {
    get: (context) => context.timer.value("physical"),
    set: (context, value) => context.timer.setValue("physical", value),
  },
  CNTV_TVAL_EL0: {
    get: (context) => context.timer.value("virtual"),
    set: (context, value) => context.timer.setValue("virtual", value),
  },
  ...PMU_REGISTERS,
  ...EXTENSION_REGISTERS,
  ...GIC_REGISTERS,
};

/** Writes that do nothing. */
function ignored(): void {}

function slotRegister(slot: number): SpecialRegister {
  return {
    get: (context) => context.state.get64(slot),
    set: (context, value) => context.state.set64(slot, value & 0xffff_ffffn),
  };
}

/** BAS of a breakpoint has two effective bits, 5 and 7; the others follow them (D13.3.2). */
function breakpointControl(name: string): [string, SpecialRegister] {
  const slot = slotOf(name);
  const set = (context: SystemContext, value: bigint) => {
    const followers = (value & 0xa0n) << 1n;
    context.state.set64(slot, (value & ~0x140n) | followers);
  };
  return [name, { set }];
}
