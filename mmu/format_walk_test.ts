import { assertEquals } from "@std/assert";
import { TestMemory, testRegime } from "./_testing.ts";
import { formatWalk } from "./format_walk.ts";
import { walk } from "./walk.ts";

function print(memory: TestMemory, va: number): string {
  const regime = testRegime({ ttbr0: 0x4051_5000n });
  return formatWalk(walk(memory, regime, 0, va), regime, 0, va);
}

/** The tables of the built-in kernel's first pages. */
function kernelTables(): TestMemory {
  const memory = new TestMemory();
  memory.set(0x4051_5000, 0x4051_7003n);
  memory.set(0x4051_7008, 0x4051_8003n);
  memory.set(0x4051_8010, 0x4051_9003n);
  memory.set(0x4051_8018, 0x0060_0000_4060_0701n);
  memory.set(0x4051_9000, 0x0040_0000_4040_0703n);
  return memory;
}

Deno.test("formatWalk() prints a page as the kernel's debug_walk", () => {
  assertEquals(
    print(kernelTables(), 0x4040_0000),
    `[walk] Translating 0x40400000:
  L0 [0]: 0x0000000040517003
    -> VALID | TABLE | AF=0 | UXN=0 | PXN=0
    -> Next table at 0x40517000
  L1 [1]: 0x0000000040518003
    -> VALID | TABLE | AF=0 | UXN=0 | PXN=0
    -> Next table at 0x40518000
  L2 [2]: 0x0000000040519003
    -> VALID | TABLE | AF=0 | UXN=0 | PXN=0
    -> Next table at 0x40519000
  L3 [0]: 0x0040000040400703
    -> VALID | TABLE | AF=1 | UXN=1 | PXN=0
    -> Translates to 0x40400000 (page @ 0x40400000 + offset 0x0)`,
  );
});

Deno.test("formatWalk() names a block's size", () => {
  const lines = print(kernelTables(), 0x4061_2345).split("\n").slice(-3);
  assertEquals(lines, [
    "  L2 [3]: 0x0060000040600701",
    "    -> VALID | BLOCK | AF=1 | UXN=1 | PXN=1",
    "    -> Translates to 0x40612345 (2 MB block @ 0x40600000 + offset 0x12345)",
  ]);
});

Deno.test("formatWalk() ends with the fault", () => {
  const invalid = print(kernelTables(), 0x4080_0000).split("\n").slice(-3);
  assertEquals(invalid, [
    "  L2 [4]: 0x0000000000000000",
    "    -> INVALID",
    "    -> Translation fault at level 2: the descriptor is invalid",
  ]);
});
