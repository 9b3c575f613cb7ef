import { assertEquals, assertNotEquals } from "@std/assert";
import { addHash, hashPage, hashState, hashWords, subtractHash } from "./state_hash.ts";
import { Random } from "./synthetic_flow.ts";

Deno.test("hashWords() gives the values that SPEC.md works out", () => {
  const hex = (hash: readonly number[]) => hash.map((lane) => lane.toString(16).padStart(8, "0"));
  assertEquals(hex(hashWords(new Uint32Array(0), 0, 0)), ["fb5baf88", "9fa031bc"]);
  assertEquals(hex(hashState(new Uint8Array([1, 2, 3, 4, 5]))), ["d0f4bd99", "6c4b683c"]);
  const page = new Uint32Array(1024);
  assertEquals(hashPage(page, 0, 0x40000), [0, 0]);
  page[0] = 1;
  assertEquals(hex(hashPage(page, 0, 0x40000)), ["5350584a", "0c4769c7"]);
});

Deno.test("hashPage() changes with every single bit, and with the page's place", () => {
  const random = new Random(9);
  const page = new Uint32Array(1024).map(() => random.below(2 ** 31));
  const seen = new Set<string>([hashPage(page, 0, 5).join()]);
  let expected = 1;
  for (let word = 0; word < 1024; word += 13) {
    for (let bit = 0; bit < 32; bit++) {
      page[word] ^= 1 << bit;
      seen.add(hashPage(page, 0, 5).join());
      page[word] ^= 1 << bit;
      expected++;
    }
  }
  for (const [space, number] of [[0, 4], [1, 5], [0, 5 + 2 ** 32]]) {
    seen.add(hashPage(page, space, number).join());
    expected++;
  }
  assertEquals(seen.size, expected);
});

Deno.test("hashWords() tells flips of two top bits from none", () => {
  const words = new Uint32Array(64);
  const before = hashWords(words, 0, 0);
  for (let i = 1; i < 64; i++) {
    words[0] = words[i] = 0x8000_0000;
    assertNotEquals(hashWords(words, 0, 0), before);
    words[i] = 0;
  }
});

Deno.test("addHash() and subtractHash() are inverse lane by lane", () => {
  assertEquals(addHash([0xffff_ffff, 1], [2, 3]), [1, 4]);
  assertEquals(subtractHash([1, 4], [2, 3]), [0xffff_ffff, 1]);
});
