import { assert, assertEquals } from "@std/assert";
import { isArithmeticImmediate, isLogicalImmediate, moveConstant } from "./immediates.ts";

/** Every value of DecodeBitMasks() with 64-bit data. */
function allLogicalImmediates(): Set<bigint> {
  const values = new Set<bigint>();
  for (let size = 2n; size <= 64n; size *= 2n) {
    for (let ones = 1n; ones < size; ones++) {
      for (let rotation = 0n; rotation < size; rotation++) {
        const run = (1n << ones) - 1n;
        const element = ((run >> rotation) | (run << (size - rotation))) & ((1n << size) - 1n);
        let value = 0n;
        for (let at = 0n; at < 64n; at += size) value |= element << at;
        values.add(value);
      }
    }
  }
  return values;
}

Deno.test("isLogicalImmediate() accepts exactly what the instructions can hold", () => {
  const all = allLogicalImmediates();
  assertEquals(all.size, 5334);
  for (const value of all) {
    assert(isLogicalImmediate(value));
    for (const bit of [0n, 17n, 63n]) {
      assertEquals(isLogicalImmediate(value ^ (1n << bit)), all.has(value ^ (1n << bit)));
    }
  }
  assert(!isLogicalImmediate(0n));
  assert(!isLogicalImmediate((1n << 64n) - 1n));
});

Deno.test("isArithmeticImmediate() accepts 12 bits at two places", () => {
  for (const value of [0n, 4095n, 4096n, 0xfff000n]) assert(isArithmeticImmediate(value));
  for (const value of [4097n, 0x1000000n, (1n << 64n) - 1n]) assert(!isArithmeticImmediate(value));
});

Deno.test("moveConstant() takes as few instructions as the value allows", () => {
  assertEquals(moveConstant("x0", 0n), ["movz x0, #0x0"]);
  assertEquals(moveConstant("x1", 0x4000_0000n), ["movz x1, #0x4000, lsl #16"]);
  assertEquals(moveConstant("x2", 0x8400_0008n), ["movz x2, #0x8", "movk x2, #0x8400, lsl #16"]);
  assertEquals(moveConstant("x3", 0xffff_ffff_ffff_fffen), ["orr x3, xzr, #0xfffffffffffffffe"]);
  assertEquals(moveConstant("x4", 0xffff_ffff_1234_ffffn), ["movn x4, #0xedcb, lsl #16"]);
  assertEquals(moveConstant("x5", (1n << 64n) - 1n), ["movn x5, #0x0"]);
});
