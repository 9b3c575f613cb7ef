/**
 * The system registers: one table, and how to find a row in it.
 *
 * The rows stand in `sysregs_table.ts`. Names and encodings are the Arm ARM's (D13), what is
 * there, reset values and writable bits are those of the reference's Cortex-A57 without EL2 and
 * EL3, measured by trying every encoding on it.
 */

import type { CpuModel } from "../cpu_models.ts";
import type { CpuState } from "../state.ts";
import { SLOT } from "../state.ts";
import { EncodingTable } from "./encoding_table.ts";
import { type El0Gate, NEVER, type SystemRegister, type WriteEffect } from "./sysregs_row.ts";
import { SYSTEM_REGISTERS } from "./sysregs_table.ts";

export { NEVER, SYSTEM_REGISTERS };
export type { El0Gate, SystemRegister, WriteEffect };

/** Rows by 16-bit encoding. */
const BY_ENCODING = new EncodingTable<SystemRegister>();
const BY_NAME = new Map<string, SystemRegister>();
for (const register of SYSTEM_REGISTERS) {
  const other = BY_ENCODING.get(register.encoding);
  if (other) throw new Error(`${register.name} has the encoding of ${other.name}`);
  BY_ENCODING.set(register.encoding, register);
  BY_NAME.set(register.name, register);
}

/** The registers that have a slot in the processor state, in the order of their slots. */
export const STORED_REGISTERS: readonly SystemRegister[] = SYSTEM_REGISTERS.filter((r) => r.slot);

/** First byte behind the state slots that are in use. */
export const STATE_END: number = Math.max(...STORED_REGISTERS.map(({ slot }) => slot)) + 8;

/** What registers of a processor there are goes by this. */
type RegisterModel = Pick<CpuModel, "features" | "ownRegisters">;

/** Those of {@linkcode STORED_REGISTERS} that a processor with such exception levels has. */
export function storedRegistersOf(
  levels: { el2: boolean; el3: boolean },
  model: RegisterModel,
): SystemRegister[] {
  return STORED_REGISTERS.filter((register) => isPresent(register, levels, model));
}

/** Whether a register exists on a processor with such exception levels; the GIC is not asked. */
export function isPresent(
  { needs, withoutEl2 }: SystemRegister,
  { el2, el3 }: { el2: boolean; el3: boolean },
  { features, ownRegisters }: RegisterModel,
): boolean {
  switch (needs) {
    case "el2":
      return el2 || (el3 && withoutEl2 === "kept");
    case "el3":
      return el3;
    case "el2-or-el3":
      return el2 || el3;
    case "el2-highest":
      return el2 && !el3;
    case "el2-vhe":
      return el2 && features.has("FEAT_VHE");
    case "el2-ras":
      return el2 && features.has("FEAT_RAS");
    case "el2-csv2":
      return el2 && features.has("FEAT_CSV2_2");
    case "el2-hcx":
      return el2 && features.has("FEAT_HCX");
    case "el3-csv2":
      return el3 && features.has("FEAT_CSV2_2");
    case "el1-highest":
      return !el2 && !el3;
    case "own":
      return ownRegisters;
    case undefined:
    case "gic-v3":
      return true;
    default:
      return features.has(needs);
  }
}
if (STORED_REGISTERS.at(-1)!.slot >= SLOT.end) throw new Error("The system registers do not fit");

/**
 * The register at an encoding, or undefined where there is none.
 *
 * @param encoding op0:op1:CRn:CRm:op2 in 16 bits, op0 on top
 */
export function systemRegister(encoding: number): SystemRegister | undefined {
  return BY_ENCODING.get(encoding);
}

/** The register of a manual name in capitals, or undefined. */
export function systemRegisterByName(name: string): SystemRegister | undefined {
  return BY_NAME.get(name);
}

/**
 * Address of a register's slot in the processor state.
 *
 * @throws {Error} if the register is not stored
 */
export function slotOf(name: string): number {
  const register = BY_NAME.get(name);
  if (!register?.slot) throw new Error(`${name} has no slot`);
  return register.slot;
}

/** The generic name of an encoding: `S3_0_C15_C2_0` (Arm ARM C5.1.3). */
export function genericName(encoding: number): string {
  const crn = (encoding >> 7) & 15, crm = (encoding >> 3) & 15;
  return `S${encoding >> 14}_${(encoding >> 11) & 7}_C${crn}_C${crm}_${encoding & 7}`;
}

/** Gives every stored register its reset value. */
export function resetSystemRegisters(state: CpuState, { registers }: CpuModel): void {
  for (const { slot, reset, name } of STORED_REGISTERS) {
    state.set64(slot, registers[name] ?? reset);
  }
}
