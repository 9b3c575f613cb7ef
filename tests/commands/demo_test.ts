import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { withFolder } from "./run_cli.ts";

Deno.test("the demo shows four boots and what the traces say about them", async () => {
  await withFolder(async (cwd) => {
    const demo = new URL("../../demo.ts", import.meta.url).pathname;
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-read=out", "--allow-write=out", demo],
      cwd,
      stderr: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0);
    assertStringIncludes(text, "✓ MMU enabled successfully with virtual memory!");
    assertMatch(text, /ended {5}poweroff/);
    for (const bug of ["pxn", "late-vectors", "block-encoding"]) {
      assertMatch(text, new RegExp(`record --bug ${bug} .*\\n\\(exit status 3\\)`));
    }
    assertMatch(text, /=> #\d+ .*<mmu_enable\+0x\w+> .*level 3 permission fault/);
    assertStringIncludes(text, "address 0x200, EL1 -> EL1, vector 0x200");
    assertMatch(text, /=> #\d+ .*data abort, write: level 3 translation fault, address 0x40600000/);
    const files = [...Deno.readDirSync(`${cwd}/out`)].map(({ name }) => name).sort();
    assertEquals(files.filter((name) => name.endsWith(".unboot")), [
      "block-encoding.unboot",
      "good.unboot",
      "late-vectors.unboot",
      "pxn.unboot",
    ]);
  });
});
