/**
 * The words of the modelled TLB.
 *
 * All state is in one array of 32-bit words given by the caller: it can lie in WebAssembly memory
 * and is saved by copying. Layout, in words:
 *
 *     0 …  15   entries present, by size class
 *    16 … 271   round-robin pointer of each set
 *   272 …       entries, 8 words each, set by set
 *
 * and of an entry:
 *
 *     0  bit 0 valid, 1 global, 5:2 size class, 7:6 level, 9:8 regime, 11:10 shareability,
 *        14:12 AttrIndx, 23:16 permission fields as permissions.ts packs them, 24 the regime is
 *        Secure, 25 the output is in the Secure address space, 26 GP
 *     1  15:0 ASID, 31:16 VMID
 *     2  address bits 31:0, aligned to the size        3  address bits 63:32
 *     4  physical address bits 31:0                    5  bits 47:32
 *     6  stage 2, 0 where there is none: 3:0 MemAttr, 5:4 shareability, 8:6 read, write, execute,
 *        10:9 level, 11 stage 1 is off, 12 set
 *     7  reserved, 0
 */

/** Sets. */
export const TLB_SETS = 256;
/** Ways of each set. */
export const TLB_WAYS = 4;
/** 32-bit words of state. */
export const TLB_WORDS: number = 272 + TLB_SETS * TLB_WAYS * 8;

/** What stands in an entry. Addresses are aligned to the size. */
export interface TlbEntry {
  /** Tag of the regime. */
  regime: number;
  /** ASID that filled the entry, also where it is global. */
  asid: number;
  /** Belongs to every ASID. */
  global: boolean;
  /** Canonical virtual address, bits 63:32: bits 63:56 equal bit 55. */
  vaHi: number;
  /** Bits 31:0. */
  vaLo: number;
  /** Physical address. */
  base: number;
  /** log2 of the bytes covered. */
  sizeLog2: number;
  /** Level of the leaf descriptor. */
  level: number;
  /** Index into MAIR. */
  attrIndex: number;
  /** SH of the leaf. */
  shareability: number;
  /** The byte that permissions.ts packs. */
  packedPermissions: number;
  /** The output is in the Secure address space. */
  secure: boolean;
  /** GP of the leaf. */
  guarded: boolean;
  /** What stage 2 said; null where there is none. Size and base are those of both stages together. */
  stage2: TlbStage2 | null;
}

/** The part of stage 2 in an entry. */
export interface TlbStage2 {
  /** Level of the leaf descriptor. */
  level: number;
  /** S2AP and XN: bit 0 read, 1 write, 2 execute at EL1, 3 execute at EL0. */
  permissions: number;
  /** MemAttr[3:0]. */
  memoryAttributes: number;
  /** SH. */
  shareability: number;
  /** Stage 1 is off: all of its fields but the address mean nothing. */
  flat: boolean;
}

/** log2 of the bytes of an entry, by size class. */
export const SIZES = [12, 14, 16, 21, 25, 29, 30, 36, 39, 42, 47];
/** First word of the round-robin pointers. */
export const POINTERS = 16;
/** First word of the entries. */
export const ENTRIES = 272;
/** Words of an entry. */
export const ENTRY_WORDS = 8;

/** Bits of an entry's first word. */
export const VALID = 1;
export const GLOBAL = 2;
export const SECURE_REGIME = 1 << 24, SECURE_OUTPUT = 1 << 25, GUARDED = 1 << 26;
const STAGE2_FLAT = 1 << 11, STAGE2_SET = 1 << 12;

/** A regime's tag, without its VMID, as an entry's first word has it. */
export function tagBits(regime: number): number {
  return (regime & 3) << 8 | (regime & 4) << 22;
}

/** What stage 2 said, as an entry has it. */
export function packStage2(
  { memoryAttributes, shareability, permissions, level, flat }: TlbStage2,
): number {
  return memoryAttributes | shareability << 4 | (permissions & 7) << 6 | level << 9 |
    (permissions & 8) << 10 | (flat ? STAGE2_FLAT : 0) | STAGE2_SET;
}

/** The reverse of {@linkcode packStage2}; null where there was no stage 2. */
export function unpackStage2(word: number): TlbStage2 | null {
  if (word === 0) return null;
  return {
    memoryAttributes: word & 15,
    shareability: word >>> 4 & 3,
    permissions: word >>> 6 & 7 | word >>> 10 & 8,
    level: word >>> 9 & 3,
    flat: (word & STAGE2_FLAT) !== 0,
  };
}

/** A saved state comes from a file: refuses one that would break an invariant. */
export function checkState(state: Uint32Array): void {
  const fail = (what: string): never => {
    throw new RangeError(`Cannot restore the TLB: ${what}`);
  };
  if (state.length !== TLB_WORDS) fail(`expected ${TLB_WORDS} words, found ${state.length}`);
  const present = new Uint32Array(POINTERS);
  for (let entry = ENTRIES; entry < TLB_WORDS; entry += ENTRY_WORDS) {
    if ((state[entry] & VALID) === 0) continue;
    const sizeClass = state[entry] >>> 2 & 15;
    if (sizeClass >= SIZES.length) fail(`size class ${sizeClass}`);
    present[sizeClass]++;
    if (state[entry + 5] > 0xffff) fail("a physical address of more than 48 bits");
  }
  present.forEach((count, i) => {
    if (count !== state[i]) fail(`size class ${i}: expected ${count} entries, found ${state[i]}`);
  });
  for (let set = 0; set < TLB_SETS; set++) {
    if (state[POINTERS + set] >= TLB_WAYS) fail(`way ${state[POINTERS + set]} in set ${set}`);
  }
}

/** High word with bits 63:56 made equal to bit 55: the form in which the TLB holds addresses. */
export function canonical(vaHi: number): number {
  return vaHi << 8 >> 8 >>> 0;
}
