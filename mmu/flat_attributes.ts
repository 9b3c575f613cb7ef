/** Memory attributes where stage 1 is off (Arm ARM D8, "The effects of disabling a stage of address translation"). */

import { type Access, ACCESS_EXECUTE } from "./permissions.ts";
import type { Regime } from "./regime.ts";

/** Device-nGnRnE. */
const FLAT_DATA = 0x00;
const FLAT_FETCH_CACHED = 0xaa;
const FLAT_FETCH_UNCACHED = 0x44;
const NORMAL_WRITE_BACK = 0xff;
/** The reference reports flat data as non-shareable; Device memory has no such property. */
export const NON_SHAREABLE = 0;
const OUTER_SHAREABLE = 2;

/** Shareability of a flat access. */
export function flatShareability(access: Access): number {
  return access === ACCESS_EXECUTE ? OUTER_SHAREABLE : NON_SHAREABLE;
}

/** MAIR attribute byte of a flat access. */
export function flatAttributes(regime: Regime, access: Access): number {
  if (regime.defaultCacheable) return NORMAL_WRITE_BACK;
  if (access !== ACCESS_EXECUTE) return FLAT_DATA;
  return regime.instructionCache ? FLAT_FETCH_CACHED : FLAT_FETCH_UNCACHED;
}
