import { assert, assertEquals } from "@std/assert";
import { CPU_NAMES, cpuModel, isCpuName } from "./cpu_models.ts";
import { PSTATE } from "./pstate.ts";
import { systemRegisterByName } from "./system/sysregs.ts";

/** What the reference's `max` (QEMU 7.2, virt, EL1 only) shows in its AArch64 identification registers. */
const REFERENCE_MAX: Readonly<Record<string, bigint>> = {
  ID_AA64PFR0_EL1: 0x1201_0011_2011_0022n,
  ID_AA64PFR1_EL1: 0x100_0021n,
  ID_AA64DFR0_EL1: 0x1030_5609n,
  ID_AA64ISAR0_EL1: 0x1221_1111_1021_2120n,
  ID_AA64ISAR1_EL1: 0x11_1111_0121_1012n,
  ID_AA64ISAR2_EL1: 0n,
  ID_AA64MMFR1_EL1: 0x110_1021_1122n,
  ID_AA64MMFR2_EL1: 0x1021_0110_1001_1011n,
};

function shown(name: string, register: string): bigint {
  return cpuModel(name as "max").registers[register] ?? systemRegisterByName(register)!.reset;
}

Deno.test("cpuModel() shows for max no more than the reference's max shows", () => {
  for (const [register, reference] of Object.entries(REFERENCE_MAX)) {
    const ours = shown("max", register);
    for (let at = 0n; at < 64n; at += 4n) {
      const field = ours >> at & 15n, theirs = reference >> at & 15n;
      assert(field <= theirs, `${register} bit ${at}: ${field}, the reference has ${theirs}`);
    }
  }
});

Deno.test("cpuModel() shows all of DFR0 for max", () => {
  assertEquals(shown("max", "ID_AA64DFR0_EL1"), REFERENCE_MAX.ID_AA64DFR0_EL1);
});

Deno.test("cpuModel() shows all of ISAR0 for max", () => {
  assertEquals(shown("max", "ID_AA64ISAR0_EL1"), REFERENCE_MAX.ID_AA64ISAR0_EL1);
});

Deno.test("cpuModel() gives Armv8.0-A without later fields of PSTATE up to Cortex-A72", () => {
  for (const name of ["cortex-a35", "cortex-a53", "cortex-a57", "cortex-a72"] as const) {
    const { features, pstate, compatible } = cpuModel(name);
    assertEquals([features.size, pstate, compatible], [0, 0, `arm,${name}`]);
  }
});

Deno.test("cpuModel() takes other features in place of a model's own", () => {
  const { features, pstate } = cpuModel("cortex-a57", new Set(["FEAT_PAN"]));
  assertEquals([...features], ["FEAT_PAN"]);
  assertEquals(pstate, PSTATE.PAN);
});

Deno.test("isCpuName() knows the names of `--cpu`", () => {
  assertEquals(CPU_NAMES.every(isCpuName), true);
  assertEquals([isCpuName("cortex-a15"), isCpuName(7)], [false, false]);
});
