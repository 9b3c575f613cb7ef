// A table: names of system registers and system instructions for assembly.

import { genericName, SYSTEM_REGISTERS } from "../system/sysregs.ts";
import { DC_ZVA, SYSTEM_INSTRUCTIONS } from "../system/system_instructions.ts";

/**
 * Names that this processor does not have but code for larger ones uses: EL2, EL3 and the GIC's
 * processor interface (Arm ARM D13, GIC architecture 12.2). `name op1 CRn CRm op2`, op0 is 3.
 */
const OTHER_REGISTERS = `
ICC_PMR_EL1 0 4 6 0, ICC_IAR0_EL1 0 12 8 0, ICC_EOIR0_EL1 0 12 8 1, ICC_HPPIR0_EL1 0 12 8 2,
ICC_BPR0_EL1 0 12 8 3, ICC_AP0R0_EL1 0 12 8 4, ICC_AP1R0_EL1 0 12 9 0, ICC_DIR_EL1 0 12 11 1,
ICC_RPR_EL1 0 12 11 3, ICC_SGI1R_EL1 0 12 11 5, ICC_ASGI1R_EL1 0 12 11 6, ICC_SGI0R_EL1 0 12 11 7,
ICC_IAR1_EL1 0 12 12 0, ICC_EOIR1_EL1 0 12 12 1, ICC_HPPIR1_EL1 0 12 12 2, ICC_BPR1_EL1 0 12 12 3,
ICC_CTLR_EL1 0 12 12 4, ICC_SRE_EL1 0 12 12 5, ICC_IGRPEN0_EL1 0 12 12 6,
ICC_IGRPEN1_EL1 0 12 12 7,
VPIDR_EL2 4 0 0 0, VMPIDR_EL2 4 0 0 5, SCTLR_EL2 4 1 0 0, ACTLR_EL2 4 1 0 1, HCR_EL2 4 1 1 0,
MDCR_EL2 4 1 1 1, CPTR_EL2 4 1 1 2, HSTR_EL2 4 1 1 3, HACR_EL2 4 1 1 7, TTBR0_EL2 4 2 0 0,
TCR_EL2 4 2 0 2, VTTBR_EL2 4 2 1 0, VTCR_EL2 4 2 1 2, DACR32_EL2 4 3 0 0, SPSR_EL2 4 4 0 0,
ELR_EL2 4 4 0 1, SP_EL1 4 4 1 0, SPSR_IRQ 4 4 3 0, SPSR_ABT 4 4 3 1, SPSR_UND 4 4 3 2,
SPSR_FIQ 4 4 3 3, IFSR32_EL2 4 5 0 1, AFSR0_EL2 4 5 1 0, AFSR1_EL2 4 5 1 1, ESR_EL2 4 5 2 0,
FPEXC32_EL2 4 5 3 0, FAR_EL2 4 6 0 0, HPFAR_EL2 4 6 0 4, MAIR_EL2 4 10 2 0, AMAIR_EL2 4 10 3 0,
VBAR_EL2 4 12 0 0, RVBAR_EL2 4 12 0 1, RMR_EL2 4 12 0 2, ICC_SRE_EL2 4 12 9 5,
TPIDR_EL2 4 13 0 2, CNTVOFF_EL2 4 14 0 3, CNTHCTL_EL2 4 14 1 0, CNTHP_TVAL_EL2 4 14 2 0,
CNTHP_CTL_EL2 4 14 2 1, CNTHP_CVAL_EL2 4 14 2 2,
SCTLR_EL3 6 1 0 0, ACTLR_EL3 6 1 0 1, SCR_EL3 6 1 1 0, SDER32_EL3 6 1 1 1, CPTR_EL3 6 1 1 2,
MDCR_EL3 6 1 3 1, TTBR0_EL3 6 2 0 0, TCR_EL3 6 2 0 2, SPSR_EL3 6 4 0 0, ELR_EL3 6 4 0 1,
SP_EL2 6 4 1 0, AFSR0_EL3 6 5 1 0, AFSR1_EL3 6 5 1 1, ESR_EL3 6 5 2 0, FAR_EL3 6 6 0 0,
MAIR_EL3 6 10 2 0, AMAIR_EL3 6 10 3 0, VBAR_EL3 6 12 0 0, RVBAR_EL3 6 12 0 1, RMR_EL3 6 12 0 2,
ICC_CTLR_EL3 6 12 12 4, ICC_SRE_EL3 6 12 12 5, ICC_IGRPEN1_EL3 6 12 12 7, TPIDR_EL3 6 13 0 2,
CNTPS_TVAL_EL1 7 14 2 0, CNTPS_CTL_EL1 7 14 2 1, CNTPS_CVAL_EL1 7 14 2 2,
RNDR 3 2 4 0, RNDRRS 3 2 4 1`;

/** The same for IC, DC, AT and TLBI: `name op1 CRm op2`, CRn is 8 for TLBI and else 7. */
const OTHER_INSTRUCTIONS = `
TLBI IPAS2E1IS 4 0 1, TLBI IPAS2LE1IS 4 0 5, TLBI ALLE2IS 4 3 0, TLBI VAE2IS 4 3 1,
TLBI ALLE1IS 4 3 4, TLBI VALE2IS 4 3 5, TLBI VMALLS12E1IS 4 3 6, TLBI IPAS2E1 4 4 1,
TLBI IPAS2LE1 4 4 5, TLBI ALLE2 4 7 0, TLBI VAE2 4 7 1, TLBI ALLE1 4 7 4, TLBI VALE2 4 7 5,
TLBI VMALLS12E1 4 7 6, TLBI ALLE3IS 6 3 0, TLBI VAE3IS 6 3 1, TLBI VALE3IS 6 3 5,
TLBI ALLE3 6 7 0, TLBI VAE3 6 7 1, TLBI VALE3 6 7 5,
AT S1E2R 4 8 0, AT S1E2W 4 8 1, AT S12E1R 4 8 4, AT S12E1W 4 8 5, AT S12E0R 4 8 6,
AT S12E0W 4 8 7, AT S1E3R 6 8 0, AT S1E3W 6 8 1`;

/** An instruction of the SYS space by its name in assembly. */
export interface NamedInstruction {
  /** `ic`, `dc`, `at` or `tlbi`. */
  readonly mnemonic: string;
  /** For example `vae1is`. */
  readonly operation: string;
  /** Whether it takes a register. */
  readonly operand: boolean;
}

/** The names, by encoding and back. */
class Names {
  readonly registers = new Map<number, string>();
  readonly registerEncodings = new Map<string, number>();
  readonly instructions = new Map<number, NamedInstruction>();
  readonly instructionEncodings = new Map<string, number>();

  constructor() {
    for (const entry of OTHER_REGISTERS.trim().split(/,\s*/)) {
      const [name, op1, crn, crm, op2] = entry.split(" ");
      this.#register(name, 3 << 14 | +op1 << 11 | +crn << 7 | +crm << 3 | +op2);
    }
    for (const { name, encoding } of SYSTEM_REGISTERS) {
      if (!/^S\d_/.test(name)) this.#register(name, encoding);
    }
    for (const entry of OTHER_INSTRUCTIONS.trim().split(/,\s*/)) {
      const [mnemonic, operation, op1, crm, op2] = entry.split(" ");
      const crn = mnemonic === "TLBI" ? 8 : 7;
      const encoding = +op1 << 11 | crn << 7 | +crm << 3 | +op2;
      this.#instruction(`${mnemonic} ${operation}`, encoding, !operation.includes("ALL"));
    }
    for (const { name, encoding, operand } of SYSTEM_INSTRUCTIONS) {
      this.#instruction(name, encoding, operand);
    }
    this.#instruction("DC ZVA", DC_ZVA, true);
  }

  #register(name: string, encoding: number): void {
    this.registers.set(encoding, name.toLowerCase());
    this.registerEncodings.set(name.toLowerCase(), encoding);
  }

  #instruction(name: string, encoding: number, operand: boolean): void {
    const [mnemonic, operation] = name.toLowerCase().split(" ");
    this.instructions.set(encoding, { mnemonic, operation, operand });
    this.instructionEncodings.set(`${mnemonic} ${operation}`, encoding);
  }
}

let made: Names | undefined;

/** The names, made when the first is asked for: a boot needs none. */
function names(): Names {
  return made ??= new Names();
}

/**
 * A system register's name in lower case as assembly has it, `s3_0_c15_c2_0` where it has none.
 *
 * @param encoding op0:op1:CRn:CRm:op2 in 16 bits, op0 on top
 */
export function systemRegisterName(encoding: number): string {
  return names().registers.get(encoding) ?? genericName(encoding).toLowerCase();
}

/** The 16-bit encoding that a name in lower case stands for, or undefined. */
export function systemRegisterEncoding(name: string): number | undefined {
  const known = names().registerEncodings.get(name);
  if (known !== undefined) return known;
  const match = /^s([0-3])_([0-7])_c(\d+)_c(\d+)_([0-7])$/.exec(name);
  if (!match) return undefined;
  const [op0, op1, crn, crm, op2] = match.slice(1).map(Number);
  if (crn > 15 || crm > 15) return undefined;
  return op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2;
}

/** The IC, DC, AT or TLBI instruction at op1:CRn:CRm:op2 (14 bits), or undefined. */
export function namedInstruction(encoding: number): NamedInstruction | undefined {
  return names().instructions.get(encoding);
}

/** The encoding of, for example, `tlbi` and `vae1is`, or undefined. */
export function namedInstructionEncoding(mnemonic: string, operation: string): number | undefined {
  return names().instructionEncodings.get(`${mnemonic} ${operation}`);
}
