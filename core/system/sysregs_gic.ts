/** A table: the system registers of the GICv3 CPU interface (Arm IHI 0069, 12.2), in the order of their encodings. */

import { type RowDraft, special } from "./sysregs_row.ts";

const IN_GIC = { needs: "gic-v3" } as const;

function register(name: string, at: string, access: string): RowDraft {
  return special(name, at, access, IN_GIC);
}

/** List registers that the processor has. */
const LIST_REGISTERS = [0, 1, 2, 3];

/** Rows for `sysregs_table.ts`. */
export const GIC_ROWS: readonly RowDraft[] = [
  register("ICC_PMR_EL1", "3 0 4 6 0", "1 1"),
  register("ICC_IAR0_EL1", "3 0 12 8 0", "1 -"),
  register("ICC_EOIR0_EL1", "3 0 12 8 1", "- 1"),
  register("ICC_HPPIR0_EL1", "3 0 12 8 2", "1 -"),
  register("ICC_BPR0_EL1", "3 0 12 8 3", "1 1"),
  register("ICC_AP0R0_EL1", "3 0 12 8 4", "1 1"),
  register("ICC_AP1R0_EL1", "3 0 12 9 0", "1 1"),
  register("ICC_DIR_EL1", "3 0 12 11 1", "- 1"),
  register("ICC_RPR_EL1", "3 0 12 11 3", "1 -"),
  register("ICC_SGI1R_EL1", "3 0 12 11 5", "- 1"),
  register("ICC_ASGI1R_EL1", "3 0 12 11 6", "- 1"),
  register("ICC_SGI0R_EL1", "3 0 12 11 7", "- 1"),
  register("ICC_IAR1_EL1", "3 0 12 12 0", "1 -"),
  register("ICC_EOIR1_EL1", "3 0 12 12 1", "- 1"),
  register("ICC_HPPIR1_EL1", "3 0 12 12 2", "1 -"),
  register("ICC_BPR1_EL1", "3 0 12 12 3", "1 1"),
  register("ICC_CTLR_EL1", "3 0 12 12 4", "1 1"),
  register("ICC_SRE_EL1", "3 0 12 12 5", "1 1"),
  register("ICC_IGRPEN0_EL1", "3 0 12 12 6", "1 1"),
  register("ICC_IGRPEN1_EL1", "3 0 12 12 7", "1 1"),
  register("ICH_AP0R0_EL2", "3 4 12 8 0", "2 2"),
  register("ICH_AP1R0_EL2", "3 4 12 9 0", "2 2"),
  register("ICC_SRE_EL2", "3 4 12 9 5", "2 2"),
  register("ICH_HCR_EL2", "3 4 12 11 0", "2 2"),
  register("ICH_VTR_EL2", "3 4 12 11 1", "2 -"),
  register("ICH_MISR_EL2", "3 4 12 11 2", "2 -"),
  register("ICH_EISR_EL2", "3 4 12 11 3", "2 -"),
  register("ICH_ELRSR_EL2", "3 4 12 11 5", "2 -"),
  register("ICH_VMCR_EL2", "3 4 12 11 7", "2 2"),
  ...LIST_REGISTERS.map((n) => register(`ICH_LR${n}_EL2`, `3 4 12 12 ${n}`, "2 2")),
  register("ICC_CTLR_EL3", "3 6 12 12 4", "3 3"),
  register("ICC_SRE_EL3", "3 6 12 12 5", "3 3"),
  register("ICC_IGRPEN1_EL3", "3 6 12 12 7", "3 3"),
];
