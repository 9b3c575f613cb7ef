import { assertEquals, assertThrows } from "@std/assert";
import { makeLines4, makeLines5 } from "../../tests/loader/make_lines.ts";
import { parseLines } from "./dwarf_line.ts";
import { ImageError } from "./image_error.ts";

const none = { lineStrings: null, strings: null };

/** The sample's rows, with the first file's name as the version gives it. */
function rows(file: string, address: bigint) {
  return [
    { address, file, line: 10 },
    { address: address + 4n, file, line: 12 },
    { address: address + 8n, file: "/abs/b.h", line: 3 },
    { address: address + 12n, file: "", line: 0 },
  ];
}

Deno.test("parseLines() reads version 4", () => {
  assertEquals(parseLines({ line: makeLines4(0x40400000), ...none }), rows("src/a.c", 0x40400000n));
});

Deno.test("parseLines() reads version 5 and joins directories", () => {
  const { line, lineStrings } = makeLines5(0x40400000);
  const result = parseLines({ line, lineStrings, strings: null });
  assertEquals(result, rows("/tree/src/a.c", 0x40400000n));
});

Deno.test("parseLines() sorts sequences, joins neighbours, drops unwanted ones", () => {
  const units = [0x2000, 0, 0x1000, 0x100c].flatMap((address) => [...makeLines4(address)]);
  const line = Uint8Array.from(units);
  const result = parseLines({ line, ...none }, (start) => start !== 0n);
  assertEquals(result, [
    ...rows("src/a.c", 0x1000n).slice(0, 3),
    ...rows("src/a.c", 0x100cn),
    ...rows("src/a.c", 0x2000n),
  ]);
});

Deno.test("parseLines() passes over units of other versions", () => {
  const line = makeLines4(0x1000);
  const other = line.slice();
  other[4] = 9;
  assertEquals(parseLines({ line: Uint8Array.of(...other, ...line), ...none }).length, 4);
});

Deno.test("parseLines() says what is wrong and where", () => {
  const good = makeLines4(0x1000);
  function patched(at: number, ...values: number[]): Uint8Array {
    const line = good.slice();
    line.set(values, at);
    return line;
  }
  const bad: [Uint8Array, string][] = [
    [good.subarray(0, 20), ".debug_line: "],
    [patched(0, 0xff, 0xff, 0xff, 0x7f), "2147483647 bytes wanted at byte 4"],
    [patched(6, 0xff, 0xff), "bytes wanted at byte 10"],
    [patched(14, 0), "unit at byte 0 has line range 0"],
  ];
  for (const [line, message] of bad) {
    assertThrows(() => parseLines({ line, ...none }), ImageError, message);
  }
  const { line } = makeLines5(0x1000);
  assertThrows(() => parseLines({ line, ...none }), ImageError, "is past the string section");
});
