import { assert, assertEquals } from "@std/assert";
import { SLOT } from "../state.ts";
import { readSystemRegister, writePstateImmediate, writeSystemRegister } from "./system_access.ts";
import { UNDEFINED } from "./system_context.ts";
import { SPECIAL_REGISTERS } from "./system_special.ts";
import { executeSys } from "./system_maintenance.ts";
import { TestContext } from "./system_test_context.ts";
import { ALIASED } from "./sysregs_host.ts";
import { genericName, slotOf, systemRegister, systemRegisterByName } from "./sysregs.ts";
import { MEASURED_REGISTERS } from "./sysregs_measured.ts";

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Encodings with op0 2 and 3. */
const ENCODINGS = Array.from({ length: 0x8000 }, (_, i) => 0x8000 + i);
const DAIF_SET = 0x1e0;
const DAIF_CLEAR = 0x1f0;
const SPSEL = 0x050;

function encodingOf(name: string): number {
  return systemRegisterByName(name)!.encoding;
}

/** Names at which a read of every encoding gives a value. */
function readable(context: TestContext): string[] {
  return ENCODINGS.filter((e) => typeof readSystemRegister(context, e) === "bigint").map(
    genericName,
  );
}

function writable(context: TestContext): string[] {
  const daif = context.state.daif;
  return ENCODINGS.filter((encoding) => {
    const value = readSystemRegister(context, encoding);
    const outcome = writeSystemRegister(context, encoding, typeof value === "bigint" ? value : 0n);
    context.state.daif = daif;
    return typeof outcome === "string";
  }).map(genericName);
}

Deno.test("readSystemRegister() reads at EL1 what the reference reads, after reset", () => {
  const measured = MEASURED_REGISTERS.filter(([, access]) => access[0] === "r");
  assertEquals(
    readable(new TestContext()).filter((name) => !name.startsWith("S3_3_C4_C4")),
    measured.map(([name]) => name),
  );
  const context = new TestContext();
  for (const [name, , reset] of measured) {
    if (reset === "-") continue;
    const encoding = ENCODINGS.find((e) => genericName(e) === name)!;
    assertEquals([name, readSystemRegister(context, encoding)], [name, BigInt(`0x${reset}`)]);
  }
});

Deno.test("writeSystemRegister() keeps the bits that the reference keeps", () => {
  const context = new TestContext();
  for (const [name, access, , ones, zeros] of MEASURED_REGISTERS) {
    const encoding = ENCODINGS.find((e) => genericName(e) === name)!;
    const old = readSystemRegister(context, encoding);
    const outcome = writeSystemRegister(context, encoding, typeof old === "bigint" ? old : 0n);
    assertEquals([name, outcome === UNDEFINED], [name, access[1] === "-"]);
    if (ones === "-" || outcome === UNDEFINED) continue;
    const mask = name === "S3_0_C1_C0_0" ? ALL_ONES - 1n : ALL_ONES;
    for (const [value, expected] of [[mask, ones], [0n, zeros]] as const) {
      writeSystemRegister(context, encoding, value);
      assertEquals([name, readSystemRegister(context, encoding)], [name, BigInt(`0x${expected}`)]);
      writeSystemRegister(context, encoding, old as bigint);
    }
  }
});

Deno.test("readSystemRegister() reports an unknown register and takes it as UNDEFINED", () => {
  const context = new TestContext();
  context.word = 0xd538_f200;
  assertEquals(readSystemRegister(context, 0xc790), UNDEFINED);
  assertEquals(context.events, [{
    kind: "unknown",
    position: 100,
    cpu: 0,
    pc: 0x4040_0000n,
    word: 0xd538_f200,
    text: "S3_0_C15_C2_0",
  }]);
});

Deno.test("readSystemRegister() names registers of other processors in its report", () => {
  const context = new TestContext();
  readSystemRegister(context, 0xe088);
  executeSys(context, 0x243c, 0n);
  assertEquals(context.events.map((event) => event.kind === "unknown" && event.text), [
    "HCR_EL2 (S3_4_C1_C1_0)",
    "TLBI ALLE1 (S1_4_C8_C7_4)",
  ]);
});

/** What EL0 reads and writes with nothing enabled. */
const EL0_READS = [
  ..."S2_3_C0_C1_0 S3_3_C0_C0_7 S3_3_C4_C2_0 S3_3_C9_C14_0 S3_3_C13_C0_2 S3_3_C13_C0_3".split(" "),
];
const EL0_WRITES = "S3_3_C4_C2_0 S3_3_C13_C0_2".split(" ");
const PMU_EVENTS = Array.from({ length: 6 }, (_, n) => `S3_3_C14_C8_${n}`);
const PMU_TYPES = Array.from({ length: 6 }, (_, n) => `S3_3_C14_C12_${n}`);
/** As measured: control register, bit, what becomes readable, what becomes writable. */
const GATES: [string, bigint, string[], string[]][] = [
  ["SCTLR_EL1", 1n << 9n, ["S3_3_C4_C2_1"], ["S3_3_C4_C2_1"]],
  ["SCTLR_EL1", 1n << 14n, [], []],
  ["SCTLR_EL1", 1n << 15n, ["S3_3_C0_C0_1"], []],
  ["SCTLR_EL1", 1n << 26n, [], []],
  ["CNTKCTL_EL1", 1n, ["S3_3_C14_C0_0", "S3_3_C14_C0_1"], []],
  ["CNTKCTL_EL1", 2n, ["S3_3_C14_C0_0", "S3_3_C14_C0_2"], []],
  ["CNTKCTL_EL1", 0x100n, timer("3"), timer("3")],
  ["CNTKCTL_EL1", 0x200n, timer("2"), timer("2")],
  [
    "PMUSERENR_EL0",
    1n,
    [
      ...pmu("12_0 12_1 12_2 12_3 12_5 12_6 12_7 13_0 13_1 13_2 14_3"),
      ...PMU_EVENTS,
      ...PMU_TYPES,
      "S3_3_C14_C15_7",
    ],
    [
      ...pmu("12_0 12_1 12_2 12_3 12_4 12_5 13_0 13_1 13_2 14_3"),
      ...PMU_EVENTS,
      ...PMU_TYPES,
      "S3_3_C14_C15_7",
    ],
  ],
  ["PMUSERENR_EL0", 2n, [], pmu("12_4")],
  ["PMUSERENR_EL0", 4n, pmu("13_0"), []],
  ["PMUSERENR_EL0", 8n, [...pmu("12_5 13_2"), ...PMU_EVENTS], pmu("12_5")],
];

function timer(crm: string): string[] {
  return [0, 1, 2].map((op2) => `S3_3_C14_C${crm}_${op2}`);
}
function pmu(list: string): string[] {
  return list.split(" ").map((rest) => `S3_3_C9_C${rest}`);
}

for (const [register, bit, reads, writes] of GATES) {
  Deno.test(`readSystemRegister() lets EL0 in by ${register} bit 0x${bit.toString(16)} alone`, () => {
    const context = new TestContext();
    context.state.set64(slotOf("SCTLR_EL1"), 0n);
    context.state.set64(slotOf(register), bit);
    context.dropToEl0();
    const fp = (name: string) => !name.startsWith("S3_3_C4_C4");
    assertEquals(readable(context).filter(fp).sort(), [...EL0_READS, ...reads].sort());
    assertEquals(writable(context).filter(fp).sort(), [...EL0_WRITES, ...writes].sort());
  });
}

Deno.test("readSystemRegister() traps EL0 with the syndrome of the access", () => {
  const context = new TestContext();
  context.dropToEl0();
  context.word = 4;
  assertEquals(readSystemRegister(context, encodingOf("CTR_EL0")), { ec: 0x18, iss: 0x32c081 });
  context.word = 5;
  assertEquals(writeSystemRegister(context, encodingOf("DAIF"), 0n), { ec: 0x18, iss: 0x32d0a4 });
  assertEquals(readSystemRegister(context, encodingOf("MIDR_EL1")), UNDEFINED);
});

Deno.test("readSystemRegister() refuses SP_EL0 while it is the stack pointer in use", () => {
  const context = new TestContext();
  context.state.sp = 0x1000n;
  writeSystemRegister(context, encodingOf("SP_EL0"), 0x2000n);
  assertEquals(writePstateImmediate(context, SPSEL), "leave");
  assertEquals(context.state.sp, 0x2000n);
  assertEquals(readSystemRegister(context, encodingOf("SP_EL0")), UNDEFINED);
  writePstateImmediate(context, SPSEL | 1);
  assertEquals(context.state.sp, 0x1000n);
  assertEquals(readSystemRegister(context, encodingOf("SP_EL0")), 0x2000n);
});

Deno.test("writeSystemRegister() reports old and new value and tells the machine", () => {
  const context = new TestContext();
  const { regimeChanges } = context;
  assertEquals(writeSystemRegister(context, encodingOf("TTBR0_EL1"), 0x4050_0000n), "leave");
  writeSystemRegister(context, encodingOf("TTBR0_EL1"), 0x0001_0000_4050_0000n);
  writeSystemRegister(context, encodingOf("TCR_EL1"), 0n);
  writeSystemRegister(context, encodingOf("MAIR_EL1"), 0xffn);
  writeSystemRegister(context, encodingOf("SCTLR_EL1"), 0xc5_0838n);
  writeSystemRegister(context, encodingOf("SCTLR_EL1"), 0xc5_0839n);
  assertEquals(regimeChanges, [false, true, true, false, false, true]);
  assertEquals(writeSystemRegister(context, encodingOf("CPACR_EL1"), 3n << 20n), "leave");
  assertEquals(context.trapChanges, 1);
  assertEquals(context.events[1], {
    kind: "sysreg",
    position: 100,
    cpu: 0,
    pc: 0x4040_0000n,
    register: "TTBR0_EL1",
    old: 0x4050_0000n,
    new: 0x0001_0000_4050_0000n,
  });
  assertEquals(writeSystemRegister(context, encodingOf("TPIDR_EL1"), 1n), "done");
});

Deno.test("writePstateImmediate() masks and unmasks, and leaves if an interrupt waits", () => {
  const context = new TestContext();
  assertEquals(writePstateImmediate(context, DAIF_CLEAR | 2), "done");
  assertEquals(context.state.daif, 0x340);
  assertEquals(writePstateImmediate(context, DAIF_SET | 2), "done");
  assertEquals(context.state.daif, 0x3c0);
  context.pendingInterrupts = 0x80;
  assertEquals(writePstateImmediate(context, DAIF_CLEAR | 15), "leave");
  assertEquals(context.events, []);
});

Deno.test("writePstateImmediate() at EL0 needs SCTLR_EL1.UMA; SPSel is UNDEFINED there", () => {
  const context = new TestContext();
  context.dropToEl0();
  assertEquals(writePstateImmediate(context, DAIF_SET | 5), { ec: 0x18, iss: 0x0793ea });
  assertEquals(writePstateImmediate(context, DAIF_CLEAR | 5), { ec: 0x18, iss: 0x07d3ea });
  assertEquals(writePstateImmediate(context, SPSEL), UNDEFINED);
  context.state.set64(slotOf("SCTLR_EL1"), 1n << 9n);
  assertEquals(writePstateImmediate(context, DAIF_CLEAR | 15), "done");
  assertEquals(context.state.daif, 0);
});

Deno.test("writeSystemRegister() of DBGBCRn gives BAS its two effective bits", () => {
  const context = new TestContext();
  const encoding = encodingOf("DBGBCR3_EL1");
  for (const [value, result] of [[0x20n, 0x60n], [0x40n, 0n], [0x80n, 0x180n], [0x100n, 0n]]) {
    writeSystemRegister(context, encoding, value);
    assertEquals(readSystemRegister(context, encoding), result);
  }
});

Deno.test("readSystemRegister() gives the caches that CSSELR_EL1 selects", () => {
  const context = new TestContext();
  const sizes = [0n, 1n, 2n, 3n].map((selected) => {
    writeSystemRegister(context, encodingOf("CSSELR_EL1"), selected);
    return readSystemRegister(context, encodingOf("CCSIDR_EL1"));
  });
  assertEquals(sizes, [0x701fe00an, 0x201fe012n, 0x70ffe07an, 0n]);
});

Deno.test("readSystemRegister() counts cycles and instructions while the PMU is on", () => {
  const context = new TestContext();
  const write = (name: string, value: bigint) =>
    writeSystemRegister(context, encodingOf(name), value);
  const read = (name: string) => readSystemRegister(context, encodingOf(name));
  write("PMEVTYPER1_EL0", 8n);
  write("PMCNTENSET_EL0", 0x8000_0002n);
  write("PMCR_EL0", 1n);
  context.now += 5000;
  context.retired += 700;
  assertEquals([read("PMCCNTR_EL0"), read("PMEVCNTR1_EL0")], [5000n, 700n]);
  write("PMCNTENCLR_EL0", 2n);
  context.retired += 50;
  assertEquals(read("PMEVCNTR1_EL0"), 700n);
  write("PMCR_EL0", 0n);
  context.now += 5000;
  assertEquals(read("PMCCNTR_EL0"), 5000n);
  write("PMCR_EL0", 6n);
  assertEquals([read("PMCCNTR_EL0"), read("PMEVCNTR1_EL0"), read("PMCR_EL0")], [
    0n,
    0n,
    0x41013000n,
  ]);
});

Deno.test("SPECIAL_REGISTERS has an entry for every register that is neither stored nor constant", () => {
  for (const [name, { get, set }] of Object.entries(SPECIAL_REGISTERS)) {
    const register = systemRegisterByName(name);
    assert(register, name);
    assert(register.slot || register.read === 4 || get, `${name} cannot be read`);
    assert(register.slot || register.write === 4 || set, `${name} cannot be written`);
  }
  for (const encoding of ENCODINGS) {
    const register = systemRegister(encoding);
    if (!register || register.slot || register.constant || ALIASED.has(register.name)) continue;
    assert(register.name in SPECIAL_REGISTERS, register.name);
  }
});

Deno.test("slotOf() gives slots inside the processor state", () => {
  assertEquals(slotOf("DBGBVR0_EL1"), SLOT.system);
});
