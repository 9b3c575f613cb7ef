import { assertEquals, assertThrows } from "@std/assert";
import { decodeContent, encodeContent, MAX_NESTING, readHead, writeHead } from "./cbor.ts";
import { TraceError } from "./trace_error.ts";

Deno.test("encodeContent() and decodeContent() keep numbers, words, texts and bytes apart", () => {
  const value = {
    small: 7,
    large: 4e9,
    beyond: 2 ** 40,
    word: 5n,
    high: 2n ** 64n - 1n,
    text: "grün",
    bytes: new Uint8Array([1, 2, 3]),
    list: [true, false, null, []],
    nested: { a: { b: 1 } },
  };
  assertEquals(decodeContent(encodeContent(value), "test"), value);
});

Deno.test("writeHead() writes the shortest head that readHead() reads", () => {
  for (const value of [0, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 50]) {
    const head = readHead(new Uint8Array(writeHead(2, value)), 0)!;
    assertEquals([head.major, head.value], [2, value]);
  }
  assertEquals(writeHead(0, 1000), [0x19, 0x03, 0xe8]);
});

Deno.test("decodeContent() refuses what the writer never writes", () => {
  const cases: Record<string, number[]> = {
    "a complete item": [0x9f, 0x00, 0xff],
    "without tags": [0xc0, 0x60],
    "a string of 5 bytes, 1 left": [0x45, 0x00],
    "4294967295 entries": [0x9a, 0xff, 0xff, 0xff, 0xff],
    "a text key": [0xa1, 0x01, 0x02],
    "one CBOR item of 2 bytes, found 1": [0x00, 0x00],
    "a 64-bit float": [0xf9, 0x00, 0x00],
    "nesting of at most": Array(MAX_NESTING + 1).fill(0x81).concat(0),
  };
  for (const [expected, bytes] of Object.entries(cases)) {
    assertThrows(() => decodeContent(new Uint8Array(bytes), "the test"), TraceError, expected);
  }
  const many = new Uint8Array(300_005).fill(0xf6);
  many.set([0x9a, 0x00, 0x04, 0x93, 0xe0]);
  assertThrows(() => decodeContent(many, "the test"), TraceError, "at most 262144 CBOR items");
  const deep = Array(MAX_NESTING).fill(0x81).concat(0);
  decodeContent(new Uint8Array(deep), "the test");
});
