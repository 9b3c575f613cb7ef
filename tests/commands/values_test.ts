import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { MACHINE_VERSION } from "../../core/machine.ts";
import { decodeContent, encodeContent } from "../../trace/cbor.ts";
import { openTrace } from "../../trace/mod.ts";
import { ITEM } from "../../trace/schema.ts";
import { joinTrace, splitTrace } from "../../trace/testing.ts";
import { recordBusyGuest } from "../trace/busy_guest.ts";
import { decodeTrace, python } from "../trace/run_decoder.ts";
import { jsonLines, runCli, withFolder } from "./run_cli.ts";

/** SHA-256 over the results of a trace: of each instruction how many words, then the words. */
function digestOf(bytes: Uint8Array): string {
  const trace = openTrace(bytes);
  const hash = createHash("sha256");
  for (const { number } of trace.windows.slice(1)) {
    for (const { words } of trace.values(number)!) {
      hash.update(Uint8Array.of(words.length)).update(BigUint64Array.from(words));
    }
  }
  return hash.digest("hex");
}

Deno.test("values gives the same bytes with any number of workers", async () => {
  await withFolder(async (folder) => {
    const trace = await recordBusyGuest(folder);
    const traces = await Promise.all(["1", "3"].map(async (workers) => {
      const output = `${folder}/values-${workers}.unboot`;
      const made = await runCli(["values", trace, "-o", output, "--workers", workers, "--json"]);
      assertEquals(made.status, 0, made.err);
      const bytes = await Deno.readFile(output);
      assertEquals(jsonLines(made.out)[0].bytes, bytes.length);
      return bytes;
    }));
    assertEquals(traces[0], traces[1]);
    const verified = await runCli(["verify", `${folder}/values-1.unboot`]);
    assertEquals(verified.status, 0, verified.out);
  });
});

Deno.test("values and attach replace no file of another kind, and leave nothing behind", async () => {
  await withFolder(async (folder) => {
    const trace = `${folder}/k.unboot`;
    const recorded = await runCli(["record", "--console", "none", "-o", trace]);
    assertEquals(recorded.status, 0, recorded.err);
    await Deno.writeTextFile(`${folder}/notes.txt`, "mine");
    await Deno.symlink("/dev/null", `${folder}/null`);
    const before = [...Deno.readDirSync(folder)].length;
    for (const command of ["values", "attach"]) {
      for (const output of ["notes.txt", "null", "", "nowhere/k.unboot"]) {
        const { status, err } = await runCli([command, trace, "-o", `${folder}/${output}`]);
        assertEquals(status, 1, err);
        assertEquals(err.trimEnd().split("\n").length, 1, err);
        assertStringIncludes(err, `Cannot write ${folder}/${output}: `);
      }
    }
    assertEquals(await Deno.readTextFile(`${folder}/notes.txt`), "mine");
    assert((await Deno.lstat(`${folder}/null`)).isSymlink);
    assertEquals([...Deno.readDirSync(folder)].length, before);
  });
});

Deno.test("record --values stores what each instruction writes, and dump shows it without executing", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/k.unboot`;
    const recorded = await runCli(["record", "--values", "--console", "none", "-o", path]);
    assertEquals(recorded.status, 0, recorded.err);
    const range = ["--from", "mmu-on-200", "--to", "mmu-on+200", "--json"];
    const executed = jsonLines((await runCli(["dump", path, ...range])).out);
    const stored = jsonLines((await runCli(["dump", path, ...range, "--no-effects"])).out);
    let compared = 0;
    for (const [i, { results = [] }] of stored.entries()) {
      for (const [name, value] of Object.entries(executed[i].registers ?? {})) {
        // Changed general-purpose registers are among the results.
        if (!/^(x\d+|sp)$/.test(name)) continue;
        assert(results.includes(value), `${name} of ${JSON.stringify(executed[i])}`);
        compared++;
      }
    }
    assert(compared > 100, `${compared}`);
    if (python === "") return;
    const lines = await decodeTrace(path, "--events", "none");
    assertEquals(lines.at(-1).sha256.results, digestOf(await Deno.readFile(path)));
  });
});

Deno.test("dump shows results of a trace that this program cannot execute", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/k.unboot`;
    await runCli(["record", "--bug", "pxn", "--values", "--console", "none", "-o", path]);
    const bytes = await Deno.readFile(path);
    const trace = openTrace(bytes);
    const items = splitTrace(bytes);
    const header = items.find(({ frame }) => frame.kind === ITEM.header)!;
    const map = decodeContent(header.content, "the header") as Record<string, unknown>;
    header.content = encodeContent({ ...map, machineVersion: MACHINE_VERSION + 1 });
    const keyframe = items.findLast(({ frame }) => frame.kind === ITEM.keyframe)!;
    const state = decodeContent(keyframe.content, "the state") as Record<string, unknown>;
    keyframe.content = encodeContent({ ...state, hash: new Uint8Array(8) });
    const windows = trace.windows.map(({ start, end }): [number, number] => [start, end]);
    await Deno.writeFile(path, joinTrace(items, windows));
    const { status, out, err } = await runCli(["dump", path, "--at", "fault", "-n", "8"]);
    assertEquals(status, 0, err);
    assertStringIncludes(out, "orr x9, x9, #0x1  ; = 0xc50839");
  });
});
