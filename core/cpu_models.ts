import { CORTEX_A57_MMU, type MmuFeatures } from "../mmu/features.ts";
import { pstateBits } from "./pstate.ts";

/**
 * The processors that a machine can have: what the reference's system emulation (QEMU 7.2) shows of
 * each in its identification registers, as small programs read them there.
 *
 * The registers' table (`sysregs_table.ts`) describes the Cortex-A57; a model says what is
 * different. `max` has Armv8.1 to 8.5 as far as they are supported: each of its
 * {@linkcode MAX_FIELDS} is there because the feature is, and everything that the reference's `max`
 * has beyond that reads as not implemented.
 */

/** A processor. */
export interface CpuModel {
  readonly name: CpuName;
  /** `compatible` of its node in the device tree. */
  readonly compatible: string;
  /** Extensions beyond Armv8.0-A, by the manual's names. */
  readonly features: ReadonlySet<string>;
  /** The bits of PSTATE that came with them. */
  readonly pstate: number;
  /** It has the registers that the Cortexes up to the A72 have beside the architecture's. */
  readonly ownRegisters: boolean;
  /** AArch32 code can be executed above EL0 too. */
  readonly aarch32AtEl1: boolean;
  /** Registers whose value after reset is not the table's, by name. */
  readonly registers: Readonly<Record<string, bigint>>;
  /** CCSIDR_EL1 by CSSELR_EL1: L1 data, L1 instruction, L2. */
  readonly caches: readonly bigint[];
  readonly mmu: MmuFeatures;
}

/** What `--cpu` takes. */
export const CPU_NAMES = [
  "cortex-a35",
  "cortex-a53",
  "cortex-a57",
  "cortex-a72",
  "cortex-a76",
  "neoverse-n1",
  "max",
] as const;
/** One of {@linkcode CPU_NAMES}. */
export type CpuName = (typeof CPU_NAMES)[number];
/** The processor of a machine that names none. */
export const DEFAULT_CPU: CpuName = "cortex-a57";

/** A field of an identification register that is not zero because of these features. */
type FeatureField = readonly [register: string, shift: number, value: number, features: string];

/**
 * What Cortex-A76 and Neoverse N1 have of Armv8.1 and later.
 */
const A76_FIELDS: readonly FeatureField[] = [
  ["ID_AA64ISAR0_EL1", 20, 2, "FEAT_LSE"],
  ["ID_AA64ISAR0_EL1", 28, 1, "FEAT_RDM"],
  ["ID_AA64ISAR0_EL1", 44, 1, "FEAT_DotProd"],
  ["ID_AA64ISAR1_EL1", 0, 1, "FEAT_DPB"],
  ["ID_AA64ISAR1_EL1", 20, 1, "FEAT_LRCPC"],
  ["ID_AA64PFR0_EL1", 16, 1, "FEAT_FP16"],
  ["ID_AA64PFR0_EL1", 20, 1, "FEAT_FP16"],
  ["ID_AA64PFR0_EL1", 28, 1, "FEAT_RAS"],
  ["ID_AA64PFR0_EL1", 56, 1, "FEAT_CSV2"],
  ["ID_AA64PFR0_EL1", 60, 1, "FEAT_CSV3"],
  ["ID_AA64MMFR1_EL1", 0, 2, "FEAT_HAFDBS"],
  ["ID_AA64MMFR1_EL1", 4, 2, "FEAT_VMID16"],
  ["ID_AA64MMFR1_EL1", 8, 1, "FEAT_VHE"],
  // FEAT_HPDS2 gives bits of descriptors to the system around, which has no use for them.
  ["ID_AA64MMFR1_EL1", 12, 2, "FEAT_HPDS FEAT_HPDS2"],
  ["ID_AA64MMFR1_EL1", 16, 1, "FEAT_LOR"],
  ["ID_AA64MMFR1_EL1", 20, 2, "FEAT_PAN FEAT_PAN2"],
  ["ID_AA64MMFR1_EL1", 28, 1, "FEAT_XNX"],
  ["ID_AA64MMFR2_EL1", 0, 1, "FEAT_TTCNP"],
  ["ID_AA64MMFR2_EL1", 4, 1, "FEAT_UAO"],
  ["ID_AA64MMFR2_EL1", 12, 1, "FEAT_IESB"],
  ["ID_AA64DFR0_EL1", 0, 8, "FEAT_Debugv8p2"],
  ["ID_AA64DFR0_EL1", 8, 4, "FEAT_PMUv3p1"],
];

/**
 * What `max` has of Armv8.1 to 8.6, and where it says so. What has no field of its own came with
 * another feature, or is always there.
 */
const MAX_FIELDS: readonly FeatureField[] = [
  ["ID_AA64ISAR0_EL1", 12, 2, "FEAT_SHA512"],
  ["ID_AA64ISAR0_EL1", 20, 2, "FEAT_LSE"],
  ["ID_AA64ISAR0_EL1", 28, 1, "FEAT_RDM"],
  ["ID_AA64ISAR0_EL1", 32, 1, "FEAT_SHA3"],
  ["ID_AA64ISAR0_EL1", 36, 1, "FEAT_SM3"],
  ["ID_AA64ISAR0_EL1", 40, 1, "FEAT_SM4"],
  ["ID_AA64ISAR0_EL1", 44, 1, "FEAT_DotProd"],
  ["ID_AA64ISAR0_EL1", 48, 1, "FEAT_FHM"],
  ["ID_AA64ISAR0_EL1", 52, 2, "FEAT_FlagM FEAT_FlagM2"],
  ["ID_AA64ISAR1_EL1", 4, 1, "FEAT_PAuth"],
  ["ID_AA64ISAR1_EL1", 24, 1, "FEAT_PAuth"],
  ["ID_AA64ISAR1_EL1", 12, 1, "FEAT_JSCVT"],
  ["ID_AA64ISAR1_EL1", 16, 1, "FEAT_FCMA"],
  ["ID_AA64ISAR1_EL1", 20, 2, "FEAT_LRCPC FEAT_LRCPC2"],
  ["ID_AA64ISAR1_EL1", 32, 1, "FEAT_FRINTTS"],
  ["ID_AA64ISAR1_EL1", 52, 1, "FEAT_I8MM"],
  ["ID_AA64PFR0_EL1", 16, 1, "FEAT_FP16"],
  ["ID_AA64PFR0_EL1", 20, 1, "FEAT_FP16"],
  // Error records: none, as on the reference.
  ["ID_AA64PFR0_EL1", 28, 2, "FEAT_RAS FEAT_DoubleFault"],
  ["ID_AA64MMFR2_EL1", 12, 1, "FEAT_IESB"],
  ["ID_AA64PFR0_EL1", 48, 1, "FEAT_DIT"],
  // Nothing is speculated, and accesses are in order.
  ["ID_AA64PFR0_EL1", 56, 2, "FEAT_CSV2 FEAT_CSV2_2"],
  ["ID_AA64PFR0_EL1", 60, 1, "FEAT_CSV3"],
  ["ID_AA64ISAR1_EL1", 44, 1, "FEAT_BF16"],
  ["ID_AA64ISAR1_EL1", 48, 1, "FEAT_DGH"],
  ["ID_AA64MMFR1_EL1", 36, 1, "FEAT_ETS"],
  ["ID_AA64PFR1_EL1", 0, 1, "FEAT_BTI"],
  ["ID_AA64PFR1_EL1", 4, 2, "FEAT_SSBS"],
  ["ID_AA64ISAR0_EL1", 56, 2, "FEAT_TLBIOS FEAT_TLBIRANGE"],
  ["ID_AA64ISAR0_EL1", 60, 1, "FEAT_RNG"],
  ["ID_AA64ISAR1_EL1", 36, 1, "FEAT_SB"],
  ["ID_AA64ISAR1_EL1", 40, 1, "FEAT_SPECRES"],
  ["ID_AA64ISAR1_EL1", 0, 2, "FEAT_DPB FEAT_DPB2"],
  ["ID_AA64MMFR1_EL1", 0, 2, "FEAT_HAFDBS"],
  ["ID_AA64MMFR1_EL1", 4, 2, "FEAT_VMID16"],
  ["ID_AA64MMFR1_EL1", 8, 1, "FEAT_VHE"],
  ["ID_AA64MMFR1_EL1", 12, 1, "FEAT_HPDS"],
  ["ID_AA64MMFR1_EL1", 40, 1, "FEAT_HCX"],
  ["ID_AA64MMFR1_EL1", 16, 1, "FEAT_LOR"],
  ["ID_AA64MMFR1_EL1", 20, 2, "FEAT_PAN FEAT_PAN2"],
  ["ID_AA64MMFR2_EL1", 0, 1, "FEAT_TTCNP"],
  ["ID_AA64MMFR2_EL1", 4, 1, "FEAT_UAO"],
  ["ID_AA64MMFR1_EL1", 28, 1, "FEAT_XNX"],
  ["ID_AA64MMFR2_EL1", 16, 1, "FEAT_LVA"],
  ["ID_AA64MMFR2_EL1", 28, 1, "FEAT_TTST"],
  ["ID_AA64MMFR2_EL1", 36, 1, "FEAT_IDST"],
  ["ID_AA64MMFR2_EL1", 40, 1, "FEAT_S2FWB"],
  // The level in a TLBI's operand is a hint, which the TLB here has no use for.
  ["ID_AA64MMFR2_EL1", 48, 1, "FEAT_TTL"],
  // An entry of the TLB that is changed without break-before-make is replaced; nT means nothing.
  ["ID_AA64MMFR2_EL1", 52, 2, "FEAT_BBM"],
  ["ID_AA64MMFR2_EL1", 60, 1, "FEAT_E0PD"],
  ["ID_AA64DFR0_EL1", 0, 9, "FEAT_Debugv8p2 FEAT_Debugv8p4"],
  ["ID_AA64DFR0_EL1", 8, 6, "FEAT_PMUv3p1 FEAT_PMUv3p4 FEAT_PMUv3p5"],
];

/** Registers with fields of features in them. */
function withFields(
  base: Readonly<Record<string, bigint>>,
  fields: readonly FeatureField[],
): Record<string, bigint> {
  const registers: Record<string, bigint> = { ...base };
  for (const [register, shift, value] of fields) {
    registers[register] = (registers[register] ?? 0n) | BigInt(value) << BigInt(shift);
  }
  return registers;
}

/** The registers of `max` without {@linkcode MAX_FIELDS}. */
const MAX_BASE: Readonly<Record<string, bigint>> = {
  MIDR_EL1: 0xf0510n,
  VPIDR_EL2: 0xf0510n,
  CLIDR_EL1: 0x200_0023n,
  ID_PFR0_EL1: 0x1102_0131n,
  ID_MMFR3_EL1: 0x212_2211n,
  ID_MMFR4_EL1: 0x1_1110n,
  ID_MMFR5_EL1: 1n,
  ID_ISAR5_EL1: 0x1101_1121n,
  ID_ISAR6_EL1: 0x111_1111n,
  ID_PFR2_EL1: 0x11n,
  MVFR1_EL1: 0x1321_1111n,
  ID_DFR0_EL1: 0x601_0009n,
  PMCEID1_EL0: 0x1000_0018n,
  ID_AA64PFR0_EL1: 0x22n,
  ID_AA64DFR0_EL1: 0x1030_5000n,
  ID_AA64ISAR0_EL1: 0x1_0120n,
  // 48 bits of address, all granules, for stage 2 as for stage 1.
  ID_AA64MMFR0_EL1: 0x222_0010_1125n,
};

/** `max` as far as the MMU is concerned. */
const MAX_MMU: MmuFeatures = {
  physicalAddressBits: 48,
  granules: [12, 14, 16],
  maxTxsz: 48,
  asidBits: 16,
  reservedBlocksFault: false,
  largeAddresses: true,
  hardwareFlags: true,
  executeNeverByLevel: true,
  hierarchyCanBeOff: true,
  rangesCanBePrivileged: true,
  longVmids: true,
  guardedPages: true,
};

/** The registers of Cortex-A76 and Neoverse N1 without {@linkcode A76_FIELDS}. */
const A76_BASE: Readonly<Record<string, bigint>> = {
  CLIDR_EL1: 0x8200_0023n,
  ID_PFR0_EL1: 0x1001_0131n,
  ID_PFR1_EL1: 0x1_0000n,
  ID_PFR2_EL1: 0x11n,
  ID_DFR0_EL1: 0x401_0008n,
  ID_ISAR4_EL1: 0x1_0142n,
  ID_ISAR5_EL1: 0x101_1121n,
  ID_ISAR6_EL1: 0x10n,
  ID_MMFR0_EL1: 0x1020_1105n,
  ID_MMFR3_EL1: 0x212_2211n,
  ID_MMFR4_EL1: 0x2_1110n,
  MVFR1_EL1: 0x1321_1111n,
  ID_AA64PFR0_EL1: 0x12n,
  ID_AA64ISAR0_EL1: 0x1_1120n,
  ID_AA64DFR0_EL1: 0x1030_5000n,
  PMCEID1_EL0: 0x18n,
  SCTLR_EL1: 0x30c5_0838n,
  SCTLR_EL3: 0x30c5_0838n,
  SCR_EL3: 0x430n,
};

const A76_SSBS: FeatureField = ["ID_AA64PFR1_EL1", 4, 1, "FEAT_SSBS"];
const N1_SSBS: FeatureField = ["ID_AA64PFR1_EL1", 4, 2, "FEAT_SSBS"];

/** Cortex-A76 and Neoverse N1 as far as the MMU is concerned. */
const A76_MMU: MmuFeatures = {
  physicalAddressBits: 40,
  granules: [12, 14, 16],
  maxTxsz: 39,
  asidBits: 16,
  reservedBlocksFault: false,
  hardwareFlags: true,
  executeNeverByLevel: true,
  hierarchyCanBeOff: true,
  longVmids: true,
};

const L1_DATA_32K = 0x701f_e00an, L1_INSTRUCTION_48K = 0x201f_e012n;
const NOTHING: ReadonlySet<string> = new Set();

/** What Cortex-A35 to A72 have in common. */
const EARLY = { features: NOTHING, ownRegisters: true, aarch32AtEl1: true };

/** What Cortex-A76 and Neoverse N1 have in common. */
const LATER = { ownRegisters: false, aarch32AtEl1: false };

function featuresOf(fields: readonly FeatureField[]): ReadonlySet<string> {
  return new Set(fields.flatMap(([, , , features]) => features.split(" ")));
}

const MODELS: Readonly<Record<CpuName, Omit<CpuModel, "pstate">>> = {
  "cortex-a35": {
    ...EARLY,
    name: "cortex-a35",
    compatible: "arm,cortex-a35",
    registers: {
      MIDR_EL1: 0x411f_d040n,
      VPIDR_EL2: 0x411f_d040n,
      ID_MMFR0_EL1: 0x1020_1105n,
      ID_AA64MMFR0_EL1: 0x10_1122n,
      CTR_EL0: 0x8444_8004n,
      PMCR_EL0: 0x410a_3000n,
    },
    caches: [0x700f_e01an, 0x201f_e00an, 0x703f_e03an],
    mmu: { ...CORTEX_A57_MMU, granules: [12, 14, 16], physicalAddressBits: 40 },
  },
  "cortex-a53": {
    ...EARLY,
    name: "cortex-a53",
    compatible: "arm,cortex-a53",
    registers: {
      MIDR_EL1: 0x410f_d034n,
      VPIDR_EL2: 0x410f_d034n,
      ID_AA64MMFR0_EL1: 0x1122n,
      CTR_EL0: 0x8444_8004n,
      PMCR_EL0: 0x4103_3000n,
    },
    caches: [0x700f_e01an, 0x201f_e00an, 0x707f_e07an],
    mmu: { ...CORTEX_A57_MMU, physicalAddressBits: 40 },
  },
  "cortex-a57": {
    ...EARLY,
    name: "cortex-a57",
    compatible: "arm,cortex-a57",
    registers: {},
    caches: [L1_DATA_32K, L1_INSTRUCTION_48K, 0x70ff_e07an],
    mmu: CORTEX_A57_MMU,
  },
  "cortex-a72": {
    ...EARLY,
    name: "cortex-a72",
    compatible: "arm,cortex-a72",
    registers: {
      MIDR_EL1: 0x410f_d083n,
      VPIDR_EL2: 0x410f_d083n,
      ID_MMFR0_EL1: 0x1020_1105n,
      PMCR_EL0: 0x4102_3000n,
    },
    caches: [L1_DATA_32K, L1_INSTRUCTION_48K, 0x707f_e07an],
    mmu: CORTEX_A57_MMU,
  },
  "cortex-a76": {
    ...LATER,
    name: "cortex-a76",
    compatible: "arm,cortex-a76",
    features: featuresOf([...A76_FIELDS, A76_SSBS]),
    registers: withFields({
      ...A76_BASE,
      MIDR_EL1: 0x414f_d0b1n,
      VPIDR_EL2: 0x414f_d0b1n,
      ID_AA64MMFR0_EL1: 0x10_1122n,
      PMCR_EL0: 0x410b_3000n,
    }, [...A76_FIELDS, A76_SSBS]),
    caches: [0x701f_e01an, 0x201f_e01an, 0x707f_e03an],
    mmu: A76_MMU,
  },
  "neoverse-n1": {
    ...LATER,
    name: "neoverse-n1",
    compatible: "arm,neoverse-n1",
    features: featuresOf([...A76_FIELDS, N1_SSBS]),
    registers: withFields({
      ...A76_BASE,
      MIDR_EL1: 0x414f_d0c1n,
      VPIDR_EL2: 0x414f_d0c1n,
      ID_AA64MMFR0_EL1: 0x10_1125n,
      PMCR_EL0: 0x410c_3000n,
    }, [...A76_FIELDS, N1_SSBS]),
    caches: [0x701f_e01an, 0x201f_e01an, 0x70ff_e03an],
    mmu: { ...A76_MMU, physicalAddressBits: 48 },
  },
  max: {
    ...EARLY,
    name: "max",
    compatible: "arm,cortex-a57",
    features: featuresOf(MAX_FIELDS),
    registers: withFields(MAX_BASE, MAX_FIELDS),
    caches: [L1_DATA_32K, L1_INSTRUCTION_48K, 0x70ff_e07an],
    mmu: MAX_MMU,
  },
};

/**
 * The model of a name.
 *
 * @param features instead of the model's, for tests of single extensions
 */
export function cpuModel(name: CpuName, features?: ReadonlySet<string>): CpuModel {
  const model = MODELS[name];
  const all = features ?? model.features;
  return { ...model, features: all, pstate: pstateBits(all) };
}

/** Whether there is a processor of this name. */
export function isCpuName(name: unknown): name is CpuName {
  return CPU_NAMES.some((known) => known === name);
}
