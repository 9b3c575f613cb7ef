import { assertEquals } from "@std/assert";
import { encodeSyndrome, type Fault, type FaultContext } from "./fault.ts";

const READ: FaultContext = { access: 0, fromEl: 1, toEl: 1 };

function esr(fault: Fault, changes: Partial<FaultContext> = {}): string {
  return encodeSyndrome(fault, { ...READ, ...changes }).esr.toString(16);
}

Deno.test("encodeSyndrome() gives each fault its status code with the level", () => {
  for (let level = 0; level < 4; level++) {
    const codes = [
      esr({ kind: "address-size", level, cause: "ttbr", address: 0 }),
      esr({ kind: "translation", level, cause: "invalid" }),
      esr({ kind: "access-flag", level }),
      esr({ kind: "permission", level, reason: "ap" }),
      esr({ kind: "external-abort-on-walk", level, address: 0 }),
    ];
    const expected = [0, 4, 8, 12, 0x14].map((base) => (0x9600_0000 + base + level).toString(16));
    assertEquals(codes, expected);
  }
});

Deno.test("encodeSyndrome() gives alignment and external aborts no level", () => {
  assertEquals(esr({ kind: "alignment", cause: "sctlr-a" }), "96000021");
  assertEquals(esr({ kind: "external-abort", address: 0, slaveError: false }), "96000010");
  assertEquals(esr({ kind: "external-abort", address: 0, slaveError: true }), "96000210");
});

Deno.test("encodeSyndrome() chooses the class by access and by change of exception level", () => {
  const fault: Fault = { kind: "permission", level: 3, reason: "pxn" };
  assertEquals(esr(fault), "9600000f");
  assertEquals(esr(fault, { fromEl: 0 }), "9200000f");
  assertEquals(esr(fault, { access: 2 }), "8600000f");
  assertEquals(esr(fault, { access: 2, fromEl: 0 }), "8200000f");
});

Deno.test("encodeSyndrome() sets WnR for writes, CM and WnR for maintenance, S1PTW for stage 2 on a walk", () => {
  const fault: Fault = { kind: "translation", level: 2, cause: "invalid" };
  assertEquals(esr(fault, { access: 1 }), "96000046");
  assertEquals(esr(fault, { maintenance: true }), "96000146");
  const walk = { ipa: 0x1000, steps: [], leaf: null, fault };
  const ofWalk: Fault = { kind: "stage2", level: 2, ipa: 0x1000, onWalk: true, fault, walk };
  assertEquals(esr(ofWalk), "96000086");
  assertEquals(esr(ofWalk, { instruction: 1 << 24 }), "96000086");
  assertEquals(esr(ofWalk, { access: 2 }), "86000086");
  assertEquals(esr({ ...ofWalk, onWalk: false }, { instruction: 1 << 24 }), "97000006");
});

Deno.test("encodeSyndrome() gives PC and SP alignment their own classes", () => {
  const pc = encodeSyndrome({ kind: "pc-alignment" }, { ...READ, fromEl: 0 });
  assertEquals(pc, { esr: 0x8a00_0000, farValid: true });
  const sp = encodeSyndrome({ kind: "sp-alignment" }, READ);
  assertEquals(sp, { esr: 0x9a00_0000, farValid: false });
});
