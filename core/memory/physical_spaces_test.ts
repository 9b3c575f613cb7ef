import { assertEquals } from "@std/assert";
import { PhysicalSpaces, SECURE_RAM } from "./physical_spaces.ts";

Deno.test("PhysicalSpaces.place() puts Secure RAM behind RAM and hides it from Non-secure accesses", () => {
  const spaces = new PhysicalSpaces(0x4800_0000, true);
  assertEquals(spaces.place(SECURE_RAM.base + 0x123, true), 0x4800_0123);
  assertEquals(spaces.physical(0x4800_0123), SECURE_RAM.base + 0x123);
  for (const hidden of [SECURE_RAM.base + 8, 0x1008, 0x0904_0008, 0x4800_0008]) {
    assertEquals(spaces.place(hidden, false), 2 ** 47 + 8);
  }
  assertEquals(spaces.place(0x4800_0008, true), 2 ** 47 + 8);
  for (const both of [0x4000_0000, 0x0400_0000, 0x0900_0000]) {
    assertEquals([spaces.place(both, false), spaces.place(both, true)], [both, both]);
  }
});

Deno.test("PhysicalSpaces.place() changes nothing where there is one space", () => {
  const spaces = new PhysicalSpaces(0x4800_0000, false);
  assertEquals(spaces.place(SECURE_RAM.base, false), SECURE_RAM.base);
});
