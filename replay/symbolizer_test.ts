import { assertEquals } from "@std/assert";
import type { GuestSymbol } from "../core/loader/elf.ts";
import { Symbolizer } from "./symbolizer.ts";

function symbol(
  name: string,
  address: bigint,
  size: number,
  type: GuestSymbol["type"] = "function",
): GuestSymbol {
  return { name, address, size, type };
}

Deno.test("Symbolizer names addresses by the innermost symbol", () => {
  const symbols = new Symbolizer([
    symbol("outer", 0x1000n, 0x100),
    symbol("$x", 0x1000n, 0, "none"),
    symbol("inner", 0x1010n, 8),
    symbol("label", 0x2000n, 0, "none"),
    symbol("table", 0x3000n, 16, "object"),
    symbol("high", 0xffff_0000_0000_0000n, 4),
  ], []);
  const names: [bigint, string | undefined][] = [
    [0xfffn, undefined],
    [0x1000n, "outer"],
    [0x100cn, "outer+0xc"],
    [0x1014n, "inner+0x4"],
    [0x1018n, "outer+0x18"],
    [0x1100n, undefined],
    [0x2008n, "label+0x8"],
    [0x300fn, "table+0xf"],
    [0x3010n, undefined],
    [0xffff_0000_0000_0003n, "high+0x3"],
    [0xffff_0000_0000_0004n, undefined],
  ];
  for (const [address, name] of names) assertEquals(symbols.name(address), name);
  assertEquals(symbols.find("inner"), symbol("inner", 0x1010n, 8));
  assertEquals(symbols.find("none"), undefined);
});

Deno.test("Symbolizer gives the source line of an address until its sequence ends", () => {
  const symbols = new Symbolizer([], [
    { address: 0x1000n, file: "a.c", line: 3 },
    { address: 0x1008n, file: "a.c", line: 4 },
    { address: 0x1010n, file: "", line: 0 },
  ]);
  assertEquals(symbols.source(0xffcn), undefined);
  assertEquals(symbols.source(0x1004n), { file: "a.c", line: 3 });
  assertEquals(symbols.source(0x100cn), { file: "a.c", line: 4 });
  assertEquals(symbols.source(0x1010n), undefined);
});
