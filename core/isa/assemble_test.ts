import { assertEquals, assertThrows } from "@std/assert";
import { assemble, AssemblerError } from "./assemble.ts";

/** Texts and the words that GNU as makes of them. */
const KNOWN: readonly (readonly [text: string, word: number])[] = [
  ["add x0, x1, #0x1000", 0x91400420],
  ["add x0, x1, #4096", 0x91400420],
  ["add sp, sp, #16", 0x910043ff],
  ["add x0, x1, x2", 0x8b020020],
  ["add x0, x1, x2, lsl #3", 0x8b020c20],
  ["add sp, sp, x2", 0x8b2263ff],
  ["add x0, sp, x2, lsl #2", 0x8b226be0],
  ["add w0, wsp, w1", 0x0b2143e0],
  ["add x0, x1, w2, uxtw", 0x8b224020],
  ["add x0, x1, w2, sxtw #2", 0x8b22c820],
  ["sub sp, sp, #0x20, lsl #12", 0xd14083ff],
  ["cmp x0, #1", 0xf100041f],
  ["cmp sp, x1", 0xeb2163ff],
  ["cmn w3, w4, asr #5", 0x2b84147f],
  ["neg x1, x2", 0xcb0203e1],
  ["mov x0, x1", 0xaa0103e0],
  ["mov sp, x0", 0x9100001f],
  ["mov x0, sp", 0x910003e0],
  ["mov w1, wzr", 0x2a1f03e1],
  ["mov x0, #0", 0xd2800000],
  ["mov x0, #-1", 0x92800000],
  ["mov w0, #-2", 0x12800020],
  ["mov x0, #0xffff0000", 0xd2bfffe0],
  ["mov x0, #0x5555555555555555", 0xb200f3e0],
  ["mov x0, #0xfffffffffffffffe", 0x92800020],
  ["movz x0, #0x12, lsl #48", 0xd2e00240],
  ["movk x0, #0xffff, lsl #32", 0xf2dfffe0],
  ["movn x3, #0", 0x92800003],
  ["and x0, x1, #0xfffffffffffff000", 0x9274cc20],
  ["tst w0, #1", 0x7200001f],
  ["orr w0, w0, #0x80000000", 0x32010000],
  ["mvn x1, x2", 0xaa2203e1],
  ["lsl x0, x1, #0", 0xd340fc20],
  ["lsl w0, w1, #31", 0x53010020],
  ["lsr x0, x1, #12", 0xd34cfc20],
  ["asr w0, w1, #0", 0x13007c20],
  ["ror x0, x1, #1", 0x93c10420],
  ["lsl x0, x1, x2", 0x9ac22020],
  ["ubfx x0, x1, #39, #9", 0xd367bc20],
  ["sbfiz w1, w2, #3, #4", 0x131d0c41],
  ["bfi x0, x1, #12, #36", 0xb3748c20],
  ["bfxil w0, w1, #4, #4", 0x33041c20],
  ["uxtb w0, w1", 0x53001c20],
  ["sxtw x0, w1", 0x93407c20],
  ["extr x0, x1, x2, #17", 0x93c24420],
  ["cset w0, hs", 0x1a9f37e0],
  ["cset x1, ne", 0x9a9f07e1],
  ["cinc x0, x1, lo", 0x9a812420],
  ["csel x0, x1, x2, eq", 0x9a820020],
  ["ccmp x0, #31, #15, le", 0xfa5fd80f],
  ["mul x0, x1, x2", 0x9b027c20],
  ["mneg w0, w1, w2", 0x1b02fc20],
  ["umull x0, w1, w2", 0x9ba27c20],
  ["udiv w0, w1, w2", 0x1ac20820],
  ["lslv x0, x1, x2", 0x9ac22020],
  ["crc32cx w0, w1, x2", 0x9ac25c20],
  ["rev32 x0, x1", 0xdac00820],
  ["rev w0, w1", 0x5ac00820],
  ["adc x0, x1, x2", 0x9a020020],
  ["ngcs w0, w1", 0x7a0103e0],
  ["mov lr, x0", 0xaa0003fe],
  ["stp fp, lr, [sp, #-16]!", 0xa9bf7bfd],
];

Deno.test("assemble() makes the words that GNU as makes", () => {
  for (const [text, word] of KNOWN) {
    assertEquals(assemble(text).toString(16), word.toString(16), text);
  }
});

Deno.test("assemble() reads any case and white space", () => {
  assertEquals(assemble("  ADD   X0 ,X1,  #0X10 "), 0x91004020);
});

Deno.test("assemble() takes targets as addresses", () => {
  assertEquals(assemble("b 0x40400010", 0x40400000n), 0x14000004);
  assertEquals(assemble("b 0x403ffffc", 0x40400000n), 0x17ffffff);
  assertEquals(assemble("adr x0, 0x40400001", 0x40400000n), 0x30000000);
  assertEquals(assemble("adrp x0, 0x40401000", 0x40400ffcn), 0xb0000000);
  assertEquals(assemble("adrp x0, 0xffffffff80000000", 0xffffffff80001ffcn), 0xf0ffffe0);
});

Deno.test("assemble() gives the word of .inst", () => {
  assertEquals(assemble(".inst 0xffffffff"), 0xffffffff);
});

Deno.test("assemble() says in one line what does not fit", () => {
  const message = (text: string) => assertThrows(() => assemble(text), AssemblerError).message;
  assertEquals(message("frob x0"), 'Cannot assemble "frob x0": there is no instruction "frob"');
  assertEquals(
    message("add x0, x1, #99999"),
    'Cannot assemble "add x0, x1, #99999": operand 3 "#99999" fits no form of add',
  );
  assertEquals(
    message("add x0, x1"),
    'Cannot assemble "add x0, x1": no form of add takes these operands',
  );
  for (
    const text of [
      "add x0, x1, w2",
      "add w0, x1, x2",
      "add x0, x1, x2, ror #3",
      "and x0, x1, #0",
      "mov x0, #0x123456789",
      "lsl w0, w1, #32",
      "ubfx w0, w1, #30, #3",
      "cset x0, al",
      "b 0x2",
      "b 0x10000000",
      "movz w0, #1, lsl #32",
      "add x0, x1, x2, x3, x4",
      "ldr x0, [x1, #32768]",
      "add x0, x31, x2",
      ".inst 0x100000000",
    ]
  ) assertThrows(() => assemble(text), AssemblerError, text);
});
