import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHash } from "node:crypto";
import { jsonLines, runCli } from "../commands/run_cli.ts";
import { openTrace } from "../../trace/mod.ts";
import { python, runDecoder } from "./run_decoder.ts";

/** A boot of the kernel with bug pxn, recorded by the programs that wrote formats 1.0, 1.1 and 1.2. */
const MINORS = [0, 1, 2];
/** Of several CPUs, whose turns had another length then: this machine does something else. */
const SEVERAL_CPUS = 2;
/** SHA-256 over position, pc, word, CPU and level of all instructions, as those programs read them. */
const EXECUTED = "9579aae40a9053ee1467d8d28272b2996c65a8e968805b43a90e3bb733e7c4d7";

function pathOf(minor: number): string {
  return new URL(`../golden/traces/format_1_${minor}.trace`, import.meta.url).pathname;
}

for (const minor of MINORS) {
  Deno.test(`openTrace() reads a trace of format 1.${minor}`, () => {
    const trace = openTrace(Deno.readFileSync(pathOf(minor)));
    assertEquals(trace.header.format, [1, minor]);
    assertEquals(trace.truncated, null);
    const hash = createHash("sha256");
    for (const { position, pc, word, cpu, el } of trace.executed()) {
      hash.update(`${position} ${pc} ${word} ${cpu} ${el}\n`);
    }
    assertEquals(hash.digest("hex"), EXECUTED);
    assertEquals([...trace.events()].length, 3361);
    for (const { number } of trace.windows) {
      assertEquals(trace.computeStateHash(number), trace.keyframe(number).hash);
    }
  });

  Deno.test(`explain finds the fault in a trace of format 1.${minor}, or names who can`, async () => {
    const { status, out, err } = await runCli(["explain", pathOf(minor), "--json"]);
    if (minor === SEVERAL_CPUS) {
      assertEquals(status, 1);
      assertMatch(err, /recorded with machine version 2 by .*; use the release that recorded it/);
      return;
    }
    assertEquals(status, 0, err);
    assertEquals(jsonLines(out)[0].cause, "pxn");
  });
}

Deno.test({
  name: "independent_decoder.py reads traces of older formats",
  ignore: python === "",
  async fn() {
    for (const minor of MINORS) {
      const { status, out, err } = await runDecoder([pathOf(minor), "--events", "none"]);
      assertEquals([status, err], [0, ""]);
      const lines = jsonLines(out);
      assertEquals(lines[0].format, [1, minor]);
      assert(lines.at(-1).instructions === 344311);
    }
  },
});
