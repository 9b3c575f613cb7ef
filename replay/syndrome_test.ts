import { assertEquals } from "@std/assert";
import { describeSyndrome, hasFaultAddress, isFault } from "./syndrome.ts";

Deno.test("describeSyndrome() puts ESR into words", () => {
  const cases: [bigint, string][] = [
    [0x9600_0047n, "data abort, write: level 3 translation fault"],
    [0x8600_000fn, "instruction abort: level 3 permission fault"],
    [0x8200_000en, "instruction abort from a lower EL: level 2 permission fault"],
    [0x9600_0010n, "data abort, read: external abort"],
    [0x9600_0061n, "data abort, write: alignment fault"],
    [0x9600_0149n, "data abort, cache maintenance: level 1 access flag fault"],
    [0x9600_00c4n, "data abort, write: level 0 translation fault, on the stage 1 walk"],
    [0x5600_0007n, "SVC #7"],
    [0xf200_0001n, "BRK #1"],
    [0x0200_0000n, "undefined instruction"],
    [0x8a00_0000n, "PC alignment fault"],
    // MRS of S3_0_C1_C0_0 (SCTLR_EL1): op0 = 3, CRn = 1, direction = read.
    [0x6230_0401n, "trapped system register access: S3_0_C1_C0_0 read"],
    [0xdc00_0000n, "exception class 0x37"],
  ];
  for (const [esr, words] of cases) assertEquals(describeSyndrome(esr), words);
});

Deno.test("isFault() tells faults from calls and breakpoints", () => {
  const calls = [0x5600_0000n, 0x5a00_0000n, 0x5e00_0000n, 0xf200_0000n];
  assertEquals(calls.map(isFault), [false, false, false, false]);
  const faults = [0x9600_0047n, 0x0200_0000n, 0x6230_0401n, 0x8a00_0000n];
  assertEquals(faults.map(isFault), [true, true, true, true]);
});

Deno.test("hasFaultAddress() honours FnV", () => {
  assertEquals(hasFaultAddress(0x9600_0047n), true);
  assertEquals(hasFaultAddress(0x9600_0410n), false);
  assertEquals(hasFaultAddress(0x8a00_0000n), true);
  assertEquals(hasFaultAddress(0x5600_0000n), false);
});
