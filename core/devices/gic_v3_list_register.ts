/** A list register of a GICv3 virtual interface, ICH_LRn_EL2 (Arm IHI 0069, 12.4.7). */

/** Fields of a list register. */
export const LR = {
  pending: 1n << 62n,
  active: 1n << 63n,
  state: 3n << 62n,
  hardware: 1n << 61n,
  group1: 1n << 60n,
  endOfInterrupt: 1n << 41n,
} as const;
/** n of `ICH_LRn_EL2`. */
export function listIndex(name: string): number | undefined {
  const match = /^ICH_LR(\d+)_EL2$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** Priority. */
export function priorityOf(entry: bigint): number {
  return Number((entry >> 48n) & 0xffn);
}

/** Group. */
export function groupOf(entry: bigint): 0 | 1 {
  return entry & LR.group1 ? 1 : 0;
}

/** vINTID. */
export function virtualNumber(entry: bigint): number {
  return Number(entry & 0xffff_ffffn);
}
