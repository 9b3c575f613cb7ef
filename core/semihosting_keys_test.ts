import { assertEquals } from "@std/assert";
import { decodeKeys, encodeKeys } from "./semihosting_keys.ts";

Deno.test("decodeKeys() reads what encodeKeys() wrote, and nothing shorter", () => {
  const keys = { until: 2 ** 40 + 3, bytes: Uint8Array.of(1, 2, 3) };
  assertEquals(decodeKeys(encodeKeys(keys)), keys);
  assertEquals(decodeKeys(new Uint8Array(7)), undefined);
});
