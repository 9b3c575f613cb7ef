import { assertEquals } from "@std/assert";
import { cpuModel } from "../cpu_models.ts";
import { UNDEFINED } from "./system_context.ts";
import { DC_ZVA, SYSTEM_INSTRUCTIONS } from "./system_instructions.ts";
import {
  barrierName,
  checkZeroBlock,
  executeBarrier,
  executeSys,
  executeSysl,
} from "./system_maintenance.ts";
import { TestContext } from "./system_test_context.ts";
import { genericName, slotOf } from "./sysregs.ts";

/** What the reference accepts at EL1, DC ZVA aside, as measured over all encodings with op0 1. */
const MEASURED = [
  ..."S1_0_C7_C1_0 S1_0_C7_C5_0 S1_0_C7_C6_1 S1_0_C7_C6_2 S1_0_C7_C8_0 S1_0_C7_C8_1".split(" "),
  ..."S1_0_C7_C8_2 S1_0_C7_C8_3 S1_0_C7_C10_2 S1_0_C7_C14_2 S1_0_C8_C3_0 S1_0_C8_C3_1".split(" "),
  ..."S1_0_C8_C3_2 S1_0_C8_C3_3 S1_0_C8_C3_5 S1_0_C8_C3_7 S1_0_C8_C7_0 S1_0_C8_C7_1".split(" "),
  ..."S1_0_C8_C7_2 S1_0_C8_C7_3 S1_0_C8_C7_5 S1_0_C8_C7_7 S1_3_C7_C5_1 S1_3_C7_C10_1".split(" "),
  ..."S1_3_C7_C11_1 S1_3_C7_C14_1".split(" "),
];
const AT_EL0 = "S1_3_C7_C5_1 S1_3_C7_C10_1 S1_3_C7_C11_1 S1_3_C7_C14_1".split(" ");
const SCTLR = slotOf("SCTLR_EL1");

function encodingOf(name: string): number {
  return SYSTEM_INSTRUCTIONS.find((row) => row.name === name)!.encoding;
}

/** Names of all SYS encodings that do not raise an exception. */
function accepted(context: TestContext): string[] {
  return Array.from({ length: 0x4000 }, (_, argument) => argument)
    .filter((argument) => typeof executeSys(context, argument, 0n) === "string")
    .map((argument) => genericName(0x4000 | argument));
}

Deno.test("executeSys() knows the instructions of the reference", () => {
  assertEquals(accepted(new TestContext()), MEASURED);
  const context = new TestContext();
  context.dropToEl0();
  assertEquals(accepted(context), []);
  context.state.set64(SCTLR, 1n << 26n);
  assertEquals(accepted(context), AT_EL0);
});

Deno.test("executeSys() traps EL0 without SCTLR_EL1.UCI", () => {
  const context = new TestContext();
  context.dropToEl0();
  context.word = 5;
  assertEquals(executeSys(context, encodingOf("IC IVAU"), 0n), { ec: 0x18, iss: 0x12dcaa });
  assertEquals(executeSys(context, encodingOf("TLBI VMALLE1"), 0n), UNDEFINED);
});

Deno.test("checkZeroBlock() traps EL0 without SCTLR_EL1.DZE", () => {
  const context = new TestContext();
  assertEquals(checkZeroBlock(context), undefined);
  context.dropToEl0();
  context.word = 5;
  assertEquals(checkZeroBlock(context), { ec: 0x18, iss: 0x12dca8 });
  context.state.set64(SCTLR, 1n << 14n);
  assertEquals(checkZeroBlock(context), undefined);
  assertEquals(genericName(0x4000 | DC_ZVA), "S1_3_C7_C4_1");
});

Deno.test("executeSys() decodes what a TLBI names", () => {
  const context = new TestContext();
  const operand = 0x0042_0fff_ffff_ffffn;
  assertEquals(executeSys(context, encodingOf("TLBI VAE1"), operand), "leave");
  executeSys(context, encodingOf("TLBI VAALE1IS"), 0x0042_0000_0004_0400n);
  executeSys(context, encodingOf("TLBI ASIDE1"), operand);
  executeSys(context, encodingOf("TLBI VMALLE1IS"), operand);
  assertEquals(context.invalidations, [
    {
      regime: 1,
      inHost: true,
      broadcast: false,
      scope: "va",
      lastLevel: false,
      va: 0xffff_ffff_ffff_f000n,
      asid: 0x42,
    },
    {
      regime: 1,
      inHost: true,
      broadcast: true,
      scope: "va-any",
      lastLevel: true,
      va: 0x4040_0000n,
      asid: 0,
    },
    {
      regime: 1,
      inHost: true,
      broadcast: false,
      scope: "asid",
      lastLevel: false,
      va: 0n,
      asid: 0x42,
    },
    { regime: 1, inHost: true, broadcast: true, scope: "all", lastLevel: false, va: 0n, asid: 0 },
  ]);
  const operations = context.events.map((event) =>
    event.kind === "tlbi" ? [event.operation, event.value] : []
  );
  assertEquals(operations, [
    ["TLBI VAE1", operand],
    ["TLBI VAALE1IS", 0x0042_0000_0004_0400n],
    ["TLBI ASIDE1", operand],
    ["TLBI VMALLE1IS", 0n],
  ]);
});

Deno.test("executeSys() decodes what a TLBI by range names", () => {
  const context = new TestContext();
  context.model = cpuModel("max");
  // ASID 0x42, granule 4 KB, SCALE 1, NUM 2: three times 64 pages.
  const operand = 0x42n << 48n | 1n << 46n | 1n << 44n | 2n << 39n | 0x4_0400n;
  executeSys(context, encodingOf("TLBI RVALE1IS"), operand);
  const range = { granuleLog2: 12, length: 192n << 12n };
  const names = { scope: "va", lastLevel: true, va: 0x4040_0000n, asid: 0x42, range } as const;
  assertEquals(context.invalidations, [{ regime: 1, inHost: true, broadcast: true, ...names }]);
});

Deno.test("executeSys() puts the result of AT into PAR_EL1", () => {
  const context = new TestContext();
  assertEquals(executeSys(context, encodingOf("AT S1E0W"), 0x1234n), "done");
  assertEquals(context.translations, [{ va: 0x1234n, el: 0, write: true, bothStages: false }]);
  assertEquals(context.state.get64(slotOf("PAR_EL1")), 0xa00n);
});

Deno.test("executeSysl() is UNDEFINED and reported", () => {
  const context = new TestContext();
  assertEquals(executeSysl(context, encodingOf("IC IALLU")), UNDEFINED);
  assertEquals(context.events.map((event) => event.kind), ["unknown"]);
});

Deno.test("barrierName() spells barriers as an assembler does", () => {
  assertEquals([0x4f, 0x5b, 0x6f, 0x4b, 0x40, 0x2f].map(barrierName), [
    "DSB SY",
    "DMB ISH",
    "ISB",
    "DSB ISH",
    "DSB #0",
    undefined,
  ]);
});

Deno.test("executeBarrier() reports the barrier", () => {
  const context = new TestContext();
  assertEquals([executeBarrier(context, 0x4f), executeBarrier(context, 0x6f)], ["done", "done"]);
  assertEquals(context.events.length, 2);
});
