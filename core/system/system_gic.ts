/**
 * The system registers of the GICv3: how an access reaches the CPU's interface, and what traps it.
 *
 * What the interface must know of the processor — which EL and security state, where interrupts are
 * routed — is gathered here for each access.
 */

import type { IccAccess } from "../devices/gic_v3_cpu_interface.ts";
import { ICH_HCR } from "../devices/gic_v3_virtual.ts";
import { effectiveHcr, HCR, isSecureBelowEl3, SCR } from "../privilege.ts";
import { slotOf } from "./sysregs.ts";
import { GIC_ROWS } from "./sysregs_gic.ts";
import {
  type SystemContext,
  type SystemException,
  systemTrap,
  UNDEFINED,
} from "./system_context.ts";
import { PRIVILEGED_REGISTERS } from "./system_privileged.ts";
import type { SpecialRegister } from "./system_special.ts";

const SCR_EL3 = slotOf("SCR_EL3");

/** Which routing of interrupts traps a register to EL3, and which HCR_EL2 bit keeps it from that. */
type Routing = "irq" | "fiq" | "both";

/** Traps of a register (Arm IHI 0069, 12.2): its routing, its bit in ICH_HCR_EL2, and whether a guest's access is always trapped. */
interface Traps {
  readonly routing: Routing;
  readonly hypervisorBits: number;
  readonly fromGuests?: boolean;
}

const COMMON: Traps = { routing: "both", hypervisorBits: ICH_HCR.trapCommon };
const GROUP0: Traps = { routing: "fiq", hypervisorBits: ICH_HCR.trapGroup0 };
const GROUP1: Traps = { routing: "irq", hypervisorBits: ICH_HCR.trapGroup1 };
const SEND: Traps = { ...COMMON, fromGuests: true };
const DEACTIVATE: Traps = {
  routing: "both",
  hypervisorBits: ICH_HCR.trapCommon | ICH_HCR.trapDeactivate,
};

/** Functions of the registers in `sysregs_gic.ts`, and of those that tell of them, by name. */
export const GIC_REGISTERS: Readonly<Record<string, SpecialRegister>> = {
  ID_PFR1_EL1: identification("ID_PFR1_EL1", 28n),
  ID_AA64PFR0_EL1: identification("ID_AA64PFR0_EL1", 24n),
  ...Object.fromEntries(
    GIC_ROWS.map(({ name, encoding }) => [name, specialRegister(name, encoding)]),
  ),
};

/** An identification register with a field for the system registers of the GIC. */
function identification(name: string, field: bigint): SpecialRegister {
  const { get } = PRIVILEGED_REGISTERS[name];
  return { get: (context) => get!(context) | (context.gic ? 1n << field : 0n) };
}

function specialRegister(name: string, encoding: number): SpecialRegister {
  const traps = trapsOf(name);
  // Without EL2, its registers are not there; but ICC_SRE_EL2 is zero to EL3.
  const isEl2 = name.endsWith("_EL2"), isList = name.startsWith("ICH");
  return {
    get: (context) =>
      isEl2 && !context.levels.el2 ? 0n : context.gic!.read(name, accessOf(context)),
    set: (context, value) => context.gic!.write(name, value, accessOf(context)),
    ...(isList ? { refuse: ({ levels }) => levels.el2 ? undefined : UNDEFINED } : {}),
    ...(traps
      ? {
        refuse: (context, isWrite) => {
          const target = trapTarget(context, traps);
          return target && trapped(context, encoding, isWrite, target);
        },
      }
      : {}),
  };
}

function trapped(
  { word }: SystemContext,
  encoding: number,
  isWrite: boolean,
  target: number,
): SystemException {
  return { ...systemTrap(encoding, word & 31, !isWrite), target };
}

/** The traps of an EL1 register; those of higher ELs and ICC_SRE_EL1 have none. */
function trapsOf(name: string): Traps | undefined {
  if (!name.startsWith("ICC") || !name.endsWith("_EL1") || name.startsWith("ICC_SRE")) {
    return undefined;
  }
  if (/SGI[01]R_/.test(name)) return SEND;
  if (name === "ICC_DIR_EL1") return DEACTIVATE;
  const group = /^ICC_(?:AP|IAR|EOIR|HPPIR|BPR|IGRPEN)([01])/.exec(name)?.[1];
  return group === undefined ? COMMON : group === "0" ? GROUP0 : GROUP1;
}

/** The EL that an access traps to; undefined if it does not. */
function trapTarget(context: SystemContext, traps: Traps): 2 | 3 | undefined {
  const { imo, fmo, irqToEl3, fiqToEl3, el, secureBelowEl3 } = accessOf(context);
  const { routing, hypervisorBits, fromGuests } = traps;
  if (el === 1 && !secureBelowEl3 && context.levels.el2) {
    const control = context.gic!.cpu.hypervisorControl;
    if (control & hypervisorBits || (fromGuests && (imo || fmo))) return 2;
  }
  const routed = routing === "irq" ? irqToEl3 : routing === "fiq" ? fiqToEl3 : irqToEl3 && fiqToEl3;
  if (!routed || el === 3) return undefined;
  const virtual = routing === "irq" ? imo : routing === "fiq" ? fmo : imo || fmo;
  return el === 1 && virtual ? undefined : 3;
}

function accessOf({ state, levels }: SystemContext): IccAccess {
  const scr = levels.el3 ? state.get64(SCR_EL3) : 0n;
  const hcr = effectiveHcr(state, levels);
  return {
    el: state.el,
    secureBelowEl3: isSecureBelowEl3(state, levels),
    imo: (hcr & HCR.IMO) !== 0n,
    fmo: (hcr & HCR.FMO) !== 0n,
    irqToEl3: (scr & SCR.IRQ) !== 0n,
    fiqToEl3: (scr & SCR.FIQ) !== 0n,
  };
}
