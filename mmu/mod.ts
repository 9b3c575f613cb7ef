/**
 * The memory management unit: VMSAv8-64, both stages, as in the Arm ARM (DDI 0487), chapter D8.
 *
 * `makeRegime()` decodes the registers, `walk()` reads the tables, `Translation` joins walk, TLB
 * and permissions, `encodeSyndrome()` turns a fault into ESR. Nothing here knows a CPU.
 *
 * @module
 */

export * from "./bus.ts";
export * from "./fault.ts";
export * from "./format_walk.ts";
export * from "./par.ts";
export * from "./permissions.ts";
export * from "./features.ts";
export * from "./regime.ts";
export * from "./stage2.ts";
export * from "./tlb.ts";
export * from "./tlbi.ts";
export * from "./translate.ts";
export * from "./walk.ts";
export type { HardwareFlags, KeptFlags } from "./hardware_flags.ts";
