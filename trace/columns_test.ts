import { assertEquals, assertThrows } from "@std/assert";
import { ByteColumn, ColumnReader, WordColumn } from "./columns.ts";
import { Random } from "./synthetic_flow.ts";
import { TraceError } from "./trace_error.ts";

Deno.test("pushUint() writes LEB128 up to 2^53 - 1", () => {
  const values = [0, 1, 127, 128, 300, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER];
  const column = new ByteColumn();
  for (const value of values) column.pushUint(value);
  const reader = new ColumnReader(column.take(), "test");
  assertEquals(values.map(() => reader.uint()), values);
  reader.finish();
  column.pushUint(300);
  assertEquals([...column.take()], [0xac, 0x02]);
});

Deno.test("WordColumn takes any 64-bit words as deltas", () => {
  const random = new Random(1);
  const words = [0n, 1n, 0n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 63n - 1n, 5n];
  for (let i = 0; i < 2000; i++) {
    const word = (BigInt(random.below(2 ** 31)) << 33n) | BigInt(random.below(2 ** 31));
    words.push(BigInt.asUintN(64, random.oneIn(2) ? word : word >> BigInt(random.below(63))));
  }
  const column = new WordColumn();
  for (const word of words) column.push(word);
  assertEquals(column.length, words.length);
  const reader = new ColumnReader(column.take(), "test");
  assertEquals(words.map(() => reader.word()), words);
  reader.finish();
  assertEquals(column.length, 0);
});

Deno.test("WordColumn stores a step of 4 as one byte 8, a step back of 4 as 7", () => {
  const column = new WordColumn();
  for (const word of [4n, 8n, 4n]) column.push(word);
  assertEquals([...column.take()], [8, 8, 7]);
});

Deno.test("pushNumber() is push() of the same integer", () => {
  const [a, b] = [new WordColumn(), new WordColumn()];
  for (const value of [0, 5, 0xffff_ffff, 0x1_0000_0000, 0xffff_ffff_ffff, 7]) {
    a.pushNumber(value);
    b.push(BigInt(value));
  }
  assertEquals(a.take(), b.take());
});

Deno.test("ColumnReader refuses to read past the end or beyond a limit", () => {
  const fails = (bytes: number[], read: (reader: ColumnReader) => unknown, expected: string) =>
    assertThrows(
      () => read(new ColumnReader(new Uint8Array(bytes), "the test")),
      TraceError,
      expected,
    );
  fails([], (r) => r.byte(), "Cannot read the test at byte 0: expected another byte");
  fails([0x80], (r) => r.uint(), "expected another byte");
  fails([0xff, 0x01], (r) => r.uint(254), "an integer of at most 254");
  fails(Array(20).fill(0xff), (r) => r.uint(), "an integer of at most");
  fails(Array(20).fill(0xff), (r) => r.word(), "a 64-bit difference");
  // Ten bytes: 2^64 - 1 is the largest value, and an eleventh byte is too many even if it is 0.
  const nines = Array(9).fill(0xff);
  assertEquals(new ColumnReader(new Uint8Array([...nines, 1]), "it").word(), 1n << 63n);
  fails([...nines, 2], (r) => r.word(), "a 64-bit difference");
  fails([...nines, 0x7f], (r) => r.word(), "a 64-bit difference");
  fails([...nines, 0x81, 0], (r) => r.word(), "a 64-bit difference");
  const zeros = Array(9).fill(0x80);
  assertEquals(new ColumnReader(new Uint8Array([...zeros, 0]), "it").word(), 0n);
  assertEquals(new ColumnReader(new Uint8Array([...zeros, 0]), "it").uint(), 0);
  fails([...zeros, 0x80, 0], (r) => r.word(), "a 64-bit difference");
  fails([...zeros, 0x80, 0], (r) => r.uint(), "an integer of at most ten bytes");
  fails(Array(500).fill(0x80), (r) => r.uint(), "an integer of at most ten bytes");
  fails([1, 2], (r) => r.view(3), "3 more bytes");
  fails([1, 2], (r) => r.finish(), "its end");
});
