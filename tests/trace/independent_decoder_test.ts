import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { jsonLines, runCli, withFolder } from "../commands/run_cli.ts";
import { recordBusyGuest } from "./busy_guest.ts";
import { COMMIT, splitItems, withUnknownItems } from "./file_items.ts";
import { decodeTrace, type Line, python, runDecoder } from "./run_decoder.ts";

/**
 * Compares what the commands say of a trace with what `independent_decoder.py` says: a second
 * decoder, in another language, written from `trace/SPEC.md` and nothing else.
 */

const KINDS = "exception,eret,tlb-fill,tlbi,cache,barrier,sysreg,mmio,console,hazard";
const DEMOS = ["", "pxn", "late-vectors", "block-encoding"];

/** A test that is skipped where the decoder cannot run. */
function test(name: string, body: (folder: string) => Promise<void>): void {
  Deno.test({ name, ignore: python === "", fn: () => withFolder(body) });
}

async function runJson(...args: string[]): Promise<Line[]> {
  const { status, out, err } = await runCli([...args, "--json"]);
  assertEquals(status, 0, err);
  return out === "" ? [] : jsonLines(out);
}

/** An event in the words of the commands. */
function inOurWords({ reads: _, ...event }: Line): Line {
  const words = Object.entries(event).map(([name, value]) => [snakeCase(name), value]);
  const { descriptors, attributes, permissions, ...rest } = Object.fromEntries(words);
  if (descriptors === undefined) return rest;
  const rights = (bits: number) => ["r", "w", "x"].map((c, i) => bits >> i & 1 ? c : "-").join("");
  return {
    ...rest,
    attributes: `0x${attributes.toString(16).padStart(2, "0")}`,
    permissions: { el0: rights(permissions), el1: rights(permissions >> 3) },
    descriptors: descriptors.map((read: Line) => ({
      level: read.readLevel,
      address: read.readAddress,
      descriptor: read.descriptor,
    })),
  };
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Compares all events, field by field; our commands may say more of each. */
async function assertSameEvents(trace: string, decoded: Line[]): Promise<void> {
  const ours = await runJson("events", trace, "--kind", KINDS);
  const theirs = decoded.filter((line) => KINDS.split(",").includes(line.kind)).map(inOurWords);
  assertEquals(theirs.length, ours.length);
  theirs.forEach((event, i) => {
    const shared = Object.keys(event).map((name) => [name, ours[i][name]]);
    assertEquals(event, Object.fromEntries(shared), `event ${i}`);
  });
}

/** The executed instructions among the lines of `dump`, and all steps, exception entries included. */
function stepsOf(lines: Line[]): { instructions: Line[]; steps: Line[] } {
  const steps = lines.filter((line) => line.kind !== "exception" || !line.retires);
  return { instructions: steps.filter((line) => line.kind !== "exception"), steps };
}

/** SHA-256 over little-endian numbers of 4 or 8 bytes. */
async function digest(values: string[], size: 4 | 8): Promise<string> {
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, i) => {
    if (size === 8) view.setBigUint64(i * size, BigInt(value), true);
    else view.setUint32(i * size, Number(value), true);
  });
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", view.buffer));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

for (const bug of DEMOS) {
  const name = bug || "the kernel without bugs";
  test(`independent_decoder.py reads of ${name} what the commands read`, async (folder) => {
    const trace = `${folder}/demo.unboot`;
    const args = bug ? ["--bug", bug] : [];
    const recorded = await runCli(["record", "-o", trace, "--console", "none", ...args]);
    assert(recorded.status === 0 || recorded.status === 3, recorded.err);

    const [[info], lines, dump] = await Promise.all([
      runJson("info", trace),
      decodeTrace(trace, "--events", "all"),
      runJson("dump", trace),
    ]);
    const [file, executed] = [lines[0], lines.at(-1)];
    assertEquals(file.state, "complete");
    assertEquals([file.reason, file.end], [info.reason, info.steps]);
    assertEquals(file.recordedAt, info.recorded_at);
    assertEquals(executed.events, info.events);

    await assertSameEvents(trace, lines);
    assert(lines.some((line) => line.kind === "mmio"));
    assertEquals(lines.some((line) => line.kind === "exception"), bug !== "");

    const { instructions, steps } = stepsOf(dump);
    assertEquals(executed.instructions, instructions.length);
    assertEquals(executed.instructions + executed.entries, steps.length);
    assertEquals(executed.sha256, {
      pcs: await digest(instructions.map((line) => line.pc), 8),
      words: await digest(instructions.map((line) => line.word), 4),
      steps: await digest(steps.map((line) => line.pc), 8),
    });
  });
}

test("independent_decoder.py reads windows, interrupts and levels as the commands do", async (folder) => {
  const trace = await recordBusyGuest(folder);
  const lines = await decodeTrace(trace, "--events", "all", "--index");
  const windows = lines.filter((line) => line.kind === "window");
  assert(windows.length > 3, `${windows.length} windows`);
  const [info] = await runJson("info", trace);
  const executed = lines.at(-1);
  assertEquals(executed.instructions, info.instructions);
  assertEquals(executed.instructions + executed.entries, info.steps);
  assertEquals(executed.events, info.events);
  const types = lines.filter((line) => line.kind === "exception").map((line) => line.type);
  assertEquals([...new Set(types)].sort(), ["irq", "sync"]);
  await assertSameEvents(trace, lines);

  // The steps around every end of a window: each range needs a window's own block table.
  await Promise.all(
    windows.slice(1).map(async ({ end }) => {
      const range = [Math.max(0, end - 3000), Math.min(info.steps, end + 3000)];
      const [from, to] = range.map((position) => `#${position}`);
      const theirs = jsonLines((await runDecoder([trace, "--steps", ...range.map(String)])).out);
      const ours = stepsOf(await runJson("dump", trace, "--from", from, "--to", to)).steps;
      assertEquals(theirs.length, range[1] - range[0]);
      const fields = (line: Line) => [line.position, line.el, line.pc, line.word];
      const entry = (line: Line) => [line.position, "entry"];
      assertEquals(
        theirs.map((line) => line.kind === "entry" ? entry(line) : fields(line)),
        ours.map((line) => line.kind === "exception" ? entry(line) : fields(line)),
      );
    }),
  );
});

test("independent_decoder.py stops at the last valid commit of a file that was cut", async (folder) => {
  const whole = await recordBusyGuest(folder);
  const bytes = await Deno.readFile(whole);
  const items = splitItems(bytes);
  const windows = (await decodeTrace(whole, "--events", "none", "--index"))
    .filter((line) => line.kind === "window");
  const commits = items.filter((item) => item.kind === COMMIT);
  assertEquals(commits.length, windows.length);

  const cuts = [0, 2, items[0].end, commits[0].end - 1, commits[0].end, commits[1].start + 1];
  cuts.push(commits[1].end - 1, commits[1].end, commits[1].end + 1, bytes.length - 1);
  await Promise.all(
    cuts.map(async (cut) => {
      const trace = `${folder}/cut-${cut}.unboot`;
      await Deno.writeFile(trace, bytes.subarray(0, cut));
      const last = commits.findLastIndex((commit) => commit.end <= cut);
      if (last < 0) {
        const { status, out, err } = await runDecoder([trace]);
        assertEquals([status, out], [1, ""]);
        assertStringIncludes(err, "not a trace");
        assertEquals((await runCli(["info", trace])).status, 1);
        return;
      }
      const [file] = await decodeTrace(trace, "--events", "none");
      assertEquals([file.state, file.end], ["truncated", windows[last].end], `cut at ${cut}`);
      const [info] = await runJson("info", trace);
      assertEquals(info.truncated.position, file.end);
    }),
  );
});

test("independent_decoder.py trusts nothing behind a damaged byte", async (folder) => {
  const whole = await recordBusyGuest(folder);
  const bytes = await Deno.readFile(whole);
  const items = splitItems(bytes);
  const commits = items.filter((item) => item.kind === COMMIT);
  const [, end] = (await decodeTrace(whole, "--events", "none", "--index"))
    .filter((line) => line.kind === "window").map((line) => line.end);
  for (const at of [commits[1].end, commits[2].start - 1, commits[2].start + 10]) {
    const trace = `${folder}/damaged.unboot`;
    await Deno.writeFile(trace, bytes.map((byte, i) => i === at ? byte ^ 4 : byte));
    const [file] = await decodeTrace(trace, "--events", "none");
    assertEquals([file.state, file.end], ["truncated", end], `damaged at ${at}`);
  }
});

test("independent_decoder.py skips items and fields that it does not know", async (folder) => {
  const whole = await recordBusyGuest(folder);
  const trace = `${folder}/newer.unboot`;
  await Deno.writeFile(trace, await withUnknownItems(await Deno.readFile(whole)));
  const [before, after] = await Promise.all([whole, trace].map((file) => decodeTrace(file)));
  assertEquals(after[0].state, "complete");
  assertEquals(after[0].unknownItems, 2 * (after[0].windows - 1));
  assertEquals(after.slice(1), before.slice(1));
  const [[info], [newer]] = await Promise.all([whole, trace].map((file) => runJson("info", file)));
  assertEquals([newer.steps, newer.events], [info.steps, info.events]);
});

test("independent_decoder.py refuses what is no trace", async (folder) => {
  const trace = `${folder}/text`;
  for (const text of ["", "no trace at all", "\u0000".repeat(1000)]) {
    await Deno.writeTextFile(trace, text);
    const { status, err } = await runDecoder([trace]);
    assertEquals(status, 1);
    assertMatch(err, /not a trace: [^\n]+\n$/);
  }
});
