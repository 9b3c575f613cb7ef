import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildKernel, type KernelOptions } from "../../kernel/build.ts";
import { diff } from "../../replay/queries/diff.ts";
import { findingWords } from "../../replay/queries/diff_words.ts";
import { recordGuest, type RecordOptions } from "../explain/record_guest.ts";

const DESCRIPTOR = /^descriptor store: level 3, VA 0x40400000: .* \(PXN: 0 in A, 1 in B\)$/;
const BLOCK = /^descriptor store: level 2, VA 0x40000000: .* \(bits 1:0: block in A, table in B\)$/;
const VECTORS = /^VBAR_EL1 write missing in B/;

/** Kernels to compare with the good one; null where there is no difference. */
const CASES: readonly (readonly [KernelOptions, RegExp | null, RecordOptions?])[] = [
  [{}, null],
  [{ padding: 4 }, null],
  [{ padding: 64 }, null],
  [{ padding: 2000 }, null],
  [{}, null, { memory: 128 * 2 ** 20 }],
  [{ bug: "pxn" }, DESCRIPTOR],
  [{ bug: "block-encoding" }, BLOCK],
  [{ bug: "late-vectors" }, VECTORS],
  [{ bug: "pxn", padding: 2100 }, DESCRIPTOR],
  [{ bug: "block-encoding", padding: 2100 }, BLOCK],
  [{ bug: "late-vectors", padding: 2100 }, VECTORS],
];

function record(options: KernelOptions, recording: RecordOptions) {
  return recordGuest(buildKernel(options).elf, { windowSteps: 1 << 20, ...recording });
}

for (const stripped of [false, true]) {
  Deno.test(`diff() tells the built-in kernel's bugs${stripped ? " without symbols" : ""}`, () => {
    const good = record({}, { stripped });
    for (const [options, expected, recording = {}] of CASES) {
      const { first, relation } = diff(good, record(options, { stripped, ...recording }));
      if (!expected) {
        assertEquals(first && findingWords(relation, first), null, JSON.stringify(options));
        continue;
      }
      assert(first, JSON.stringify(options));
      assertMatch(findingWords(relation, first), expected);
      const name = relation.a.name(first.a!.pc);
      const mapper = expected === VECTORS ? /^exception_init/ : /^page_map/;
      if (stripped) assertMatch(relation.a.codeName(first.a!.pc)!, /^sub_[0-9a-f]+\+0x/);
      else assertMatch(name!, mapper);
    }
  });
}

Deno.test("diff() finds the same from the other side", () => {
  const { first, relation } = diff(record({ bug: "late-vectors" }, {}), record({}, {}));
  assertMatch(findingWords(relation, first!), /^VBAR_EL1 write missing in A/);
  assertEquals(first!.a, null);
});
