/**
 * Stage 2: from the intermediate physical addresses of EL1&0 to physical ones (Arm ARM D8.2.7,
 * D8.4.2, D8.5.5; pseudocode AArch64.S2Walk).
 */

import type { DescriptorBus } from "./bus.ts";
import * as descriptor from "./descriptor.ts";
import type { StageFault } from "./fault.ts";
import {
  flagsOf,
  type HardwareFlags,
  keptFlags,
  makesDirty,
  updatedLow,
  writeBack,
} from "./hardware_flags.ts";
import { type Access, ACCESS_EXECUTE, ACCESS_READ, ACCESS_WRITE } from "./permissions.ts";
import { type MmuFeatures } from "./features.ts";
import { type AddressRange, clampTxsz, levelShift } from "./regime.ts";
import { addressBits, blockAllowed, swapBytes } from "./table_bits.ts";

/** The registers that define stage 2, as 64-bit values. */
export interface Stage2Registers {
  /** VTCR_EL2. */
  vtcr: bigint;
  /** VTTBR_EL2. */
  vttbr: bigint;
  /** SCTLR_EL2.EE: tables are big-endian. */
  bigEndian: boolean;
  /** HCR_EL2.PTW: a stage 1 table in Device memory is a permission fault. */
  protectedWalks: boolean;
  /** HCR_EL2.FWB: MemAttr says what memory is, whatever stage 1 says (FEAT_S2FWB). */
  forced?: boolean;
}

/** Stage 2, decoded once for each change of its registers. */
export interface Stage2 {
  /** Size of IPAs, granule and tables. `txszOutOfRange` also where VTCR_EL2's fields do not go together. */
  readonly range: AddressRange;
  /** log2 of the bytes of the first table, all concatenated ones together. */
  readonly outputSize: number;
  /** Blocks at levels without blocks are faults. See `MmuFeatures`. */
  readonly reservedBlocksFault: boolean;
  /** FEAT_XNX. */
  readonly executeNeverByLevel: boolean;
  /** SCTLR_EL2.EE. */
  readonly bigEndianTables: boolean;
  /** HCR_EL2.PTW. */
  readonly protectedWalks: boolean;
  /** HCR_EL2.FWB. */
  readonly forced: boolean;
}

/** One stage 2 descriptor that a walk read. */
export interface Stage2Step {
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
}

/** What a stage 2 block or page descriptor says. */
export interface Stage2Leaf extends HardwareFlags {
  /** Level of the descriptor. */
  level: number;
  /** log2 of the bytes that it maps. */
  sizeLog2: number;
  /** Physical address, aligned to the size. */
  base: number;
  /** S2AP and XN: bit 0 read, 1 write, 2 execute at EL1, as accesses are numbered; 3 execute at EL0. */
  permissions: number;
  /** MemAttr[3:0]. */
  memoryAttributes: number;
  /** SH: 0 non-shareable, 2 outer, 3 inner. */
  shareability: number;
  /** The contiguous hint. */
  contiguous: boolean;
}

/** The outcome of a stage 2 walk: either `leaf` or `fault` is null. */
export interface Stage2Walk {
  /** The address translated. */
  ipa: number;
  /** The descriptors read, in order. */
  steps: Stage2Step[];
  /** The translation found. */
  leaf: Stage2Leaf | null;
  /** What ended the walk. */
  fault: StageFault | null;
}

const TWO_POW_32 = 0x1_0000_0000;
const OUTPUT_SIZES = [32, 36, 40, 42, 44, 48, 48, 48];
const GRANULES = [12, 16, 14, 0];
/** VTCR_EL2 fields. */
const VTCR = { t0sz: 0, sl0: 6, tg0: 14, ps: 16, ha: 21, hd: 22 } as const;
const words = new Uint32Array(2);

/** Decodes VTCR_EL2 and VTTBR_EL2 (Arm ARM D17.2). */
export function makeStage2(registers: Stage2Registers, features: MmuFeatures): Stage2 {
  const { vtcr, vttbr, bigEndian, protectedWalks, forced = false } = registers;
  const field = (at: number, width: number) => Number(vtcr >> BigInt(at)) & (1 << width) - 1;
  const outputSize = Math.min(OUTPUT_SIZES[field(VTCR.ps, 3)], features.physicalAddressBits);
  const txsz = field(VTCR.t0sz, 6);
  const requested = GRANULES[field(VTCR.tg0, 2)];
  const granuleLog2 = features.granules.includes(requested) ? requested : features.granules[0];
  const clamped = clampTxsz(txsz, granuleLog2, features);
  const inputSize = 64 - clamped;
  const startLevel = startOf(granuleLog2, field(VTCR.sl0, 2), features.maxTxsz > 39);
  const usable = clamped === txsz &&
    isStartPossible({ startLevel, inputSize, outputSize, granuleLog2 });
  // Concatenated tables are one larger table.
  const tableLog2 = inputSize - levelShift(granuleLog2, Math.max(startLevel, 0)) + 3;
  const base = vttbr & 0xffff_ffff_ffffn;
  const align = BigInt(Math.max(tableLog2, 4));
  return {
    range: {
      inputSize,
      txszOutOfRange: !usable,
      walksDisabled: false,
      granuleLog2,
      startLevel,
      topByteIgnored: false,
      codeTopByteIgnored: false,
      topMaskHi: 0,
      topMaskLo: 0,
      tableBase: Number(base >> align << align),
      tableBaseTooLarge: base >> BigInt(outputSize) !== 0n,
      ...keptFlags(
        features.hardwareFlags ?? false,
        field(VTCR.ha, 1) === 1,
        field(VTCR.hd, 1) === 1,
      ),
    },
    outputSize,
    reservedBlocksFault: features.reservedBlocksFault,
    executeNeverByLevel: features.executeNeverByLevel ?? false,
    bigEndianTables: bigEndian,
    protectedWalks,
    forced,
  };
}

/** VTCR_EL2.SL0: with FEAT_TTST 3 is level 3 for the granule of 4 KB. */
function startOf(granuleLog2: number, sl0: number, smallTables: boolean): number {
  if (granuleLog2 !== 12) return 3 - sl0;
  return sl0 === 3 && smallTables ? 3 : 2 - sl0;
}

/**
 * Whether SL0, T0SZ, PS and the granule go together (D8.2.7): at most 16 concatenated tables, and
 * no level that the output size makes superfluous. Others are CONSTRAINED UNPREDICTABLE; the
 * reference faults.
 */
function isStartPossible(
  { startLevel, inputSize, outputSize, granuleLog2 }: {
    startLevel: number;
    inputSize: number;
    outputSize: number;
    granuleLog2: number;
  },
): boolean {
  const stride = granuleLog2 - 3;
  if (startLevel < 0 || inputSize > outputSize) return false;
  const resolved = inputSize - ((3 - startLevel) * stride + granuleLog2);
  if (resolved < 1 || resolved > stride + 4) return false;
  switch (granuleLog2) {
    case 16:
      return startLevel !== 0 && (startLevel !== 1 || outputSize > 42);
    case 14:
      return startLevel !== 0 && (startLevel !== 1 || outputSize > 40);
    default:
      return startLevel !== 0 || outputSize > 42;
  }
}

/** Walks the stage 2 tables for an IPA. Permissions are for the caller to check. */
export function walkStage2(bus: DescriptorBus, stage2: Stage2, ipa: number): Stage2Walk {
  const { range } = stage2;
  const { granuleLog2 } = range;
  const result: Stage2Walk = { ipa, steps: [], leaf: null, fault: null };
  // 1. Faults before any lookup are reported at level 0.
  result.fault = checkInput(range, ipa);
  if (result.fault !== null) return result;
  const hi = Math.floor(ipa / TWO_POW_32), lo = ipa % TWO_POW_32;
  let table = range.tableBase, top = range.inputSize;
  for (let level = range.startLevel;; level++) {
    // 2. Fetch the descriptor. Tables of stage 2 are in physical memory.
    const shift = levelShift(granuleLog2, level);
    const index = addressBits(hi, lo, shift, top - shift);
    const address = table + 8 * index;
    top = shift;
    if (!bus.readDescriptor(address, words)) {
      result.fault = { kind: "external-abort-on-walk", level, address };
      return result;
    }
    const low = stage2.bigEndianTables ? swapBytes(words[1]) : words[0];
    const high = stage2.bigEndianTables ? swapBytes(words[0]) : words[1];
    result.steps.push({ level, index, address, lo: low, hi: high });
    // 3. Invalid or reserved descriptors, addresses that are too large.
    result.fault = checkDescriptor(stage2, level, low, high);
    if (result.fault !== null) return result;
    const output = descriptor.outputAddress(low, high, granuleLog2);
    // 4. A block or page, or the next table.
    if (level === 3 || !descriptor.isTableOrPage(low)) {
      if (!descriptor.accessFlag(low) && !range.hardwareAccess) {
        result.fault = { kind: "access-flag", level };
      } else {
        result.leaf = makeLeaf(stage2, level, output, low, high);
      }
      return result;
    }
    table = output;
  }
}

function checkInput(range: AddressRange, ipa: number): StageFault | null {
  if (range.txszOutOfRange) return { kind: "translation", level: 0, cause: "txsz" };
  if (ipa >= 2 ** range.inputSize) return { kind: "translation", level: 0, cause: "hole" };
  if (!range.tableBaseTooLarge) return null;
  return { kind: "address-size", level: 0, cause: "ttbr", address: range.tableBase };
}

function checkDescriptor(stage2: Stage2, level: number, lo: number, hi: number): StageFault | null {
  const { granuleLog2 } = stage2.range;
  if (!descriptor.isValid(lo)) return { kind: "translation", level, cause: "invalid" };
  const table = descriptor.isTableOrPage(lo);
  const reserved = level === 3
    ? !table
    : !table && stage2.reservedBlocksFault && !blockAllowed(granuleLog2, level);
  if (reserved) return { kind: "translation", level, cause: "reserved" };
  const address = descriptor.outputAddress(lo, hi, granuleLog2);
  if (address < 2 ** stage2.outputSize) return null;
  return { kind: "address-size", level, cause: "descriptor", address };
}

const EXECUTE_EL1 = 1 << ACCESS_EXECUTE, EXECUTE_EL0 = EXECUTE_EL1 << 1;
/** By XN[1:0] of FEAT_XNX. */
const EXECUTE = [EXECUTE_EL1 | EXECUTE_EL0, EXECUTE_EL0, 0, EXECUTE_EL1];

function makeLeaf(
  { range, executeNeverByLevel }: Stage2,
  level: number,
  output: number,
  lo: number,
  hi: number,
): Stage2Leaf {
  const sizeLog2 = levelShift(range.granuleLog2, level);
  const size = 2 ** sizeLog2;
  const access = descriptor.accessPermissions(lo);
  // Without FEAT_XNX XN[0] is RES0.
  const never = descriptor.uxn(hi) << 1 | (executeNeverByLevel ? descriptor.pxn(hi) : 0);
  return {
    level,
    sizeLog2,
    base: Math.floor(output / size) * size,
    permissions: access | EXECUTE[never],
    memoryAttributes: descriptor.stage2MemoryAttributes(lo),
    shareability: descriptor.shareability(lo),
    contiguous: descriptor.contiguous(hi),
    ...flagsOf(range, lo, hi),
  };
}

/** The physical address of an IPA that the leaf maps. */
export function stage2Address(leaf: Stage2Leaf, ipa: number): number {
  return leaf.base + ipa % 2 ** leaf.sizeLog2;
}

/** Why stage 2 denies an access at an EL that its leaf does not permit. */
export function stage2Denial(
  leaf: Pick<Stage2Leaf, "permissions" | "level" | "dirtyModifier">,
  access: Access,
  el: number,
): StageFault | null {
  if (makesDirty(leaf, access)) return null;
  const wanted = access === ACCESS_EXECUTE && el === 0 ? EXECUTE_EL0 : 1 << access;
  if ((leaf.permissions & wanted) !== 0) return null;
  const reason = access === ACCESS_READ
    ? "s2ap-read"
    : access === ACCESS_WRITE
    ? "s2ap-write"
    : "s2-xn";
  return { kind: "permission", level: leaf.level, reason };
}

/**
 * Checks an access by the leaf of a walk and, where hardware keeps flags, updates its descriptor.
 *
 * @returns why not
 */
export function useStage2(
  bus: DescriptorBus,
  stage2: Stage2,
  { leaf, steps }: Stage2Walk,
  access: Access,
  el: number,
): StageFault | null {
  const denial = stage2Denial(leaf!, access, el);
  if (denial !== null) return denial;
  if (makesDirty(leaf!, access)) leaf!.permissions |= 1 << ACCESS_WRITE;
  const read = steps[steps.length - 1], low = updatedLow(read.lo, leaf!, access, 2);
  if (low === read.lo || writeBack(bus, read, low, stage2.bigEndianTables)) return null;
  return { kind: "unsupported-atomic-update", level: leaf!.level };
}

/** The six bits that the permissions of stage 2 leave of a mask of permissions.ts. */
export function stage2Mask(permissions: number): number {
  return permissions & 3 | (permissions & EXECUTE_EL0) >> 1 | (permissions & 7) << 3;
}

/** Whether MemAttr[3:0] is Device memory. */
export function isStage2Device(
  { forced }: Pick<Stage2, "forced">,
  memoryAttributes: number,
): boolean {
  return forced ? (memoryAttributes & 4) === 0 : memoryAttributes >>> 2 === 0;
}

const NON_CACHEABLE = 4;
const WRITE_THROUGH = 2, WRITE_BACK_HINTS = 3;

/**
 * The attribute byte of both stages together (D8.5.5): the weaker of both, or what stage 2 forces.
 *
 * @param first of MAIR
 * @param memoryAttributes MemAttr[3:0] of stage 2
 */
export function combineAttributes(
  { forced }: Pick<Stage2, "forced">,
  first: number,
  memoryAttributes: number,
): number {
  if (forced) return forceAttributes(first, memoryAttributes);
  const outer = memoryAttributes >>> 2, inner = memoryAttributes & 3;
  const device2 = outer === 0, device1 = first >>> 4 === 0;
  if (device1 || device2) {
    // As MAIR has them: 0 nGnRnE, 4 nGnRE, 8 nGRE, 12 GRE. Normal memory restricts nothing.
    const kind1 = device1 ? first & 12 : 12, kind2 = device2 ? inner << 2 : 12;
    return Math.min(kind1, kind2);
  }
  return combineCacheability(first >>> 4, outer) << 4 | combineCacheability(first & 15, inner);
}

/** The attribute byte where HCR_EL2.FWB is set; reserved values are Device memory, as on the reference. */
function forceAttributes(first: number, memoryAttributes: number): number {
  const isDevice = first >>> 4 === 0;
  switch (memoryAttributes) {
    case 7:
      return first;
    case 6:
      return isDevice ? 0xff : forceWriteBack(first >>> 4) << 4 | forceWriteBack(first & 15);
    case 5:
      return isDevice ? first : 0x44;
    default:
      return memoryAttributes < 4 ? memoryAttributes << 2 : 0;
  }
}

/** Half of the byte, with the allocation hints of what is cacheable. */
function forceWriteBack(half: number): number {
  return half === 0 || half === NON_CACHEABLE ? 15 : half | 4;
}

/** @param second 1 Non-cacheable, 2 Write-Through, 3 Write-Back */
function combineCacheability(first: number, second: number): number {
  if (first === NON_CACHEABLE || second === 1) return NON_CACHEABLE;
  const writeThrough = first >>> 2 === 0 || first >>> 2 === WRITE_THROUGH;
  if (writeThrough || second !== WRITE_THROUGH) return first;
  return WRITE_THROUGH << 2 | first & WRITE_BACK_HINTS;
}

/** The shareability of both stages together: the wider; Device and Non-cacheable memory is outer shareable. */
export function combineShareability(first: number, second: number, attributes: number): number {
  const OUTER = 2, INNER = 3;
  if (attributes >>> 4 === 0 || attributes === 0x44) return OUTER;
  if (first === OUTER || second === OUTER) return OUTER;
  return first === INNER || second === INNER ? INNER : 0;
}
