/** A table: the system registers of Armv8.1 to 8.5 (Arm ARM D17). */

import { constant, type RowDraft, type RowOptions, special, stored } from "./sysregs_row.ts";

function of(feature: `FEAT_${string}`, draft: RowDraft): RowDraft {
  return { ...draft, needs: feature };
}

const KEYS = [["APIA", "2 1 0"], ["APIB", "2 1 2"], ["APDA", "2 2 0"], ["APDB", "2 2 2"], [
  "APGA",
  "2 3 0",
]] as const;

/** A key of pointer authentication: two registers. */
function key([name, at]: typeof KEYS[number]): RowDraft[] {
  const [crn, crm, op2] = at.split(" ").map(Number);
  return ["Lo", "Hi"].map((half, n) =>
    of("FEAT_PAuth", stored(`${name}Key${half}_EL1`, `3 0 ${crn} ${crm} ${op2 + n}`, "1 1"))
  );
}

function field(
  feature: `FEAT_${string}`,
  name: string,
  at: string,
  access: string,
  options: RowOptions = {},
): RowDraft {
  return of(feature, special(name, at, access, { effect: "pstate", ...options }));
}

/** Rows for `sysregs_table.ts`. */
export const EXTENSION_ROWS: readonly RowDraft[] = [
  ...KEYS.flatMap(key),
  field("FEAT_PAN", "PAN", "3 0 4 2 3", "1 1"),
  field("FEAT_UAO", "UAO", "3 0 4 2 4", "1 1"),
  field("FEAT_DIT", "DIT", "3 3 4 2 5", "0 0"),
  field("FEAT_SSBS", "SSBS", "3 3 4 2 6", "0 0"),
  // There are no LORegions.
  of("FEAT_LOR", constant("LORSA_EL1", "3 0 10 4 0", "1 1", 0n)),
  of("FEAT_LOR", constant("LOREA_EL1", "3 0 10 4 1", "1 1", 0n)),
  of("FEAT_LOR", constant("LORN_EL1", "3 0 10 4 2", "1 1", 0n)),
  of("FEAT_LOR", constant("LORC_EL1", "3 0 10 4 3", "1 1", 0n)),
  of("FEAT_LOR", constant("LORID_EL1", "3 0 10 4 7", "1 -", 0n)),
  of("FEAT_PMUv3p4", constant("PMMIR_EL1", "3 0 9 14 6", "1 -", 0n)),
  // There are no error records.
  of("FEAT_RAS", constant("ERRIDR_EL1", "3 0 5 3 0", "1 -", 0n)),
  of("FEAT_RAS", stored("DISR_EL1", "3 0 12 1 1", "1 1")),
  stored("VSESR_EL2", "3 4 5 2 3", "2 2", { needs: "el2-ras", withoutEl2: "constant" }),
  stored("VDISR_EL2", "3 4 12 1 1", "2 2", { needs: "el2-ras", withoutEl2: "constant" }),
  // What tells predictions of contexts apart; there are none.
  of("FEAT_CSV2_2", stored("SCXTNUM_EL0", "3 3 13 0 7", "0 0", { gate: "context-number" })),
  of("FEAT_CSV2_2", stored("SCXTNUM_EL1", "3 0 13 0 7", "1 1")),
  stored("SCXTNUM_EL2", "3 4 13 0 7", "2 2", { needs: "el2-csv2", withoutEl2: "constant" }),
  stored("SCXTNUM_EL3", "3 6 13 0 7", "3 3", { needs: "el3-csv2" }),
  // As on the reference it has no bit.
  stored("HCRX_EL2", "3 4 1 2 2", "2 2", { needs: "el2-hcx", mask: 0n, withoutEl2: "constant" }),
  // Where the random numbers of RNDR stand; its encoding is none.
  of("FEAT_RNG", stored("RNG_STATE", "0 0 0 0 4", "- -")),
];
