import { assert, assertEquals, assertThrows } from "@std/assert";
import { buildKernel } from "../../kernel/build.ts";
import { Debugger } from "../../replay/debugger.ts";
import { ReplayError } from "../../replay/replay_error.ts";
import { Session } from "../../replay/session.ts";
import { Breakpoint } from "../../replay/stop_points.ts";
import { Symbolizer } from "../../replay/symbolizer.ts";
import { BUSY } from "./assembly.ts";
import { random, record } from "./recordings.ts";

const KERNEL = buildKernel().elf;

/** Positions of some calls that return, spread over a trace. */
function someCalls(debug: Debugger, count: number): number[] {
  const { trace } = debug.session;
  const next = random(3);
  const calls: number[] = [];
  while (calls.length < count) {
    const from = next(trace.end);
    for (let position = from; position < Math.min(trace.end, from + 2000); position++) {
      const call = debug.timeline.instructionAt(position)?.call;
      if (!call || debug.timeline.returnOf(position) === undefined) continue;
      calls.push(position);
      break;
    }
  }
  return calls;
}

for (
  const [name, image, windowSteps] of [
    ["the built-in kernel", KERNEL, 1 << 20],
    ["the built-in kernel in small windows", KERNEL, 30_000],
    ["a guest with interrupts", BUSY.image, 5000],
  ] as const
) {
  Deno.test(`next(), finish() and their reverses keep to calls, in ${name}`, () => {
    const debug = new Debugger(new Session(record(image, { windowSteps })));
    for (const call of someCalls(debug, 12)) {
      debug.goto(call);
      const { pc } = debug.session;
      const { sp } = debug.session.state().cpus[0];
      assertEquals(debug.next().reason, "step");
      assertEquals(debug.session.pc, pc + 4n);
      assertEquals(debug.session.state().cpus[0].sp, sp);
      const after = debug.position;
      assertEquals(debug.reverseNext().position, call);
      const inside = call + 1 + random(call)(after - call - 1);
      debug.goto(call + 1);
      assertEquals(debug.finish().position, after);
      debug.goto(call + 1);
      assertEquals(debug.reverseFinish().position, call);
      // From deeper inside, some number of functions must be left.
      debug.goto(inside);
      while (debug.position < after) debug.finish();
      assertEquals(debug.position, after);
      debug.goto(inside);
      while (debug.position > call) debug.reverseFinish();
      assertEquals(debug.position, call);
    }
  });
}

Deno.test("next() and reverseNext() are steps where nothing is called", () => {
  const debug = new Debugger(new Session(record(BUSY.image, { limit: 300 })));
  for (let position = 0; position < 60; position++) {
    if (debug.timeline.instructionAt(position)?.call) continue;
    debug.goto(position);
    assertEquals(debug.next().position, position + 1);
    assertEquals(debug.reverseStep().position, position);
  }
});

Deno.test("continue() stops at the nearest of several points, both ways, and at the ends", () => {
  const trace = record(KERNEL);
  const debug = new Debugger(new Session(trace));
  const symbols = new Symbolizer(trace.symbols(), []);
  const address = (name: string) => symbols.find(name)!.address;
  const main = debug.add(new Breakpoint(address("kernel_main"), "main"));
  const enable = debug.add(new Breakpoint(address("mmu_enable"), "enable"));
  assertEquals(debug.continue().points, [main.number]);
  const first = debug.position;
  const second = debug.continue();
  assertEquals(second.points, [enable.number]);
  assertEquals(debug.session.pc, address("mmu_enable"));
  assertEquals(debug.continue(), { reason: "end", position: trace.end, points: [] });
  assertEquals(debug.reverseContinue().position, second.position);
  assertEquals(debug.reverseContinue().position, first);
  assertEquals(debug.reverseContinue(), { reason: "start", position: 0, points: [] });
  assertEquals([main.hits, enable.hits], [2, 2]);
  main.enabled = false;
  assertEquals(debug.continue().points, [enable.number]);
  debug.remove(enable.number);
  assertEquals(debug.continue().reason, "end");
});

Deno.test("stop points are passed by as often as they are to be ignored", () => {
  const debug = new Debugger(new Session(record(BUSY.image, { limit: 5000 })));
  const leaf = BigInt(BUSY.labels.get("leaf")!);
  const all: number[] = [];
  for (let at = debug.timeline.next(leaf, 0); at !== undefined;) {
    all.push(at);
    at = debug.timeline.next(leaf, at + 1);
  }
  const point = debug.add(new Breakpoint(leaf, "leaf"));
  const other = debug.add(new Breakpoint(BigInt(BUSY.labels.get("outer")!), "outer"));
  point.ignore = 3;
  other.ignore = 1000;
  assertEquals(debug.continue().position, all[3]);
  assertEquals([point.hits, point.ignore], [4, 0]);
  // What lies behind the stop was not passed by.
  assert(other.hits <= 5 && other.ignore === 1000 - other.hits);
  assertEquals(debug.continue().position, all[4]);
  point.ignore = 1;
  assertEquals(debug.reverseContinue().position, all[2]);
});

Deno.test("step() and finish() stop on their way", () => {
  const debug = new Debugger(new Session(record(BUSY.image, { limit: 5000 })));
  const leaf = BigInt(BUSY.labels.get("leaf")!);
  const work = BigInt(BUSY.labels.get("work")!);
  const point = debug.add(new Breakpoint(leaf, "leaf"));
  debug.goto(debug.timeline.next(work, 0)! - 1);
  assertEquals(debug.next(), {
    reason: "stop-point",
    position: debug.timeline.next(leaf, 0)!,
    points: [point.number],
    hit: { position: debug.timeline.next(leaf, 0)! },
  });
  debug.goto(0);
  assertEquals(debug.step(4000).points, [point.number]);
  assertEquals(debug.finish().reason, "step");
});

Deno.test("a trace whose flow is not what is executed is noticed on arrival", () => {
  const trace = record(BUSY.image, { limit: 100 });
  const debug = new Debugger(new Session(trace));
  const { timeline } = debug;
  const { instructionAt } = timeline;
  timeline.instructionAt = (position) => {
    const instruction = instructionAt.call(timeline, position);
    return instruction && { ...instruction, pc: instruction.pc + 4n };
  };
  assertThrows(
    () => debug.step(),
    ReplayError,
    "The re-execution differs from the trace: PC at #1",
  );
});

Deno.test("continue() stays where it is if a condition cannot be evaluated", () => {
  const session = new Session(record(BUSY.image, { windowSteps: 500, limit: 4000 }));
  const debug = new Debugger(session);
  debug.goto(100);
  let asked = 0;
  const failing = () => {
    if (++asked > 1) throw new RangeError("no value");
    return false;
  };
  debug.add(new Breakpoint(BigInt(BUSY.labels.get("leaf")!), "", failing));
  assertThrows(() => debug.continue(), RangeError, "no value");
  assertEquals([asked, debug.position], [2, 100]);
});
