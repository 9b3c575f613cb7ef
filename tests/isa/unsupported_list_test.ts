import { assertEquals } from "@std/assert";
import { UNSUPPORTED_LIST, unsupportedList } from "./unsupported_list.ts";

Deno.test("docs/unsupported.md is what `deno task unsupported` writes", () => {
  assertEquals(Deno.readTextFileSync(UNSUPPORTED_LIST), unsupportedList());
});
