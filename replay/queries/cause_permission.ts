/** Denied accesses: which bits deny them, and in which descriptor. */
import * as descriptor from "../../mmu/descriptor.ts";
import type { PermissionReason } from "../../mmu/permissions.ts";
import type { Walk, WalkStep } from "../../mmu/walk.ts";
import type { FailedAccess } from "./cause_start.ts";

/** Causes that are permissions. */
export type PermissionCause = PermissionReason;

/** A reason of a denial in words, in the regime of an EL. */
export function denialText(reason: PermissionReason, el: number): string {
  switch (reason) {
    case "pxn":
      return "PXN is set: nothing there may be executed at EL1";
    case "uxn":
      return el === 1
        ? "UXN is set: nothing there may be executed at EL0"
        : `XN is set: nothing there may be executed at EL${el}`;
    case "wxn":
      return `SCTLR_EL${el}.WXN is set: what is writable may not be executed`;
    case "el0-writable":
      return "AP is 01, writable at EL0: that alone forbids execution at EL1";
    case "pan":
      return "PSTATE.PAN is set, and AP lets EL0 in: EL1 may not touch what EL0 may";
    case "ap":
      return "AP does not permit the access";
    case "secure-fetch":
      return "SCR_EL3.SIF is set: the Secure state may not execute Non-secure memory";
    case "table-attributes":
      return "a table descriptor above forbids it for everything below: APTable, PXNTable or " +
        "UXNTable";
  }
}

/** The bits of a descriptor that deny an access, the first being the most telling. */
export function bitsOf(reason: PermissionReason, { access, el }: FailedAccess): number[] {
  switch (reason) {
    case "pxn":
      return [53];
    case "uxn":
      return [54];
    case "wxn":
      return [7];
    case "pan":
      return [6];
    case "el0-writable":
      return [6, 7];
    case "secure-fetch":
      return [5];
    case "ap":
      return el === 0 ? [6, 7] : [7];
    case "table-attributes":
      return access === 2 ? [el === 1 ? 59 : 60] : access === 1 ? [62, 61] : [61];
  }
}

/** The first table descriptor of a walk that denies the access to all below it. */
export function guiltyTable(
  { steps }: Walk,
  { access, el }: FailedAccess,
): WalkStep | undefined {
  return steps.slice(0, -1).find(({ hi }) => {
    if (access === 2) return (el === 1 ? descriptor.pxnTable(hi) : descriptor.uxnTable(hi)) !== 0;
    const apTable = descriptor.apTable(hi);
    return access === 1 && (apTable & 2) !== 0 || el === 0 && (apTable & 1) !== 0;
  });
}
