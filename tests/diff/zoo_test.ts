import { assert, assertEquals, assertMatch } from "@std/assert";
import { diff } from "../../replay/queries/diff.ts";
import { findingWords } from "../../replay/queries/diff_words.ts";
import type { Trace } from "../../trace/mod.ts";
import { type Compiler, hasToolchain, type Level } from "../guests/toolchain.ts";
import { recordZoo, type Zoo } from "./zoo.ts";

/** A mistake, what must be said of it, and the function to be named. */
type Mistakes = Readonly<Record<string, readonly [what: RegExp, symbol: RegExp]>>;

const IN_TABLES = /^(map_page|map_region|map_all|next_table|main)\b/;
const STATIC_TABLES: Mistakes = {
  PXN: [/^descriptor store: level 3, .*\(PXN: 0 in A, 1 in B\)$/, IN_TABLES],
  BLOCK: [/^descriptor store: level 2, .*\(bits 1:0: block in A, table in B\)$/, IN_TABLES],
  LATE: [/^VBAR_EL1 write missing in B at this point: it comes later/, /^(vectors_init|main)\b/],
};
const RARER: Mistakes = {
  AP: [/^descriptor store: level 3, .*\(AP: 0 in A, 10 in B\)$/, IN_TABLES],
  AF: [/^descriptor store: level 3, .*\(AF: 1 in A, 0 in B\)$/, IN_TABLES],
  MAIR_INDEX: [/^descriptor store: .*\(AttrIndx: 1 in A, 10 in B\)$/, IN_TABLES],
  MAIR: [/^MAIR_EL1 write: 0x44ff00 in A, 0x44ff in B$/, /^mmu_init/],
  T0SZ: [/^TCR_EL1 write: 0x400803510 in A, 0x400803519 in B$/, /^mmu_init/],
  NO_TLBI: [/^TLBI VMALLE1 missing in B$/, /^mmu_init/],
  NO_ISB: [/^ISB missing in B$/, /^mmu_init/],
  OUTPUT: [/^descriptor store: level 3, .*\(the address\)$/, IN_TABLES],
  SHORT: [/^descriptor store \(level 3, VA 0x4020f000: .*\) missing in B$/, IN_TABLES],
  NO_BSS: [/^filling of \d+ bytes with 0x0 at .* missing in B$/, /^_start/],
  EXTRA_CALL: [/^store of 0x4d to .*scratch.* missing in A$/, /^main/],
};
const FRAMES: Mistakes = {
  PXN: [/^descriptor store: level 3, .*\(PXN: 0 in A, 1 in B\)$/, /^(walk_and_map|vm_)/],
  BLOCK: [/^descriptor store: level 2, .*block in A, table in B\)$/, /^(walk_and_map|vm_)/],
  LATE: [/^VBAR_EL1 write missing in B at this point: it comes later/, /^(traps_init|main)/],
};
const UPPER_HALF: Mistakes = {
  PXN: [
    /^descriptor store: level 3, VA 0xffff.*\(PXN: 0 in A, 1 in B\)$/,
    /^(set_entry|map_sections)/,
  ],
  AP: [
    /^descriptor store: level 3, VA 0xffff.*\(AP: 10 in A, 0 in B\)$/,
    /^(set_entry|map_sections)/,
  ],
  NO_TLBI: [/^TLBI VMALLE1IS missing in B$/, /^tlbi_all/],
};

const BUILDS: readonly (readonly [string, Level, Compiler, Mistakes])[] = [
  ["static_tables.c", "-O0", "gcc", STATIC_TABLES],
  ["static_tables.c", "-O1", "gcc", { ...STATIC_TABLES, ...RARER }],
  ["static_tables.c", "-O2", "gcc", STATIC_TABLES],
  ["static_tables.c", "-O2", "clang", STATIC_TABLES],
  ["frames.c", "-O0", "gcc", FRAMES],
  ["frames.c", "-O2", "gcc", FRAMES],
  ["upper_half.c", "-O1", "gcc", UPPER_HALF],
];

/** What the first difference is, or null, and in which function. */
function told(a: Trace, b: Trace): { what: string; symbol: string | undefined } | null {
  const { first, relation } = diff(a, b);
  if (!first) return null;
  const side = first.only === "b" ? "b" : "a";
  const effect = (first[side] ?? first.b)!;
  return { what: findingWords(relation, first), symbol: relation[side].codeName(effect.pc) };
}

for (const [source, level, compiler, mistakes] of BUILDS) {
  const zoo: Zoo = { source, level, compiler };
  Deno.test({
    name: `diff() tells the mistakes of ${source}, ${compiler} ${level}`,
    ignore: !hasToolchain(compiler),
    async fn() {
      const good = await recordZoo(zoo);
      const stripped = await recordZoo(zoo, { stripped: true });
      for (const [bug, [what, symbol]] of Object.entries(mistakes)) {
        const bad = { ...zoo, defines: [`BUG_${bug}`] };
        const found = told(good, await recordZoo(bad));
        assert(found, bug);
        assertMatch(found.what, what);
        assertMatch(found.symbol ?? "", symbol);
        if (bug in RARER) continue;
        const bare = told(stripped, await recordZoo(bad, { stripped: true }));
        assertMatch(bare?.what ?? "", what);
        assertMatch(bare?.symbol ?? "", /^sub_[0-9a-f]+(\+0x[0-9a-f]+)?$/);
      }
    },
  });
}

const LINKED: readonly Partial<Zoo>[] = [
  { defines: ['PAD="1"'] },
  { defines: ['PAD="1100"'] },
  { defines: ['PAD="20000"'] },
  { flags: ["-falign-functions=128"] },
  { flags: ["-fno-toplevel-reorder"] },
];

for (const source of ["static_tables.c", "frames.c"]) {
  Deno.test({
    name: `diff() finds none where ${source} is linked otherwise or has more RAM`,
    ignore: !hasToolchain(),
    async fn() {
      for (const stripped of [false, true]) {
        const zoo: Zoo = { source, level: "-O1" };
        const good = await recordZoo(zoo, { stripped });
        for (const other of LINKED) {
          const name = `${JSON.stringify(other)} ${stripped}`;
          assertEquals(told(good, await recordZoo({ ...zoo, ...other }, { stripped })), null, name);
        }
        const more = await recordZoo(zoo, { stripped, memory: 128 * 2 ** 20 });
        assertEquals([told(good, more), told(more, good)], [null, null]);
      }
    },
  });
}

Deno.test({
  name: "diff() says that only the order differs",
  ignore: !hasToolchain(),
  async fn() {
    const zoo: Zoo = { source: "static_tables.c", level: "-O1" };
    const found = told(await recordZoo(zoo), await recordZoo({ ...zoo, defines: ["ORDER"] }));
    assertMatch(found?.what ?? "", /^order: VBAR_EL1 write comes earlier in A than in B$/);
  },
});

Deno.test({
  name: "diff() compares different compilers' code",
  ignore: !hasToolchain() || !hasToolchain("clang"),
  async fn() {
    const gcc: Zoo = { source: "frames.c", level: "-O1" };
    const clang: Zoo = { ...gcc, compiler: "clang" };
    const good = await recordZoo(gcc);
    assertEquals(told(good, await recordZoo(clang)), null);
    const bad = await recordZoo({ ...clang, defines: ["BUG_PXN"] });
    assertMatch(told(good, bad)?.what ?? "", /^descriptor store: .*\(PXN: 0 in A, 1 in B\)$/);
  },
});
