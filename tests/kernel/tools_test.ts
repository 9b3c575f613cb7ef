import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildKernel } from "../../kernel/mod.ts";

const PREFIX = "aarch64-linux-gnu-";

function hasBinutils(): boolean {
  try {
    return new Deno.Command(`${PREFIX}addr2line`, { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

/** Runs a tool of binutils on `elf` and returns what it prints, messages included. */
function run(elf: Uint8Array, tool: string, options: string[], rest: string[] = []): string {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(path, elf);
    const args = [...options, path, ...rest];
    const { stdout, stderr } = new Deno.Command(`${PREFIX}${tool}`, { args }).outputSync();
    const decoder = new TextDecoder();
    return decoder.decode(stderr) + decoder.decode(stdout);
  } finally {
    Deno.removeSync(path);
  }
}

const ignore = !hasBinutils();

Deno.test({
  name: "readelf finds nothing to complain about in the kernel",
  ignore,
  fn() {
    const text = run(buildKernel().elf, "readelf", ["-aW", "--debug-dump=info,abbrev,rawline"]);
    assert(!/warning|error/i.test(text), text);
    assertMatch(text, /LOAD +0x001000 0x0000000040400000 .* R E/);
    assertMatch(text, /0000000040515000 +0 NOTYPE +GLOBAL DEFAULT +\d+ _kernel_end/);
  },
});

Deno.test({
  name: "addr2line resolves every function of the kernel to its definition",
  ignore,
  fn() {
    const { elf, symbols } = buildKernel();
    const functions = symbols.filter(({ type }) => type === "function");
    const addresses = functions.map(({ address }) => address.toString(16));
    const lines = run(elf, "addr2line", ["-fe"], addresses).trim().split("\n");
    assertEquals(lines.length, 2 * functions.length);
    functions.forEach(({ name }, i) => {
      assertEquals(lines[2 * i], name);
      assertMatch(lines[2 * i + 1], /^kernel\/[a-z_]+\.ts:\d+$/);
    });
  },
});

Deno.test({
  name: "objdump knows every instruction of the kernel",
  ignore,
  fn() {
    const text = run(buildKernel().elf, "objdump", ["-d", "-j", ".text"]);
    assert(!/undefined|\.inst|udf/.test(text));
  },
});
