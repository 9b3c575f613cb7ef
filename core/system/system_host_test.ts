import { assertEquals } from "@std/assert";
import { cpuModel } from "../cpu_models.ts";
import { HCR } from "../privilege.ts";
import { readSystemRegister, writeSystemRegister } from "./system_access.ts";
import { selectStackPointer } from "./system_stack.ts";
import { TestContext } from "./system_test_context.ts";
import { slotOf, systemRegisterByName } from "./sysregs.ts";

/** `max` with EL2 and HCR_EL2 so, at an EL. */
function host(hcr: bigint, el: number): TestContext {
  const context = new TestContext();
  context.levels = { el2: true, el3: false };
  context.model = cpuModel("max");
  context.state.set64(slotOf("HCR_EL2"), hcr);
  selectStackPointer(context.state, el, 1);
  return context;
}

function encodingOf(name: string): number {
  return systemRegisterByName(name)!.encoding;
}

Deno.test("writeSystemRegister() reaches EL2's register by EL1's name in a host, and EL1's by _EL12", () => {
  const context = host(HCR.RW | HCR.E2H, 2);
  writeSystemRegister(context, encodingOf("CONTEXTIDR_EL1"), 1n);
  writeSystemRegister(context, encodingOf("CONTEXTIDR_EL12"), 2n);
  const [el1, el2] = ["CONTEXTIDR_EL1", "CONTEXTIDR_EL2"].map(slotOf);
  assertEquals([context.state.get64(el1), context.state.get64(el2)], [2n, 1n]);
  assertEquals(context.events.map((event) => event.kind === "sysreg" && event.register), [
    "CONTEXTIDR_EL2",
    "CONTEXTIDR_EL1",
  ]);
  assertEquals(readSystemRegister(context, encodingOf("CPACR_EL1")), 0n);
  context.state.set64(slotOf("CPTR_EL2"), 0x30_0000n);
  assertEquals(readSystemRegister(context, encodingOf("CPACR_EL1")), 0x30_0000n);
});

Deno.test("writeSystemRegister() reaches EL1's register by its name at EL2 that is no host, and at EL1", () => {
  for (const context of [host(HCR.RW, 2), host(HCR.RW | HCR.E2H, 1)]) {
    writeSystemRegister(context, encodingOf("CONTEXTIDR_EL1"), 1n);
    assertEquals(context.state.get64(slotOf("CONTEXTIDR_EL1")), 1n);
  }
});

Deno.test("readSystemRegister() lets a host's EL0 use EL2's timer as CNTHCTL_EL2 says", () => {
  const context = host(HCR.RW | HCR.E2H | HCR.TGE, 0);
  context.state.set64(slotOf("CNTHP_CVAL_EL2"), 5n);
  context.state.set64(slotOf("CNTHCTL_EL2"), 0n);
  const trap = readSystemRegister(context, encodingOf("CNTP_CVAL_EL0"));
  assertEquals(typeof trap === "bigint" ? trap : trap.ec, 0x18);
  context.state.set64(slotOf("CNTHCTL_EL2"), 0x200n);
  assertEquals(readSystemRegister(context, encodingOf("CNTP_CVAL_EL0")), 5n);
});

Deno.test("readSystemRegister() traps identification registers at EL0 with FEAT_IDST", () => {
  const context = host(HCR.RW, 0);
  const outcome = readSystemRegister(context, encodingOf("ID_AA64MMFR1_EL1"));
  assertEquals(typeof outcome === "bigint" ? outcome : outcome.ec, 0x18);
});
