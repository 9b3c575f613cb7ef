import { assertEquals, assertThrows } from "@std/assert";
import { cpu } from "./cpu_option.ts";
import { Expected } from "./options.ts";

Deno.test("cpu() reads a name, and properties that change nothing here", () => {
  assertEquals(cpu("cortex-a76"), "cortex-a76");
  assertEquals(cpu("max,sve=off,sme=off,lpa2=off,pauth-impdef=off"), "max");
});

Deno.test("cpu() refuses other processors and properties", () => {
  for (const value of ["cortex-a15", "max,sve=on", "max,sve", "max,pauth-impdef=on", "max,"]) {
    assertThrows(() => cpu(value), Expected);
  }
});
