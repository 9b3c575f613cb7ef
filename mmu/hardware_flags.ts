/**
 * The access flag and the dirty state as hardware keeps them (FEAT_HAFDBS, Arm ARM D8.4.5 and
 * D8.4.6): before a translation is used, its walk sets AF in the leaf's descriptor, and for a write
 * makes a page writable whose DBM says that it may.
 */

import type { DescriptorBus } from "./bus.ts";
import * as descriptor from "./descriptor.ts";
import { type Access, ACCESS_WRITE } from "./permissions.ts";
import { swapBytes } from "./table_bits.ts";

/** What a leaf says of its hardware flags. */
export interface HardwareFlags {
  /** AF is clear and hardware sets it. */
  accessFlagClear?: true;
  /** DBM, where hardware keeps the dirty state: a write makes the page writable. */
  dirtyModifier?: true;
}

/** Which flags hardware keeps: TCR_ELx.HA and HD, or VTCR_EL2's. */
export interface KeptFlags {
  /** HA: the access flag. */
  hardwareAccess?: boolean;
  /** HD, which needs HA: the dirty state. */
  hardwareDirty?: boolean;
}

/** Reads HA and HD. */
export function keptFlags(isThere: boolean, ha: boolean, hd: boolean): KeptFlags {
  if (!isThere || !ha) return {};
  return hd ? { hardwareAccess: true, hardwareDirty: true } : { hardwareAccess: true };
}

/** The flags of a leaf; its AF is set, or hardware sets it. */
export function flagsOf(kept: KeptFlags, lo: number, hi: number): HardwareFlags {
  const flags: HardwareFlags = {};
  setFlags(flags, kept, lo, hi);
  return flags;
}

/** Sets the same in a leaf, where they are not as usual. */
export function setFlags(leaf: HardwareFlags, kept: KeptFlags, lo: number, hi: number): void {
  if (!descriptor.accessFlag(lo)) leaf.accessFlagClear = true;
  if (kept.hardwareDirty && descriptor.dirtyBitModifier(hi)) leaf.dirtyModifier = true;
}

/** Whether an access makes a page writable. */
export function makesDirty({ dirtyModifier }: HardwareFlags, access: Access): boolean {
  return dirtyModifier === true && access === ACCESS_WRITE;
}

/** A leaf's descriptor as it was read. */
interface Read {
  readonly address: number;
  readonly lo: number;
  readonly hi: number;
  readonly secure?: boolean;
}

/** Bits 31:0 of a leaf's descriptor after an access of the stage. */
export function updatedLow(lo: number, leaf: HardwareFlags, access: Access, stage: 1 | 2): number {
  const used = descriptor.withAccessFlag(lo);
  if (!makesDirty(leaf, access)) return used;
  return stage === 1 ? descriptor.withoutReadOnly(used) : descriptor.withStage2Write(used);
}

/**
 * Writes a descriptor back. A bus that only looks at memory leaves it.
 *
 * @param lo its new bits 31:0
 * @returns false where it is in no memory that can be updated atomically
 */
export function writeBack(bus: DescriptorBus, read: Read, lo: number, bigEndian: boolean): boolean {
  if (bus.writeDescriptor === undefined) return true;
  const { address, hi, secure } = read;
  return bigEndian
    ? bus.writeDescriptor(address, swapBytes(hi), swapBytes(lo), secure)
    : bus.writeDescriptor(address, lo, hi, secure);
}
