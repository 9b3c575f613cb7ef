/**
 * The system registers of the GICv3: how an access reaches the CPU's interface.
 *
 * What the interface must know of the processor — which EL and security state, where interrupts are
 * routed — is gathered here for each access.
 */

import type { IccAccess } from "./devices/gic_v3_cpu_interface.ts";
import { GIC_ROWS } from "./sysregs_gic.ts";
import type { SystemContext } from "./system_context.ts";
import type { SpecialRegister } from "./system_special.ts";

/** A processor without EL2 and EL3: nothing is routed elsewhere. */
const PLAIN: Omit<IccAccess, "el"> = {
  secureBelowEl3: false,
  imo: false,
  fmo: false,
  irqToEl3: false,
  fiqToEl3: false,
};

/** Functions of the registers in `sysregs_gic.ts`, by name. */
export const GIC_REGISTERS: Readonly<Record<string, SpecialRegister>> = Object.fromEntries(
  GIC_ROWS.map(({ name }) => [
    name,
    {
      get: (context) => context.gic!.read(name, accessOf(context)),
      set: (context, value) => context.gic!.write(name, value, accessOf(context)),
    } satisfies SpecialRegister,
  ]),
);

function accessOf({ state }: SystemContext): IccAccess {
  return { ...PLAIN, el: state.el };
}
