import { assertEquals } from "@std/assert";
import { decodeTlbiOperand } from "./tlbi.ts";

Deno.test("decodeTlbiOperand() shifts the page number and extends bit 55", () => {
  const low = decodeTlbiOperand(0x1234_0000_0004_0001n, 0xffff);
  assertEquals(low, { asid: 0x1234, vaHi: 0, vaLo: 0x4000_1000 });
  const high = decodeTlbiOperand(0x00ab_0fff_fff8_0000n, 0xff);
  assertEquals(high, { asid: 0xab, vaHi: 0xffff_ffff, vaLo: 0x8000_0000 });
});

Deno.test("decodeTlbiOperand() cuts the ASID and ignores bits 47:44", () => {
  const operand = decodeTlbiOperand(0xabcd_f000_0000_0001n, 0xff);
  assertEquals(operand, { asid: 0xcd, vaHi: 0, vaLo: 0x1000 });
});
