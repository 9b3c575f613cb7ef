/** Denied accesses: which bits deny them, and in which descriptor. */
import * as descriptor from "../../mmu/descriptor.ts";
import type { PermissionReason } from "../../mmu/permissions.ts";
import type { Walk, WalkStep } from "../../mmu/walk.ts";
import type { FailedAccess } from "./cause_start.ts";

/** Causes that are permissions. */
export type PermissionCause = PermissionReason;

/** Each reason of a denial in words. */
export const DENIALS: Readonly<
  Record<PermissionReason, { readonly cause: PermissionCause; readonly why: string }>
> = {
  pxn: { cause: "pxn", why: "PXN is set: nothing there may be executed at EL1" },
  uxn: { cause: "uxn", why: "UXN is set: nothing there may be executed at EL0" },
  wxn: { cause: "wxn", why: "SCTLR_EL1.WXN is set: what is writable may not be executed" },
  "el0-writable": {
    cause: "el0-writable",
    why: "AP is 01, writable at EL0: that alone forbids execution at EL1",
  },
  ap: { cause: "ap", why: "AP does not permit the access" },
  "secure-fetch": {
    cause: "secure-fetch",
    why: "SCR_EL3.SIF is set: the Secure state may not execute Non-secure memory",
  },
  "table-attributes": {
    cause: "table-attributes",
    why: "a table descriptor above forbids it for everything below: APTable, PXNTable or UXNTable",
  },
};

/** The bits of a descriptor that deny an access, the first being the most telling. */
export function bitsOf(reason: PermissionReason, { access, el }: FailedAccess): number[] {
  switch (reason) {
    case "pxn":
      return [53];
    case "uxn":
      return [54];
    case "wxn":
      return [7];
    case "el0-writable":
      return [6, 7];
    case "secure-fetch":
      return [5];
    case "ap":
      return el === 0 ? [6, 7] : [7];
    case "table-attributes":
      return access === 2 ? [el === 0 ? 60 : 59] : access === 1 ? [62, 61] : [61];
  }
}

/** The first table descriptor of a walk that denies the access to all below it. */
export function guiltyTable(
  { steps }: Walk,
  { access, el }: FailedAccess,
): WalkStep | undefined {
  return steps.slice(0, -1).find(({ hi }) => {
    if (access === 2) return (el === 0 ? descriptor.uxnTable(hi) : descriptor.pxnTable(hi)) !== 0;
    const apTable = descriptor.apTable(hi);
    return access === 1 && (apTable & 2) !== 0 || el === 0 && (apTable & 1) !== 0;
  });
}
