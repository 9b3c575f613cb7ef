/** What windows of traces leave out of a comparison, and workers, change nothing about its answer. */
import { assert, assertEquals } from "@std/assert";
import { type Diff, diff, diffInWorkers } from "../../replay/queries/diff.ts";
import { findingWords } from "../../replay/queries/diff_words.ts";
import { bytesAccess, openTrace } from "../../trace/mod.ts";
import { program } from "../drivers/program.ts";
import { withFolder } from "../commands/run_cli.ts";
import { recordBytes } from "../replay/recordings.ts";

/** Long loops with stores; between them and behind them what a word of the image decides. */
function boot(word: number, windowSteps: number, extra = ""): Uint8Array<ArrayBuffer> {
  const guest = program(`
    start: ldr x9, =box ; ldr x11, =word ; bl count ; ldr x12, [x11] ; str x12, [x11, #8]
      bl count ; cmp x12, #9 ; b.ne same ; ${extra} nop
    same: bl count ; str x12, [x11, #16]
      ldr w0, =0x84000008 ; hvc #0
    count: mov x10, #0
    more: add x10, x10, #1 ; str x10, [x9] ; mov x13, #0x7fff ; cmp x10, x13 ; b.ne more ; ret
      .balign 4096
    box: .quad 0
      .balign 4096
    word: .quad ${word}
      .quad 0
      .quad 0
      .quad 0
  `).plan();
  return recordBytes(guest, { windowSteps, limit: 4_000_000 }) as Uint8Array<ArrayBuffer>;
}

const EXTRA = "str x12, [x11, #24] ;";

const open = (bytes: Uint8Array) => openTrace(bytesAccess(bytes));

function told({ first, findings, relation }: Diff) {
  const where = findings.map(({ a, b }) => [a?.position ?? null, b?.position ?? null]);
  return { what: first && findingWords(relation, first), where };
}

Deno.test("diff() leaves out windows that are the same, before and behind a difference", () => {
  for (const extra of ["", EXTRA]) {
    const [few, many] = [1 << 22, 1 << 14].map((steps) =>
      diff(open(boot(7, steps, extra)), open(boot(9, steps, extra)))
    );
    assert(few.first !== null);
    assertEquals(told(many), told(few));
    // The first windows of boots of different images are compared in any case.
    assertEquals([few.equalTo, many.equalTo], [0, 0]);
    // Behind the branch the boots are a step apart: there everything is compared.
    assert(many.common < few.common / 2, `${many.common} of ${few.common}`);
    // What was left out by what it wrote alone is said.
    assertEquals(few.unexecuted, 0);
    assert(many.unexecuted > 0);
  }
});

Deno.test("diffInWorkers() finds what diff() finds", async () => {
  await withFolder(async (folder) => {
    const traces = [7, 9].map((word) => boot(word, 1 << 14, EXTRA));
    const [a, b] = traces.map((bytes, n) => {
      Deno.writeFileSync(`${folder}/${n}.unboot`, bytes);
      return [open(bytes), `${folder}/${n}.unboot`] as const;
    });
    let reports = 0;
    const found = await diffInWorkers(a, b, () => reports++);
    const here = diff(a[0], b[0]);
    assertEquals(told(found), told(here));
    assertEquals([found.common, found.interrupted], [here.common, here.interrupted]);
    assert(reports > 0);
    assertEquals((await diffInWorkers(a, a)).first, null);
  });
});
