import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { decode, Encoder } from "cbor-x";
import { type CliRun, jsonLines, runCli, withFolder } from "../commands/run_cli.ts";

/**
 * Compares what the commands say of a trace with what `independent_decoder.py` says: a second
 * decoder, in another language, written from `trace/SPEC.md` and nothing else.
 */

const DECODER = new URL("independent_decoder.py", import.meta.url).pathname;
const KINDS = "exception,eret,tlb-fill,tlbi,cache,barrier,sysreg,mmio,console,hazard";
const DEMOS = ["", "pxn", "late-vectors", "block-encoding"];
const COMMIT = 11;
const FOOTER = 12;

const python = await findPython();
if (python === "") {
  console.warn("skipped: tests of the second decoder need python3 with cbor2 and zstandard");
}

/** A Python that can run the decoder, or "". */
async function findPython(): Promise<string> {
  for (const name of ["/usr/bin/python3", "python3"]) {
    try {
      const args = ["-c", "import cbor2, zstandard, sys; sys.exit(sys.version_info < (3, 10))"];
      if ((await new Deno.Command(name, { args, stderr: "null" }).output()).success) return name;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return "";
}

/** A test that is skipped where the decoder cannot run. */
function test(name: string, body: (folder: string) => Promise<void>): void {
  Deno.test({ name, ignore: python === "", fn: () => withFolder(body) });
}

/** One line of JSON, of a command or of the decoder. */
// deno-lint-ignore no-explicit-any
type Line = any;

async function runDecoder(args: string[]): Promise<CliRun> {
  const command = new Deno.Command(python, { args: [DECODER, ...args], stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { status: code, out: text(stdout), err: text(stderr) };
}

/** The decoder's lines: the first is about the file, the last about what was executed. */
async function decodeTrace(trace: string, ...args: string[]): Promise<Line[]> {
  const { status, out, err } = await runDecoder([trace, ...args]);
  assertEquals(err, "");
  const lines = jsonLines(out);
  assertEquals(status, lines[0].state === "complete" ? 0 : 3);
  return lines;
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

/** One item of a file, as section 2 of the specification has it. */
interface FileItem {
  readonly kind: number;
  readonly start: number;
  readonly end: number;
  readonly hash: Uint8Array<ArrayBuffer>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** All items of a file that is whole. */
function splitItems(bytes: Uint8Array<ArrayBuffer>): FileItem[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const items: FileItem[] = [];
  let at = 0;
  const head = () => {
    const low = bytes[at++] & 31;
    if (low < 24) return low;
    at += 1 << (low - 24);
    if (low === 24) return view.getUint8(at - 1);
    return low === 25 ? view.getUint16(at - 2) : view.getUint32(at - 4);
  };
  const string = () => {
    const length = head();
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const start = at;
    if (start === 0) at += 3;
    const elements = head();
    const [kind] = [head(), head(), head()];
    const hash = string();
    const body = string();
    if (elements === 6) string();
    items.push({ kind, start, end: at, hash, body });
  }
  return items;
}

/** The file with two unknown items in every window but the first, and a new field in its commits. */
async function withUnknownItems(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = new Encoder({ useRecords: false, tagUint8Array: false });
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const sizes: { lengths: number[]; commits: number[] } = { lengths: [], commits: [] };
  let window: Uint8Array<ArrayBuffer>[] = [];
  let hashes: Uint8Array<ArrayBuffer>[] = [];
  let before = new Uint8Array(16);
  const add = (part: Uint8Array<ArrayBuffer>, hash: Uint8Array<ArrayBuffer>) => {
    window.push(part);
    hashes.push(hash);
  };
  for (const item of splitItems(bytes)) {
    if (item.kind === COMMIT) {
      const commit = decode(item.body);
      if (commit.window > 0) {
        for (const kind of [99, 4000]) {
          const unknown = await makeItem(kind, new TextEncoder().encode("\xffnot even CBOR"));
          add(unknown.bytes, unknown.hash);
        }
      }
      const place = [commit.window, commit.start, commit.end].map((value) => shortest(value, 0));
      const start = [before, new Uint8Array([0x83]), ...place];
      commit.hash = before = (await sha256([...start, ...hashes])).slice(0, 16);
      commit.length = join(window).length;
      const made = await makeItem(COMMIT, encoder.encode({ later: ["a", 1], ...commit }).slice());
      sizes.lengths.push(commit.length);
      sizes.commits.push(made.bytes.length);
      parts.push(...window, made.bytes);
      [window, hashes] = [[], []];
    } else if (item.kind === FOOTER) {
      const { at: _, ...footer } = decode(item.body);
      footer.index = { lengths: uints(sizes.lengths), commits: uints(sizes.commits) };
      const at = BigInt(join(parts).length);
      parts.push((await makeItem(FOOTER, encoder.encode({ ...footer, at }).slice())).bytes);
    } else {
      add(bytes.slice(item.start, item.end), item.hash);
    }
  }
  return join(parts);
}

/** An item as it stands in the file, stored as it is. */
async function makeItem(
  kind: number,
  body: Uint8Array<ArrayBuffer>,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; hash: Uint8Array<ArrayBuffer> }> {
  const before = [kind, 0, body.length].map((value) => shortest(value, 0));
  const after = [shortest(body.length, 2), body];
  const hash = (await sha256([new Uint8Array([0x84]), ...before, ...after])).slice(0, 16);
  const head = [new Uint8Array([0x85]), ...before, new Uint8Array([0x50]), hash];
  return { bytes: join([...head, ...after]), hash };
}

/** The shortest CBOR head of a number below 2^32 (major type 0) or of a byte string (2). */
function shortest(value: number, major: number): Uint8Array<ArrayBuffer> {
  const size = value < 24 ? 0 : value < 1 << 8 ? 1 : value < 1 << 16 ? 2 : 4;
  const bytes = new Uint8Array(1 + size);
  bytes[0] = (major << 5) | (size === 0 ? value : size === 1 ? 24 : size === 2 ? 25 : 26);
  for (let i = size; i > 0; i--, value = Math.floor(value / 256)) bytes[i] = value & 255;
  return bytes;
}

/** A column of LEB128 numbers. */
function uints(values: number[]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (let value of values) {
    for (; value >= 128; value >>>= 7) bytes.push((value & 127) | 128);
    bytes.push(value);
  }
  return new Uint8Array(bytes);
}

async function sha256(parts: Uint8Array<ArrayBuffer>[]): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(parts)));
}

function join(parts: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A guest with timer interrupts, calls, SVC at two levels, undefined instructions and stores. */
async function recordBusyGuest(folder: string): Promise<string> {
  await Deno.writeFile(`${folder}/busy.bin`, busyGuest());
  const trace = `${folder}/busy.unboot`;
  const args = ["--console", "none", "--max-instructions", "9M"];
  const { status, err } = await runCli(["record", `${folder}/busy.bin`, "-o", trace, ...args]);
  assertEquals(status, 3, err);
  return trace;
}

/**
 * Device interrupts are on while `main` runs. It calls `straight`, makes an SVC and stores; every
 * 32nd time it also runs into an undefined instruction, prints a byte, and makes an SVC from EL0.
 */
function busyGuest(): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(0x1000 + 1001 * 4));
  const put = (offset: number, words: number[]) =>
    words.forEach((word, i) => view.setUint32(offset + 4 * i, word, true));
  put(0, [
    0x10004001, // adr x1, vectors
    0xd518c001, // msr vbar_el1, x1
    0xd5033fdf, // isb
    0xd2a10001, // mov x1, #0x8000000: the interrupt controller
    0x52800022, // mov w2, #1
    0xb9000022, // str w2, [x1]
    0x52a80002, // mov w2, #0x40000000
    0xb9010022, // str w2, [x1, #256]
    0xd2a10021, // mov x1, #0x8010000
    0x52801fe2, // mov w2, #0xff
    0xb9000422, // str w2, [x1, #4]
    0x52800022, // mov w2, #1
    0xb9000022, // str w2, [x1]
    0xd280fa02, // mov x2, #2000
    0xd51be202, // msr cntp_tval_el0, x2
    0xd2800022, // mov x2, #1
    0xd51be222, // msr cntp_ctl_el0, x2
    // main, at 0x44
    0xd50342ff, // msr daifclr, #2
    0x91000673, // add x19, x19, #1
    0x940003ed, // bl straight
    0xd40000e1, // svc #7
    0xd2a82014, // mov x20, #0x41000000
    0x92401e60, // and x0, x19, #0xff
    0x8b002294, // add x20, x20, x0, lsl #8
    0xf9000293, // str x19, [x20]
    0x92401260, // and x0, x19, #0x1f
    0xb5fffee0, // cbnz x0, main
    0x00000001, // udf #1
    0xd2a12002, // mov x2, #0x9000000: the console
    0x52800824, // mov w4, #0x41
    0xb9000044, // str w4, [x2]
    0xd50342df, // msr daifset, #2
    0x10000080, // adr x0, user
    0xd5184020, // msr elr_el1, x0
    0xd518401f, // msr spsr_el1, xzr
    0xd69f03e0, // eret
    // user, at 0x90
    0xd4000121, // svc #9
    // sync, at 0x94: undefined instructions are skipped, SVC #9 returns to main at EL1
    0xd5385210, // mrs x16, esr_el1
    0xd35afe11, // lsr x17, x16, #26
    0xb4000131, // cbz x17, skip
    0x92403e10, // and x16, x16, #0xffff
    0xf100261f, // cmp x16, #9
    0x540000a1, // b.ne out
    0x10fffcd0, // adr x16, main
    0xd5184030, // msr elr_el1, x16
    0xd28000b0, // mov x16, #5
    0xd5184010, // msr spsr_el1, x16
    0xd69f03e0, // out: eret
    0xd5384030, // skip: mrs x16, elr_el1
    0x91001210, // add x16, x16, #4
    0xd5184030, // msr elr_el1, x16
    0xd69f03e0, // eret
    // irq, at 0xd0
    0xd2a10030, // mov x16, #0x8010000
    0xb9400e11, // ldr w17, [x16, #12]
    0xb9001211, // str w17, [x16, #16]
    0xd280fa10, // mov x16, #2000
    0xd51be210, // msr cntp_tval_el0, x16
    0xd69f03e0, // eret
  ]);
  // vectors, at 0x800
  put(0xa00, [0x17fffda5]); // b sync
  put(0xa80, [0x17fffd94]); // b irq
  put(0xc00, [0x17fffd25]); // b sync
  put(0xc80, [0x17fffd14]); // b irq
  // straight: add x3, x3, #1, a thousand times; ret
  put(0x1000, [...new Array<number>(1000).fill(0x91000463), 0xd65f03c0]);
  return new Uint8Array(view.buffer);
}
