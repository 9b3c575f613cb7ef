/**
 * A table: the system registers of EL2 and EL3 (Arm ARM D17), in the order of their encodings.
 *
 * On a machine with EL3 but without EL2 the registers of EL2 can be reached from EL3: they read as
 * zero and ignore writes (D1.4.2), but for those whose rows say something else.
 */

import { constant, type RowDraft, type RowOptions, special, stored } from "./sysregs_row.ts";

const ALL_BITS = 0xffff_ffff_ffff_ffffn;
const MIDR = 0x411f_d070n, MPIDR = 0x8000_0000n;
/** Bits of VBAR that software may set, as the reference keeps them. */
const VECTOR_BASE = 0xffff_ffff_ffff_ffe0n;

const IN_EL2 = { needs: "el2" } as const;
const IN_EL3 = { needs: "el3" } as const;
/** Is there from EL3 also without EL2. */
const KEPT = { needs: "el2", withoutEl2: "kept" } as const;

function el2(name: string, at: string, options?: RowOptions): RowDraft {
  return stored(name, at, "2 2", { ...IN_EL2, ...options });
}

function el3(name: string, at: string, options?: RowOptions): RowDraft {
  return stored(name, at, "3 3", { ...IN_EL3, ...options });
}

function zero(name: string, at: string, access: string, options: RowOptions): RowDraft {
  return { ...constant(name, at, access, 0n), ...options };
}

const EL2: RowDraft[] = [
  zero("DBGVCR32_EL2", "2 4 0 7 0", "2 2", KEPT),
  el2("VPIDR_EL2", "3 4 0 0 0", { reset: MIDR, withoutEl2: "constant" }),
  el2("VMPIDR_EL2", "3 4 0 0 5", { reset: MPIDR, withoutEl2: "constant" }),
  el2("SCTLR_EL2", "3 4 1 0 0", { mask: 0xffff_f01f_ffff_ffffn, effect: "el2-regime" }),
  zero("ACTLR_EL2", "3 4 1 0 1", "2 2", IN_EL2),
  el2("HCR_EL2", "3 4 1 1 0", { mask: 0x3_ffff_ffffn, effect: "hypervisor" }),
  el2("MDCR_EL2", "3 4 1 1 1", { reset: 6n, effect: "traps" }),
  el2("CPTR_EL2", "3 4 1 1 2", { effect: "traps" }),
  el2("HSTR_EL2", "3 4 1 1 3"),
  zero("HACR_EL2", "3 4 1 1 7", "2 2", IN_EL2),
  el2("TTBR0_EL2", "3 4 2 0 0", { effect: "el2-regime" }),
  el2("TCR_EL2", "3 4 2 0 2", { effect: "el2-regime" }),
  el2("VTTBR_EL2", "3 4 2 1 0", { effect: "stage2" }),
  el2("VTCR_EL2", "3 4 2 1 2", { effect: "stage2" }),
  el2("DACR32_EL2", "3 4 3 0 0", { withoutEl2: "kept" }),
  el2("SPSR_EL2", "3 4 4 0 0"),
  el2("ELR_EL2", "3 4 4 0 1"),
  el2("SPSR_IRQ", "3 4 4 3 0"),
  el2("SPSR_ABT", "3 4 4 3 1"),
  el2("SPSR_UND", "3 4 4 3 2"),
  el2("SPSR_FIQ", "3 4 4 3 3"),
  el2("IFSR32_EL2", "3 4 5 0 1", { withoutEl2: "kept" }),
  zero("AFSR0_EL2", "3 4 5 1 0", "2 2", IN_EL2),
  zero("AFSR1_EL2", "3 4 5 1 1", "2 2", IN_EL2),
  el2("ESR_EL2", "3 4 5 2 0"),
  el2("FPEXC32_EL2", "3 4 5 3 0", { withoutEl2: "kept" }),
  el2("FAR_EL2", "3 4 6 0 0"),
  el2("HPFAR_EL2", "3 4 6 0 4"),
  el2("MAIR_EL2", "3 4 10 2 0", { effect: "el2-regime" }),
  zero("AMAIR_EL2", "3 4 10 3 0", "2 2", IN_EL2),
  el2("VBAR_EL2", "3 4 12 0 0", { mask: VECTOR_BASE }),
  zero("RVBAR_EL2", "3 4 12 0 1", "2 -", { needs: "el2-highest" }),
  el2("TPIDR_EL2", "3 4 13 0 2"),
  el2("CNTVOFF_EL2", "3 4 14 0 3", { effect: "timer" }),
  el2("CNTHCTL_EL2", "3 4 14 1 0", { reset: 3n }),
  special("CNTHP_TVAL_EL2", "3 4 14 2 0", "2 2", { ...IN_EL2, effect: "timer" }),
  el2("CNTHP_CTL_EL2", "3 4 14 2 1", { mask: 3n, effect: "timer" }),
  el2("CNTHP_CVAL_EL2", "3 4 14 2 2", { effect: "timer" }),
];

const EL3: RowDraft[] = [
  el3("SCTLR_EL3", "3 6 1 0 0", {
    reset: 0xc5_0838n,
    mask: 0xffff_f4df_ffff_ffffn,
    effect: "el3-regime",
  }),
  zero("ACTLR_EL3", "3 6 1 0 1", "3 3", IN_EL3),
  el3("SCR_EL3", "3 6 1 1 0", { reset: 0x30n, effect: "security" }),
  el3("SDER32_EL3", "3 6 1 1 1"),
  el3("CPTR_EL3", "3 6 1 1 2", { effect: "traps" }),
  el3("MDCR_EL3", "3 6 1 3 1", { effect: "traps" }),
  el3("TTBR0_EL3", "3 6 2 0 0", { effect: "el3-regime" }),
  el3("TCR_EL3", "3 6 2 0 2", { effect: "el3-regime" }),
  el3("SPSR_EL3", "3 6 4 0 0"),
  el3("ELR_EL3", "3 6 4 0 1"),
  stored("SP_EL2", "3 6 4 1 0", "3 3", { needs: "el2-or-el3" }),
  zero("AFSR0_EL3", "3 6 5 1 0", "3 3", IN_EL3),
  zero("AFSR1_EL3", "3 6 5 1 1", "3 3", IN_EL3),
  el3("ESR_EL3", "3 6 5 2 0"),
  el3("FAR_EL3", "3 6 6 0 0"),
  el3("MAIR_EL3", "3 6 10 2 0", { effect: "el3-regime" }),
  zero("AMAIR_EL3", "3 6 10 3 0", "3 3", IN_EL3),
  el3("VBAR_EL3", "3 6 12 0 0", { mask: VECTOR_BASE }),
  zero("RVBAR_EL3", "3 6 12 0 1", "3 -", IN_EL3),
  el3("TPIDR_EL3", "3 6 13 0 2"),
  special("CNTPS_TVAL_EL1", "3 7 14 2 0", "1 1", { ...IN_EL3, effect: "timer" }),
  stored("CNTPS_CTL_EL1", "3 7 14 2 1", "1 1", { ...IN_EL3, mask: 3n, effect: "timer" }),
  stored("CNTPS_CVAL_EL1", "3 7 14 2 2", "1 1", { ...IN_EL3, effect: "timer", mask: ALL_BITS }),
];

/** The stack pointer of EL3 has no encoding. */
const STACK: RowDraft[] = [
  stored("SP_EL3", "0 0 0 0 3", "- -", { needs: "el3" }),
];

/** Rows for `sysregs_table.ts`. */
export const PRIVILEGED_ROWS: readonly RowDraft[] = [...EL2, ...EL3, ...STACK];
