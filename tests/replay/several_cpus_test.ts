/** Going through a trace of several CPUs, beside a list of all that they did. */
import { assert, assertEquals } from "@std/assert";
import type { MemoryWatch, WatchedAccess } from "../../core/memory/memory.ts";
import { RAM_BASE } from "../../core/board_map.ts";
import { Debugger } from "../../replay/debugger.ts";
import { buildIndex } from "../../replay/index/build_index.ts";
import { attachIndex } from "../../replay/index/trace_index.ts";
import { stepEffects } from "../../replay/queries/step_effects.ts";
import { walkAt } from "../../replay/queries/walk_at.ts";
import { whoWrote, type Written } from "../../replay/queries/who_wrote.ts";
import { Session } from "../../replay/session.ts";
import { Timeline } from "../../replay/timeline.ts";
import { Breakpoint, Catchpoint, Watchpoint } from "../../replay/stop_points.ts";
import { PhysicalBytes } from "../../replay/watched_bytes.ts";
import { IndexReader } from "../../replay/index/index_reader.ts";
import { bytesAccess, openTrace, type Trace } from "../../trace/mod.ts";
import { joinBytes } from "../../trace/testing.ts";
import { program as reference } from "../drivers/program.ts";
import { CPUS, severalCpusGuest } from "../machine/several_cpus_guest.ts";
import { random, record, recordBytes } from "./recordings.ts";

const BYTES = recordBytes(severalCpusGuest(), { machine: { cpus: CPUS }, windowSteps: 20_000 });

/** Positions of each CPU's steps, ascending. */
function stepsOf(trace: Trace): number[][] {
  const steps: number[][] = Array.from({ length: CPUS }, () => []);
  const add = (cpu: number, position: number) => steps[cpu].push(position);
  for (const { cpu, position } of trace.executed()) add(cpu, position);
  for (const event of trace.events({ kinds: new Set(["exception"]) })) {
    if (event.kind === "exception" && !event.retires) add(event.cpu, event.position);
  }
  return steps.map((own) => own.sort((a, b) => a - b));
}

interface Access extends WatchedAccess {
  readonly cpu: number;
  readonly position: number;
}

/** Every write of RAM, in order, of each step the first one to an address. */
function writesOf(trace: Trace): Access[] {
  const session = new Session(trace);
  const writes: Access[] = [];
  const watch: MemoryWatch = {
    covers: (page) => page >= RAM_BASE,
    accessed: (access) => {
      if (!access.write) return;
      const { machine, position } = session;
      writes.push({ ...access, bytes: access.bytes.slice(), cpu: machine.cpu.index, position });
    },
  };
  session.observe(trace.end, { watch });
  assertEquals(session.position, trace.end);
  return writes;
}

Deno.test("Debugger.step() and reverseStep() go by the steps of the CPU that is looked at", () => {
  const trace = openTrace(BYTES);
  const debug = new Debugger(new Session(trace));
  const steps = stepsOf(trace);
  const pick = random(1);
  for (let i = 0; i < 60; i++) {
    const position = pick(trace.end);
    const cpu = pick(CPUS);
    const own = steps[cpu];
    const here = own.findIndex((step) => step >= position);
    debug.goto(position);
    assertEquals(debug.cpu, trace.turns.cpuAt(position));
    debug.select(cpu);
    const expected = here < 0 ? trace.end : own[here + 1] ?? trace.end;
    assertEquals(debug.step().position, expected, `step of CPU ${cpu} from #${position}`);
    if (expected < trace.end) assertEquals(debug.cpu, cpu);
    debug.goto(position);
    debug.select(cpu);
    const before = own.findLast((step) => step < position) ?? 0;
    assertEquals(debug.reverseStep().position, before, `CPU ${cpu} back from #${position}`);
  }
});

Deno.test("Breakpoint and Catchpoint stop for one CPU where that is asked", () => {
  const trace = openTrace(BYTES);
  const debug = new Debugger(new Session(trace));
  const executed = [...trace.executed()];
  const often = new Map<bigint, number>();
  for (const { pc } of executed) often.set(pc, (often.get(pc) ?? 0) + 1);
  // A condition is asked at each of them.
  const rare = executed.filter(({ pc }) => often.get(pc)! < 40);
  const pick = random(2);
  for (let i = 0; i < 10; i++) {
    const cpu = pick(CPUS);
    const from = pick(trace.end);
    const { pc } = rare[pick(rare.length)];
    const own = executed.filter((step) => step.pc === pc && step.cpu === cpu);
    const held = new Breakpoint(pc, "", ({ machine }) => machine.cpu.index === cpu);
    for (const point of [new Breakpoint(pc, "", null, cpu), held]) {
      const { number } = debug.add(point);
      debug.goto(from);
      const next = own.find(({ position }) => position > from)?.position;
      assertEquals(debug.continue().position, next ?? trace.end);
      if (next !== undefined) assertEquals(debug.cpu, cpu);
      debug.goto(from);
      const last = own.findLast(({ position }) => position < from)?.position;
      assertEquals(debug.reverseContinue().position, last ?? 0);
      debug.remove(number);
    }
  }
  const [taken] = trace.events({ kinds: new Set(["exception"]), cpu: 2 });
  debug.add(new Catchpoint("", "exception", ({ cpu }) => cpu === 2));
  debug.goto(0);
  assertEquals([debug.continue().position, debug.cpu], [taken.position, 2]);
});

Deno.test("Watchpoint stops at every CPU's writes and names it; the trace goes on as it was", () => {
  const trace = openTrace(BYTES);
  const writes = writesOf(trace);
  const session = new Session(trace);
  const debug = new Debugger(session);
  const pick = random(3);
  const addresses = [...new Set(writes.map(({ address }) => address))];
  const seen = new Set<number>();
  for (let i = 0; i < 12; i++) {
    const address = addresses[pick(addresses.length)];
    const own = writes.filter((write) =>
      write.address < address + 8 && write.address + write.bytes.length > address
    );
    const { number } = debug.add(
      new Watchpoint("", "write", new PhysicalBytes({ address, length: 8 })),
    );
    const from = pick(trace.end);
    debug.goto(from);
    for (const expected of own.filter(({ position }) => position >= from).slice(0, 6)) {
      const { hit } = debug.continue();
      const access = hit?.access;
      assertEquals([access?.position, access?.cpu], [expected.position, expected.cpu]);
      assertEquals(debug.cpu, expected.cpu);
      seen.add(expected.cpu);
    }
    debug.remove(number);
  }
  assert(seen.size === CPUS, `writes of ${seen.size} CPUs were met`);
  session.seek(trace.end);
  const whole = new Session(trace);
  whole.seek(trace.end);
  assertEquals(session.state(), whole.state());
});

Deno.test("Session.pause() behind the last step of a turn is where the next CPU goes on", () => {
  // Runs end at a page's end, here behind a store.
  const guest = reference(`
    start: ldr x0, =0xc4000003 ; mov x1, #1 ; ldr x2, =loop ; hvc #0
    loop: ldr x1, =place ; b again
      .balign 4096
      .space 4088
    again: add x2, x2, #1
      str x2, [x1]
      b again
      .balign 8
    place: .quad 0
  `).plan();
  const trace = record(guest, { machine: { cpus: 2 }, limit: 300_000 });
  const session = new Session(trace);
  const expected = new Session(trace);
  const words = new Set<number>();
  for (const { position: at } of trace.events({ kinds: new Set(["turn"]), from: 1000 })) {
    session.seek(at - 1);
    words.add(new Timeline(trace).instructionAt(at - 1)!.word);
    session.observe(at, { watch: { covers: () => true, accessed: () => session.pause() } });
    expected.seek(at);
    assertEquals(session.state(), expected.state(), `#${at}`);
    assertEquals(session.machine.cpu.index, trace.turns.cpuAt(at));
    session.seek(at + 1);
    expected.seek(at + 1);
    assertEquals(session.state(), expected.state(), `#${at}`);
  }
  assertEquals(words.size, 2);
});

Deno.test("whoWrote() with an index gives what a list of four CPUs' writes says", () => {
  const plain = openTrace(BYTES);
  const indexed = openTrace(BYTES);
  const index = joinBytes(buildIndex(indexed));
  attachIndex(indexed, new IndexReader(bytesAccess(index), indexed, (why) => assert(!why, why)));
  const sessions = [plain, indexed].map((trace) => new Session(trace));
  const writes = writesOf(plain);
  const pick = random(4);
  for (let i = 0; i < 40; i++) {
    const before = pick(plain.end);
    const { address } = writes[pick(writes.length)];
    const length = 1 + pick(16);
    const own = writes.filter((write) =>
      write.position < before && write.address < address + length &&
      write.address + write.bytes.length > address
    );
    const expected = [...new Set(own.map(({ position }) => position))].slice(-3).reverse();
    for (const session of sessions) {
      const written: Written = { kind: "memory", range: { address, length } };
      const found = [...whoWrote(session, written, { before, limit: expected.length || 1 })];
      const positions = found.filter(({ pc }) => pc !== null).map(({ position }) => position);
      assertEquals([...new Set(positions)], expected.slice(0, positions.length));
      assert(expected.length === 0 || positions.length > 0);
    }
    const name = `x${pick(28)}`;
    const register = sessions.map((session) => {
      const written: Written = { kind: "register", name };
      return [...whoWrote(session, written, { before, limit: 3, cpu: i % CPUS })];
    });
    assertEquals(register[0], register[1]);
    for (const { position, pc } of register[0]) {
      if (pc !== null) assertEquals(plain.turns.cpuAt(position), i % CPUS);
    }
  }
});

Deno.test("stepEffects() finds what each step did to the registers of its own CPU", () => {
  const trace = openTrace(BYTES);
  const session = new Session(trace);
  const states = new Session(trace);
  const [{ position: from }] = [...trace.events({ kinds: new Set(["turn"]), from: 90_000 })];
  const effects = stepEffects(session, from - 40, from + 400);
  const cpus = new Set<number>();
  effects.forEach(({ registers }, i) => {
    const position = from - 40 + i;
    const cpu = trace.turns.cpuAt(position);
    cpus.add(cpu);
    states.seek(position);
    const before = states.state().cpus[cpu].x;
    states.seek(position + 1);
    const { x } = states.state().cpus[cpu];
    const expected = x.flatMap((value, n) => value === before[n] ? [] : [`x${n} ${value}`]);
    const found = registers.filter(({ name }) => /^x\d/.test(name));
    assertEquals(found.map(({ name, value }) => `${name} ${value}`), expected, `#${position}`);
  });
  assert(cpus.size > 1);
});

Deno.test("walkAt() asks the CPU that is named", () => {
  const trace = record(severalCpusGuest(), { machine: { cpus: CPUS } });
  const session = new Session(trace);
  session.seek(Math.floor(trace.end / 2));
  for (const cpu of session.machine.cpus) {
    const { cpu: asked, regime } = walkAt(session, 0x4000_0000n, cpu);
    assertEquals([asked, regime], [cpu.index, cpu.processor.translation.regime]);
  }
});
