/** A table: the IC, DC, AT and TLBI instructions of the processor (Arm ARM C5.3 to C5.5). */

import type { AddressTranslation, TlbInvalidation } from "./system_context.ts";
import type { TrapGroup } from "./system_traps.ts";

/** What a SYS instruction does. */
export type SystemOperation =
  | { readonly kind: "cache" | "restrict" }
  | (
    & { readonly kind: "translate" }
    & Pick<AddressTranslation, "el" | "write" | "bothStages" | "pan">
  )
  | (
    & { readonly kind: "tlbi" }
    & Pick<TlbInvalidation, "regime" | "inHost" | "broadcast" | "scope" | "lastLevel">
    & { readonly byRange?: true }
  );

/** One SYS instruction. */
export interface SystemInstruction {
  /** As in assembly, in capitals: `TLBI VAE1IS`. */
  readonly name: string;
  /** op1:CRn:CRm:op2 in 14 bits. */
  readonly encoding: number;
  /** Lowest EL: 0 where SCTLR_ELx.UCI lets it, or EnRCTX. */
  readonly lowestEl: 0 | 1 | 2 | 3;
  /** It is UNDEFINED without EL2, or also from EL3 while EL1 is Secure. */
  readonly needs?: "el2" | "el2-enabled";
  /** The extension that it came with, if that is not in Armv8.0-A. */
  readonly feature?: string;
  /** It restricts prediction: EL0 needs SCTLR_ELx.EnRCTX for it. */
  readonly restriction?: boolean;
  /** What EL2 may trap it with. */
  readonly trap?: TrapGroup;
  /** True where Xt is an operand. */
  readonly operand: boolean;
  readonly operation: SystemOperation;
}

/** The forms of a TLBI: inner shareable, local, and outer shareable, which came with FEAT_TLBIOS. */
const FORMS = [
  { suffix: "IS", crm: 3, broadcast: true },
  { suffix: "", crm: 7, broadcast: false },
  { suffix: "OS", crm: 1, broadcast: true, feature: "FEAT_TLBIOS" },
] as const;

/** CRm of the forms by range, and for those by IPA CRm and what is added to op2. */
const RANGE_FORMS = [
  { suffix: "IS", crm: 2, ipa: [0, 0], broadcast: true },
  { suffix: "", crm: 6, ipa: [4, 0], broadcast: false },
  { suffix: "OS", crm: 5, ipa: [4, 1], broadcast: true },
] as const;

/** Every SYS instruction but DC ZVA, which is a store and has a row of its own. */
export const SYSTEM_INSTRUCTIONS: readonly SystemInstruction[] = [
  cache("IC IALLUIS", "0 7 1 0", "cache-unification", 1, false),
  cache("IC IALLU", "0 7 5 0", "cache-unification", 1, false),
  cache("IC IVAU", "3 7 5 1", "cache-unification", 0),
  cache("DC IVAC", "0 7 6 1", "cache-coherency", 1),
  cache("DC ISW", "0 7 6 2", "set-way", 1),
  cache("DC CSW", "0 7 10 2", "set-way", 1),
  cache("DC CISW", "0 7 14 2", "set-way", 1),
  cache("DC CVAC", "3 7 10 1", "cache-coherency", 0),
  cache("DC CVAU", "3 7 11 1", "cache-unification", 0),
  { ...cache("DC CVAP", "3 7 12 1", "cache-coherency", 0), feature: "FEAT_DPB" },
  { ...cache("DC CVADP", "3 7 13 1", "cache-coherency", 0), feature: "FEAT_DPB2" },
  cache("DC CIVAC", "3 7 14 1", "cache-coherency", 0),
  // Nothing is predicted.
  ...["CFP RCTX", "DVP RCTX", "CPP RCTX"].map((name, n): SystemInstruction => ({
    ...{ name, encoding: at(`3 7 3 ${[4, 5, 7][n]}`), lowestEl: 0, operand: true },
    ...{ feature: "FEAT_SPECRES", restriction: true, operation: { kind: "restrict" } },
  })),
  ...translate("AT S1E1", "0 7 8", 0, { el: 1, bothStages: false }, 1),
  ...translate("AT S1E0", "0 7 8", 2, { el: 0, bothStages: false }, 1),
  ...translate("AT S1E1", "0 7 9", 0, { el: 1, bothStages: false, pan: true }, 1),
  ...translate("AT S1E2", "4 7 8", 0, { el: 2, bothStages: false }, 2),
  ...translate("AT S12E1", "4 7 8", 4, { el: 1, bothStages: true }, 2),
  ...translate("AT S12E0", "4 7 8", 6, { el: 0, bothStages: true }, 2),
  ...translate("AT S1E3", "6 7 8", 0, { el: 3, bothStages: false }, 3),
  ...tlbi("VMALLE1", 0, "all"),
  ...tlbi("VAE1", 1, "va"),
  ...tlbi("ASIDE1", 2, "asid"),
  ...tlbi("VAAE1", 3, "va-any"),
  ...tlbi("VALE1", 5, "va", true),
  ...tlbi("VAALE1", 7, "va-any", true),
  ...tlbiAbove("IPAS2E1", 4, 1, { regime: 1, scope: "ipa" }),
  ...tlbiAbove("IPAS2LE1", 4, 5, { regime: 1, scope: "ipa", lastLevel: true }),
  ...tlbiAbove("ALLE2", 4, 0, { regime: 2, scope: "all" }),
  ...tlbiAbove("VAE2", 4, 1, { regime: 2, scope: "va" }),
  ...tlbiAbove("ALLE1", 4, 4, { regime: 1, scope: "all-vmids" }),
  ...tlbiAbove("VALE2", 4, 5, { regime: 2, scope: "va", lastLevel: true }),
  ...tlbiAbove("VMALLS12E1", 4, 6, { regime: 1, scope: "all" }),
  ...tlbiAbove("ALLE3", 6, 0, { regime: 3, scope: "all" }),
  ...tlbiAbove("VAE3", 6, 1, { regime: 3, scope: "va-any" }),
  ...tlbiAbove("VALE3", 6, 5, { regime: 3, scope: "va-any", lastLevel: true }),
  ...tlbiRange("RVAE1", 0, 1, { regime: 1, scope: "va" }),
  ...tlbiRange("RVAAE1", 0, 3, { regime: 1, scope: "va-any" }),
  ...tlbiRange("RVALE1", 0, 5, { regime: 1, scope: "va", lastLevel: true }),
  ...tlbiRange("RVAALE1", 0, 7, { regime: 1, scope: "va-any", lastLevel: true }),
  ...tlbiRange("RIPAS2E1", 4, 2, { regime: 1, scope: "ipa" }),
  ...tlbiRange("RIPAS2LE1", 4, 6, { regime: 1, scope: "ipa", lastLevel: true }),
  ...tlbiRange("RVAE2", 4, 1, { regime: 2, scope: "va" }),
  ...tlbiRange("RVALE2", 4, 5, { regime: 2, scope: "va", lastLevel: true }),
  ...tlbiRange("RVAE3", 6, 1, { regime: 3, scope: "va-any" }),
  ...tlbiRange("RVALE3", 6, 5, { regime: 3, scope: "va-any", lastLevel: true }),
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

function cache(
  name: string,
  fields: string,
  trap: TrapGroup,
  lowestEl: 0 | 1,
  operand = true,
): SystemInstruction {
  return { name, encoding: at(fields), lowestEl, operand, trap, operation: { kind: "cache" } };
}

/** Both forms of an AT: reading, and writing at the next op2. */
function translate(
  name: string,
  fields: string,
  op2: number,
  what: Pick<AddressTranslation, "el" | "bothStages" | "pan">,
  lowestEl: 1 | 2 | 3,
): SystemInstruction[] {
  return [false, true].map((write) => ({
    name: `${name}${write ? "W" : "R"}${what.pan ? "P" : ""}`,
    encoding: at(`${fields} ${op2 + Number(write)}`),
    lowestEl,
    operand: true,
    ...(what.el === 2 ? { needs: "el2-enabled" as const } : {}),
    ...(what.pan ? { feature: "FEAT_PAN2" as const } : {}),
    operation: { kind: "translate", ...what, write },
  }));
}

/** All forms of a TLBI of EL1&0. */
function tlbi(
  name: string,
  op2: number,
  scope: TlbInvalidation["scope"],
  lastLevel = false,
): SystemInstruction[] {
  return FORMS.map(({ suffix, crm, broadcast, ...rest }) => ({
    name: `TLBI ${name}${suffix}`,
    encoding: at(`0 8 ${crm} ${op2}`),
    lowestEl: 1,
    operand: scope !== "all",
    trap: "tlb",
    ...rest,
    operation: { kind: "tlbi", regime: 1, inHost: true, broadcast, scope, lastLevel },
  }));
}

/** All forms of a TLBI of EL2 (`op1` 4) or EL3 (6). Those by IPA have CRm 0 and 4. */
function tlbiAbove(
  name: string,
  op1: 4 | 6,
  op2: number,
  what: Pick<TlbInvalidation, "regime" | "scope"> & { lastLevel?: boolean },
): SystemInstruction[] {
  const { regime, scope, lastLevel = false } = what;
  const isIpa = scope === "ipa";
  const fieldsOf = (crm: number) => {
    if (!isIpa) return `${crm} ${op2}`;
    return crm === 1 ? `4 ${op2 - 1}` : `${crm - 3} ${op2}`;
  };
  return FORMS.map(({ suffix, crm, broadcast, ...rest }) => ({
    name: `TLBI ${name}${suffix}`,
    encoding: at(`${op1} 8 ${fieldsOf(crm)}`),
    lowestEl: op1 === 4 ? 2 : 3,
    operand: scope === "va" || scope === "va-any" || isIpa,
    ...rest,
    ...(regime === 2 ? { needs: "el2" as const } : {}),
    operation: { kind: "tlbi", regime, broadcast, scope, lastLevel },
  }));
}

/** All forms of a TLBI by range (FEAT_TLBIRANGE). */
function tlbiRange(
  name: string,
  op1: 0 | 4 | 6,
  op2: number,
  what: Pick<TlbInvalidation, "regime" | "scope"> & { lastLevel?: boolean },
): SystemInstruction[] {
  const { regime, scope, lastLevel = false } = what;
  return RANGE_FORMS.map(({ suffix, crm, ipa, broadcast }) => ({
    name: `TLBI ${name}${suffix}`,
    encoding: at(`${op1} 8 ${scope === "ipa" ? `${ipa[0]} ${op2 + ipa[1]}` : `${crm} ${op2}`}`),
    lowestEl: op1 === 0 ? 1 : op1 === 4 ? 2 : 3,
    operand: true,
    feature: "FEAT_TLBIRANGE",
    ...(op1 === 0 ? { trap: "tlb" as const } : {}),
    ...(regime === 2 ? { needs: "el2" as const } : {}),
    operation: {
      kind: "tlbi",
      regime,
      ...(op1 === 0 ? { inHost: true } : {}),
      broadcast,
      scope,
      lastLevel,
      byRange: true,
    },
  }));
}
