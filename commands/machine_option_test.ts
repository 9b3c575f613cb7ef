import { assertEquals, assertThrows } from "@std/assert";
import { board } from "./machine_option.ts";
import { Expected } from "./options.ts";

Deno.test("board() reads the properties in QEMU's spelling", () => {
  assertEquals(board("virt"), {});
  assertEquals(board("virt,virtualization=on,secure=on,gic-version=3"), {
    virtualization: true,
    secure: true,
    gic: 3,
  });
  assertEquals(board("virt,highmem=off,its=off"), { highmem: false, its: false });
  assertEquals(board("virt,secure=off,gic-version=2"), { secure: false, gic: 2 });
});

Deno.test("board() takes what changes nothing here", () => {
  const value = "virt,accel=tcg,gic-version=max,acpi=off,dtb-randomness=off,mte=off";
  assertEquals(board(value), { gic: 3 });
});

Deno.test("board() refuses other boards and properties", () => {
  for (
    const value of [
      "sbsa-ref",
      "virt,mte=on",
      "virt,secure=2",
      "virt,gic-version=host",
    ]
  ) {
    assertThrows(() => board(value), Expected);
  }
});
