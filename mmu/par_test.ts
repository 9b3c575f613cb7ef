import { assertEquals } from "@std/assert";
import { LEAF, PAGE, TestMemory, testRegime } from "./_testing.ts";
import { addressTranslation } from "./par.ts";

/** One level: T0SZ = 39 with 64 KB granules has a level 3 table of 512 entries. */
const TCR = 39n | 1n << 14n;

function at(descriptor: bigint, access: 0 | 1, el: number, end?: number) {
  const memory = new TestMemory(end);
  memory.set(0x10000, descriptor);
  const regime = testRegime({ tcr: TCR, ttbr0: 0x10000n, mair: 0xff44n });
  return addressTranslation(memory, regime, { hi: 0, lo: 0xabc, access, el });
}

Deno.test("addressTranslation() gives address, attributes and shareability", () => {
  const page = 0x1234_0000n | LEAF | PAGE | 1n << 2n;
  assertEquals(at(page, 0, 1), { par: 0xff00_0000_1234_0b80n });
  assertEquals(at(page & ~(1n << 2n), 1, 1), { par: 0x4400_0000_1234_0b80n });
});

Deno.test("addressTranslation() gives F and the fault status code", () => {
  assertEquals(at(0n, 0, 1), { par: 0x80fn });
  assertEquals(at(0x1234_0000n | LEAF | PAGE, 0, 0), { par: 0x81fn });
});

Deno.test("addressTranslation() reports an external abort on the walk as an exception", () => {
  const result = at(0n, 0, 1, 0x1000);
  assertEquals(result, { abort: { kind: "external-abort-on-walk", level: 3, address: 0x10000 } });
});
