import { assertEquals, assertThrows } from "@std/assert";
import { assemble, AssemblerError } from "./assemble.ts";
import { disassemble } from "./disassemble.ts";

Deno.test("system registers are read by name, in any case, and by encoding", () => {
  for (
    const [text, word, preferred = text] of [
      ["msr vbar_el1, x0", 0xd518c000],
      ["msr VBAR_EL1, x0", 0xd518c000, "msr vbar_el1, x0"],
      ["mrs x3, S3_0_C12_C0_0", 0xd538c003, "mrs x3, vbar_el1"],
      ["mrs x0, s3_0_c15_c2_0", 0xd538f200],
      ["msr hcr_el2, x9", 0xd51c1109],
      ["mrs x0, cntvct_el0", 0xd53be040],
      ["mrs x0, nzcv", 0xd53b4200],
      ["msr fpcr, x1", 0xd51b4401],
      ["msr daifset, #0xf", 0xd5034fdf],
      ["msr spsel, #0x1", 0xd50041bf],
    ] as readonly [string, number, string?][]
  ) {
    assertEquals(assemble(text), word, text);
    assertEquals(disassemble(word), preferred);
  }
});

Deno.test("IC, DC, AT and TLBI are names of SYS", () => {
  for (
    const [text, word] of [
      ["ic iallu", 0xd508751f],
      ["ic ivau, x3", 0xd50b7523],
      ["dc zva, x0", 0xd50b7420],
      ["dc civac, x30", 0xd50b7e3e],
      ["at s1e1r, x0", 0xd5087800],
      ["tlbi vmalle1", 0xd508871f],
      ["tlbi vae1is, x1", 0xd5088321],
      ["tlbi alle2", 0xd50c871f],
      ["sys #1, C2, C3, #4", 0xd509239f],
      ["sys #0, C7, C5, #0, x1", 0xd5087501],
      ["sysl x0, #1, C2, C3, #4", 0xd5292380],
    ] as const
  ) {
    assertEquals(assemble(text), word, text);
    assertEquals(disassemble(word), text);
  }
});

Deno.test("barriers and hints are read by name and by number", () => {
  for (
    const [text, word, preferred = text] of [
      ["dsb sy", 0xd5033f9f],
      ["dsb ish", 0xd5033b9f],
      ["dmb #0x0b", 0xd5033bbf, "dmb ish"],
      ["dmb #0x00", 0xd50330bf],
      ["isb", 0xd5033fdf],
      ["isb sy", 0xd5033fdf, "isb"],
      ["isb #0x3", 0xd50333df],
      ["dsb #0", 0xd503309f, "ssbb"],
      ["clrex", 0xd5033f5f],
      ["nop", 0xd503201f],
      ["wfi", 0xd503207f],
      ["hint #3", 0xd503207f, "wfi"],
      ["bti c", 0xd503245f],
      ["hint #0x7f", 0xd5032fff],
    ] as readonly [string, number, string?][]
  ) {
    assertEquals(assemble(text), word, text);
    assertEquals(disassemble(word), preferred);
  }
});

Deno.test("names and numbers that do not exist are refused", () => {
  for (
    const text of [
      "mrs x0, vbar_el9",
      "mrs x0, s1_0_c15_c2_0",
      "mrs x0, s3_0_c16_c2_0",
      "tlbi vae1is",
      "tlbi vmalle1, x0",
      "dsb #16",
      "hint #128",
      "msr daifset, #16",
      "sys #8, C2, C3, #4",
    ]
  ) {
    assertThrows(() => assemble(text), AssemblerError);
  }
});
