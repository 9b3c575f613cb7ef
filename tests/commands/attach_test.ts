import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { encodeContent } from "../../trace/cbor.ts";
import { joinTrace, splitTrace } from "../../trace/testing.ts";
import { ITEM } from "../../trace/schema.ts";
import { openTrace, TraceError } from "../../trace/mod.ts";
import { recordBusyGuest } from "../trace/busy_guest.ts";
import { decodeTrace, python } from "../trace/run_decoder.ts";
import { jsonLines, runCli, withFolder } from "./run_cli.ts";

const QUESTIONS = [
  ["explain", "--json"],
  ["events", "--kind", "exception,sysreg", "--json"],
  ["dump", "--from", "end-50", "--json"],
  ["who-wrote", "x19", "--at", "end", "--json"],
  ["verify", "--json"],
];

async function answer(trace: string, [command, ...args]: string[]): Promise<string> {
  const operands = command === "who-wrote" ? [trace, args[0], ...args.slice(1)] : [trace, ...args];
  const { status, out, err } = await runCli([command, ...operands]);
  assert(status === 0, `${command}: ${err}`);
  return out.replaceAll(trace, "TRACE");
}

Deno.test("attach makes a small trace that every command answers from as from the full one", async () => {
  await withFolder(async (folder) => {
    const full = await recordBusyGuest(folder);
    const small = `${folder}/small.unboot`;
    const made = await runCli(["attach", full, "-o", small, "--json"]);
    assertEquals(made.status, 0, made.err);
    assertEquals(jsonLines(made.out)[0].bytes, (await Deno.stat(small)).size);
    const questions = QUESTIONS.filter(([name]) => name !== "explain");
    for (const question of questions) {
      assertEquals(await answer(small, question), await answer(full, question), question[0]);
    }
    // The header is as in the full trace, so all is.
    assertEquals(await Deno.readFile(`${small}.full`), await Deno.readFile(full));
    if (python !== "") {
      const [file, ...lines] = await decodeTrace(small);
      assertEquals([file.profile, file.state], ["attach", "complete"]);
      assert(lines.some((line) => line.kind === "exception"));
    }
  });
});

Deno.test("record --profile attach writes such a trace, and explain needs nothing else", async () => {
  await withFolder(async (folder) => {
    const [small, full] = [`${folder}/small.unboot`, `${folder}/full.unboot`];
    const record = ["record", "--bug", "pxn", "--console", "none", "-o"];
    const recorded = await runCli([...record, small, "--profile", "attach", "--json"]);
    assertEquals(recorded.status, 3, recorded.err);
    assertEquals(jsonLines(recorded.out)[0].bytes, (await Deno.stat(small)).size);
    await runCli([...record, full]);
    for (const question of QUESTIONS.slice(0, 1)) {
      assertEquals(await answer(small, question), await answer(full, question), question[0]);
    }
    const [info] = jsonLines((await runCli(["info", small, "--json"])).out);
    assertEquals([info.profile, info.sizes.digest.items], ["attach", 1]);
    // A new trace of the name takes what was kept along.
    await runCli([...record, small]);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "full.unboot",
      "small.unboot",
    ]);
  });
});

Deno.test("a trace of profile attach says what it left out, and what differs", async () => {
  await withFolder(async (folder) => {
    const full = await recordBusyGuest(folder);
    const small = `${folder}/small.unboot`;
    await runCli(["attach", full, "-o", small]);
    const bytes = await Deno.readFile(small);
    const trace = openTrace(bytes);
    assertThrows(() => trace.keyframe(1), TraceError, "must be executed again");
    assertThrows(() => trace.page(0x4000_0000, 1), TraceError, "must be executed again");
    const whole = openTrace(await Deno.readFile(full));
    assertEquals(trace.stateHash(2), whole.stateHash(2));
    const pcs = (from: typeof trace) => {
      const { blocks, table } = from.blocks(2);
      return blocks.subarray(0, 1000).reduce((sum, id) => sum + Number(table.pc(id)), 0);
    };
    assertEquals(pcs(trace), pcs(whole));
    const items = splitTrace(bytes);
    const digest = items.findLast(({ frame }) => frame.kind === ITEM.digest)!;
    digest.content = encodeContent({ hash: new Uint8Array(8) });
    const windows = trace.windows.map(({ start, end }): [number, number] => [start, end]);
    await Deno.writeFile(small, joinTrace(items, windows));
    const { status, err } = await runCli(["events", small, "--from", "end-1000"]);
    assertEquals(status, 0, err);
    assertStringIncludes(
      err,
      "The re-execution differs from the trace: expected state 0000000000000000",
    );
  });
});
