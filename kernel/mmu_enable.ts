import { expression, type FunctionReference, type Program, systemRegister } from "./codegen/mod.ts";

/** MAIR_EL1: attribute 0 is normal write-back memory, attribute 1 Device-nGnRnE. */
const MEMORY_ATTRIBUTES = 0x00ffn;

// TCR_EL1 (Arm ARM D13.2.120).
const T0SZ_48_BITS = 16n << 0n;
const INNER_WRITE_BACK = 1n << 8n;
const OUTER_WRITE_BACK = 1n << 10n;
const INNER_SHAREABLE = 3n << 12n;
const GRANULE_4K = 0n << 14n;
/** EPD1: there are no tables for the upper half. */
const NO_UPPER_WALKS = 1n << 23n;
const PHYSICAL_SIZE_SHIFT = 32;

// SCTLR_EL1 (Arm ARM D13.2.113).
const MMU = 1n << 0n;
const DATA_CACHE = 1n << 2n;
const INSTRUCTION_CACHE = 1n << 12n;
const ALL_BUT_CACHES = ((1n << 64n) - 1n) ^ (DATA_CACHE | INSTRUCTION_CACHE);

/** Functions around SCTLR_EL1.M. */
export interface Mmu {
  /** `mmu_enable(root)`: turns translation on, caches stay off. */
  readonly enable: FunctionReference;
  /** `mmu_is_enabled()`: 1 or 0. */
  readonly isEnabled: FunctionReference;
}

/** Defines the switch to virtual memory. */
export function defineMmu(program: Program): Mmu {
  const enable = program.function("mmu_enable", (f, root) => {
    const physicalSize = f.let(systemRegister("id_aa64mmfr0_el1").and(7));
    f.writeSystemRegister("mair_el1", MEMORY_ATTRIBUTES);
    f.writeSystemRegister(
      "tcr_el1",
      physicalSize.shiftedLeft(PHYSICAL_SIZE_SHIFT).or(
        T0SZ_48_BITS | INNER_WRITE_BACK | OUTER_WRITE_BACK | INNER_SHAREABLE | GRANULE_4K |
          NO_UPPER_WALKS,
      ),
    );
    f.writeSystemRegister("ttbr0_el1", root);
    f.writeSystemRegister("ttbr1_el1", expression(0));
    // The tables must be in memory and the registers in effect before anything is looked up, and
    // nothing may be left in the TLB from before.
    f.instruction("dsb sy");
    f.instruction("isb");
    f.instruction("tlbi vmalle1");
    f.instruction("dsb sy");
    f.instruction("isb");
    f.writeSystemRegister(
      "sctlr_el1",
      systemRegister("sctlr_el1").and(ALL_BUT_CACHES).or(MMU),
    );
    f.instruction("isb");
  });

  const isEnabled = program.function("mmu_is_enabled", (f) => {
    f.return(systemRegister("sctlr_el1").and(MMU));
  });
  return { enable, isEnabled };
}
