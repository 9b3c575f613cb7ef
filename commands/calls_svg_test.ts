import { assertEquals } from "@std/assert";
import type { NamedNode } from "./calls.ts";
import { callsSvg } from "./calls_svg.ts";

function node(id: number, parent: number, name: string, self: number, steps: number): NamedNode {
  const kind = parent < 0 ? "boot" : "function";
  return { id, parent, kind, address: 0n, text: "", calls: 1, first: id, self, steps, name };
}

Deno.test("callsSvg() draws callees below their caller, by first call, as wide as their steps", () => {
  const svg = callsSvg(
    [node(0, -1, "(boot)", 10, 100), node(1, 0, "main", 60, 60), node(2, 0, "a<&b", 30, 30)],
    "t.unboot",
  );
  const boxes = [...svg.matchAll(/<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g)];
  assertEquals(boxes.map(([, x, y, width]) => [x, y, width].map(Number)), [
    [0, 28, 1200],
    [0, 46, 720],
    [720, 46, 360],
  ]);
  assertEquals(svg.includes("a&#60;&#38;b"), true);
  assertEquals(/a<&b/.test(svg), false);
});
