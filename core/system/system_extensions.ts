/**
 * PSTATE fields of Armv8.1 to 8.5 as system instructions reach them: MSR (register), MRS and MSR
 * (immediate) of PAN, UAO, DIT and SSBS (Arm ARM C5.2, C6.2.195).
 */

import { PSTATE } from "../pstate.ts";
import { SLOT } from "../state.ts";
import type { SpecialRegister } from "./system_special.ts";
import { type SystemContext, type SystemOutcome, UNDEFINED } from "./system_context.ts";

type Field = "PAN" | "UAO" | "DIT" | "SSBS";

/** op1:op2 of MSR (immediate). */
const IMMEDIATE: Readonly<Record<number, Field>> = {
  0o03: "UAO",
  0o04: "PAN",
  0o31: "SSBS",
  0o32: "DIT",
};
/** EL0 may write these. */
const OF_EL0: ReadonlySet<Field> = new Set(["DIT", "SSBS"]);

function register(name: Field): SpecialRegister {
  return {
    get: ({ state }) => BigInt(state.get32(SLOT.ilss) & PSTATE[name]),
    set: ({ state }, value) => {
      const others = state.get32(SLOT.ilss) & ~PSTATE[name];
      state.set32(SLOT.ilss, others | Number(value & BigInt(PSTATE[name])));
    },
  };
}

/** Functions by register name. */
export const EXTENSION_REGISTERS: Readonly<Record<Field, SpecialRegister>> = {
  PAN: register("PAN"),
  UAO: register("UAO"),
  DIT: register("DIT"),
  SSBS: register("SSBS"),
};

/**
 * MSR (immediate) of a field that came after Armv8.0; bit 0 of the immediate counts, as on the
 * reference.
 *
 * @param field op1:op2
 * @returns undefined where this processor has no such field
 */
export function writeLaterField(
  context: SystemContext,
  field: number,
  immediate: number,
): SystemOutcome | undefined {
  const name = IMMEDIATE[field];
  if (name === undefined || !(context.model.pstate & PSTATE[name])) return undefined;
  if (context.state.el === 0 && !OF_EL0.has(name)) return UNDEFINED;
  EXTENSION_REGISTERS[name].set!(context, immediate & 1 ? BigInt(PSTATE[name]) : 0n);
  context.rightsChanged();
  return "leave";
}
