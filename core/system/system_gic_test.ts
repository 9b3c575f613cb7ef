import { assertEquals } from "@std/assert";
import { GicV3 } from "../devices/gic_v3.ts";
import { TestLine } from "../devices/test_line.ts";
import { HCR, SCR } from "../privilege.ts";
import { SLOT } from "../state.ts";
import { readSystemRegister, writeSystemRegister } from "./system_access.ts";
import { UNDEFINED } from "./system_context.ts";
import { TestContext } from "./system_test_context.ts";
import { slotOf, systemRegisterByName } from "./sysregs.ts";

const HCR_EL2 = slotOf("HCR_EL2"), SCR_EL3 = slotOf("SCR_EL3");
/** ICH_HCR_EL2: TC, TALL0, TALL1, TDIR. */
const TC = 0x400n, TALL0 = 0x800n, TALL1 = 0x1000n, TDIR = 0x4000n;
const IMO_OR_FMO = HCR.RW | HCR.IMO;

/** A CPU with the interface of a GICv3. */
class GicContext extends TestContext {
  readonly gic = new GicV3({
    distributorBase: 0x800_0000,
    redistributorBase: 0x80a_0000,
    lines: [{ irq: new TestLine(), fiq: new TestLine() }],
    affinities: [0],
    requester: { cpu: 0, secure: false },
    memory: { read: () => undefined, write: () => false },
  }).interfaces[0];
}

function encodingOf(name: string): number {
  return systemRegisterByName(name)!.encoding;
}

function read(context: TestContext, name: string) {
  return readSystemRegister(context, encodingOf(name));
}

function write(context: TestContext, name: string, value: bigint) {
  return writeSystemRegister(context, encodingOf(name), value);
}

/** The EL that an access is trapped to; undefined if it is not. */
function target(outcome: ReturnType<typeof read> | ReturnType<typeof write>) {
  return typeof outcome === "object" ? outcome.target : undefined;
}

Deno.test("readSystemRegister() has the GIC's registers where there is a GICv3 alone", () => {
  assertEquals(read(new TestContext(), "ICC_PMR_EL1"), UNDEFINED);
  const context = new GicContext();
  assertEquals(read(context, "ICC_SRE_EL1"), 7n);
  assertEquals(write(context, "ICC_PMR_EL1", 0xf5n), "done");
  assertEquals(read(context, "ICC_PMR_EL1"), 0xf0n);
  assertEquals(context.events.length, 1);
  assertEquals(read(context, "ICC_EOIR1_EL1"), UNDEFINED);
  assertEquals(read(context, "ICH_VTR_EL2"), UNDEFINED);
});

Deno.test("readSystemRegister() tells of the GIC's registers in the identification", () => {
  assertEquals(read(new TestContext(), "ID_AA64PFR0_EL1"), 0x22n);
  assertEquals(read(new GicContext(), "ID_AA64PFR0_EL1"), 0x100_0022n);
  assertEquals(read(new GicContext(), "ID_PFR1_EL1"), 0x1001_0001n);
});

Deno.test("readSystemRegister() traps the GIC's registers as ICH_HCR_EL2 says", () => {
  const context = new GicContext();
  context.levels = { el2: true, el3: false };
  const trapped = (bits: bigint) => {
    context.gic.write("ICH_HCR_EL2", bits, {
      el: 2,
      secureBelowEl3: false,
      imo: false,
      fmo: false,
      irqToEl3: false,
      fiqToEl3: false,
    });
    const reads = ["ICC_PMR_EL1", "ICC_HPPIR0_EL1", "ICC_HPPIR1_EL1"].map((name) =>
      target(read(context, name))
    );
    return [...reads, target(write(context, "ICC_DIR_EL1", 1n))];
  };
  assertEquals(trapped(0n), [undefined, undefined, undefined, undefined]);
  assertEquals(trapped(TC), [2, undefined, undefined, 2]);
  assertEquals(trapped(TALL0), [undefined, 2, undefined, undefined]);
  assertEquals(trapped(TALL1), [undefined, undefined, 2, undefined]);
  assertEquals(trapped(TDIR), [undefined, undefined, undefined, 2]);
});

Deno.test("writeSystemRegister() traps SGIs of a guest whose interrupts are virtual", () => {
  const context = new GicContext();
  context.levels = { el2: true, el3: false };
  assertEquals(target(write(context, "ICC_SGI1R_EL1", 0n)), undefined);
  context.state.set64(HCR_EL2, IMO_OR_FMO);
  assertEquals(target(write(context, "ICC_SGI1R_EL1", 0n)), 2);
});

Deno.test("readSystemRegister() traps what is routed to EL3 unless it is virtual", () => {
  const context = new GicContext();
  context.levels = { el2: true, el3: true };
  context.state.set64(SCR_EL3, SCR.NS | SCR.RW | SCR.FIQ);
  assertEquals(target(read(context, "ICC_HPPIR0_EL1")), 3);
  assertEquals(target(read(context, "ICC_HPPIR1_EL1")), undefined);
  assertEquals(target(read(context, "ICC_PMR_EL1")), undefined);
  context.state.set64(HCR_EL2, HCR.RW | HCR.FMO);
  assertEquals(target(read(context, "ICC_HPPIR0_EL1")), undefined);
  context.state.set32(SLOT.el, 2);
  assertEquals(target(read(context, "ICC_HPPIR0_EL1")), 3);
});

Deno.test("readSystemRegister() has none of EL2's GIC registers at EL3 without EL2", () => {
  const context = new GicContext();
  context.state.set32(SLOT.el, 3);
  const values = [true, false].map((el2) => {
    context.levels = { el2, el3: true };
    return [read(context, "ICC_SRE_EL2"), read(context, "ICH_ELRSR_EL2")];
  });
  assertEquals(values, [[0xfn, 0xfn], [0n, UNDEFINED]]);
});
