/**
 * The fields of VMSAv8-64 descriptors, each declared once (Arm ARM DDI 0487, D8.3).
 *
 * A descriptor is two unsigned 32-bit words: `lo` holds bits 31:0 and `hi` holds bits 63:32. No
 * other file shifts descriptor bits.
 */

const TWO_POW_32 = 0x1_0000_0000;

/** Bit 0: the descriptor is valid. */
export function isValid(lo: number): boolean {
  return (lo & 1) !== 0;
}

/** Bit 1: a table at levels 0 to 2, a page at level 3. Clear: a block at levels 0 to 2, reserved at level 3. */
export function isTableOrPage(lo: number): boolean {
  return (lo & 2) !== 0;
}

/** Bits 4:2: index into MAIR_ELx. Blocks and pages only, as are all fields up to {@linkcode uxn}. */
export function attrIndex(lo: number): number {
  return lo >>> 2 & 7;
}

/** Bit 5, NS: in the Secure state, the page is in the Non-secure address space. Blocks and pages only. */
export function nonSecure(lo: number): boolean {
  return (lo & 1 << 5) !== 0;
}

/** Bit 63, NSTable: in the Secure state, all below is in the Non-secure address space. Tables only. */
export function nonSecureTable(hi: number): boolean {
  return hi < 0 || hi >= 0x8000_0000;
}

/** Bits 5:2 of a stage 2 block or page, MemAttr[3:0]. Its S2AP stands where AP[2:1] does, its XN where UXN does. */
export function stage2MemoryAttributes(lo: number): number {
  return lo >>> 2 & 15;
}

/** Bits 7:6, AP[2:1]: 0 EL1 read-write; 1 all read-write; 2 EL1 read-only; 3 all read-only. */
export function accessPermissions(lo: number): number {
  return lo >>> 6 & 3;
}

/** Bits 9:8: 0 non-shareable, 2 outer shareable, 3 inner shareable. */
export function shareability(lo: number): number {
  return lo >>> 8 & 3;
}

/** Bit 10, AF. */
export function accessFlag(lo: number): boolean {
  return (lo & 1 << 10) !== 0;
}

/** A descriptor's low word with AF set. */
export function withAccessFlag(lo: number): number {
  return (lo | 1 << 10) >>> 0;
}

/** Bit 51, DBM: hardware may make the page writable. */
export function dirtyBitModifier(hi: number): boolean {
  return (hi & 1 << 19) !== 0;
}

/** A stage 1 descriptor's low word with AP[2] clear. */
export function withoutReadOnly(lo: number): number {
  return (lo & ~(1 << 7)) >>> 0;
}

/** A stage 2 descriptor's low word with S2AP[1] set. */
export function withStage2Write(lo: number): number {
  return (lo | 1 << 7) >>> 0;
}

/** Bit 11, nG: the translation belongs to the current ASID only. */
export function notGlobal(lo: number): boolean {
  return (lo & 1 << 11) !== 0;
}

/** Bit 50, GP: indirect branches into it must land where they may (FEAT_BTI). */
export function guardedPage(hi: number): boolean {
  return (hi & 1 << 18) !== 0;
}

/** Bit 52, the contiguous hint. */
export function contiguous(hi: number): boolean {
  return (hi & 1 << 20) !== 0;
}

/** Bit 53, PXN, as 0 or 1. */
export function pxn(hi: number): number {
  return hi >>> 21 & 1;
}

/** Bit 54, UXN (XN in regimes of one privilege level), as 0 or 1. */
export function uxn(hi: number): number {
  return hi >>> 22 & 1;
}

/** Bit 59, PXNTable, as 0 or 1. Table descriptors only, as are the two below. */
export function pxnTable(hi: number): number {
  return hi >>> 27 & 1;
}

/** Bit 60, UXNTable (XNTable), as 0 or 1. */
export function uxnTable(hi: number): number {
  return hi >>> 28 & 1;
}

/** Bits 62:61, APTable: bit 0 forbids EL0 access, bit 1 forbids writes, to everything below. */
export function apTable(hi: number): number {
  return hi >>> 29 & 3;
}

/**
 * Bits 47:n, the next table's or the output address.
 *
 * @param granuleLog2 n: 12, 14 or 16
 */
export function outputAddress(lo: number, hi: number, granuleLog2: number): number {
  return (hi & 0xffff) * TWO_POW_32 + ((lo >>> granuleLog2) << granuleLog2 >>> 0);
}
