import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { debugLines } from "../core/loader/debug_sections.ts";
import { parseElf } from "../core/loader/elf.ts";
import { KERNEL_BUGS } from "./bugs.ts";
import { buildKernel, type KernelOptions } from "./build.ts";

const BUILDS: KernelOptions[] = [{}, ...KERNEL_BUGS.map((bug) => ({ bug }))];

Deno.test("buildKernel() gives the same bytes each time", () => {
  for (const options of BUILDS) assertEquals(buildKernel(options).elf, buildKernel(options).elf);
});

Deno.test("buildKernel() places the kernel where the console says it is", () => {
  for (const options of BUILDS) {
    const elf = parseElf(buildKernel(options).elf);
    assertEquals(elf.entry, 0x4040_0000n);
    const [text, data] = elf.segments;
    assertEquals(text.physicalAddress, 0x4040_0000n);
    assert(text.executable && !data.executable);
    assertEquals(data.physicalAddress + data.memorySize, 0x4051_5000n);
    const address = (name: string) => elf.symbols().find((s) => s.name === name)!.address;
    assertEquals(address("_kernel_start"), 0x4040_0000n);
    assertEquals(address("_kernel_end"), 0x4051_5000n);
    assertEquals(address("exception_vectors"), 0x4040_0800n);
  }
});

Deno.test("buildKernel() lists functions that do not overlap", () => {
  const functions = buildKernel().symbols.filter(({ type }) => type === "function");
  assert(functions.length > 40);
  for (let i = 1; i < functions.length; i++) {
    const { address, size } = functions[i - 1];
    assert(functions[i].address >= address + size, functions[i].name);
  }
});

Deno.test("buildKernel() writes a line table that points at the kernel's source", () => {
  const { elf, symbols } = buildKernel();
  const rows = debugLines(parseElf(elf));
  const source = new Map<string, string[]>();
  for (const { file, line } of rows) {
    if (line === 0) continue;
    assertMatch(file, /^kernel\/[a-z_]+\.ts$/);
    if (!source.has(file)) {
      const text = Deno.readTextFileSync(new URL(`../${file}`, import.meta.url));
      source.set(file, text.split("\n"));
    }
    assert(line <= source.get(file)!.length);
  }
  for (const { name, address, type } of symbols) {
    if (type !== "function") continue;
    const row = rows.find((r) => Number(r.address) === address);
    assert(row, `${name} has no line`);
    const around = source.get(row.file)!.slice(row.line - 1, row.line + 1).join("\n");
    if (around.includes(".function(")) assertStringIncludes(around, `"${name}"`);
  }
});

Deno.test("buildKernel() contains no path of the machine it was built on", () => {
  const text = new TextDecoder("latin1").decode(buildKernel().elf);
  assert(!text.includes("file:"));
  assert(!text.includes(new URL("..", import.meta.url).pathname));
});

Deno.test("buildKernel() moves the functions by the padding and keeps the bounds", () => {
  const address = (options: KernelOptions, name: string) =>
    buildKernel(options).symbols.find((s) => s.name === name)!.address;
  assertEquals(address({ padding: 64 }, "uart_init"), address({}, "uart_init") + 64);
  for (const name of ["_start", "exception_vectors", "_kernel_end"]) {
    assertEquals(address({ padding: 64 }, name), address({}, name));
  }
});

Deno.test("buildKernel() refuses padding it cannot place", () => {
  assertThrows(() => buildKernel({ padding: 2 }), Error, "expected a multiple of 4");
  assertThrows(() => buildKernel({ padding: 0x10000 }), Error, "expected at most 0x40515000");
});
