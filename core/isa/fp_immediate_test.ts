import { assertEquals, assertThrows } from "@std/assert";
import { assemble, AssemblerError } from "./assemble.ts";
import { disassemble } from "./disassemble.ts";
import { expandImmediate } from "./fp_immediate.ts";

/** The number that bits of half precision stand for. */
function half(bits: number): number {
  const magnitude = 2 ** ((bits >> 10 & 31) - 15) * (1 + (bits & 1023) / 1024);
  return bits >> 15 ? -magnitude : magnitude;
}

Deno.test("expandImmediate() gives the same number in all three precisions", () => {
  const view = new DataView(new ArrayBuffer(8));
  for (let imm8 = 0; imm8 < 256; imm8++) {
    const [low, high] = expandImmediate(imm8, 64);
    view.setUint32(0, high);
    view.setUint32(4, low);
    const value = view.getFloat64(0);
    view.setUint32(0, expandImmediate(imm8, 32)[0]);
    assertEquals(view.getFloat32(0), value);
    assertEquals(half(expandImmediate(imm8, 16)[0]), value);
  }
});

Deno.test("expandImmediate() reaches from 0.125 to 31 with both signs", () => {
  assertEquals(expandImmediate(0x70, 64), [0, 0x3ff0_0000]);
  assertEquals(expandImmediate(0x40, 32), [0x3e00_0000, 0]);
  assertEquals(expandImmediate(0xbf, 32), [0xc1f8_0000, 0]);
  assertEquals(expandImmediate(0x3f, 16), [0x4fc0, 0]);
});

Deno.test("assemble() reads a floating-point immediate in any notation", () => {
  for (const text of ["fmov d0, #1.5", "fmov d0, 1.5e0", "fmov d0, #15e-1", "fmov d0, #+1.5"]) {
    assertEquals(disassemble(assemble(text)), "fmov d0, #1.500000000000000000e+00");
  }
});

Deno.test("assemble() refuses what no eight bits stand for", () => {
  for (const value of ["0.0", "0.1", "32", "1.03", "nan", "0x10"]) {
    assertThrows(() => assemble(`fmov s0, #${value}`), AssemblerError);
  }
  assertThrows(() => assemble("fcvtzs w0, d0, #33"), AssemblerError);
  assertThrows(() => assemble("fcmp s0, #1.0"), AssemblerError);
  assertThrows(() => assemble("fmla v0.4s, v1.4s, v2.s[4]"), AssemblerError);
});
