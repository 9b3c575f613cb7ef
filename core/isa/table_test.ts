import { assertStrictEquals, assertThrows } from "@std/assert";
import { row } from "./row.ts";
import { checkOverlaps, ROWS, rowsWith } from "./table.ts";

Deno.test("no two rows of the table match a word but where that is declared", () => {
  checkOverlaps(ROWS);
});

Deno.test("checkOverlaps() names two rows that match the same word", () => {
  const both = ["0 sf 01000100 imm22:22", "0 S 01000100 imm22:22"].map((pattern, i) =>
    row(`row ${i}`, pattern, { assembly: [], execute() {} })
  );
  assertThrows(() => checkOverlaps(both), Error, "row 0 (0 sf 01000100 imm22:22) overlaps row 1");
});

Deno.test("rowsWith() gives the same array for the same extensions", () => {
  const features = ["FEAT_LSE", "FEAT_FP16"];
  assertStrictEquals(rowsWith(new Set(features)), rowsWith(new Set(features.reverse())));
});
