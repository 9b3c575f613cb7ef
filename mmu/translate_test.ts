import { assertEquals } from "@std/assert";
import { LEAF, PAGE, TABLE, TCR_4K_48, TestMemory, testRegime, WXN } from "./_testing.ts";
import type { RegimeRegisters } from "./regime.ts";
import { Tlb, TLB_WORDS } from "./tlb.ts";
import { canonical } from "./tlb_format.ts";
import { type TlbFill, Translation } from "./translate.ts";

const MAIR = 0x04_00_44_ffn;
const [READ, WRITE, EXECUTE] = [0, 1, 2] as const;

/** Address 0 is a read-write page of EL1 at 0x8000_0000, 2 MB a block with nG, AttrIndx 1. */
function setUp(changes: Partial<RegimeRegisters> = {}, strict = false) {
  const memory = new TestMemory();
  memory.set(0x1000, 0x3000n | TABLE);
  memory.set(0x3000, 0x4000n | TABLE);
  memory.set(0x4000, 0x5000n | TABLE);
  memory.set(0x4008, 0x4000_0000n | LEAF | 1n << 11n | 1n << 2n);
  memory.set(0x5000, 0x8000_0000n | LEAF | PAGE);
  const tlb = new Tlb(new Uint32Array(TLB_WORDS));
  const fills: TlbFill[] = [];
  const stale: number[] = [];
  const translation = new Translation({
    bus: memory,
    tlb,
    regime: testRegime({ mair: MAIR, ...changes }),
    listener: { onFill: (f) => fills.push(f), onStale: (_, lo) => stale.push(lo) },
    strict,
  });
  return { memory, tlb, fills, stale, translation };
}

Deno.test("translate() walks once, fills the TLB, then hits", () => {
  const { memory, fills, translation } = setUp();
  assertEquals(translation.translate(0, 0x123, READ, 1), true);
  assertEquals([translation.pa, translation.sizeLog2, translation.level], [0x8000_0123, 12, 3]);
  assertEquals([translation.attributes, translation.shareability], [0xff, 3]);
  assertEquals(translation.permissions, 0b111100);
  assertEquals(translation.translate(0, 0xff8, WRITE, 1), true);
  assertEquals(translation.pa, 0x8000_0ff8);
  assertEquals(memory.reads.length, 4);
  assertEquals(fills.length, 1);
  const [fill] = fills;
  assertEquals([fill.access, fill.vaLo, fill.pa, fill.global], [READ, 0x123, 0x8000_0123, true]);
  assertEquals(fill.walk!.steps.map((s) => s.address), [0x1000, 0x3000, 0x4000, 0x5000]);
});

Deno.test("translate() gives the same outcome from the TLB as from the walk", () => {
  const { translation } = setUp();
  const outcome = () => {
    assertEquals(translation.translate(0, 0x23_4567, READ, 1), true);
    const { pa, sizeLog2, level, permissions, attributes, shareability } = translation;
    return { pa, sizeLog2, level, permissions, attributes, shareability };
  };
  assertEquals(outcome(), outcome());
  assertEquals(translation.attributes, 0x44);
});

Deno.test("translate() keeps entries of another ASID apart", () => {
  const { fills, translation } = setUp();
  const change = (ttbr0: bigint) => translation.regime = testRegime({ mair: MAIR, ttbr0 });
  translation.translate(0, 0x20_0000, READ, 1);
  change(0x1000n | 1n << 48n);
  translation.translate(0, 0x20_0000, READ, 1);
  change(0x1000n);
  translation.translate(0, 0x20_0000, READ, 1);
  assertEquals(fills.map((f) => [f.asid, f.global]), [[0, false], [1, false]]);
});

Deno.test("translate() never fills the TLB for an access that faults", () => {
  const { tlb, fills, translation } = setUp();
  assertEquals(translation.translate(0, 0, READ, 0), false);
  assertEquals(translation.fault, { kind: "permission", level: 3, reason: "ap" });
  assertEquals(translation.faultWalk?.steps.length, 4);
  assertEquals(translation.translate(0, 0x1000, READ, 1), false);
  assertEquals(translation.fault, { kind: "translation", level: 3, cause: "invalid" });
  assertEquals([fills.length, [...tlb.entries()].length], [0, 0]);
});

Deno.test("translate() checks permissions of hits too", () => {
  const { memory, translation } = setUp();
  memory.set(0x5000, 0x8000_0000n | LEAF | PAGE | 1n << 53n);
  translation.translate(0, 0, READ, 1);
  assertEquals(translation.translate(0, 0, EXECUTE, 1), false);
  assertEquals(translation.fault, { kind: "permission", level: 3, reason: "pxn" });
});

Deno.test("translate() applies WXN of the current regime to entries filled before", () => {
  const { translation } = setUp();
  assertEquals(translation.translate(0, 0, EXECUTE, 1), true);
  translation.regime = testRegime({ sctlr: 1n | WXN });
  assertEquals(translation.translate(0, 0, EXECUTE, 1), false);
  assertEquals(translation.fault, { kind: "permission", level: 3, reason: "wxn" });
});

Deno.test("translate() uses a stale entry although the tables have changed", () => {
  const { memory, translation } = setUp();
  translation.translate(0, 0, READ, 1);
  memory.set(0x5000, 0n);
  assertEquals(translation.translate(0, 0, READ, 1), true);
  assertEquals(translation.pa, 0x8000_0000);
});

Deno.test("translate() replaces an entry that denies what the tables now permit, and says so", () => {
  const { memory, stale, fills, tlb, translation } = setUp();
  memory.set(0x5000, 0x8000_0000n | LEAF | PAGE | 2n << 6n);
  translation.translate(0, 8, READ, 1);
  memory.set(0x5000, 0x9000_0000n | LEAF | PAGE);
  assertEquals(translation.translate(0, 8, WRITE, 1), true);
  assertEquals(translation.pa, 0x9000_0008);
  assertEquals([stale, fills.length, [...tlb.entries()].length], [[8], 2, 1]);
});

Deno.test("translate() with `strict` lets a stale entry deny the access", () => {
  const { memory, stale, translation } = setUp({}, true);
  memory.set(0x5000, 0x8000_0000n | LEAF | PAGE | 2n << 6n);
  translation.translate(0, 8, READ, 1);
  memory.set(0x5000, 0x8000_0000n | LEAF | PAGE);
  assertEquals(translation.translate(0, 8, WRITE, 1), false);
  assertEquals(translation.fault, { kind: "permission", level: 3, reason: "ap" });
  assertEquals(stale, []);
});

Deno.test("translate() finds one entry whatever the ignored top byte is", () => {
  const { fills, translation } = setUp({ tcr: TCR_4K_48 | 1n << 37n });
  translation.translate(0xa500_0000, 0, READ, 1);
  translation.translate(0x5a00_0000, 0, READ, 1);
  assertEquals(fills.map((f) => f.vaHi), [0xa500_0000]);
});

Deno.test("translate() faults in the hole without looking at the TLB", () => {
  const { memory, translation } = setUp();
  assertEquals(translation.translate(0x0100_0000, 0, READ, 1), false);
  assertEquals(translation.fault, { kind: "translation", level: 0, cause: "hole" });
  assertEquals(memory.reads, []);
});

Deno.test("translate() hits an entry filled before EPD was set", () => {
  const { translation } = setUp();
  translation.translate(0, 0, READ, 1);
  translation.regime = testRegime({ mair: MAIR, tcr: TCR_4K_48 | 1n << 7n });
  assertEquals(translation.translate(0, 0, READ, 1), true);
  assertEquals(translation.translate(0, 0x20_0000, READ, 1), false);
  assertEquals(translation.fault, { kind: "translation", level: 0, cause: "walks-disabled" });
});

Deno.test("translate() is flat with the MMU off: Device data, Normal fetches, everything permitted", () => {
  const { memory, tlb, translation } = setUp({ sctlr: 0n });
  assertEquals(translation.translate(0xffff, 0x1234_5678, WRITE, 0), true);
  assertEquals([translation.pa, translation.attributes], [0xffff_1234_5678, 0]);
  assertEquals(translation.permissions, 0b111111);
  translation.translate(0, 0x4000_0000, EXECUTE, 1);
  assertEquals(translation.attributes, 0x44);
  assertEquals([memory.reads.length, [...tlb.entries()].length], [0, 0]);
});

Deno.test("translate() with the MMU off gives an address size fault beyond the implemented size", () => {
  const { translation } = setUp({ sctlr: 0n, tcr: 1n << 37n });
  assertEquals(translation.translate(0x1_0000, 0, READ, 1), false);
  assertEquals(translation.fault, { kind: "address-size", level: 0, cause: "flat" });
  assertEquals(translation.translate(0xff00_0000, 0x4000_0000, READ, 1), true, "TBI applies");
  assertEquals(translation.pa, 0x4000_0000);
  assertEquals(translation.translate(0xffff_ffff, 0x4000_0000, READ, 1), false);
});

Deno.test("canonical() copies bit 55 into the top byte", () => {
  assertEquals(canonical(0xa57f_ffff), 0x007f_ffff);
  assertEquals(canonical(0x0080_0000), 0xff80_0000);
});
