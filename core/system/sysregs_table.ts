/** A table: every system register of the processor (Arm ARM D13.1.2 order: op0, op1, CRn, CRm, op2). */

import { SLOT } from "../state.ts";
import { GIC_ROWS } from "./sysregs_gic.ts";
import { HOST_ROWS } from "./sysregs_host.ts";
import { EXTENSION_ROWS } from "./sysregs_extensions.ts";
import { PRIVILEGED_ROWS } from "./sysregs_privileged.ts";
import { constant, type RowDraft, special, stored, type SystemRegister } from "./sysregs_row.ts";

/** Counters 0..5 and the cycle counter. */
const COUNTERS = 0x8000_003fn;

/** Breakpoint and watchpoint registers n. */
function breakpoint(n: number): RowDraft[] {
  return [
    stored(`DBGBVR${n}_EL1`, `2 0 0 ${n} 4`, "1 1"),
    stored(`DBGBCR${n}_EL1`, `2 0 0 ${n} 5`, "1 1"),
  ];
}
function watchpoint(n: number): RowDraft[] {
  return [
    stored(`DBGWVR${n}_EL1`, `2 0 0 ${n} 6`, "1 1", { mask: ~3n & 0xffff_ffff_ffff_ffffn }),
    stored(`DBGWCR${n}_EL1`, `2 0 0 ${n} 7`, "1 1", { effect: "traps" }),
  ];
}

/** The unallocated rest of the identification space reads as zero (D13.1.1). */
function reservedId(crm: number, ...op2: number[]): RowDraft[] {
  return op2.map((n) => constant(`S3_0_C0_C${crm}_${n}`, `3 0 0 ${crm} ${n}`, "1 -", 0n));
}

/** A register of the Cortexes, not of the architecture. */
function own(row: RowDraft): RowDraft {
  return { ...row, needs: "own" };
}

const DEBUG: RowDraft[] = [
  ...[0, 1, 2, 3, 4, 5].flatMap(breakpoint),
  ...[0, 1, 2, 3].flatMap(watchpoint),
  special("MDCCINT_EL1", "2 0 0 2 0", "1 1"),
  stored("MDSCR_EL1", "2 0 0 2 2", "1 1", { effect: "traps" }),
  constant("MDRAR_EL1", "2 0 1 0 0", "1 -", 0n),
  special("OSLAR_EL1", "2 0 1 0 4", "- 1"),
  stored("OSLSR_EL1", "2 0 1 1 4", "1 -", { reset: 0xan }),
  stored("OSDLR_EL1", "2 0 1 3 4", "1 1", { mask: 1n }),
  constant("MDCCSR_EL0", "2 3 0 1 0", "0 -", 0n),
];

const IDENTIFICATION: RowDraft[] = [
  constant("MIDR_EL1", "3 0 0 0 0", "1 -", 0x411fd070n),
  special("MPIDR_EL1", "3 0 0 0 5", "1 -"),
  constant("REVIDR_EL1", "3 0 0 0 6", "1 -", 0n),
  constant("ID_PFR0_EL1", "3 0 0 1 0", "1 -", 0x131n),
  constant("ID_PFR1_EL1", "3 0 0 1 1", "1 -", 0x10001n),
  constant("ID_DFR0_EL1", "3 0 0 1 2", "1 -", 0x3010006n),
  constant("ID_AFR0_EL1", "3 0 0 1 3", "1 -", 0n),
  constant("ID_MMFR0_EL1", "3 0 0 1 4", "1 -", 0x10101105n),
  constant("ID_MMFR1_EL1", "3 0 0 1 5", "1 -", 0x40000000n),
  constant("ID_MMFR2_EL1", "3 0 0 1 6", "1 -", 0x1260000n),
  constant("ID_MMFR3_EL1", "3 0 0 1 7", "1 -", 0x2102211n),
  constant("ID_ISAR0_EL1", "3 0 0 2 0", "1 -", 0x2101110n),
  constant("ID_ISAR1_EL1", "3 0 0 2 1", "1 -", 0x13112111n),
  constant("ID_ISAR2_EL1", "3 0 0 2 2", "1 -", 0x21232042n),
  constant("ID_ISAR3_EL1", "3 0 0 2 3", "1 -", 0x1112131n),
  constant("ID_ISAR4_EL1", "3 0 0 2 4", "1 -", 0x11142n),
  constant("ID_ISAR5_EL1", "3 0 0 2 5", "1 -", 0x11121n),
  constant("ID_MMFR4_EL1", "3 0 0 2 6", "1 -", 0n),
  constant("ID_ISAR6_EL1", "3 0 0 2 7", "1 -", 0n),
  constant("MVFR0_EL1", "3 0 0 3 0", "1 -", 0x10110222n),
  constant("MVFR1_EL1", "3 0 0 3 1", "1 -", 0x12111111n),
  constant("MVFR2_EL1", "3 0 0 3 2", "1 -", 0x43n),
  ...reservedId(3, 3),
  constant("ID_PFR2_EL1", "3 0 0 3 4", "1 -", 0n),
  constant("ID_DFR1_EL1", "3 0 0 3 5", "1 -", 0n),
  constant("ID_MMFR5_EL1", "3 0 0 3 6", "1 -", 0n),
  ...reservedId(3, 7),
  constant("ID_AA64PFR0_EL1", "3 0 0 4 0", "1 -", 0x22n),
  constant("ID_AA64PFR1_EL1", "3 0 0 4 1", "1 -", 0n),
  ...reservedId(4, 2, 3),
  constant("ID_AA64ZFR0_EL1", "3 0 0 4 4", "1 -", 0n),
  constant("ID_AA64SMFR0_EL1", "3 0 0 4 5", "1 -", 0n),
  ...reservedId(4, 6, 7),
  constant("ID_AA64DFR0_EL1", "3 0 0 5 0", "1 -", 0x10305106n),
  constant("ID_AA64DFR1_EL1", "3 0 0 5 1", "1 -", 0n),
  ...reservedId(5, 2, 3),
  constant("ID_AA64AFR0_EL1", "3 0 0 5 4", "1 -", 0n),
  constant("ID_AA64AFR1_EL1", "3 0 0 5 5", "1 -", 0n),
  ...reservedId(5, 6, 7),
  constant("ID_AA64ISAR0_EL1", "3 0 0 6 0", "1 -", 0x11120n),
  constant("ID_AA64ISAR1_EL1", "3 0 0 6 1", "1 -", 0n),
  constant("ID_AA64ISAR2_EL1", "3 0 0 6 2", "1 -", 0n),
  ...reservedId(6, 3, 4, 5, 6, 7),
  constant("ID_AA64MMFR0_EL1", "3 0 0 7 0", "1 -", 0x1124n),
  constant("ID_AA64MMFR1_EL1", "3 0 0 7 1", "1 -", 0n),
  constant("ID_AA64MMFR2_EL1", "3 0 0 7 2", "1 -", 0n),
  ...reservedId(7, 3, 4, 5, 6, 7),
];

const CONTROL: RowDraft[] = [
  stored("SCTLR_EL1", "3 0 1 0 0", "1 1", {
    reset: 0xc50838n,
    mask: 0xffff_f01f_ffff_ffffn,
    effect: "sctlr",
  }),
  constant("ACTLR_EL1", "3 0 1 0 1", "1 1", 0n),
  stored("CPACR_EL1", "3 0 1 0 2", "1 1", { effect: "traps" }),
  stored("TTBR0_EL1", "3 0 2 0 0", "1 1", { effect: "ttbr" }),
  stored("TTBR1_EL1", "3 0 2 0 1", "1 1", { effect: "ttbr" }),
  stored("TCR_EL1", "3 0 2 0 2", "1 1", { effect: "tcr" }),
  stored("SPSR_EL1", "3 0 4 0 0", "1 1"),
  stored("ELR_EL1", "3 0 4 0 1", "1 1"),
  stored("SP_EL0", "3 0 4 1 0", "1 1"),
  special("SPSel", "3 0 4 2 0", "1 1", {
    effect: "pstate",
  }),
  special("CurrentEL", "3 0 4 2 2", "1 -"),
  constant("AFSR0_EL1", "3 0 5 1 0", "1 1", 0n),
  constant("AFSR1_EL1", "3 0 5 1 1", "1 1", 0n),
  stored("ESR_EL1", "3 0 5 2 0", "1 1"),
  stored("FAR_EL1", "3 0 6 0 0", "1 1"),
  stored("PAR_EL1", "3 0 7 4 0", "1 1"),
  stored("PMINTENSET_EL1", "3 0 9 14 1", "1 1", {
    mask: COUNTERS,
    effect: "timer",
  }),
  special("PMINTENCLR_EL1", "3 0 9 14 2", "1 1", { effect: "timer" }),
  stored("MAIR_EL1", "3 0 10 2 0", "1 1", { effect: "mair" }),
  constant("AMAIR_EL1", "3 0 10 3 0", "1 1", 0n),
  stored("VBAR_EL1", "3 0 12 0 0", "1 1", { mask: 0xffff_ffff_ffff_ffe0n }),
  { ...constant("RVBAR_EL1", "3 0 12 0 1", "1 -", 0n), needs: "el1-highest" },
  special("ISR_EL1", "3 0 12 1 0", "1 -"),
  stored("CONTEXTIDR_EL1", "3 0 13 0 1", "1 1"),
  stored("TPIDR_EL1", "3 0 13 0 4", "1 1"),
  stored("CNTKCTL_EL1", "3 0 14 1 0", "1 1"),
  special("CCSIDR_EL1", "3 1 0 0 0", "1 -"),
  constant("CLIDR_EL1", "3 1 0 0 1", "1 -", 0xa200023n),
  constant("AIDR_EL1", "3 1 0 0 7", "1 -", 0n),
  own(special("L2CTLR_EL1", "3 1 11 0 2", "1 1")),
  own(constant("L2ECTLR_EL1", "3 1 11 0 3", "1 1", 0n)),
  own(constant("L2ACTLR_EL1", "3 1 15 0 0", "1 1", 0n)),
  own(constant("CPUACTLR_EL1", "3 1 15 2 0", "1 1", 0n)),
  own(constant("CPUECTLR_EL1", "3 1 15 2 1", "1 1", 0n)),
  own(constant("CPUMERRSR_EL1", "3 1 15 2 2", "1 1", 0n)),
  own(constant("L2MERRSR_EL1", "3 1 15 2 3", "1 1", 0n)),
  constant("CBAR_EL1", "3 1 15 3 0", "1 -", 0x800_0000n),
  stored("CSSELR_EL1", "3 2 0 0 0", "1 1", { mask: 0xfn }),
];

/** op1 = 3: what EL0 may use, where a gate lets it. */
const USER: RowDraft[] = [
  constant("CTR_EL0", "3 3 0 0 1", "0 -", 0x8444c004n, "UCT"),
  special("DCZID_EL0", "3 3 0 0 7", "0 -"),
  special("NZCV", "3 3 4 2 0", "0 0"),
  special("DAIF", "3 3 4 2 1", "0 0", {
    gate: "UMA",
    effect: "pstate",
  }),
  special("FPCR", "3 3 4 4 0", "0 0"),
  special("FPSR", "3 3 4 4 1", "0 0"),
  stored("TPIDR_EL0", "3 3 13 0 2", "0 0"),
  stored("TPIDRRO_EL0", "3 3 13 0 3", "0 1"),
];

/** Performance monitors: six event counters and the cycle counter (D7). */
const PMU: RowDraft[] = [
  stored("PMCR_EL0", "3 3 9 12 0", "0 0", { gate: "pmu", effect: "timer", reset: 0x41013000n }),
  stored("PMCNTENSET_EL0", "3 3 9 12 1", "0 0", {
    gate: "pmu",
    effect: "timer",
    mask: COUNTERS,
  }),
  special("PMCNTENCLR_EL0", "3 3 9 12 2", "0 0", {
    gate: "pmu",
    effect: "timer",
  }),
  special("PMOVSCLR_EL0", "3 3 9 12 3", "0 0", {
    gate: "pmu",
    effect: "timer",
  }),
  special("PMSWINC_EL0", "3 3 9 12 4", "- 0", { gate: "pmu-increment", effect: "timer" }),
  stored("PMSELR_EL0", "3 3 9 12 5", "0 0", { gate: "pmu-select", mask: 0x1fn }),
  constant("PMCEID0_EL0", "3 3 9 12 6", "0 -", 0x20101n, "pmu"),
  constant("PMCEID1_EL0", "3 3 9 12 7", "0 -", 0n, "pmu"),
  stored("PMCCNTR_EL0", "3 3 9 13 0", "0 0", {
    gate: "pmu-cycles",
    effect: "timer",
  }),
  special("PMXEVTYPER_EL0", "3 3 9 13 1", "0 0", {
    gate: "pmu",
    effect: "timer",
  }),
  special("PMXEVCNTR_EL0", "3 3 9 13 2", "0 0", {
    gate: "pmu-events",
    effect: "timer",
  }),
  stored("PMUSERENR_EL0", "3 3 9 14 0", "0 1", { mask: 0xfn }),
  stored("PMOVSSET_EL0", "3 3 9 14 3", "0 0", {
    gate: "pmu",
    effect: "timer",
    mask: COUNTERS,
  }),
  ...[0, 1, 2, 3, 4, 5].map((n) =>
    stored(`PMEVCNTR${n}_EL0`, `3 3 14 8 ${n}`, "0 0", {
      gate: "pmu-events",
      effect: "timer",
    })
  ),
  ...[0, 1, 2, 3, 4, 5].map((n) =>
    stored(`PMEVTYPER${n}_EL0`, `3 3 14 12 ${n}`, "0 0", {
      gate: "pmu",
      effect: "timer",
      mask: 0xfe00_ffffn,
    })
  ),
  stored("PMCCFILTR_EL0", "3 3 14 15 7", "0 0", {
    gate: "pmu",
    effect: "timer",
    mask: 0xfc00_0000n,
  }),
];

/** Generic timers (D11). */
const TIMERS: RowDraft[] = [
  stored("CNTFRQ_EL0", "3 3 14 0 0", "0 1", { gate: "counter-frequency", reset: 62_500_000n }),
  special("CNTPCT_EL0", "3 3 14 0 1", "0 -", { gate: "physical-counter" }),
  special("CNTVCT_EL0", "3 3 14 0 2", "0 -", { gate: "virtual-counter" }),
  special("CNTP_TVAL_EL0", "3 3 14 2 0", "0 0", {
    gate: "physical-timer",
    effect: "timer",
  }),
  stored("CNTP_CTL_EL0", "3 3 14 2 1", "0 0", {
    gate: "physical-timer",
    effect: "timer",
    mask: 3n,
  }),
  stored("CNTP_CVAL_EL0", "3 3 14 2 2", "0 0", { gate: "physical-timer", effect: "timer" }),
  special("CNTV_TVAL_EL0", "3 3 14 3 0", "0 0", {
    gate: "virtual-timer",
    effect: "timer",
  }),
  stored("CNTV_CTL_EL0", "3 3 14 3 1", "0 0", {
    gate: "virtual-timer",
    effect: "timer",
    mask: 3n,
  }),
  stored("CNTV_CVAL_EL0", "3 3 14 3 2", "0 0", { gate: "virtual-timer", effect: "timer" }),
];

/**
 * Beside the others: SP_EL1 belongs to EL1 but is reached from EL2, and what the performance
 * monitors remember is no register (its encoding is none).
 */
const HIDDEN: RowDraft[] = [
  stored("SP_EL1", "3 4 4 1 0", "2 2"),
  stored("PMU_TIME", "0 0 0 0 1", "- -"),
  stored("PMU_RETIRED", "0 0 0 0 2", "- -"),
];

/** Every register, with slots given out in this order. */
export const SYSTEM_REGISTERS: readonly SystemRegister[] = giveSlots([
  ...DEBUG,
  ...IDENTIFICATION,
  ...CONTROL,
  ...USER,
  ...PMU,
  ...TIMERS,
  ...GIC_ROWS,
  ...HIDDEN,
  ...PRIVILEGED_ROWS,
  ...EXTENSION_ROWS,
  ...HOST_ROWS,
]);

function giveSlots(drafts: readonly RowDraft[]): SystemRegister[] {
  let next: number = SLOT.system;
  return drafts.map(({ stored, ...row }) => {
    const slot = stored ? next : 0;
    if (stored) next += 8;
    return { ...row, slot };
  });
}
