/**
 * A table: the system registers of FEAT_VHE (Arm ARM D17.2, and D8.12 for their other names), and
 * which register an access reaches where EL2 is a host.
 *
 * While HCR_EL2.E2H is set the names of EL1's registers mean EL2's at EL2, and `_EL12` and `_EL02`
 * names mean those of EL1 and EL0. The timers' names mean EL2's also at EL0 with TGE.
 */

import { type RowDraft, special, stored } from "./sysregs_row.ts";

const HOST = { needs: "el2-vhe" } as const;

/** `_EL12` name, its CRn, CRm and op2, and what its `_EL1` name means at EL2. */
const PAIRS: readonly (readonly [name: string, at: string, el2: string])[] = [
  ["SCTLR", "1 0 0", "SCTLR_EL2"],
  ["CPACR", "1 0 2", "CPTR_EL2"],
  ["TTBR0", "2 0 0", "TTBR0_EL2"],
  ["TTBR1", "2 0 1", "TTBR1_EL2"],
  ["TCR", "2 0 2", "TCR_EL2"],
  ["SPSR", "4 0 0", "SPSR_EL2"],
  ["ELR", "4 0 1", "ELR_EL2"],
  ["AFSR0", "5 1 0", "AFSR0_EL2"],
  ["AFSR1", "5 1 1", "AFSR1_EL2"],
  ["ESR", "5 2 0", "ESR_EL2"],
  ["FAR", "6 0 0", "FAR_EL2"],
  ["MAIR", "10 2 0", "MAIR_EL2"],
  ["AMAIR", "10 3 0", "AMAIR_EL2"],
  ["VBAR", "12 0 0", "VBAR_EL2"],
  ["CONTEXTIDR", "13 0 1", "CONTEXTIDR_EL2"],
  ["CNTKCTL", "14 1 0", "CNTHCTL_EL2"],
  ["SCXTNUM", "13 0 7", "SCXTNUM_EL2"],
];

/** Registers of the timers of EL1, by their CRm and op2, and the timer of EL2 in their place. */
const TIMERS: readonly (readonly [name: string, at: string, el2: string])[] = [
  ["CNTP_TVAL", "2 0", "CNTHP_TVAL_EL2"],
  ["CNTP_CTL", "2 1", "CNTHP_CTL_EL2"],
  ["CNTP_CVAL", "2 2", "CNTHP_CVAL_EL2"],
  ["CNTV_TVAL", "3 0", "CNTHV_TVAL_EL2"],
  ["CNTV_CTL", "3 1", "CNTHV_CTL_EL2"],
  ["CNTV_CVAL", "3 2", "CNTHV_CVAL_EL2"],
];

/** Rows for `sysregs_table.ts`. */
export const HOST_ROWS: readonly RowDraft[] = [
  stored("TTBR1_EL2", "3 4 2 0 1", "2 2", { ...HOST, effect: "el2-regime" }),
  stored("CONTEXTIDR_EL2", "3 4 13 0 1", "2 2", { ...HOST, withoutEl2: "constant" }),
  special("CNTHV_TVAL_EL2", "3 4 14 3 0", "2 2", { ...HOST, effect: "timer" }),
  stored("CNTHV_CTL_EL2", "3 4 14 3 1", "2 2", { ...HOST, mask: 3n, effect: "timer" }),
  stored("CNTHV_CVAL_EL2", "3 4 14 3 2", "2 2", { ...HOST, effect: "timer" }),
  ...PAIRS.map(([name, at]) =>
    special(`${name}_EL12`, `3 5 ${at}`, "2 2", name === "SCXTNUM" ? { needs: "el2-csv2" } : HOST)
  ),
  ...TIMERS.map(([name, at]) => special(`${name}_EL02`, `3 5 14 ${at}`, "2 2", HOST)),
];

/** The registers that names with `_EL12` and `_EL02` stand for. */
export const ALIASED: ReadonlyMap<string, string> = new Map([
  ...PAIRS.map(([name]) => [`${name}_EL12`, `${name}_EL1`] as const),
  ...TIMERS.map(([name]) => [`${name}_EL02`, `${name}_EL0`] as const),
]);

/** What a name means at EL2 of a host, and what it means at its EL0, too. */
export const REDIRECTED: {
  readonly el2: ReadonlyMap<string, string>;
  readonly el0: ReadonlyMap<string, string>;
} = {
  el2: new Map([
    ...PAIRS.map(([name, , el2]) => [`${name}_EL1`, el2] as const),
    ...TIMERS.map(([name, , el2]) => [`${name}_EL0`, el2] as const),
  ]),
  el0: new Map(TIMERS.map(([name, , el2]) => [`${name}_EL0`, el2] as const)),
};
