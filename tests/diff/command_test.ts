import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { jsonLines, runCli, withFolder } from "../commands/run_cli.ts";

const MOST_MARKDOWN = 60_000;

/** Records the built-in kernel, good and with a bug, and calls `body` with a way to run commands. */
async function withBoots(
  bug: string,
  body: (run: (...args: string[]) => ReturnType<typeof runCli>, folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (cwd) => {
    const run = (...args: string[]) => runCli(args, { cwd });
    await run("record", "-o", "good.unboot", "--console", "none");
    await run("record", "--bug", bug, "-o", "bad.unboot", "--console", "none");
    await body(run, cwd);
  });
}

Deno.test("diff --json has the documented shape", async () => {
  await withBoots("late-vectors", async (run) => {
    const { status, out } = await run("diff", "good.unboot", "bad.unboot", "--json");
    assertEquals(status, 0);
    const [json] = jsonLines(out);
    assertEquals(Object.keys(json), ["milestones", "first_difference"]);
    const { a, b, what, symbol } = json.first_difference;
    assertEquals([typeof a, b], ["number", null]);
    assertMatch(what, /^VBAR_EL1 write missing in B \(A: 0x\w+ <exception_vectors>\)$/);
    assertMatch(symbol, /^exception_init\+0x/);
    const vectors = json.milestones.find(({ name }: { name: string }) => name === "vectors-set");
    assertEquals([vectors.a, vectors.b], [a, null]);
    const none = await run("diff", "good.unboot", "good.unboot", "--json");
    assertEquals([none.status, jsonLines(none.out)[0].first_difference], [0, null]);
  });
});

Deno.test("diff shows both sides with their tables, and Markdown says how to reproduce it", async () => {
  await withBoots("block-encoding", async (run) => {
    const { out } = await run("diff", "good.unboot", "bad.unboot");
    assertMatch(out, /^First difference: descriptor store: level 2, .*block in A, table in B\)$/m);
    assertEquals(out.match(/<- written here/g)?.length, 2);
    assertEquals(out.match(/-> #\d+ .* str x9/g)?.length, 2);
    const report = await run("diff", "good.unboot", "bad.unboot", "--markdown");
    assertEquals(report.status, 0);
    assert(report.out.length < MOST_MARKDOWN);
    for (const part of ["## Milestones", "## The difference", "## How to reproduce"]) {
      assertStringIncludes(report.out, part);
    }
    assertStringIncludes(report.out, "record -o bad.unboot --bug block-encoding");
    // An unprotected #12 becomes a link to an issue.
    const prose = report.out.split("```").filter((_, i) => i % 2 === 0).join("");
    assertEquals(prose.match(/(?<!`)#\d/g), null);
  });
});

Deno.test("diff has one line for what it cannot compare, and compares what there is", async () => {
  await withBoots("pxn", async (run, folder) => {
    await Deno.writeFile(`${folder}/empty.unboot`, new Uint8Array());
    const empty = await run("diff", "good.unboot", "empty.unboot");
    assertEquals(empty.status, 1);
    assertMatch(empty.err, /^unboot: empty\.unboot: Cannot open the trace: .*\n$/);
    assertEquals((await run("diff", "good.unboot")).status, 2);
    const both = await run("diff", "good.unboot", "bad.unboot", "--json", "--markdown");
    assertEquals(both.status, 2);
    const short = ["record", "-o", "short.unboot", "--console", "none"];
    await run(...short, "--max-instructions", "300000");
    const { out, status } = await run("diff", "good.unboot", "short.unboot");
    assertEquals(status, 0);
    assertMatch(out, /^No difference in/);
    assertMatch(out, /^Note: both booted the same image\.$/m);
    assertMatch(out, /^Note: B was stopped at its limit of instructions: compared up to there\.$/m);
  });
});

Deno.test("diff puts alike differences into one line", async () => {
  await withBoots("pxn", async (run) => {
    const { out } = await run("diff", "good.unboot", "bad.unboot");
    const [, rest] = out.split("Other differences, in order:\n");
    const lines = rest.split("\n\n")[0].split("\n");
    assert(lines.length <= 8);
    assertMatch(
      lines[0],
      /descriptor store: level 3, VA 0x40401000: .*\(and \d+ more like it, VA 0x40401000 to 0x\w+\)$/,
    );
  });
});
