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
    const note = (address: string, text: string) => {
      const position = new RegExp(`written at (#\\d+) by store, ${address}:`).exec(out)?.[1];
      return `    -> written at ${position} by store, ${address}: ${text}`;
    };
    assertEquals(
      out,
      `[walk] Translating 0x80080000:
  L1 [2]: 0x0000000000000701
    -> VALID | BLOCK | AF=1 | UXN=0 | PXN=0
${note("0x40080048", "str x1, [x0, #16], 0x40000701 -> 0x701")}
    -> Translates to 0x80000 (1 GB block @ 0x0 + offset 0x80000)
  TLB: translates to 0x40080000 (level 1, 0x40000000 bytes, global, filled at ${filled})
    -> STALE: the TLB, which the processor uses, differs in the address. It read:
  L1 at 0x40081010: 0x0000000040000701
${note("0x4008000c", "stp x1, x1, [x0, #8], 0x0 -> 0x40000701")}
`,
    );
    const plain = await runCli(["walk", "t.unboot", "0x80080000", "--no-writers"], { cwd });
    assertEquals(plain.out, out.replace(/ {4}-> written .*\n/g, ""));
    const off = await runCli(["walk", "t.unboot", "0x80080000", "--at", "start", "--json"], {
      cwd,
    });
    assertEquals(jsonLines(off.out), [{
      position: 0,
      cpu: 0,
      va: "0x80080000",
      pa: "0x80080000",
      mmu: false,
      walk: [],
      fault: null,
      tlb: null,
      stale: false,
      differences: [],
    }]);
    const json = await runCli(["walk", "t.unboot", "0x80080000", "--json"], { cwd });
    const [{ walk: [{ writer }], tlb, stale, differences }] = jsonLines(json.out) as [
      { walk: [{ writer: unknown }]; tlb: unknown; stale: boolean; differences: string[] },
    ];
    assertEquals([stale, differences], [true, ["address"]]);
    const store = {
      by: "store",
      cpu: 0,
      symbol: null,
      bytes: [0, 1, 2, 3, 4, 5, 6, 7],
    };
    assertEquals(writer, {
      ...store,
      position: 24,
      pc: "0x40080048",
      instruction: "str x1, [x0, #16]",
      va: "0x40081010",
      old: "0x40000701",
      new: "0x701",
    });
    assertEquals(tlb, {
      pa: "0x40080000",
      size_log2: 30,
      level: 1,
      global: true,
      asid: 0,
      filled: 22,
      walk: [{
        level: 1,
        address: "0x40081010",
        descriptor: "0x40000701",
        writer: {
          ...store,
          position: 9,
          pc: "0x4008000c",
          instruction: "stp x1, x1, [x0, #8]",
          va: "0x40081010",
          old: "0x0",
          new: "0x40000701",
        },
      }],
    });
    const unknown = await runCli(["walk", "t.unboot", "nothing"], { cwd });
    assertEquals([unknown.status, unknown.out], [2, ""]);
    assertEquals(
      unknown.err,
      'unboot: Unknown address "nothing": expected 0xADDRESS or a symbol ' +
        "(see deno run -P cli.ts walk --help)\n",
    );
  });
});
