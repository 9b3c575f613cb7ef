import { assertEquals } from "@std/assert";
import { MMU_ON, TCR_4K_48, testRegime } from "./_testing.ts";
import { CORTEX_A57_MMU } from "./features.ts";
import { dropsStaleEntries, levelShift, makeRegime } from "./regime.ts";

const NONE = { sctlr: 0n, tcr: 0n, ttbr0: 0n, ttbr1: 0n, mair: 0n };

Deno.test("makeRegime() takes granule and size of each range from its half of TCR", () => {
  const tcr = 25n | 1n << 14n | 33n << 16n | 1n << 30n;
  const [low, high] = testRegime({ tcr }).ranges;
  assertEquals([low.granuleLog2, low.inputSize], [16, 39]);
  assertEquals([high.granuleLog2, high.inputSize], [14, 31]);
});

Deno.test("makeRegime() takes TBI of each range from its own bit", () => {
  const ignored = (tcr: bigint) => testRegime({ tcr }).ranges.map((r) => r.topByteIgnored);
  assertEquals(ignored(1n << 37n), [true, false]);
  assertEquals(ignored(1n << 38n), [false, true]);
});

Deno.test("makeRegime() finds the start level of every size, as table D8-11 to D8-13", () => {
  const expected: [bigint, [number, number, number][]][] = [
    [0n, [[16, 24, 0], [25, 33, 1], [34, 39, 2]]],
    [2n, [[16, 16, 0], [17, 27, 1], [28, 38, 2], [39, 39, 3]]],
    [1n, [[16, 21, 1], [22, 34, 2], [35, 39, 3]]],
  ];
  for (const [tg0, rows] of expected) {
    for (const [from, to, level] of rows) {
      for (let txsz = from; txsz <= to; txsz++) {
        const { ranges } = testRegime({ tcr: BigInt(txsz) | tg0 << 14n });
        assertEquals(ranges[0].startLevel, level, `TG0 ${tg0} T0SZ ${txsz}`);
      }
    }
  }
});

Deno.test("makeRegime() marks TxSZ below 16 and above 39", () => {
  for (let txsz = 0; txsz < 64; txsz++) {
    const [range] = testRegime({ tcr: BigInt(txsz) }).ranges;
    assertEquals(range.txszOutOfRange, txsz < 16 || txsz > 39);
  }
});

Deno.test("makeRegime() replaces granules that are reserved or not implemented by the smallest", () => {
  const granule = (tcr: bigint, range: number) =>
    makeRegime({ ...NONE, tcr }, CORTEX_A57_MMU).ranges[range].granuleLog2;
  assertEquals([0n, 1n, 2n, 3n].map((tg) => granule(tg << 14n, 0)), [12, 16, 12, 12]);
  assertEquals([0n, 1n, 2n, 3n].map((tg) => granule(tg << 30n, 1)), [12, 12, 12, 16]);
});

Deno.test("makeRegime() takes the smaller of IPS and the implemented size", () => {
  const sizes = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n].map((ips) =>
    makeRegime({ ...NONE, tcr: ips << 32n }).outputSize
  );
  assertEquals(sizes, [32, 36, 40, 42, 44, 44, 44, 44]);
});

Deno.test("makeRegime() takes the ASID from the TTBR that A1 names, of AS bits", () => {
  const ttbr0 = 0x1234n << 48n, ttbr1 = 0xabcdn << 48n;
  const asid = (tcr: bigint) => testRegime({ tcr, ttbr0, ttbr1 }).asid;
  assertEquals(asid(0n), 0x34);
  assertEquals(asid(1n << 22n), 0xcd);
  assertEquals(asid(1n << 36n), 0x1234);
  assertEquals(asid(1n << 22n | 1n << 36n), 0xabcd);
});

Deno.test("makeRegime() ignores TTBR bits below the table's size and keeps those above", () => {
  const base = (ttbr0: bigint, t0sz: bigint) =>
    testRegime({ ttbr0, tcr: t0sz }).ranges[0].tableBase;
  // 48 bits: a level 0 table of 512 entries. 47 bits: 256. 40 bits: 2 entries. 30: 512 at level 2.
  assertEquals(base(0x5fffn, 16n), 0x5000);
  assertEquals(base(0x5fffn, 17n), 0x5800);
  assertEquals(base(0x5fffn, 24n), 0x5ff0);
  assertEquals(base(0x5fffn, 34n), 0x5000);
});

Deno.test("makeRegime() marks a table base beyond the output size", () => {
  const ttbr0 = 1n << 32n;
  assertEquals(testRegime({ ttbr0, tcr: 16n }).ranges[0].tableBaseTooLarge, true);
  assertEquals(testRegime({ ttbr0, tcr: 16n | 1n << 32n }).ranges[0].tableBaseTooLarge, false);
});

Deno.test("makeRegime() is off with SCTLR.M clear or HCR_EL2.DC set", () => {
  assertEquals(testRegime().enabled, true);
  assertEquals(testRegime({ sctlr: 0n }).enabled, false);
  assertEquals(testRegime({ hcr: 1n << 12n }).enabled, false);
});

Deno.test("levelShift() is the lowest index bit of each level", () => {
  assertEquals([0, 1, 2, 3].map((level) => levelShift(12, level)), [39, 30, 21, 12]);
  assertEquals([0, 1, 2, 3].map((level) => levelShift(14, level)), [47, 36, 25, 14]);
  assertEquals([1, 2, 3].map((level) => levelShift(16, level)), [42, 29, 16]);
});

Deno.test("dropsStaleEntries() is true of the writes after which the reference forgets translations", () => {
  const before = { ...NONE, sctlr: MMU_ON, tcr: TCR_4K_48 };
  const dropped = (change: object) => dropsStaleEntries(before, { ...before, ...change });
  assertEquals(dropped({}), false);
  assertEquals(dropped({ ttbr0: 0x4000_0000n }), false);
  assertEquals(dropped({ sctlr: MMU_ON | 1n << 12n }), false);
  assertEquals(dropped({ sctlr: 0n }), true);
  assertEquals(dropped({ tcr: 0n }), true);
  assertEquals(dropped({ mair: 1n }), true);
  assertEquals(dropped({ ttbr0: 1n << 48n }), true);
  assertEquals(dropped({ ttbr1: 1n << 63n }), true);
});
