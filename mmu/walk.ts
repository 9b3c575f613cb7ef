/**
 * The stage 1 translation table walk (Arm ARM DDI 0487, D8.2; pseudocode AArch64.S1Walk).
 *
 * It reads descriptors through the bus; what hardware changes in the leaf (FEAT_HAFDBS) is left to
 * the caller, only stage 2's of the tables is changed here. Virtual addresses are pairs of unsigned
 * 32-bit words; the walk makes no BigInt. The contiguous bit is a hint and is ignored.
 */

import type { DescriptorBus } from "./bus.ts";
import * as descriptor from "./descriptor.ts";
import type { WalkFault } from "./fault.ts";
import { type HardwareFlags, makesDirty, setFlags } from "./hardware_flags.ts";
import { type Access, ACCESS_READ, packPermissions, type PermissionFields } from "./permissions.ts";
import { type AddressRange, levelShift, type Regime } from "./regime.ts";
import { isStage2Device, stage2Address, type Stage2Walk, useStage2, walkStage2 } from "./stage2.ts";
import { addressBits, alignDown, blockAllowed, powerOfTwo, swapBytes } from "./table_bits.ts";

export { blockAllowed };

/** One descriptor that a walk read. */
export interface WalkStep {
  /** Level of the table. */
  level: number;
  /** Index within the table. */
  index: number;
  /** Physical address of the descriptor. */
  address: number;
  /** Bits 31:0 of the descriptor. */
  lo: number;
  /** Bits 63:32. */
  hi: number;
  /** It is in the Secure address space. */
  secure?: true;
  /** Where there is a stage 2, how it translated the IPA of the descriptor to `address`. */
  stage2?: Stage2Walk;
}

/** What a block or page descriptor, and the tables above it, say. */
export interface Leaf extends PermissionFields, HardwareFlags {
  /** Level of the descriptor. */
  level: number;
  /** log2 of the bytes that the descriptor maps. */
  sizeLog2: number;
  /** Physical address of the block or page, aligned to its size. */
  base: number;
  /** A block at a level where the granule has none; see `reservedBlocksFault`. */
  reserved: boolean;
  /** A block whose address bits below its size are not zero; they are ignored. */
  misaligned: boolean;
  /** Index into MAIR. */
  attrIndex: number;
  /** SH: 0 non-shareable, 2 outer, 3 inner. */
  shareability: number;
  /** nG: belongs to the current ASID only. */
  notGlobal: boolean;
  /** The contiguous hint. */
  contiguous: boolean;
  /** GP, where there is FEAT_BTI. */
  guarded: boolean;
  /** The output is in the Secure address space. */
  secure: boolean;
}

/** The outcome of a walk: either `leaf` or `fault` is null. */
export interface Walk {
  /** 0 for TTBR0, 1 for TTBR1. */
  range: 0 | 1;
  /** The descriptors read, in order; after an external abort, without the one that did not answer. */
  steps: WalkStep[];
  /** The translation found. */
  leaf: Leaf | null;
  /** What ended the walk. */
  fault: WalkFault | null;
}

const words = new Uint32Array(2);

/**
 * Walks the tables for an address. The regime must be enabled.
 *
 * @param bus reads descriptors from physical memory
 * @param regime the decoded regime
 * @param vaHi bits 63:32 of the virtual address, unsigned
 * @param vaLo bits 31:0, unsigned
 */
export function walk(bus: DescriptorBus, regime: Regime, vaHi: number, vaLo: number): Walk {
  // 1. Bit 55 selects the TTBR, also where the top byte is ignored.
  const select = selectRange(regime, vaHi);
  const range = regime.ranges[select];
  const result: Walk = { range: select, steps: [], leaf: null, fault: null };
  // 2. Faults before any lookup are reported at level 0, whatever the start level.
  result.fault = checkRange(range, select, vaHi, vaLo);
  if (result.fault !== null) return result;
  if (range.walksDisabled) {
    result.fault = { kind: "translation", level: 0, cause: "walks-disabled" };
    return result;
  }
  if (range.tableBaseTooLarge) {
    result.fault = { kind: "address-size", level: 0, cause: "ttbr", address: range.tableBase };
    return result;
  }
  lookUp(bus, regime, range, vaHi, vaLo, result);
  return result;
}

/** The range that an address belongs to: bit 55 where the regime has two. */
export function selectRange(regime: Regime, vaHi: number): 0 | 1 {
  return regime.ranges.length === 2 && (vaHi & 1 << 23) !== 0 ? 1 : 0;
}

/**
 * Whether an address is one that the range translates.
 *
 * @returns null if it is
 */
export function checkRange(
  range: AddressRange,
  select: 0 | 1,
  vaHi: number,
  vaLo: number,
): WalkFault | null {
  if (range.txszOutOfRange) return { kind: "translation", level: 0, cause: "txsz" };
  const flip = select === 1 ? 0xffff_ffff : 0;
  if (((vaHi ^ flip) & range.topMaskHi) !== 0 || ((vaLo ^ flip) & range.topMaskLo) !== 0) {
    return { kind: "translation", level: 0, cause: "hole" };
  }
  return null;
}

function lookUp(
  bus: DescriptorBus,
  regime: Regime,
  range: AddressRange,
  vaHi: number,
  vaLo: number,
  result: Walk,
): void {
  const { granuleLog2 } = range;
  const tables = { apTable: 0, uxnTable: 0, pxnTable: 0, secure: false, guarded: false };
  let table = range.tableBase;
  let top = range.inputSize;
  let { secure } = regime;
  for (let level = range.startLevel;; level++) {
    // 3. The index is the address bits that this level resolves; the first may have fewer.
    const shift = levelShift(granuleLog2, level);
    const index = addressBits(vaHi, vaLo, shift, top - shift);
    let address = table + 8 * index;
    top = shift;
    // 4. Fetch the descriptor. Where there is a stage 2, its address is an IPA.
    const stage2 = regime.stage2 === null ? null : translateTable(bus, regime, address);
    if (stage2 !== null) {
      if (stage2.leaf === null || stage2.fault !== null) {
        const fault = stage2.fault!;
        result.fault = {
          kind: "stage2",
          level: fault.level,
          ipa: address,
          onWalk: true,
          fault,
          walk: stage2,
        };
        return;
      }
      address = stage2Address(stage2.leaf, address);
    }
    if (!bus.readDescriptor(address, words, secure)) {
      result.fault = { kind: "external-abort-on-walk", level, address };
      return;
    }
    const lo = regime.bigEndianTables ? swapBytes(words[1]) : words[0];
    const hi = regime.bigEndianTables ? swapBytes(words[0]) : words[1];
    const step: WalkStep = { level, index, address, lo, hi };
    if (secure) step.secure = true;
    if (stage2 !== null) step.stage2 = stage2;
    result.steps.push(step);
    result.fault = checkDescriptor(regime, granuleLog2, level, lo, hi);
    if (result.fault !== null) return;
    const output = descriptor.outputAddress(lo, hi, granuleLog2);
    if (level === 3 || !descriptor.isTableOrPage(lo)) {
      // 7. A block or page. Permissions are checked by the caller, after the access flag here.
      if (!descriptor.accessFlag(lo) && !range.hardwareAccess) {
        result.fault = { kind: "access-flag", level };
      } else {
        tables.secure = secure && !descriptor.nonSecure(lo);
        tables.guarded = regime.guardedPages && descriptor.guardedPage(hi);
        result.leaf = makeLeaf(granuleLog2, level, output, lo, hi, tables);
        setFlags(result.leaf, range, lo, hi);
      }
      return;
    }
    // 8. A table: its attributes restrict everything below.
    if (!range.hierarchyOff) {
      tables.apTable |= descriptor.apTable(hi);
      tables.uxnTable |= descriptor.uxnTable(hi);
      tables.pxnTable |= descriptor.pxnTable(hi);
    }
    secure &&= !descriptor.nonSecureTable(hi);
    table = output;
  }
}

/** Stage 2 of a stage 1 descriptor's address: a read, and with HCR_EL2.PTW one of Normal memory. */
function translateTable(bus: DescriptorBus, regime: Regime, ipa: number): Stage2Walk {
  const stage2 = regime.stage2!;
  const outcome = walkStage2(bus, stage2, ipa);
  const { leaf } = outcome;
  if (leaf === null) return outcome;
  outcome.fault = useStage2(bus, stage2, outcome, ACCESS_READ, 1);
  if (stage2.protectedWalks && isStage2Device(stage2, leaf.memoryAttributes)) {
    outcome.fault ??= { kind: "permission", level: leaf.level, reason: "protected-walk" };
  }
  return outcome;
}

/** What is wrong with a descriptor, whether table, block or page; null if nothing is. */
function checkDescriptor(
  regime: Regime,
  granuleLog2: number,
  level: number,
  lo: number,
  hi: number,
): WalkFault | null {
  // 5. Invalid, or an encoding that is reserved at this level.
  if (!descriptor.isValid(lo)) return { kind: "translation", level, cause: "invalid" };
  const leaf = level === 3 || !descriptor.isTableOrPage(lo);
  if (leaf && isReserved(regime, granuleLog2, level, lo)) {
    return { kind: "translation", level, cause: "reserved" };
  }
  // 6. The address it holds must fit the output size.
  const address = descriptor.outputAddress(lo, hi, granuleLog2);
  if (address >= powerOfTwo(regime.outputSize)) {
    return { kind: "address-size", level, cause: "descriptor", address };
  }
  return null;
}

function isReserved(regime: Regime, granuleLog2: number, level: number, lo: number): boolean {
  if (level === 3) return !descriptor.isTableOrPage(lo);
  return regime.reservedBlocksFault && !blockAllowed(granuleLog2, level);
}

function makeLeaf(
  granuleLog2: number,
  level: number,
  output: number,
  lo: number,
  hi: number,
  tables: Pick<Leaf, "apTable" | "uxnTable" | "pxnTable" | "secure" | "guarded">,
): Leaf {
  const sizeLog2 = levelShift(granuleLog2, level);
  const base = alignDown(output, sizeLog2);
  return {
    level,
    sizeLog2,
    base,
    reserved: level !== 3 && !blockAllowed(granuleLog2, level),
    misaligned: base !== output,
    attrIndex: descriptor.attrIndex(lo),
    shareability: descriptor.shareability(lo),
    notGlobal: descriptor.notGlobal(lo),
    contiguous: descriptor.contiguous(hi),
    ap: descriptor.accessPermissions(lo),
    uxn: descriptor.uxn(hi),
    pxn: descriptor.pxn(hi),
    apTable: tables.apTable,
    uxnTable: tables.uxnTable,
    pxnTable: tables.pxnTable,
    secure: tables.secure,
    guarded: tables.guarded,
  };
}

/** The byte of permissions.ts that a leaf has for an access: a write may make the page writable. */
export function leafPermissions(leaf: Leaf, access: Access): number {
  return packPermissions(leaf) & (makesDirty(leaf, access) ? ~READ_ONLY : ~0);
}

/** AP[2] of a packed byte. */
const READ_ONLY = 2;

/** The physical address of an address that the leaf maps. */
export function leafAddress(leaf: Leaf, vaHi: number, vaLo: number): number {
  const { base, sizeLog2 } = leaf;
  if (sizeLog2 < 32) return base + (vaLo & (1 << sizeLog2) - 1);
  return base + (vaHi & (1 << sizeLog2 - 32) - 1) * 0x1_0000_0000 + vaLo;
}
