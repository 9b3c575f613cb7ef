import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { withFolder } from "./run_cli.ts";

Deno.test("the demo shows four boots and finds out why three of them died", async () => {
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
    for (const cause of ["pxn", "vectors-not-installed", "block-encoding"]) {
      assertStringIncludes(text, `Cause: ${cause}: `);
    }
    // Backwards from the fault, to who wrote the descriptor.
    assertMatch(text, /^#\d+ .*data abort, write: level 3 translation fault, address 0x40600000/m);
    assertMatch(text, /write of 8 bytes at 0x40517018, #\d+ 0x\w+ <page_map\+0x\w+>: 0x0+ -> /);
    const differences = [...text.matchAll(/^First difference: (.*)$/gm)].map(([, what]) => what);
    assertEquals(differences.length, 3);
    assertMatch(differences[0], /^descriptor store: level 3, .*PXN: 0 in A, 1 in B/);
    assertMatch(differences[1], /^VBAR_EL1 write missing in B/);
    assertMatch(differences[2], /^descriptor store: level 2, .*block in A, table in B/);
    const files = [...Deno.readDirSync(`${cwd}/out`)].map(({ name }) => name).sort();
    assertEquals(files.filter((name) => name.endsWith(".unboot")), [
      "block-encoding.unboot",
      "good.unboot",
      "late-vectors.unboot",
      "pxn.unboot",
    ]);
  });
});
