import { assertEquals, assertThrows } from "@std/assert";
import type { CborMap } from "./cbor.ts";
import { Fields } from "./fields.ts";
import { applyPageDelta, BASE, PageDeltaWriter, readPageDeltas } from "./page_delta.ts";
import { PAGE_SIZE } from "./schema.ts";
import { Random } from "./synthetic_flow.ts";
import { TraceError } from "./trace_error.ts";

const WORDS = PAGE_SIZE / 4;

function fieldsOf(writer: PageDeltaWriter): Fields {
  return new Fields(writer.take(0) as CborMap, "the pages");
}

Deno.test("PageDeltaWriter stores one changed word as one line, one mask and eight bytes", () => {
  const was = new Uint32Array(WORDS).fill(5);
  const is = was.slice();
  is[2 * 16 + 3] = 0x01020304;
  const writer = new PageDeltaWriter();
  writer.add(0x40000, BASE.previous, was, is);
  const content = writer.take(0) as Record<string, Uint8Array>;
  assertEquals([...content.lines], [4, 0, 0, 0, 0, 0, 0, 0]);
  assertEquals([...content.masks], [2]);
  assertEquals([...content.words], [5, 0, 0, 0, 4, 3, 2, 1]);
});

Deno.test("applyPageDelta() turns the base into the page", () => {
  const random = new Random(4);
  const writer = new PageDeltaWriter();
  const pairs = Array.from({ length: 50 }, (_, i) => {
    const was = new Uint32Array(WORDS).map(() => random.below(3));
    const is = was.slice();
    for (let n = random.below(200); n >= 0; n--) is[random.below(WORDS)] = random.below(2 ** 31);
    writer.add(10 + 7 * i, BASE.previous, was, is);
    return { was, is };
  });
  const deltas = readPageDeltas(fieldsOf(writer));
  assertEquals(deltas.map((d) => d.number), pairs.map((_, i) => 10 + 7 * i));
  deltas.forEach((delta, i) => {
    const page = new Uint8Array(pairs[i].was.buffer);
    applyPageDelta(delta, page);
    assertEquals(page, new Uint8Array(pairs[i].is.buffer));
  });
});

Deno.test("readPageDeltas() refuses columns that contradict each other", () => {
  const writer = new PageDeltaWriter();
  const page = new Uint32Array(WORDS).fill(1);
  writer.add(1, BASE.zero, new Uint32Array(WORDS), page);
  writer.add(2, BASE.first, page, page);
  const good = writer.take(0) as Record<string, Uint8Array>;
  readPageDeltas(new Fields(good as unknown as CborMap, "the pages"));
  const bad: Record<string, Uint8Array>[] = [
    { pages: new Uint8Array([1, 0]) },
    { pages: new Uint8Array([1]) },
    { bases: new Uint8Array([2, 2]) },
    { bases: new Uint8Array([1]) },
    { lines: good.lines.slice(1) },
    { masks: good.masks.slice(1) },
    { words: good.words.slice(8) },
    { words: new Uint8Array([...good.words, 1]) },
  ];
  for (const change of bad) {
    const fields = new Fields({ ...good, ...change } as unknown as CborMap, "the pages");
    assertThrows(() => readPageDeltas(fields), TraceError, "the pages");
  }
});

Deno.test("addCopy() stores a page as its place in the memory at #0", () => {
  const image = new Uint32Array(WORDS).fill(3);
  const page = image.slice();
  page[7] = 9;
  const writer = new PageDeltaWriter();
  writer.add(1, BASE.zero, new Uint32Array(WORDS), image);
  writer.addCopy(2, 0x4000_0104, image, page);
  writer.addCopy(3, 0x4000_0000, image, image);
  const content = writer.take(0) as Record<string, Uint8Array>;
  assertEquals([...content.bases], [1, 3, 4]);
  const [, copy, exact] = readPageDeltas(new Fields(content as unknown as CborMap, "the pages"));
  assertEquals([copy.base, copy.source, copy.words.length], [BASE.zero, 0x4000_0104, 8]);
  assertEquals([exact.source, exact.words.length], [0x4000_0000, 0]);
  for (
    const sources of [[], [0x80, 0x80, 1], [2, 0, 0], [2, 2], [
      0xff,
      0xff,
      0xff,
      0xff,
      0xff,
      0xff,
      127,
      0,
    ]]
  ) {
    const fields = { ...content, sources: new Uint8Array(sources) } as unknown as CborMap;
    assertThrows(() => readPageDeltas(new Fields(fields, "the pages")), TraceError, "the pages");
  }
});
