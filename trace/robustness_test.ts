import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { constants, zstdCompressSync } from "node:zlib";
import { encodeContent } from "./cbor.ts";
import { commitHash, encodeItem, itemHash, NO_COMMIT } from "./chunk.ts";
import { openTrace } from "./reader.ts";
import { ITEM } from "./schema.ts";
import { Random } from "./synthetic_flow.ts";
import {
  joinBytes,
  joinTrace,
  type LooseItem,
  recordSynthetic,
  splitTrace,
  tryRead,
  windowAnswers,
} from "./testing.ts";
import { TraceError } from "./trace_error.ts";

const SMALL = { seed: 11, steps: 1100, pages: 24, eventEvery: 6 };

/** Fails unless the answers are the first ones of the whole trace's. */
function assertPrefix(answers: readonly string[], whole: readonly string[], what: string): void {
  assert(answers.length <= whole.length, what);
  answers.forEach((answer, i) => assert(answer === whole[i], `${what}: window ${i} differs`));
}

function assertOneLine(message: string): void {
  assert(!/[\n\r]/.test(message) && message.length < 400, `not one line: ${message}`);
}

Deno.test("openTrace() of a truncated trace answers as the whole trace does", () => {
  const { bytes } = recordSynthetic({ ...SMALL, steps: 4000 }, 500);
  const trace = openTrace(bytes);
  const whole = windowAnswers(trace);
  const random = new Random(500);
  const edges = splitTrace(bytes).map((item) => item.frame.offset).slice(1);
  const seen = new Set<number>();
  for (let i = 0; i < 500; i++) {
    const edge = edges[random.below(edges.length)] + random.below(3) - 1;
    const length = i < 60 ? i : i < 260 ? Math.max(0, edge) : random.below(bytes.length);
    const cut = bytes.slice(0, length);
    const found = tryRead(cut);
    if ("error" in found) {
      assertLess(length, trace.windows[1].offset, found.error);
      assertOneLine(found.error);
      continue;
    }
    assertPrefix(found.answers, whole, `cut at ${length}`);
    const { truncated, end } = openTrace(cut);
    assertEquals(truncated?.position, end);
    const committed = trace.windows.filter((w) => {
      const next = trace.windows[w.number + 1];
      return next ? next.offset <= length : false;
    });
    assertEquals(found.answers.length >= committed.length, true, `cut at ${length}`);
    seen.add(found.answers.length);
  }
  assertEquals(seen.size, trace.windows.length);
});

Deno.test("openTrace() of 10,000 mutated traces reads right or fails with one line", () => {
  const { bytes } = recordSynthetic(SMALL, 400);
  const whole = windowAnswers(openTrace(bytes));
  const random = new Random(10_000);
  const before = Deno.memoryUsage().rss;
  let errors = 0;
  for (let i = 0; i < 10_000; i++) {
    const mutant = mutate(bytes, random);
    const found = tryRead(mutant);
    if ("error" in found) {
      errors++;
      assertOneLine(found.error);
    } else {
      assertPrefix(found.answers, whole, `mutant ${i}`);
    }
    if (i % 100 === 0) assertLess(Deno.memoryUsage().rss - before, 256e6);
  }
  assert(errors > 1000 && errors < 10_000, `${errors} errors`);
});

Deno.test("openTrace() survives mutated contents under valid hashes", () => {
  const { bytes } = recordSynthetic(SMALL, 400);
  const items = splitTrace(bytes);
  const steps = openTrace(bytes).windows.map((w): [number, number] => [w.start, w.end]);
  const random = new Random(77);
  const before = Deno.memoryUsage().rss;
  let errors = 0;
  for (let i = 0; i < 1200; i++) {
    const mutated = items.map((item): LooseItem =>
      random.below(items.length) === 0 ? { ...item, content: mutate(item.content, random) } : item
    );
    const found = tryRead(joinTrace(mutated, steps));
    if ("error" in found) {
      errors++;
      assertOneLine(found.error);
    }
    if (i % 100 === 0) assertLess(Deno.memoryUsage().rss - before, 256e6);
  }
  assert(errors > 200, `${errors} errors`);
});

Deno.test("openTrace() names what it expected", () => {
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(0), "expected a header"],
    [new TextEncoder().encode("\x7fELF and so on, nothing like it"), "self-describe tag"],
    [new Uint8Array([0xd9, 0xd9, 0xf7]), "expected a header"],
    [joinBytes([new Uint8Array([0xd9, 0xd9, 0xf7]), new Uint8Array(100).fill(0x9f)]), "an array"],
  ];
  for (const [bytes, expected] of cases) {
    const error = assertThrows(() => openTrace(bytes), TraceError, expected);
    assertOneLine(error.message);
  }
});

Deno.test("openTrace() refuses another major version and tries a newer minor one", () => {
  const { bytes } = recordSynthetic(SMALL, 400);
  const { header } = openTrace(bytes);
  const withFormat = (format: number[]) => {
    const items = splitTrace(bytes);
    const { recordedAt: _, ...content } = header;
    items[0] = { ...items[0], content: encodeContent({ ...content, format, novelty: [1, 2] }) };
    const steps = openTrace(bytes).windows.map((w): [number, number] => [w.start, w.end]);
    return joinTrace(items, steps);
  };
  assertThrows(() => openTrace(withFormat([2, 0])), TraceError, "expected format 1.x, found 2.0");
  assertEquals(openTrace(withFormat([1, 9])).header.format, [1, 9]);
});

Deno.test("openTrace() skips items of unknown kinds", () => {
  const { bytes } = recordSynthetic(SMALL, 400);
  const whole = windowAnswers(openTrace(bytes));
  const items = splitTrace(bytes);
  const unknown: LooseItem = {
    frame: { ...items[1].frame, kind: 999, encoding: 1 },
    content: encodeContent({ future: new Uint8Array(500) }),
  };
  items.splice(4, 0, unknown);
  items.splice(items.length - 3, 0, unknown);
  const steps = openTrace(bytes).windows.map((w): [number, number] => [w.start, w.end]);
  assertEquals(windowAnswers(openTrace(joinTrace(items, steps))), whole);
});

Deno.test("openTrace() refuses a window of another recording", () => {
  const [ours, theirs] = [11, 12].map((seed) => {
    const { bytes } = recordSynthetic({ ...SMALL, seed }, 400);
    return { bytes, windows: openTrace(bytes).windows };
  });
  // The first windows of one, then the last windows of the other: sound items, sound commits.
  const spliced = joinBytes([
    ours.bytes.subarray(0, ours.windows[2].offset),
    theirs.bytes.subarray(theirs.windows[2].offset),
  ]);
  const { truncated, end } = openTrace(spliced);
  assertEquals(end, ours.windows[1].end);
  assert(truncated?.why.includes("its commit does not match its items"), truncated?.why);
});

Deno.test("openTrace() is not harmed by a zstd bomb", () => {
  const { bytes } = recordSynthetic(SMALL, 400);
  const items = splitTrace(bytes);
  const packed = zstdCompressSync(new Uint8Array(1 << 26), {
    params: { [constants.ZSTD_c_compressionLevel]: 3 },
  });
  // A frame that claims 1,000 bytes of content and unpacks to 64 MiB.
  const hash = itemHash(ITEM.image, 1, 1000, packed);
  const frame = joinBytes([
    new Uint8Array([0x85, ITEM.image, 1, 0x19, 0x03, 0xe8, 0x50]),
    hash,
    new Uint8Array([0x59, packed.length >> 8, packed.length & 0xff]),
    packed,
  ]);
  const { header } = openTrace(bytes);
  const start = encodeItem(ITEM.header, items[0].content, 0, header.recordedAt);
  const before = Deno.memoryUsage().rss;
  const hashes = [start.hash, hash];
  const length = start.bytes.length + frame.length;
  const commit = encodeItem(
    ITEM.commit,
    encodeContent({
      window: 0,
      start: 0,
      end: 0,
      length,
      hash: commitHash(NO_COMMIT, 0, 0, 0, hashes),
    }),
    0,
  );
  const bomb = joinBytes([start.bytes, frame, commit.bytes]);
  assertOneLine(assertThrows(() => openTrace(bomb), TraceError, "Cannot unpack").message);
  assertLess(Deno.memoryUsage().rss - before, 32e6);
});

Deno.test("openTrace() bounds nesting before CBOR is decoded", () => {
  const { bytes } = recordSynthetic(SMALL, 400);
  const items = splitTrace(bytes);
  const deep = new Uint8Array(200_000).fill(0x81);
  deep[deep.length - 1] = 0;
  items[1] = { ...items[1], content: deep };
  const steps = openTrace(bytes).windows.map((w): [number, number] => [w.start, w.end]);
  assertThrows(() => openTrace(joinTrace(items, steps)), TraceError, "nesting of at most");
});

/** One to four changes of any kind. */
function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  let mutant = new Uint8Array(bytes);
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(Math.max(1, mutant.length));
    const length = 1 + random.below(random.oneIn(4) ? mutant.length : 16);
    switch (random.below(7)) {
      case 0:
        mutant[at] ^= 1 << random.below(8);
        break;
      case 1:
        mutant[at] = [0, 0xff, 0x7f, 0x80, 0x1b, 0x5b, 0x9f, 0xbf][random.below(8)];
        break;
      case 2:
        mutant = joinBytes([mutant.subarray(0, at), mutant.subarray(at + length)]);
        break;
      case 3:
        mutant = joinBytes([
          mutant.subarray(0, at),
          mutant.subarray(at, at + length),
          mutant.subarray(at),
        ]);
        break;
      case 4:
        mutant.copyWithin(random.below(mutant.length), at, at + length);
        break;
      case 5:
        mutant.fill(random.below(256), at, at + length);
        break;
      default:
        mutant = mutant.slice(0, at);
    }
    if (mutant.length === 0) return mutant;
  }
  return mutant;
}
