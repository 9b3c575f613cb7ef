/**
 * Fields of VMSAv8-64 stage 1 descriptors with the 4 KiB granule (Arm ARM D5.3, "VMSAv8-64
 * translation table format descriptors"), and the combinations the kernel maps with.
 */

/** The descriptor is used in walks. */
export const VALID = 1n << 0n;
/** At levels 0–2 a table; at level 3 a page. Clear in blocks. */
export const TABLE_OR_PAGE = 1n << 1n;
/** AttrIndx = 1: the second attribute of MAIR_EL1, device memory. Zero is normal memory. */
export const DEVICE_MEMORY = 1n << 2n;
/** SH = 0b11. */
export const INNER_SHAREABLE = 3n << 8n;
/** AF: set, because the first access would fault otherwise. */
export const ACCESSED = 1n << 10n;
/** PXN: EL1 must not execute. */
export const PRIVILEGED_EXECUTE_NEVER = 1n << 53n;
/** UXN: EL0 must not execute. */
export const USER_EXECUTE_NEVER = 1n << 54n;

/** The output address of a table, block or page. */
export const ADDRESS_MASK = 0x0000_ffff_ffff_f000n;

/** Normal memory that EL1 reads, writes and executes. AP = 0: no access from EL0. */
export const KERNEL_RWX = VALID | TABLE_OR_PAGE | INNER_SHAREABLE | ACCESSED | USER_EXECUTE_NEVER;
/** Normal memory that EL1 reads and writes. */
export const KERNEL_DATA = KERNEL_RWX | PRIVILEGED_EXECUTE_NEVER;
/** Device registers that EL1 reads and writes. */
export const KERNEL_DEVICE = VALID | TABLE_OR_PAGE | DEVICE_MEMORY | ACCESSED |
  USER_EXECUTE_NEVER | PRIVILEGED_EXECUTE_NEVER;
/** A descriptor of the next level's table. */
export const TABLE = VALID | TABLE_OR_PAGE;
