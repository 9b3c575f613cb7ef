import { assertEquals, assertThrows } from "@std/assert";
import { parseExpression, type Terms } from "./expression.ts";
import { UserError } from "./user_error.ts";

const MEMORY = Uint8Array.from([0x11, 0x22, 0x33, 0x84, 0x55, 0x66, 0x77, 0xf8]);
const NAMES: Readonly<Record<string, bigint>> = { $x0: 2n ** 64n - 2n, $w1: 7n, main: 0x1000n };

const TERMS: Terms = {
  name(text) {
    return Object.hasOwn(NAMES, text) ? () => NAMES[text] : undefined;
  },
  read(address, bytes) {
    const part = MEMORY.subarray(Number(address & 7n), Number(address & 7n) + bytes);
    return part.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
  },
};

function value(text: string): bigint {
  return parseExpression(text, TERMS)().bits;
}

Deno.test("parseExpression() has C's precedence and associates to the left", () => {
  const cases: [string, bigint][] = [
    ["1 + 2 * 3", 7n],
    ["(1 + 2) * 3", 9n],
    ["10 - 4 - 3", 3n],
    ["100 / 10 / 5 % 4", 2n],
    ["1 << 2 + 1", 8n],
    ["1 | 2 ^ 3 & 6", 1n],
    ["4 & 6 == 6", 0n],
    ["1 < 2 == 1", 1n],
    ["1 || 0 && 0", 1n],
    ["!1 + 1", 1n],
    ["!!5 == 1 && ~0 == -1", 1n],
    ["- - 3", 3n],
    ["0x1_0000 + 0b101 + 1_0", 0x1_000fn],
  ];
  for (const [text, expected] of cases) assertEquals(value(text), expected, text);
});

Deno.test("parseExpression() wraps at 64 bits and is unsigned unless both sides are signed", () => {
  const cases: [string, bigint][] = [
    ["$x0 + 3", 1n],
    ["$x0 < 0", 0n],
    ["(s64)$x0 < 0", 1n],
    ["$x0 == -2", 1n],
    ["(s64)$x0 / 2 == -1", 1n],
    ["(s64)$x0 < (u64)1", 0n],
    ["-1 < 0", 1n],
    ["0xffffffffffffffff > 1", 1n],
    ["(u8)$x0", 0xfen],
    ["(int8_t)0x80 == -128", 1n],
    ["(s64)$x0 >> 1 == -1 && $x0 >> 63 == 1", 1n],
    ["(unsigned int)-1", 0xffff_ffffn],
    ["(unsigned)(char)-1", 0xffn],
  ];
  for (const [text, expected] of cases) assertEquals(value(text), expected, text);
});

Deno.test("parseExpression() reads memory by type and by size", () => {
  const cases: [string, bigint][] = [
    ["*(u8*)main", 0x11n],
    ["*(u16 *)(main + 1)", 0x3322n],
    ["{4}main", 0x8433_2211n],
    ["*(s32*)main < 0", 1n],
    ["*(u32*)main < 0", 0n],
    ["*main", 0xf877_6655_8433_2211n],
    ["{8}main == *(unsigned long *)&main", 1n],
    ["*(volatile uint8_t*)main + 1", 0x12n],
    ["{char}main", 0x11n],
    ["&main", 0x1000n],
    ["'main' + 0x$w1".replace("0x", ""), 0x1007n],
  ];
  for (const [text, expected] of cases) assertEquals(value(text), expected, text);
});

Deno.test("parseExpression() evaluates the right side only where it matters", () => {
  assertEquals(value("0 && 1 / 0"), 0n);
  assertEquals(value("1 || 1 % 0"), 1n);
});

Deno.test("parseExpression() says in one line what it does not understand", () => {
  const cases: [string, string][] = [
    ["", 'Cannot evaluate "": something is missing at its end'],
    ["1 +", 'Cannot evaluate "1 +": something is missing at its end'],
    ["(1", 'Cannot evaluate "(1": expected ")"'],
    ["1 2", 'Cannot evaluate "1 2": unexpected "2"'],
    ["1 = 2", 'Cannot evaluate "1 = 2": unexpected "= 2"'],
    ["0x1g", 'Cannot evaluate "0x1g": unexpected "0x1g"'],
    ["nothing", 'Unknown name "nothing": expected a number'],
    ["{3}main", 'Cannot evaluate "{3}main": expected {1}, {2}, {4}, {8} or {TYPE}'],
    ["4 / 0", "Cannot divide by zero"],
    ["(".repeat(5000), "Cannot evaluate"],
  ];
  for (const [text, message] of cases) assertThrows(() => value(text), UserError, message);
});
