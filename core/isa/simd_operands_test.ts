import { assertEquals, assertThrows } from "@std/assert";
import { assemble, AssemblerError } from "./assemble.ts";
import { disassemble } from "./disassemble.ts";

Deno.test("assemble() reads a list of registers with commas and as a range", () => {
  const word = 0x4c40_2820;
  assertEquals(assemble("ld1 {v0.4s, v1.4s, v2.4s, v3.4s}, [x1]"), word);
  assertEquals(assemble("ld1 {v0.4s-v3.4s}, [x1]"), word);
  assertEquals(disassemble(word), "ld1 {v0.4s-v3.4s}, [x1]");
});

Deno.test("a list of registers goes on with v0 behind v31", () => {
  const text = "tbl v2.8b, {v30.16b, v31.16b, v0.16b}, v4.8b";
  assertEquals(disassemble(assemble(text)), text);
});

Deno.test("assemble() takes the first preferred of several names", () => {
  assertEquals(assemble("umov w1, v2.s[3]"), assemble("mov w1, v2.s[3]"));
  assertEquals(assemble("not v1.16b, v2.16b"), assemble("mvn v1.16b, v2.16b"));
  assertEquals(assemble("sshll v1.8h, v2.8b, #0"), assemble("sxtl v1.8h, v2.8b"));
  assertEquals(assemble("orr v1.8b, v2.8b, v2.8b"), assemble("mov v1.8b, v2.8b"));
});

Deno.test("assemble() refuses Advanced SIMD operands that do not exist", () => {
  for (
    const text of [
      "add v0.4s, v1.4s, v2.8h",
      "add v0.1d, v1.1d, v2.1d",
      "mul v0.2d, v1.2d, v2.2d",
      "saddl v0.8h, v1.16b, v2.16b",
      "saddl2 v0.8h, v1.8b, v2.8b",
      "shl v0.8b, v1.8b, #8",
      "sshr v0.8b, v1.8b, #0",
      "sshr v0.8b, v1.8b, #9",
      "ext v0.8b, v1.8b, v2.8b, #8",
      "mov v0.s[4], w1",
      "mul v0.8h, v1.8h, v16.h[0]",
      "mul v0.4s, v1.4s, v2.s[4]",
      "ld2 {v0.1d, v1.1d}, [x0]",
      "ld1 {v0.16b, v2.16b}, [x0]",
      "ld1 {v0.16b-v4.16b}, [x0]",
      "ld1 {v0.16b}, [x0], #8",
      "ld1 {v0.b}[16], [x0]",
      "movi v0.4s, #256",
      "movi v0.4s, #1, lsl #4",
      "movi v0.2d, #0xfe",
      "fmov v0.4s, #0.1",
    ]
  ) {
    assertThrows(() => assemble(text), AssemblerError, "Cannot assemble");
  }
});

Deno.test("assemble() reads and disassemble() prints immediates as GNU does", () => {
  for (
    const text of [
      "movi v0.4s, #0x1, lsl #24",
      "mvni v0.2s, #0xff, msl #16",
      "movi d3, #0xff00ff00ff00ff",
      "movi v0.2d, #0xffffffffffffffff",
      "fmov v0.2d, #-1.250000000000000000e-01",
      "fmov v0.4s, #3.100000000000000000e+01",
      "bic v9.8h, #0x10, lsl #8",
    ]
  ) assertEquals(disassemble(assemble(text)), text);
});
