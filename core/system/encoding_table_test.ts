import { assertEquals } from "@std/assert";
import { EncodingTable } from "./encoding_table.ts";

Deno.test("EncodingTable holds what was put at an encoding last", () => {
  const table = new EncodingTable<string>();
  table.set(0, "first");
  table.set(0xffff, "last");
  table.set(0, "again");
  assertEquals([0, 1, 0xc208, 0xffff].map((encoding) => table.get(encoding)), [
    "again",
    undefined,
    undefined,
    "last",
  ]);
});
