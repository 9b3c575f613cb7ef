import { assert, assertEquals } from "@std/assert";
import { type CborMap, decodeContent } from "../../trace/cbor.ts";
import { ITEM_NAMES } from "../../trace/schema.ts";
import { type LooseItem, recordSynthetic, splitTrace } from "../../trace/testing.ts";
import { Schema } from "./cddl.ts";

const url = new URL("../../trace/trace.cddl", import.meta.url);
const decode = (bytes: Uint8Array) => decodeContent(bytes, "test");
const schema = new Schema(Deno.readTextFileSync(url), decode);

const items = splitTrace(
  recordSynthetic({ seed: 21, steps: 3000, pages: 24, eventEvery: 5 }, 1000).bytes,
);

/** What a full trace has none of. */
const ABSENT = new Set(["values", "digest"]);

function contentOf(name: string): CborMap {
  const item = items.find((i) => ITEM_NAMES[i.frame.kind] === name)!;
  return decode(item.content) as CborMap;
}

function frameOf({ frame, content }: LooseItem): unknown {
  const { kind, encoding, size, hash, bodyLength, recordedAt } = frame;
  const body = encoding === 0 ? content : new Uint8Array(bodyLength);
  const elements = [kind, encoding, size, hash, body];
  return recordedAt === "" ? elements : { tag: 55799, value: [...elements, recordedAt] };
}

Deno.test("every item of a trace matches trace.cddl", () => {
  const seen = new Set<string>();
  for (const item of items) {
    const name = ITEM_NAMES[item.frame.kind];
    assertEquals(schema.check(name, decode(item.content)), null, name);
    assertEquals(schema.check("trace-item", frameOf(item)), null, name);
    seen.add(name);
  }
  const expected = ITEM_NAMES.filter((name) => !ABSENT.has(name));
  assertEquals([...seen].sort(), [...expected].sort());
});

Deno.test("trace.cddl refuses items with a field missing or of another type", () => {
  let refused = 0;
  for (const name of ITEM_NAMES.filter((n) => !ABSENT.has(n))) {
    const content = contentOf(name);
    for (const field of Object.keys(content)) {
      const { [field]: value, ...rest } = content;
      const optional = name === "events" && schema.check(name, rest) === null;
      if (!optional) assert(schema.check(name, rest), `${name} without ${field}`);
      const wrong = typeof value === "string" ? 7 : "wrong";
      assert(schema.check(name, { ...content, [field]: wrong }), `${name} with wrong ${field}`);
      refused++;
    }
  }
  assert(refused > 70, `${refused} cases`);
});

Deno.test("trace.cddl refuses values out of range", () => {
  const cases: [string, Record<string, unknown>][] = [
    ["header", { format: [2, 0] }],
    ["header", { format: [1] }],
    ["header", { format: [1, 0, 0] }],
    ["header", { windowSteps: 0 }],
    ["header", { windowSteps: 4194305 }],
    ["header", { image: { name: "x", sha256: new Uint8Array(31) } }],
    ["image", { kind: "pe" }],
    ["image", { warnings: ["fine", 7] }],
    ["flow", { blocks: 4194305 }],
    ["events", { count: 0 }],
    ["events", { mmio: { write: new Uint8Array(1) } }],
    ["keyframe", { hash: new Uint8Array(7) }],
    ["keyframe", { retired: [] }],
    ["keyframe", { state: new Uint8Array([0xa0]) }],
    ["summary", { levels: 16 }],
    ["summary", { level: [4] }],
    ["summary", { mmu: [1] }],
    ["commit", { hash: new Uint8Array(17) }],
    ["commit", { end: -1 }],
    ["footer", { reason: "bored" }],
    ["footer", { index: { lengths: new Uint8Array(1) } }],
  ];
  for (const [name, change] of cases) {
    const content = { ...contentOf(name), ...change };
    assert(schema.check(name, content), `${name} with ${JSON.stringify(change)}`);
  }
  assertEquals(schema.check("header", { ...contentOf("header"), future: { a: [1] } }), null);
  assertEquals(schema.check("header", { ...contentOf("header"), profile: "attach" }), null);
  assert(schema.check("header", { ...contentOf("header"), profile: "none" }));
  const values = { counts: new Uint8Array(), hits: new Uint8Array(), words: new Uint8Array() };
  assertEquals(schema.check("values", { ...values, choices: new Uint8Array() }), null);
  assert(schema.check("values", values));
  assertEquals(schema.check("digest", { hash: new Uint8Array(8) }), null);
  assert(schema.check("digest", { hash: new Uint8Array(9) }));
});

Deno.test("trace.cddl refuses broken frames", () => {
  const frame = frameOf(items[3]) as unknown[];
  const broken: unknown[] = [
    frame.slice(1),
    [...frame, 1],
    frame.with(0, 65536),
    frame.with(1, 2),
    frame.with(2, 33554433),
    frame.with(3, new Uint8Array(15)),
    frame.with(4, "text"),
    { tag: 1, value: frame },
    { tag: 55799, value: frame },
  ];
  for (const value of broken) assert(schema.check("trace-item", value));
  assertEquals(schema.check("trace-item", frame), null);
});
