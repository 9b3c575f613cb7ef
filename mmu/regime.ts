/**
 * A translation regime, decoded once for each change of the registers that define it.
 *
 * The walk and the TLB read only this record, never a system register. It describes any stage 1
 * regime: one address range or two, one privilege level or two.
 */

import { CORTEX_A57_MMU, type MmuFeatures } from "./features.ts";
import { type KeptFlags, keptFlags } from "./hardware_flags.ts";
import { makeStage2, type Stage2, type Stage2Registers } from "./stage2.ts";

/** The registers that define the EL1&0 regime, as 64-bit values. */
export interface RegimeRegisters {
  /** SCTLR_EL1. */
  sctlr: bigint;
  /** TCR_EL1. */
  tcr: bigint;
  /** TTBR0_EL1. */
  ttbr0: bigint;
  /** TTBR1_EL1. */
  ttbr1: bigint;
  /** MAIR_EL1. */
  mair: bigint;
  /** HCR_EL2 as it is in effect: DC makes stage 1 flat with Normal memory, TGE flat, VM and DC bring stage 2. */
  hcr?: bigint;
  /** VTCR_EL2, VTTBR_EL2 and what goes with them, where EL2 is enabled. */
  stage2?: Stage2Registers;
  /** They are EL2's, for the EL2&0 regime: HCR_EL2.E2H is set. Then there are no `hcr` and `stage2`. */
  host?: boolean;
  /** The regime is Secure. */
  secure?: boolean;
  /** SCR_EL3.SIF: the Secure state does not execute Non-secure memory. */
  secureFetchOnly?: boolean;
}

/** The registers that define the regime of EL2 or EL3, as 64-bit values. */
export type PrivilegedRegisters = Omit<RegimeRegisters, "ttbr1" | "hcr" | "stage2" | "host">;

/** One TTBR with its half of TCR. */
export interface AddressRange extends KeptFlags {
  /** Bits of virtual address that are translated: 64 − TxSZ. */
  inputSize: number;
  /** TxSZ outside what is implemented: every translation faults at level 0. */
  txszOutOfRange: boolean;
  /** EPDn: a TLB miss faults at level 0 instead of walking. */
  walksDisabled: boolean;
  /** log2 of the granule in bytes: 12, 14 or 16. */
  granuleLog2: number;
  /** Level of the first lookup. */
  startLevel: number;
  /** HPDn: the permissions of table descriptors do not count. */
  hierarchyOff?: boolean;
  /** E0PDn: accesses of EL0 fault at level 0. */
  privileged?: boolean;
  /** TBIn: bits 63:56 of an address are ignored. */
  topByteIgnored: boolean;
  /** TBIn without TBIDn: those of an instruction's address, too. */
  codeTopByteIgnored: boolean;
  /** Bits of an address's high word that must all equal its bit 55. */
  topMaskHi: number;
  /** The same of its low word. */
  topMaskLo: number;
  /** Physical address of the first table, aligned to its size. */
  tableBase: number;
  /** TTBR holds address bits at or above the output size: an address size fault at level 0. */
  tableBaseTooLarge: boolean;
}

/**
 * Regimes, as tagged in the TLB. {@linkcode REGIME_SECURE} is added for Secure EL1&0, and for
 * EL1&0 under EL2 the VMID from {@linkcode VMID_SHIFT} upwards.
 */
export const REGIME_EL10 = 0;
/** The regime of EL2. */
export const REGIME_EL2 = 1;
/** The regime of EL3. */
export const REGIME_EL3 = 2;
/** The regime EL2&0, which takes the place of EL2's while HCR_EL2.E2H is set. */
export const REGIME_EL20 = 3;
/** Beside {@linkcode REGIME_EL10}. */
export const REGIME_SECURE = 4;
/** See {@linkcode REGIME_EL10}. */
export const VMID_SHIFT = 8;

/** A decoded translation regime. */
export interface Regime {
  /** Which regime: {@linkcode REGIME_EL10}. */
  readonly tag: number;
  /** The EL whose registers define it: 1, 2 or 3. */
  readonly el: 1 | 2 | 3;
  /** EL0 has rights of its own in it: EL1&0 and EL2&0. */
  readonly hasEl0: boolean;
  /** It is Secure: walks begin in the Secure address space. */
  readonly secure: boolean;
  /** SCR_EL3.SIF, in a Secure regime. */
  readonly secureFetchOnly: boolean;
  /** Stage 2, or null where there is none. */
  readonly stage2: Stage2 | null;
  /** Stage 1 translation is on (SCTLR.M, and not HCR_EL2.DC). */
  readonly enabled: boolean;
  /** HCR_EL2.DC: flat data accesses are Normal Write-Back. */
  readonly defaultCacheable: boolean;
  /** One range, or two chosen by address bit 55. */
  readonly ranges: readonly AddressRange[];
  /** Bits of output address: the smaller of IPS and what is implemented. */
  readonly outputSize: number;
  /** Implemented bits of physical address, which bound flat accesses. */
  readonly physicalAddressBits: number;
  /** Blocks at levels without blocks are faults. See {@linkcode MmuFeatures}. */
  readonly reservedBlocksFault: boolean;
  /** Descriptors have GP (FEAT_BTI). */
  readonly guardedPages: boolean;
  /** MAIR: attribute byte by AttrIndx. */
  readonly attributes: Uint8Array;
  /** Current ASID, from the TTBR that TCR.A1 names. */
  readonly asid: number;
  /** The bits that an ASID has (TCR.AS): 0xff or 0xffff. */
  readonly asidMask: number;
  /** SCTLR.WXN: writable implies execute-never. */
  readonly wxn: boolean;
  /** SCTLR.EE: tables are big-endian. */
  readonly bigEndianTables: boolean;
  /** SCTLR.I: flat instruction fetches are Write-Through instead of Non-cacheable. */
  readonly instructionCache: boolean;
}

const SCTLR_M = 0, SCTLR_I = 12, SCTLR_WXN = 19, SCTLR_EE = 25;
const HCR_VM = 0, HCR_DC = 12, HCR_TGE = 27;
/** VMIDs have 8 bits, or 16 with VTCR_EL2.VS. */
const VTTBR_VMID = 48, VMID_BITS = 8, LONG_VMID_BITS = 16, VTCR_VS = 19;
const TCR_A1 = 22, TCR_IPS = 32, TCR_AS = 36;

/** Where the two halves of TCR_EL1 keep their fields. */
const TCR_HALF = [
  {
    txsz: 0,
    epd: 7,
    tg: 14,
    tbi: 37,
    tbid: 51,
    hpd: 41,
    e0pd: 55,
    ha: 39,
    granules: [12, 16, 14, 0],
  },
  {
    txsz: 16,
    epd: 23,
    tg: 30,
    tbi: 38,
    tbid: 52,
    hpd: 42,
    e0pd: 56,
    ha: 39,
    granules: [0, 14, 12, 16],
  },
];

/** TCR_EL2 and TCR_EL3. */
const TCR_ONE = { txsz: 0, tg: 14, tbi: 20, tbid: 29, hpd: 24, ha: 21, granules: [12, 16, 14, 0] };
const TCR_PS = 16;

const OUTPUT_SIZES = [32, 36, 40, 42, 44, 48, 48, 48];
const MIN_TXSZ = 16, MIN_TXSZ_LARGE = 12;

/**
 * Decodes the EL1&0 regime (Arm ARM D17.2: SCTLR_EL1, TCR_EL1, TTBRn_EL1, MAIR_EL1), or EL2&0,
 * whose registers have the same form.
 *
 * @param registers current register values
 * @param features the implementation; the default is the reference's Cortex-A57
 */
export function makeRegime(
  registers: RegimeRegisters,
  features: MmuFeatures = CORTEX_A57_MMU,
): Regime {
  const { sctlr, tcr, ttbr0, ttbr1, mair, hcr = 0n, secure = false, host = false } = registers;
  const defaultCacheable = bit(hcr, HCR_DC);
  const second = bit(hcr, HCR_VM) || defaultCacheable ? registers.stage2 : undefined;
  const vmid = registers.stage2 ? vmidOf(registers.stage2, features) : 0;
  const outputSize = Math.min(
    OUTPUT_SIZES[field(tcr, TCR_IPS, 3)],
    features.physicalAddressBits,
  );
  const asidMask = features.asidBits === 16 && bit(tcr, TCR_AS) ? 0xffff : 0xff;
  return {
    tag: host ? REGIME_EL20 : REGIME_EL10 | (secure ? REGIME_SECURE : 0) | vmid << VMID_SHIFT,
    el: host ? 2 : 1,
    hasEl0: true,
    secure,
    secureFetchOnly: secure && (registers.secureFetchOnly ?? false),
    stage2: second ? makeStage2(second, features) : null,
    enabled: bit(sctlr, SCTLR_M) && !defaultCacheable && !bit(hcr, HCR_TGE),
    defaultCacheable,
    ranges: [
      makeRange(TCR_HALF[0], tcr, ttbr0, outputSize, features),
      makeRange(TCR_HALF[1], tcr, ttbr1, outputSize, features),
    ],
    outputSize,
    physicalAddressBits: features.physicalAddressBits,
    reservedBlocksFault: features.reservedBlocksFault,
    guardedPages: features.guardedPages ?? false,
    attributes: attributeBytes(mair),
    asid: field(bit(tcr, TCR_A1) ? ttbr1 : ttbr0, 48, 16) & asidMask,
    asidMask,
    wxn: bit(sctlr, SCTLR_WXN),
    bigEndianTables: bit(sctlr, SCTLR_EE),
    instructionCache: bit(sctlr, SCTLR_I),
  };
}

/**
 * Decodes the regime of EL2 or EL3: one range, one privilege level, no ASIDs, no stage 2 (Arm ARM
 * D17.2: SCTLR_ELx, TCR_ELx, TTBR0_ELx, MAIR_ELx).
 *
 * @param registers current register values
 * @param el 2 or 3
 * @param features the implementation; the default is the reference's Cortex-A57
 */
export function makePrivilegedRegime(
  registers: PrivilegedRegisters,
  el: 2 | 3,
  features: MmuFeatures = CORTEX_A57_MMU,
): Regime {
  const { sctlr, tcr, ttbr0, mair, secure = false } = registers;
  const outputSize = Math.min(
    OUTPUT_SIZES[field(tcr, TCR_PS, 3)],
    features.physicalAddressBits,
  );
  return {
    tag: el === 2 ? REGIME_EL2 : REGIME_EL3,
    el,
    hasEl0: false,
    secure,
    secureFetchOnly: secure && (registers.secureFetchOnly ?? false),
    stage2: null,
    enabled: bit(sctlr, SCTLR_M),
    defaultCacheable: false,
    ranges: [makeRange(TCR_ONE, tcr, ttbr0, outputSize, features)],
    outputSize,
    physicalAddressBits: features.physicalAddressBits,
    reservedBlocksFault: features.reservedBlocksFault,
    guardedPages: features.guardedPages ?? false,
    attributes: attributeBytes(mair),
    asid: 0,
    asidMask: 0,
    wxn: bit(sctlr, SCTLR_WXN),
    bigEndianTables: bit(sctlr, SCTLR_EE),
    instructionCache: bit(sctlr, SCTLR_I),
  };
}

function vmidOf({ vtcr, vttbr }: Stage2Registers, { longVmids }: MmuFeatures): number {
  return field(vttbr, VTTBR_VMID, longVmids && bit(vtcr, VTCR_VS) ? LONG_VMID_BITS : VMID_BITS);
}

function attributeBytes(mair: bigint): Uint8Array {
  return Uint8Array.from({ length: 8 }, (_, i) => field(mair, 8 * i, 8));
}

function makeRange(
  half: {
    txsz: number;
    tg: number;
    tbi: number;
    tbid: number;
    hpd: number;
    /** HA; HD follows. */
    ha: number;
    epd?: number;
    e0pd?: number;
    granules: readonly number[];
  },
  tcr: bigint,
  ttbr: bigint,
  outputSize: number,
  features: MmuFeatures,
): AddressRange {
  const txsz = field(tcr, half.txsz, 6);
  // Out of range is IMPLEMENTATION DEFINED: clamp, or fault. The reference faults; the clamped
  // value only keeps the rest of this record meaningful.
  // A granule that is reserved or not implemented: an implemented one, the smallest as the
  // reference chooses.
  const requested = half.granules[field(tcr, half.tg, 2)];
  const granuleLog2 = features.granules.includes(requested) ? requested : features.granules[0];
  const clamped = clampTxsz(txsz, granuleLog2, features);
  const inputSize = 64 - clamped;
  const stride = granuleLog2 - 3;
  const startLevel = 4 - Math.ceil((inputSize - granuleLog2) / stride);
  const topByteIgnored = bit(tcr, half.tbi);
  const top = topByteIgnored ? 56 : 64;
  const topMask = (1n << BigInt(top)) - (1n << BigInt(inputSize));
  // Bits of TTBR below the table's size are RES0 and bit 0 is CnP: ignored.
  const tableLog2 = inputSize - levelShift(granuleLog2, startLevel) + 3;
  const base = ttbr & 0xffff_ffff_ffffn;
  return {
    inputSize,
    txszOutOfRange: clamped !== txsz,
    walksDisabled: half.epd !== undefined && bit(tcr, half.epd),
    granuleLog2,
    startLevel,
    ...keptFlags(features.hardwareFlags ?? false, bit(tcr, half.ha), bit(tcr, half.ha + 1)),
    ...(features.hierarchyCanBeOff && bit(tcr, half.hpd) ? { hierarchyOff: true } : {}),
    ...(features.rangesCanBePrivileged && half.e0pd !== undefined && bit(tcr, half.e0pd)
      ? { privileged: true }
      : {}),
    topByteIgnored,
    codeTopByteIgnored: topByteIgnored && !bit(tcr, half.tbid),
    topMaskHi: Number(topMask >> 32n),
    topMaskLo: Number(topMask & 0xffff_ffffn),
    tableBase: Number(base >> BigInt(tableLog2) << BigInt(tableLog2)),
    tableBaseTooLarge: base >> BigInt(outputSize) !== 0n,
  };
}

/** The next TxSZ that is implemented; FEAT_LVA and FEAT_TTST say more of the granule of 64 KB. */
export function clampTxsz(
  txsz: number,
  granuleLog2: number,
  { maxTxsz, largeAddresses }: MmuFeatures,
): number {
  const isLarge = granuleLog2 === 16;
  const least = isLarge && largeAddresses ? MIN_TXSZ_LARGE : MIN_TXSZ;
  const most = isLarge ? Math.min(maxTxsz, 47) : maxTxsz;
  return Math.min(Math.max(txsz, least), most);
}

/** The level whose rights an EL has in a regime, as `denialReason()` takes it: 0, 1, or 2 where EL0 has none. */
export function rightsOf({ hasEl0 }: Regime, el: number): 0 | 1 | 2 {
  return !hasEl0 ? 2 : el === 0 ? 0 : 1;
}

/**
 * log2 of the bytes that one descriptor of `level` covers: its lowest index bit in the address.
 *
 * @param granuleLog2 12, 14 or 16
 * @param level 0 to 3
 */
export function levelShift(granuleLog2: number, level: number): number {
  return granuleLog2 + (granuleLog2 - 3) * (3 - level);
}

/**
 * Whether TLB entries made under `before` must be dropped under `after`, beyond what TLBI does.
 *
 * The reference forgets every translation when the MMU is switched, TCR or MAIR is written, or a
 * TTBR write changes an ASID; what relies on that must run here too.
 */
export function dropsStaleEntries(before: RegimeRegisters, after: RegimeRegisters): boolean {
  return ((before.sctlr ^ after.sctlr) & 1n) !== 0n || before.tcr !== after.tcr ||
    before.mair !== after.mair || (before.ttbr0 ^ after.ttbr0) >> 48n !== 0n ||
    (before.ttbr1 ^ after.ttbr1) >> 48n !== 0n;
}

function bit(value: bigint, position: number): boolean {
  return (value >> BigInt(position) & 1n) !== 0n;
}

function field(value: bigint, position: number, width: number): number {
  return Number(value >> BigInt(position) & (1n << BigInt(width)) - 1n);
}
