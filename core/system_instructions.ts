/** A table: the IC, DC, AT and TLBI instructions of the processor (Arm ARM C5.3 to C5.5). */

import type { TlbInvalidation } from "./system_context.ts";

/** What a SYS instruction does. */
export type SystemOperation =
  | { readonly kind: "cache" }
  | { readonly kind: "translate"; readonly el: 0 | 1; readonly write: boolean }
  | ({ readonly kind: "tlbi" } & Pick<TlbInvalidation, "broadcast" | "scope" | "lastLevel">);

/** One SYS instruction. */
export interface SystemInstruction {
  /** As in assembly, in capitals: `TLBI VAE1IS`. */
  readonly name: string;
  /** op1:CRn:CRm:op2 in 14 bits. */
  readonly encoding: number;
  /** Lowest EL: 0 where SCTLR_EL1.UCI lets it, else 1. */
  readonly lowestEl: 0 | 1;
  /** True where Xt is an operand. */
  readonly operand: boolean;
  readonly operation: SystemOperation;
}

/** Every SYS instruction but DC ZVA, which is a store and has a row of its own. */
export const SYSTEM_INSTRUCTIONS: readonly SystemInstruction[] = [
  cache("IC IALLUIS", "0 7 1 0", 1, false),
  cache("IC IALLU", "0 7 5 0", 1, false),
  cache("IC IVAU", "3 7 5 1", 0),
  cache("DC IVAC", "0 7 6 1", 1),
  cache("DC ISW", "0 7 6 2", 1),
  cache("DC CSW", "0 7 10 2", 1),
  cache("DC CISW", "0 7 14 2", 1),
  cache("DC CVAC", "3 7 10 1", 0),
  cache("DC CVAU", "3 7 11 1", 0),
  cache("DC CIVAC", "3 7 14 1", 0),
  translate("AT S1E1R", "0 7 8 0", 1, false),
  translate("AT S1E1W", "0 7 8 1", 1, true),
  translate("AT S1E0R", "0 7 8 2", 0, false),
  translate("AT S1E0W", "0 7 8 3", 0, true),
  ...tlbi("VMALLE1", 0, "all"),
  ...tlbi("VAE1", 1, "va"),
  ...tlbi("ASIDE1", 2, "asid"),
  ...tlbi("VAAE1", 3, "va-any"),
  ...tlbi("VALE1", 5, "va", true),
  ...tlbi("VAALE1", 7, "va-any", true),
];

/** DC ZVA: op1:CRn:CRm:op2. */
export const DC_ZVA = at("3 7 4 1");

const BY_ENCODING = new Map(SYSTEM_INSTRUCTIONS.map((row) => [row.encoding, row]));

/** The instruction at an encoding (op1:CRn:CRm:op2), or undefined. */
export function systemInstruction(encoding: number): SystemInstruction | undefined {
  return BY_ENCODING.get(encoding);
}

/** @param fields op1, CRn, CRm, op2 in decimal */
function at(fields: string): number {
  const [op1, crn, crm, op2] = fields.split(" ").map(Number);
  return (op1 << 11) | (crn << 7) | (crm << 3) | op2;
}

function cache(name: string, fields: string, lowestEl: 0 | 1, operand = true): SystemInstruction {
  return { name, encoding: at(fields), lowestEl, operand, operation: { kind: "cache" } };
}

function translate(name: string, fields: string, el: 0 | 1, write: boolean): SystemInstruction {
  const operation = { kind: "translate", el, write } as const;
  return { name, encoding: at(fields), lowestEl: 1, operand: true, operation };
}

/** Both forms of a TLBI: inner shareable (CRm 3) and local (CRm 7). */
function tlbi(
  name: string,
  op2: number,
  scope: TlbInvalidation["scope"],
  lastLevel = false,
): SystemInstruction[] {
  return [true, false].map((broadcast) => ({
    name: `TLBI ${name}${broadcast ? "IS" : ""}`,
    encoding: at(`0 8 ${broadcast ? 3 : 7} ${op2}`),
    lowestEl: 1,
    operand: scope !== "all",
    operation: { kind: "tlbi", broadcast, scope, lastLevel },
  }));
}
