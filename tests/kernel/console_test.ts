import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildKernel, KERNEL_BUGS, type KernelSelfTest } from "../../kernel/mod.ts";
import { hasQemu } from "../drivers/qemu.ts";
import { CONSOLES, runKernel } from "./run_kernel.ts";

const ignore = !hasQemu();

function golden(name: string): string {
  return Deno.readTextFileSync(new URL(`${name}.txt`, CONSOLES));
}

Deno.test("the good console differs from the seed's only in the kernel's size", () => {
  const seed = golden("seed").split("\n");
  const good = golden("good").split("\n");
  assertEquals(good.length, seed.length);
  const different = good.filter((line, i) => line !== seed[i]);
  assertEquals(different, ["  Kernel: 0x40400000 - 0x40515000 (1108KB)"]);
});

Deno.test({
  name: "buildKernel() prints the golden console and powers off",
  ignore,
  async fn() {
    const { text, isPoweredOff } = await runKernel({});
    assertEquals(text, golden("good"));
    assert(isPoweredOff);
  },
});

for (const bug of KERNEL_BUGS) {
  Deno.test({
    name: `buildKernel() with ${bug} prints the golden console and never powers off`,
    ignore,
    async fn() {
      const { text, isPoweredOff } = await runKernel({ bug });
      assertEquals(text, golden(bug));
      assert(!isPoweredOff);
    },
  });
}

Deno.test("the block-encoding console reports the fault and where it happened", () => {
  const text = golden("block-encoding");
  assertStringIncludes(text, "Class:    0x25, Data Abort, current EL\n");
  assertStringIncludes(text, "Syndrome: 0x47, Translation fault, level 3, write\n");
  assertStringIncludes(text, "FAR_EL1:  0x0000000040600000\n");
  const elr = Number(/ELR_EL1: {2}(0x[0-9a-f]+)/.exec(text)![1]);
  const { symbols } = buildKernel({ bug: "block-encoding" });
  const zeroFrame = symbols.find(({ name }) => name === "zero_frame")!;
  assert(elr > zeroFrame.address && elr < zeroFrame.address + zeroFrame.size);
});

Deno.test({
  name: "buildKernel() with padding prints the same console",
  ignore,
  async fn() {
    const { text, isPoweredOff } = await runKernel({ padding: 0x100 });
    assertEquals(text, golden("good"));
    assert(isPoweredOff);
  },
});

for (const selfTest of ["frames", "mapper", "heap"] as const) {
  Deno.test({
    name: `the kernel's ${selfTest} pass their self test`,
    ignore,
    async fn() {
      const { text, isPoweredOff } = await runKernel({ selfTest });
      assert(isPoweredOff, text);
    },
  });
}

/** What the report of each exception must say. */
const REPORTS: Partial<Record<KernelSelfTest, RegExp>> = {
  "undefined": /Class: {4}0x0, Unknown reason\n {4}Syndrome: 0x0\n {2}ELR_EL1/,
  "brk": /Class: {4}0x3c, BRK instruction\n {4}Syndrome: 0x2a\n {2}ELR_EL1/,
  "svc": /Class: {4}0x15, SVC instruction\n {4}Syndrome: 0x7\n {2}ELR_EL1/,
  "unmapped-stack":
    /0x25, Data Abort, .*\n.*0x44, Translation fault, level 0, write\n {2}FAR_EL1: {2}0x0000008000000008[^]* sp {2}0x0000008000000000\n/,
  "unaligned-pc": /0x22, PC alignment fault\n {4}Syndrome: 0x0\n {2}FAR_EL1: {2}0x0000000040400002/,
  "panic": /\[panic\] on purpose\n$/,
};

Deno.test({
  name: "the kernel reports exceptions in words and halts",
  ignore,
  async fn() {
    const tests = Object.entries(REPORTS) as [KernelSelfTest, RegExp][];
    const runs = await Promise.all(tests.map(([selfTest]) => runKernel({ selfTest })));
    tests.forEach(([selfTest, report], i) => {
      const { text, isPoweredOff } = runs[i];
      assertMatch(text, report);
      if (selfTest !== "panic") assert(text.endsWith("[exception] System halted\n"), text);
      assert(!isPoweredOff);
    });
  },
});
