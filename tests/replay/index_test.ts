/** The index holds exactly what the windows did, and answers with it are those without. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { MemoryWatch } from "../../core/memory/memory.ts";
import { RAM_BASE } from "../../core/board_map.ts";
import { buildKernel } from "../../kernel/build.ts";
import { buildIndex, buildIndexInWorkers } from "../../replay/index/build_index.ts";
import { IndexReader } from "../../replay/index/index_reader.ts";
import { attachIndex, ImpatientIndex, IndexWanted } from "../../replay/index/trace_index.ts";
import { firstExecution } from "../../replay/queries/first_execution.ts";
import { whoWrote, type Written } from "../../replay/queries/who_wrote.ts";
import { lastWriters } from "../../replay/queries/writers.ts";
import { effectsOf } from "../../replay/queries/writers_effects.ts";
import { Session } from "../../replay/session.ts";
import { Timeline } from "../../replay/timeline.ts";
import { bytesAccess, openTrace, type Trace, TraceError } from "../../trace/mod.ts";
import { joinBytes } from "../../trace/testing.ts";
import { AGENTS } from "./assembly.ts";
import { random, recordBytes } from "./recordings.ts";

const UNITS = 512;
const BYTES = {
  agents: recordBytes(AGENTS.image, { windowSteps: 3 }),
  kernel: recordBytes(buildKernel().elf, { windowSteps: 1 << 13 }),
};

function open(name: keyof typeof BYTES): { trace: Trace; index: Uint8Array<ArrayBuffer> } {
  const trace = openTrace(BYTES[name]);
  return { trace, index: joinBytes(buildIndex(trace)) };
}

function reader(bytes: Uint8Array, trace: Trace, notes: string[] = []): IndexReader {
  return new IndexReader(bytesAccess(bytes), trace, (why) => notes.push(why));
}

/** Every unit of memory that each window wrote, by a watch over everything. */
function unitsWritten(trace: Trace): Set<number>[] {
  const session = new Session(trace);
  return trace.windows.map(({ number, start, end }) => {
    const units = new Set<number>();
    if (number === 0) return units;
    const watch: MemoryWatch = {
      covers: (page) => page >= RAM_BASE,
      accessed({ write, address, bytes }) {
        if (!write) return;
        for (let i = 0; i < bytes.length; i++) units.add(Math.floor((address + i) / 8));
      },
    };
    session.seek(start);
    session.observe(end, { watch });
    return units;
  });
}

function answers(session: Session, written: Written, before: number, limit: number): unknown[] {
  return [...whoWrote(session, written, { before, limit })];
}

for (const name of ["agents", "kernel"] as const) {
  Deno.test(`the index of ${name} has exactly the units that a watch sees written`, () => {
    const { trace, index } = open(name);
    const known = reader(index, trace);
    const written = unitsWritten(trace);
    const pages = new Set(written.flatMap((units) => [...units].map((u) => Math.floor(u / UNITS))));
    assert(pages.size > 2);
    for (const { number } of trace.windows.slice(1)) {
      for (const page of [...pages, 0x40000, 0x43fff]) {
        const marks = known.writtenUnits(number, page * UNITS, (page + 1) * UNITS)!;
        const units = [...marks.keys()].filter((i) => marks[i]).map((i) => page * UNITS + i);
        const expected = [...written[number]].filter((u) => Math.floor(u / UNITS) === page);
        assertEquals(units, expected.sort((a, b) => a - b), `window ${number}`);
      }
    }
  });
}

Deno.test("the index has exactly the instructions and registers of each window", () => {
  const { trace, index } = open("kernel");
  const known = reader(index, trace);
  const pcs = new Set<bigint>();
  for (const { pc } of trace.executed()) pcs.add(pc);
  for (const { number, start, end } of trace.windows.slice(1)) {
    const here = new Set<bigint>();
    const registers = new Set<string>();
    for (const { pc, word } of trace.executed(start, end)) {
      here.add(pc);
      for (const register of effectsOf(word).writes.keys()) registers.add(register);
    }
    for (const pc of pcs) assertEquals(known.executed(number, pc), here.has(pc));
    for (const register of ["x0", "x18", "x30", "sp", "v0", "v31", "nzcv"]) {
      assertEquals(known.writesRegister(number, register), registers.has(register));
    }
  }
});

Deno.test("who-wrote answers with the index as without", () => {
  const { trace, index } = open("kernel");
  const known = reader(index, trace);
  const session = new Session(trace);
  const below = random(7);
  const places = unitsWritten(trace).flatMap((units) => [...units]);
  const asked: Written[] = ["x0", "x19", "x28", "sp", "v3", "nzcv"].map((name) => ({
    kind: "register",
    name,
  }));
  for (let i = 0; i < 20; i++) {
    const address = 8 * places[below(places.length)] + below(8);
    asked.push({ kind: "memory", range: { address, length: 1 + below(24) } });
  }
  for (const written of asked) {
    const before = 1 + below(trace.end);
    const limit = 1 + below(3);
    attachIndex(trace, known);
    const fast = answers(session, written, before, limit);
    attachIndex(trace, null);
    assertEquals(fast, answers(session, written, before, limit), JSON.stringify(written));
  }
});

Deno.test("lastWriters() gives the last write of each byte that a watch sees", () => {
  const { trace, index } = open("kernel");
  attachIndex(trace, reader(index, trace));
  const range = { address: 0, length: 512 };
  const writers = new Map<number, number>();
  const session = new Session(trace);
  const watch: MemoryWatch = {
    covers: (page) => page >= RAM_BASE,
    accessed({ write, address, bytes, by }) {
      if (!write || by === "walker") return;
      range.address ||= address - address % 512;
      for (let i = 0; i < bytes.length; i++) writers.set(address + i, session.position);
    },
  };
  session.observe(trace.end, { watch });
  const found = lastWriters(session, range, trace.end).map(({ position }) => position);
  const expected = found.map((_, i) => writers.get(range.address + i) ?? 0);
  assertEquals(found, expected);
});

Deno.test("firstExecution() and Timeline.previous() find what a scan finds, with the index and without", () => {
  const { trace, index } = open("kernel");
  const found = new Map<bigint, { first: number; last: number }>();
  for (const { pc, position } of trace.executed()) {
    found.set(pc, { first: found.get(pc)?.first ?? position, last: position });
  }
  const expected = [...found].filter((_, i) => i % 40 === 0);
  for (const known of [reader(index, trace), null]) {
    attachIndex(trace, known);
    const timeline = new Timeline(trace);
    for (const [pc, { first, last }] of expected) {
      assertEquals(firstExecution(trace, pc), first);
      assertEquals(timeline.previous(pc, trace.end), last);
    }
    assertEquals(firstExecution(trace, 0x1234n), undefined);
  }
});

Deno.test("buildIndexInWorkers() gives the bytes of buildIndex(), however many workers", async () => {
  const path = await Deno.makeTempFile({ suffix: ".unboot" });
  try {
    await Deno.writeFile(path, BYTES.kernel);
    const trace = openTrace(BYTES.kernel);
    const here = joinBytes(buildIndex(trace));
    for (const workers of [1, 3]) {
      assertEquals(joinBytes(await buildIndexInWorkers(path, trace, workers)), here);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("an index of another trace, another version or cut off is refused in one line", () => {
  const { trace, index } = open("agents");
  const refused = (bytes: Uint8Array, of: Trace = trace) => {
    const { message } = assertThrows(() => reader(bytes, of), TraceError);
    assert(!message.includes("\n"));
  };
  refused(index, openTrace(BYTES.kernel));
  refused(new Uint8Array(0));
  refused(BYTES.agents);
  for (let length = 1; length < index.length; length += 7) refused(index.subarray(0, length));
});

Deno.test("a damaged index is refused, or knows nothing and says so once, or is right", () => {
  const { trace, index } = open("agents");
  const [unit] = unitsWritten(trace).flatMap((units) => [...units]);
  const ask = (known: IndexReader) =>
    trace.windows.slice(1).map(({ number }) => known.writtenUnits(number, unit, unit + 1));
  const right = ask(reader(index, trace));
  for (let at = 0; at < index.length; at++) {
    const damaged = index.slice();
    damaged[at] ^= 1 << (at % 8);
    const notes: string[] = [];
    let found;
    try {
      found = ask(reader(damaged, trace, notes));
    } catch (error) {
      assert(error instanceof TraceError, `${error}`);
      continue;
    }
    if (notes.length === 0) assertEquals(found, right);
    else {
      assertEquals(notes.length, 1);
      assert(found.includes(undefined));
    }
  }
});

Deno.test("ImpatientIndex ends a query that looks through many windows", () => {
  const { trace } = open("kernel");
  const never: Written = { kind: "register", name: "v17" };
  attachIndex(trace, new ImpatientIndex(2));
  assertThrows(() => answers(new Session(trace), never, trace.end, 1), IndexWanted);
  attachIndex(trace, null);
  assertEquals(answers(new Session(trace), never, trace.end, 1).length, 1);
});
