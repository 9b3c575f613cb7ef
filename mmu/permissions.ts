/**
 * Stage 1 permissions (Arm ARM D8.4; pseudocode S1ApplyTablePerms and
 * AArch64.CheckPermission).
 *
 * A translation's permission fields are packed into one byte, so that a TLB entry keeps what the
 * descriptors said and an explanation can tell the leaf from the tables above it:
 *
 *     bits 1:0 AP[2:1]   2 UXN   3 PXN          of the leaf
 *     bits 5:4 APTable   6 UXNTable   7 PXNTable    of all tables above it, ORed
 *
 * The answer is a mask with one bit per (privilege, access): `1 << access + 3 * el`.
 */

/** What an access does, as the bit position within a permission mask's half. */
export const ACCESS_READ = 0;
/** A store; also what cache maintenance and address translation instructions report. */
export const ACCESS_WRITE = 1;
/** An instruction fetch. */
export const ACCESS_EXECUTE = 2;

/** One of {@linkcode ACCESS_READ}, {@linkcode ACCESS_WRITE}, {@linkcode ACCESS_EXECUTE}. */
export type Access = 0 | 1 | 2;

/** Names of {@linkcode Access} values, by value. */
export const ACCESS_NAMES = ["read", "write", "execute"] as const;

/** A permission mask that permits everything at both exception levels. */
export const ALL_PERMISSIONS = 0x3f;

/** The permission fields of a walk. */
export interface PermissionFields {
  /** AP[2:1] of the leaf. */
  ap: number;
  /** UXN of the leaf, 0 or 1. */
  uxn: number;
  /** PXN of the leaf, 0 or 1. */
  pxn: number;
  /** APTable of all tables above, ORed. */
  apTable: number;
  /** UXNTable, ORed. */
  uxnTable: number;
  /** PXNTable, ORed. */
  pxnTable: number;
}

/**
 * Why an access was denied. `table-attributes`: only APTable, UXNTable or PXNTable forbids it.
 * `el0-writable`: writable at EL0 implies PXN. `secure-fetch`: SCR_EL3.SIF forbids the Secure state
 * to execute Non-secure memory.
 */
export type PermissionReason =
  | "ap"
  | "uxn"
  | "pxn"
  | "wxn"
  | "el0-writable"
  | "pan"
  | "secure-fetch"
  | "table-attributes";

/** Packs permission fields into the byte described at the top of this file. */
export function packPermissions(p: PermissionFields): number {
  return p.ap | p.uxn << 2 | p.pxn << 3 | p.apTable << 4 | p.uxnTable << 6 | p.pxnTable << 7;
}

/**
 * The permission mask: bit 0 EL0 read, 1 EL0 write, 2 EL0 execute, 3 EL1 read, 4 EL1 write,
 * 5 EL1 execute.
 *
 * @param packed from {@linkcode packPermissions}
 * @param wxn SCTLR.WXN
 */
export function permissionMask(packed: number, wxn: boolean): number {
  return MASKS[packed | (wxn ? 256 : 0)];
}

/**
 * The same for a regime of one privilege level, EL2 or EL3: AP[1] and PXN mean nothing, UXN is XN.
 * The level's rights stand where EL1's do.
 */
export function privilegedMask(packed: number, wxn: boolean): number {
  const readOnly = (packed & 2 | packed >> 4 & 2) !== 0;
  const never = (packed >> 2 | packed >> 6) & 1 || (wxn && !readOnly);
  return 8 | (readOnly ? 0 : 16) | (never ? 0 : 32);
}

/**
 * Why `access` at `el` is denied, naming the leaf's own field before a table's.
 *
 * @returns null where it is permitted
 */
export function denialReason(
  packed: number,
  wxn: boolean,
  access: Access,
  el: number,
): PermissionReason | null {
  if (el > 1) return privilegedReason(packed, wxn, access);
  const wanted = 1 << access + (el === 0 ? 0 : 3);
  if ((permissionMask(packed, wxn) & wanted) !== 0) return null;
  if (access !== ACCESS_EXECUTE) {
    return (permissionMask(packed & 0x0f, wxn) & wanted) === 0 ? "ap" : "table-attributes";
  }
  const leafNever = el === 0 ? packed >> 2 & 1 : packed >> 3 & 1;
  if (leafNever) return el === 0 ? "uxn" : "pxn";
  const tableNever = el === 0 ? packed >> 6 & 1 : packed >> 7 & 1;
  if (tableNever) return "table-attributes";
  if (el !== 0 && (permissionMask(packed, false) & wanted) === 0) return "el0-writable";
  return "wxn";
}

function privilegedReason(packed: number, wxn: boolean, access: Access): PermissionReason | null {
  if ((privilegedMask(packed, wxn) & 8 << access) !== 0) return null;
  if (access !== ACCESS_EXECUTE) return packed & 2 ? "ap" : "table-attributes";
  if (packed & 4) return "uxn";
  return packed & 0x40 ? "table-attributes" : "wxn";
}

function computeMask(packed: number, wxn: boolean): number {
  const apTable = packed >> 4 & 3;
  // APTable[1] forces AP[2] to 1 (read-only), APTable[0] forces AP[1] to 0 (no EL0 access).
  const ap = (packed & 3 | apTable & 2) & ~(apTable & 1);
  const uxn = (packed >> 2 | packed >> 6) & 1;
  const pxn = (packed >> 3 | packed >> 7) & 1;
  const privilegedWrite = (ap & 2) === 0;
  const userRead = (ap & 1) !== 0;
  const userWrite = ap === 1;
  const userNever = uxn === 1 || userWrite && wxn;
  const privilegedNever = pxn === 1 || userWrite || privilegedWrite && wxn;
  return (userRead ? 1 : 0) | (userWrite ? 2 : 0) | (userNever ? 0 : 4) | 8 |
    (privilegedWrite ? 16 : 0) | (privilegedNever ? 0 : 32);
}

const MASKS = Uint8Array.from({ length: 512 }, (_, i) => computeMask(i & 255, i >= 256));

/** The bit of a permission mask that an access needs. */
export function wantedBit(access: Access, el: number): number {
  return 1 << access + (el === 0 ? 0 : 3);
}
