import { assertEquals, assertMatch } from "@std/assert";
import { diff } from "../../replay/queries/diff.ts";
import { findingWords } from "../../replay/queries/diff_words.ts";
import type { Trace } from "../../trace/mod.ts";
import { hasToolchain, type Level } from "../guests/toolchain.ts";
import { recordZoo } from "./zoo.ts";

/** Variants of one program whose code is the same, and what must be said of them. */
const CASES: readonly (readonly [a: string[], b: string[], what: RegExp | null])[] = [
  [
    [],
    ["MODE=4"],
    /^flow: at \S+ `b\.(ne|eq)` taken in [AB], not in [AB]; compared w\d=3 in A, 4 in B \(cmp w\d, #0x3\)$/,
  ],
  [
    [],
    ["STRATEGY"],
    /^flow: at \S+ `blr` goes to \S+ in A, \S+ in B \(x\d=0x\w+ in A, 0x\w+ in B\)$/,
  ],
  [[], ["CALLS"], /^flow: at \S+ B calls \S+, A never does from there$/],
  [["CALLS"], [], /^flow: at \S+ A calls \S+, B never does from there$/],
  [
    ["VECTORS=1"],
    ["VECTORS=0"],
    /^flow: at \S+ `\S+` taken in [AB], not in [AB]; compared w0=1 in A, 0 in B/,
  ],
  // Waiting longer for a device, for a time, and both in an image laid out otherwise.
  [[], ["SPINS=30"], null],
  [[], ["SPINS=30", 'PAD="2000"'], null],
  [["SPINS=0"], [], null],
];

function told(a: Trace, b: Trace): string | null {
  const { first, relation } = diff(a, b);
  return first && findingWords(relation, first);
}

for (const level of ["-O0", "-O2"] as const satisfies readonly Level[]) {
  Deno.test({
    name: `diff() tells branches that go different ways without an effect, gcc ${level}`,
    ignore: !hasToolchain(),
    async fn() {
      for (const [a, b, what] of CASES) {
        for (const stripped of [false, true]) {
          const record = (defines: string[]) =>
            recordZoo({ source: "flow.c", level, defines }, { stripped });
          const found = told(await record(a), await record(b));
          if (what) assertMatch(found ?? "none", what, b.join());
          else assertEquals(found, null, `${b} ${stripped}`);
        }
      }
    },
  });
}
