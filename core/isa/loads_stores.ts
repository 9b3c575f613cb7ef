import { ATOMICS } from "./atomics.ts";
import type { Row } from "./row.ts";
import { LOADS_LITERAL, PREFETCH_SPECIAL_CASES, PREFETCHES } from "./loads_stores_literal.ts";
import { LOADS_STORES_EXCLUSIVE } from "./loads_stores_exclusive.ts";
import { LOADS_STORES_PAIR } from "./loads_stores_pair.ts";
import { LOADS_STORES_REGISTER } from "./loads_stores_register.ts";

/** All loads and stores but those of Advanced SIMD structures (Arm ARM C4.1.88). */
export const LOADS_STORES: readonly Row[] = [
  ...LOADS_STORES_EXCLUSIVE,
  ...LOADS_LITERAL,
  ...LOADS_STORES_PAIR,
  ...LOADS_STORES_REGISTER,
  ...PREFETCHES,
  ...ATOMICS,
];

/** `special > general` by name: the special cases of general rows here. */
export const LOADS_STORES_SPECIAL_CASES: readonly string[] = PREFETCH_SPECIAL_CASES;
