/** What an implementation supports: the fields of ID_AA64MMFR0_EL1 and its relations that change walks. */
export interface MmuFeatures {
  /** Implemented physical address bits (PARange): 32 to 48. */
  physicalAddressBits: number;
  /** Implemented granules, as log2 of bytes, smallest first: of 12, 14 and 16. */
  granules: readonly number[];
  /** Largest TxSZ: 39, or 48 with FEAT_TTST. */
  maxTxsz: number;
  /** ASIDBits: 8 or 16. */
  asidBits: 8 | 16;
  /**
   * Whether a block descriptor at a level where the granule has none (4 KB: level 0, 16 KB:
   * levels 0 and 1, 64 KB: level 1) is a translation fault, as in the architecture. The reference
   * maps a block of that level's size.
   */
  reservedBlocksFault: boolean;
  /** FEAT_HPDS: TCR_ELx.HPDn leaves the permissions of table descriptors out. */
  hierarchyCanBeOff?: boolean;
  /** FEAT_E0PD: TCR_EL1.E0PDn keeps EL0 off a range. */
  rangesCanBePrivileged?: boolean;
  /** FEAT_BTI: descriptors have GP. */
  guardedPages?: boolean;
  /** FEAT_LVA: with the granule of 64 KB TxSZ may be 12. */
  largeAddresses?: boolean;
  /** FEAT_HAFDBS: hardware keeps the access flag and the dirty state where TCR_ELx asks for it. */
  hardwareFlags?: boolean;
  /** FEAT_XNX: stage 2 execute-never by exception level. */
  executeNeverByLevel?: boolean;
  /** FEAT_VMID16: VTCR_EL2.VS makes VMIDs of 16 bits. */
  longVmids?: boolean;
}

/** Cortex-A57 as the reference has it: 44 bits of physical address, no 16 KB granule. */
export const CORTEX_A57_MMU: MmuFeatures = {
  physicalAddressBits: 44,
  granules: [12, 16],
  maxTxsz: 39,
  asidBits: 16,
  reservedBlocksFault: false,
};

/** Everything that Armv8.0-A permits. */
export const ARMV8_0_MMU: MmuFeatures = {
  physicalAddressBits: 48,
  granules: [12, 14, 16],
  maxTxsz: 39,
  asidBits: 16,
  reservedBlocksFault: true,
};
