import { assertEquals } from "@std/assert";
import type { Block } from "./region.ts";
import { structureOf } from "./structure.ts";

/** Blocks by name from `a: b c`, where each goes on: taken, and not taken. */
function blocks(text: string): Record<string, Block> {
  const lines = text.split(",").map((line) => line.trim().split(/:? /));
  const found: Record<string, Block> = Object.fromEntries(lines.map(([name], i) => [name, {
    start: i * 16,
    straight: [],
    branch: i * 16,
    end: i * 16 + 16,
    taken: undefined,
    next: undefined,
    after: undefined,
    crosses: false,
  }]));
  for (const [name, taken, next] of lines) {
    found[name].taken = found[taken];
    found[name].next = found[next];
  }
  return found;
}

Deno.test("structureOf() finds a loop and where its branches meet", () => {
  const { a, b, c, d, e } = blocks("a: b, b: c d, c: e, d: e, e: b");
  const structure = structureOf(a, []);
  assertEquals(structure.edge(e, b), "back");
  assertEquals(structure.headers, new Set([b]));
  assertEquals(structure.ways, [a, b]);
  assertEquals(structure.dominated.get(b)?.toSorted((x, y) => x.start - y.start), [c, d, e]);
  assertEquals(structure.merges, new Set([a, b, e]));
});

Deno.test("structureOf() sends an outer loop's end through the dispatcher", () => {
  const { a, b, c } = blocks("a: b, b: b c, c: a");
  const structure = structureOf(a, []);
  assertEquals([structure.edge(b, b), structure.edge(c, a)], ["back", "dispatch"]);
});

Deno.test("structureOf() makes loops that are entered in two places out of the dispatcher's", () => {
  const { a, b, c } = blocks("a: b c, b: c, c: b");
  const structure = structureOf(a, []);
  const edges = [structure.edge(b, c), structure.edge(c, b)].toSorted();
  assertEquals(edges, ["dispatch", "forward"]);
});
