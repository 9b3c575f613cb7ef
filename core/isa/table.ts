import type { Row, UnsupportedRow } from "./row.ts";
import { BRANCHES_SYSTEM } from "./branches_system.ts";
import { SYSTEM_SPECIAL_CASES } from "./branches_system_instructions.ts";
import { DATA_PROCESSING_IMMEDIATE } from "./data_processing_immediate.ts";
import { DATA_PROCESSING_REGISTER } from "./data_processing_register.ts";
import { FLAG_MANIPULATION } from "./flag_manipulation.ts";
import { FP_COMPARE } from "./fp_compare.ts";
import { FP_CONVERSION } from "./fp_conversion.ts";
import { FP_DATA_PROCESSING } from "./fp_data_processing.ts";
import { FP_ROUNDING_LATER } from "./fp_rounding_later.ts";
import { LATER_EXTENSIONS } from "./later_extensions.ts";
import { LOADS_STORES, LOADS_STORES_SPECIAL_CASES } from "./loads_stores.ts";
import {
  POINTER_AUTHENTICATION,
  POINTER_AUTHENTICATION_SPECIAL_CASES,
} from "./pointer_authentication.ts";
import { RESERVED } from "./reserved.ts";
import { SIMD, SIMD_ZERO_CASES } from "./simd.ts";
import { SIMD_FP_GROUPS } from "./simd_fp_groups.ts";
import { SIMD_STRUCTURES } from "./simd_structures.ts";

/**
 * The instruction table: all rows in the order of the Arm ARM.
 *
 * Two supported rows never match the same word, except the pairs in {@linkcode DECLARED_OVERLAPS}.
 * A row that is listed as not supported may be a whole encoding group with supported rows inside
 * it, or a special case of a supported row. Where two rows overlap, one of them must be a special
 * case of the other (its pattern fixes everything the other fixes), and the special case counts.
 */

/** Any entry of the table. */
export type TableRow = Row | UnsupportedRow;

/** Supported special cases of supported encodings: `special > general`, by name. */
const DECLARED_OVERLAPS: ReadonlySet<string> = new Set([
  ...SYSTEM_SPECIAL_CASES,
  ...LOADS_STORES_SPECIAL_CASES,
  ...POINTER_AUTHENTICATION_SPECIAL_CASES,
]);

/**
 * Encodings that are others' with a field of zero, which the others' `when` forbids: `zero > other`,
 * by name. The first has more bits fixed, so it is found first.
 */
const ZERO_CASES: ReadonlySet<string> = new Set(SIMD_ZERO_CASES);

/** All entries; those from which handlers are made are the ones that {@linkcode isSupported}. */
export const ROWS: readonly TableRow[] = [
  ...RESERVED,
  ...DATA_PROCESSING_IMMEDIATE,
  ...BRANCHES_SYSTEM,
  ...LOADS_STORES,
  ...SIMD_STRUCTURES,
  ...DATA_PROCESSING_REGISTER,
  ...FLAG_MANIPULATION,
  ...POINTER_AUTHENTICATION,
  ...SIMD,
  ...FP_CONVERSION,
  ...FP_COMPARE,
  ...FP_DATA_PROCESSING,
  ...FP_ROUNDING_LATER,
  ...SIMD_FP_GROUPS,
  ...LATER_EXTENSIONS,
];

const byFeatures = new Map<string, readonly Row[]>();

/**
 * The rows of a processor with these extensions beyond Armv8.0-A. The same extensions give the same
 * array.
 */
export function rowsWith(features: ReadonlySet<string>): readonly Row[] {
  const key = [...features].sort().join();
  let rows = byFeatures.get(key);
  if (!rows) {
    rows = ROWS.filter(isSupported)
      .filter(({ feature }) => feature === undefined || features.has(feature));
    byFeatures.set(key, rows);
  }
  return rows;
}

/** Whether the entry has semantics. */
export function isSupported(row: TableRow): row is Row {
  return "execute" in row;
}

/** Throws an error that names the first two rows that overlap undeclared: for a test. */
export function checkOverlaps(rows: readonly TableRow[]): void {
  for (let i = 0; i < rows.length; i++) {
    for (let j = i + 1; j < rows.length; j++) checkPair(rows[i], rows[j]);
  }
}

function checkPair(a: TableRow, b: TableRow): void {
  const both = a.pattern.mask & b.pattern.mask;
  if ((a.pattern.value & both) !== (b.pattern.value & both)) return;
  const aInB = both === (b.pattern.mask | 0), bInA = both === (a.pattern.mask | 0);
  if (aInB !== bInA) {
    if (!isSupported(a) || !isSupported(b)) return;
    if (DECLARED_OVERLAPS.has(aInB ? `${a.name} > ${b.name}` : `${b.name} > ${a.name}`)) return;
  }
  if (ZERO_CASES.has(`${a.name} > ${b.name}`) || ZERO_CASES.has(`${b.name} > ${a.name}`)) return;
  throw new Error(
    `instruction table: ${a.name} (${a.pattern.text}) overlaps ${b.name} (${b.pattern.text})`,
  );
}
