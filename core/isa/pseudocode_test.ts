import { assertEquals } from "@std/assert";
import { decodeBitMask, encodeBitMask, extendShifts } from "./pseudocode.ts";

/** Every logical immediate's value by the definition: a rotated run of ones, repeated. */
function* definedMasks(
  datasize: number,
): Generator<{ fields: Record<string, number>; value: bigint }> {
  for (let esize = 2; esize <= datasize; esize *= 2) {
    for (let ones = 1; ones < esize; ones++) {
      for (let immr = 0; immr < esize; immr++) {
        let text = "";
        for (let at = 0; at < datasize; at++) {
          text = (((at + immr) % esize) < ones ? "1" : "0") + text;
        }
        const imms = (~(2 * esize - 1) & 0x3f) | (ones - 1);
        const fields = { sf: datasize === 64 ? 1 : 0, N: esize === 64 ? 1 : 0, imms, immr };
        yield { fields, value: BigInt(`0b${text}`) };
      }
    }
  }
}

Deno.test("decodeBitMask() and encodeBitMask() agree with the definition for every immediate", () => {
  for (const datasize of [32, 64]) {
    let count = 0;
    for (const { fields, value } of definedMasks(datasize)) {
      count++;
      const [low, high] = decodeBitMask(fields)!;
      assertEquals((BigInt(high) << 32n) | BigInt(low), value, JSON.stringify(fields));
      const { N, imms, immr } = fields;
      assertEquals(encodeBitMask(value, fields.sf), { N, imms, immr });
    }
    assertEquals(count, datasize === 32 ? 1302 : 5334);
  }
});

Deno.test("decodeBitMask() refuses the reserved encodings", () => {
  assertEquals(decodeBitMask({ sf: 0, N: 1, imms: 0, immr: 0 }), undefined);
  assertEquals(decodeBitMask({ sf: 1, N: 1, imms: 63, immr: 0 }), undefined);
  assertEquals(decodeBitMask({ sf: 1, N: 0, imms: 0b111110, immr: 0 }), undefined);
  assertEquals(decodeBitMask({ sf: 0, N: 0, imms: 0b011111, immr: 5 }), undefined);
});

Deno.test("encodeBitMask() refuses what is no mask", () => {
  for (const value of [0n, -1n, 5n, 0x1234n]) assertEquals(encodeBitMask(value, 1), undefined);
  assertEquals(encodeBitMask(0xffff_ffffn, 0), undefined);
});

Deno.test("extendShifts() extends and shifts like ExtendReg()", () => {
  const operand = 0xfedc_ba98_8765_43a1n;
  for (const datasize of [32, 64]) {
    for (let length = 0; length < 4; length++) {
      for (let by = 0; by <= 4; by++) {
        for (const asN of [BigInt.asIntN, BigInt.asUintN]) {
          const { left, right } = extendShifts(datasize, length, by);
          const shifted = asN(datasize, operand << BigInt(left)) >> BigInt(right);
          const bits = Math.min(8 << length, datasize);
          const expected = asN(bits, operand) << BigInt(by);
          assertEquals(BigInt.asUintN(datasize, shifted), BigInt.asUintN(datasize, expected));
        }
      }
    }
  }
});
