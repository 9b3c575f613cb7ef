import { assertEquals, assertThrows } from "@std/assert";
import { assemble, AssemblerError } from "./assemble.ts";
import { disassemble } from "./disassemble.ts";

Deno.test("an offset that only LDUR, STUR or PRFUM can encode is assembled as these", () => {
  for (
    const [text, word, preferred] of [
      ["ldr x0, [x1, #8]", 0xf9400420, "ldr x0, [x1, #8]"],
      ["ldr x0, [x1, #-8]", 0xf85f8020, "ldur x0, [x1, #-8]"],
      ["str w0, [sp, #3]", 0xb80033e0, "stur w0, [sp, #3]"],
      ["ldr q0, [x1, #-16]", 0x3cdf0020, "ldur q0, [x1, #-16]"],
      ["prfm pldl1keep, [x0, #-8]", 0xf89f8000, "prfum pldl1keep, [x0, #-8]"],
      ["ldur x0, [x1]", 0xf8400020, "ldur x0, [x1]"],
    ] as const
  ) {
    assertEquals(assemble(text), word, text);
    assertEquals(disassemble(word), preferred);
  }
});

Deno.test("addresses are written in all their forms", () => {
  for (
    const [text, word] of [
      ["ldr x0, [x1, #8]!", 0xf8408c20],
      ["ldr x0, [x1], #-256", 0xf8500420],
      ["ldr x0, [x1, x2]", 0xf8626820],
      ["ldr x0, [x1, x2, lsl #3]", 0xf8627820],
      ["ldr x0, [x1, w2, uxtw]", 0xf8624820],
      ["ldr x0, [x1, w2, sxtw #3]", 0xf862d820],
      ["ldr x0, [x1, x2, sxtx #3]", 0xf862f820],
      ["ldrb w0, [x1, x2, lsl #0]", 0x38627820],
      ["ldrb w0, [x1, x2]", 0x38626820],
      ["ldp x0, x1, [sp], #-16", 0xa8ff07e0],
      ["ldp q0, q1, [sp, #32]", 0xad4107e0],
      ["stlxp w0, x1, x2, [x3]", 0xc8208861],
      ["prfm #0x06, [x0, x1, lsl #3]", 0xf8a17806],
    ] as const
  ) {
    assertEquals(assemble(text), word, text);
    assertEquals(disassemble(word), text);
  }
});

Deno.test("addresses that no encoding has are refused", () => {
  for (
    const text of [
      "ldr x0, [x1, #256]!",
      "ldr x0, [x1, w2]",
      "ldr x0, [x1, x2, lsl #2]",
      "ldr x0, [x1, x2, uxtw]",
      "ldr x0, [x1, w2, lsl #3]",
      "ldr x0, [x1, xzr, sxtw]",
      "ldr x0, [xzr]",
      "ldp x0, x1, [sp, #4]",
      "ldp x0, x1, [sp, #512]",
      "ldxr x0, [x1, #8]",
      "prfm pldl4keep, [x0]",
      "ldnpsw x0, x1, [x2]",
    ]
  ) {
    assertThrows(() => assemble(text), AssemblerError);
  }
});
