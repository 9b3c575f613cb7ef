import { assertEquals } from "@std/assert";
import { STALE } from "../replay/assembly.ts";
import { jsonLines, runCli, withFolder } from "./run_cli.ts";

Deno.test("walk prints the tables, the TLB, and that they differ", async () => {
  await withFolder(async (cwd) => {
    await Deno.writeFile(`${cwd}/stale.bin`, STALE.image);
    await runCli(["record", "stale.bin", "-o", "t.unboot"], { cwd });
    const { status, out } = await runCli(["walk", "t.unboot", "0x80080000"], { cwd });
    assertEquals(status, 0);
    const filled = /filled at (#\d+)/.exec(out)?.[1];
    assertEquals(
      out,
      `[walk] Translating 0x80080000:
  L1 [2]: 0x0000000000000701
    -> VALID | BLOCK | AF=1 | UXN=0 | PXN=0
    -> Translates to 0x80000 (1 GB block @ 0x0 + offset 0x80000)
  TLB: translates to 0x40080000 (level 1, 0x40000000 bytes, global, filled at ${filled})
    -> STALE: the tables have changed since, and the processor uses the TLB. It read:
  L1 at 0x40081010: 0x0000000040000701
`,
    );
    const off = await runCli(["walk", "t.unboot", "0x80080000", "--at", "start", "--json"], {
      cwd,
    });
    assertEquals(jsonLines(off.out), [{
      position: 0,
      va: "0x80080000",
      pa: "0x80080000",
      mmu: false,
      walk: [],
      fault: null,
      tlb: null,
      stale: false,
    }]);
    const unknown = await runCli(["walk", "t.unboot", "nothing"], { cwd });
    assertEquals([unknown.status, unknown.out], [2, ""]);
    assertEquals(
      unknown.err,
      'unboot: Unknown address "nothing": expected 0xADDRESS or a symbol ' +
        "(see deno run -P cli.ts walk --help)\n",
    );
  });
});
