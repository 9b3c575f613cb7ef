import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { jsonLines, runCli, withFolder } from "../commands/run_cli.ts";

const FILE = "t.unboot";

/** Records the built-in kernel with a bug and calls `body` with a way to run commands on it. */
async function withBug(
  bug: string,
  body: (run: (...args: string[]) => ReturnType<typeof runCli>) => Promise<void>,
): Promise<void> {
  await withFolder(async (cwd) => {
    const args = ["record", "--bug", bug, "-o", FILE, "--console", "none"];
    assertEquals((await runCli(args, { cwd })).status, 3);
    await body((...args) => runCli(args, { cwd }));
  });
}

Deno.test("explain --json has the documented shape", async () => {
  await withBug("pxn", async (run) => {
    const { status, out } = await run("explain", FILE, "--json");
    assertEquals(status, 0);
    const [json] = jsonLines(out);
    assertEquals(Object.keys(json), [
      "position",
      "cpu",
      "cause",
      "first_cause",
      "exception",
      "level",
      "walk",
      "writer",
      "fix",
      "text",
    ]);
    assertEquals(Object.keys(json.exception), ["class", "esr", "far", "elr"]);
    assertEquals(Object.keys(json.writer), ["by", "position", "pc", "symbol", "old", "new"]);
    assertEquals(Object.keys(json.fix), ["descriptor", "text"]);
    assertEquals(json.walk.map(Object.keys)[0], ["level", "address", "descriptor", "kind"]);
    assertEquals([json.cause, json.first_cause, json.level], ["pxn", "pxn", 3]);
    assertEquals(json.walk.map((step: { kind: string }) => step.kind), [
      "table",
      "table",
      "table",
      "page",
    ]);
    assertMatch(json.writer.symbol, /^page_map/);
    assertEquals(BigInt(json.writer.new) & ~(1n << 53n), BigInt(json.fix.descriptor));

    const { out: who } = await run(
      "who-wrote",
      FILE,
      json.walk[3].address,
      "--at",
      "fault",
      "--json",
    );
    const [write] = jsonLines(who);
    assertEquals(
      [write.by, write.position, write.pc, write.symbol, write.old, write.new],
      Object.values(json.writer),
    );
  });
});

Deno.test("explain tells a person what, why, who and what to change", async () => {
  await withBug("late-vectors", async (run) => {
    const { out } = await run("explain", FILE);
    assertStringIncludes(out, "Cause: vectors-not-installed: the handler at 0x200");
    assertStringIncludes(out, "First cause: pxn: PXN is set");
    assertMatch(out, /L3 0x\w+: 0x\w+ {2}page 0x\w+ .*PXN.*<- here/);
    assertMatch(out, /store at 0x\w+ <page_map\+0x\w+>, kernel\/page_mapper\.ts:\d+: str/);
    assertStringIncludes(out, "clear PXN (bit 53)");
    assertStringIncludes(out, "Checked: walking again with it, the access passes.");
  });
});

Deno.test("who-wrote says in one line what it cannot understand", async () => {
  await withBug("pxn", async (run) => {
    const { status, err } = await run("who-wrote", FILE, "nonsense");
    assertEquals(status, 1);
    assertMatch(err, /^unboot: Unknown target "nonsense": expected .*\n$/);
    const missing = await run("who-wrote", FILE);
    assertEquals(missing.status, 2);
    const all = await run("who-wrote", FILE, "page_root", "--all");
    assert(all.out.trimEnd().split("\n").length > 2);
  });
});

Deno.test("explain says that there is no fault", async () => {
  await withFolder(async (cwd) => {
    await runCli(["record", "-o", FILE, "--console", "none"], { cwd });
    const { status, err } = await runCli(["explain", FILE], { cwd });
    assertEquals([status, err], [1, `unboot: There is no fault in ${FILE}\n`]);
  });
});
