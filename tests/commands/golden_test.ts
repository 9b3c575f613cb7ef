import { assertEquals } from "@std/assert";
import { GOLDEN, goldenFile, goldenOutputs } from "./golden.ts";

Deno.test("commands print what the golden files say", async () => {
  const outputs = await goldenOutputs();
  for (const name of Object.keys(GOLDEN)) assertEquals(outputs[name], goldenFile(name), name);
});
