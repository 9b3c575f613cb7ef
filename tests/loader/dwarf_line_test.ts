/** Line tables of real compilers against binutils' addr2line, which reads them independently. */
import { assert, assertEquals } from "@std/assert";
import { type BootPlan, type LineRow, loadImage } from "../../core/loader/mod.ts";

const TOOLS = "aarch64-linux-gnu-";

const HEADER =
  `static inline __attribute__((always_inline)) int twice(int x) {\n  return x + x;\n}\n`;
const SOURCE = `#include "inner/twice.h"
int unused(int x) { return x / 3; }
int table[16];
__attribute__((noinline)) int sum(int n) {
  int total = 0;
  for (int i = 0; i < n; i++) {
    if (i & 1)
      total += twice(table[i & 15]);
    else
      total -= table[i];
  }
  return total;
}
__attribute__((section(".text.start"))) void _start(void) {
  for (;;)
    table[0] = sum(16);
}
`;
const ASSEMBLY = `.text\n.global helper\nhelper:\n  nop\n  nop\n\n  ret\n`;

function hasTools(): boolean {
  try {
    return ["gcc", "addr2line"].every((tool) =>
      new Deno.Command(TOOLS + tool, { args: ["--version"] }).outputSync().success
    );
  } catch {
    return false;
  }
}

function tool(name: string, args: string[], cwd: string): string {
  const { success, stdout, stderr } = new Deno.Command(TOOLS + name, { args, cwd }).outputSync();
  assert(success, `${name}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Builds the sample with the given flags and returns it with its folder. */
function build(directory: string, flags: string[]): Uint8Array {
  Deno.mkdirSync(`${directory}/inner`);
  Deno.writeTextFileSync(`${directory}/inner/twice.h`, HEADER);
  Deno.writeTextFileSync(`${directory}/main.c`, SOURCE);
  Deno.writeTextFileSync(`${directory}/helper.s`, ASSEMBLY);
  const fixed = ["-nostdlib", "-static", "-ffreestanding", "-ffunction-sections"];
  const link = [
    "-Wl,-Ttext=0x40400000,--gc-sections,--build-id=none,-u,helper",
    "-Wl,-z,max-page-size=4096",
  ];
  tool("gcc", [...fixed, ...link, ...flags, "main.c", "helper.s", "-o", "sample.elf"], directory);
  return Deno.readFileSync(`${directory}/sample.elf`);
}

function rowAt(rows: readonly LineRow[], address: bigint): LineRow | undefined {
  return rows.findLast((row) => row.address <= address);
}

const FLAGS = [
  ["-O0", "-gdwarf-2"],
  ["-O0", "-gdwarf-3"],
  ["-O2", "-gdwarf-4"],
  ["-O0", "-gdwarf-5"],
  ["-O2", "-gdwarf-5"],
  ["-Os", "-gdwarf-5", "-gz=zlib"],
];

for (const flags of FLAGS) {
  Deno.test({
    name: `parseLines() agrees with addr2line: ${flags.join(" ")}`,
    ignore: !hasTools(),
    fn: () =>
      withSample(flags, (plan, directory) => {
        assertEquals(plan.warnings.filter((line) => !line.startsWith("no device tree")), []);
        const text = plan.symbols.filter(({ type }) => type === "function");
        assertEquals(text.map(({ name }) => name).toSorted(), ["_start", "sum"]);
        compareLines(plan.lines, directory);
      }),
  });
}

Deno.test({
  name: "parseLines() reads the 64-bit format like the 32-bit one",
  ignore: !hasTools(),
  fn() {
    const [narrow, wide] = ["-gdwarf32", "-gdwarf64"].map((format) =>
      withSample(
        ["-O1", "-gdwarf-5", format],
        ({ lines }) => lines.map(({ address, file, line }) => [address, baseName(file), line]),
      )
    );
    assertEquals(wide, narrow);
  },
});

function withSample<T>(flags: string[], use: (plan: BootPlan, directory: string) => T): T {
  const directory = Deno.makeTempDirSync({ prefix: "unboot-lines-" });
  try {
    return use(loadImage(build(directory, flags), { memory: 128 << 20 }), directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function compareLines(rows: readonly LineRow[], directory: string): void {
  assert(rows.every((row, i) => i === 0 || rows[i - 1].address < row.address), "not ascending");
  const end = rows.at(-1)!;
  assertEquals([end.file, end.line], ["", 0]);
  const addresses: bigint[] = [];
  for (let at = rows[0].address; at < end.address; at += 4n) addresses.push(at);
  const hex = addresses.map((address) => address.toString(16));
  const answers = tool("addr2line", ["-e", "sample.elf", ...hex], directory).trim().split("\n");
  addresses.forEach((address, index) => {
    const row = rowAt(rows, address)!;
    const found = row.file === "" ? "??:0" : `${baseName(row.file)}:${row.line}`;
    const expected = answers[index].replace(/ \(discriminator \d+\)$/, "").replace("??:?", "??:0");
    assertEquals(found, baseName(expected), `at 0x${hex[index]}`);
  });
  const files = new Set(rows.map(({ file }) => baseName(file)));
  assertEquals([...files].toSorted(), ["", "helper.s", "main.c", "twice.h"]);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
