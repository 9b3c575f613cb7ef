import { assert, assertEquals } from "@std/assert";
import { CodeOrigins } from "./code_origins.ts";
import { ImageMemory } from "./image_memory.ts";
import type { RecordableMemory } from "./recordable_machine.ts";
import { Random } from "./synthetic_flow.ts";

const BASE = 0x4000_0000;
const RANGES = [{ address: BASE + 0x1004, length: 0x6000 }, {
  address: BASE + 0x9000,
  length: 0x200,
}];

function memoryOf(words: Uint32Array): RecordableMemory {
  const bytes = new Uint8Array(words.buffer);
  return { base: BASE, size: bytes.length, bytes } as RecordableMemory;
}

function randomWords(seed: number, count: number): Uint32Array {
  const random = new Random(seed);
  return new Uint32Array(count).map(() => random.below(2 ** 31));
}

Deno.test("candidates() finds a page of the image at any word, also when some of it changed", () => {
  const words = randomWords(1, 0x4000);
  const image = new ImageMemory(memoryOf(words), RANGES);
  const place = (0x1004 + 0x344) / 4;
  const page = words.slice(place, place + 1024);
  for (let i = 0; i < 1024; i += 3) page[i] = i;
  words.fill(7);
  assert(image.candidates(page).includes(BASE + 4 * place));
  assertEquals(image.candidates(randomWords(2, 1024)), []);
});

Deno.test("at() knows the loaded ranges as they were and nothing else", () => {
  const words = randomWords(3, 0x4000);
  const expected = words.slice(0x9000 / 4, 0x9000 / 4 + 8);
  const image = new ImageMemory(memoryOf(words), RANGES);
  words.fill(0);
  assertEquals(image.at(BASE + 0x9000, 8), expected);
  assertEquals(image.at(BASE + 0x9200 - 16, 8), null);
  assertEquals(image.at(BASE + 0x1000, 1), null);
  assertEquals(image.at(BASE + 0x1004, 0x1800)?.length, 0x1800);
});

Deno.test("ImageMemory takes parts of words whole and leaves out what is not memory", () => {
  const memory = memoryOf(randomWords(4, 0x400));
  const image = new ImageMemory(memory, [
    { address: BASE - 0x100, length: 0x101 },
    { address: BASE + 0xffe, length: 0x100 },
    { address: BASE + 0x9000, length: 4 },
  ]);
  assertEquals(image.at(BASE, 1)?.length, 1);
  assertEquals(image.at(BASE + 0xffc, 1)?.length, 1);
  assertEquals(image.at(BASE + 0x9000, 1), null);
});

Deno.test("CodeOrigins finds moved code, and single instructions beside it", () => {
  const words = randomWords(5, 0x4000);
  const origins = new CodeOrigins(new ImageMemory(memoryOf(words), RANGES));
  const code = (at: number, count: number) => new Uint8Array(words.slice(at, at + count).buffer);
  const pc = (at: number) => 0xffff_8000_0000_0000n + BigInt(4 * at);
  const expected = BigInt.asUintN(64, 1n + BigInt(BASE) - 0xffff_8000_0000_0000n);
  assertEquals(origins.find(pc(0x500), code(0x500, 1)), 0n);
  assertEquals(origins.find(pc(0x500), code(0x500, 64)), expected);
  assertEquals(origins.find(pc(0x503), code(0x503, 1)), expected);
  assertEquals(origins.find(pc(0x504), code(0x503, 1)), 0n);
  assertEquals(origins.find(pc(0x3000), code(0x3000, 64)), 0n);
});

Deno.test("ImageMemory takes a range's bytes where memory holds them, else a copy", () => {
  const words = randomWords(6, 0x400);
  const same = new Uint8Array(words.slice(0x100, 0x300).buffer);
  const range = { address: BASE + 0x400, length: 0x900 };
  const known = new ImageMemory(memoryOf(words), [{ ...range, bytes: same }]);
  assertEquals(known.at(BASE + 0x400, 0x200)?.buffer, same.buffer);
  assertEquals(known.at(BASE + 0x400, 0x201), null);
  const other = new ImageMemory(memoryOf(words), [{ ...range, bytes: same.map((b) => b ^ 1) }]);
  assertEquals(other.at(BASE + 0x400, 0x201), words.slice(0x100, 0x301));
});
