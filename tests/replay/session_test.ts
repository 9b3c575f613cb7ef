import { assert, assertEquals, assertThrows } from "@std/assert";
import { KERNEL_BUGS } from "../../kernel/bugs.ts";
import { buildKernel } from "../../kernel/build.ts";
import { ReplayError } from "../../replay/replay_error.ts";
import { Session } from "../../replay/session.ts";
import type { Trace } from "../../trace/mod.ts";
import { BUSY } from "./assembly.ts";
import { bootMachine, momentOf, momentsOf, random, record } from "./recordings.ts";

/** What the guests write to, and some pages that they do not. */
function pagesOf(trace: Trace): number[] {
  return trace.pageAddresses(trace.windows.length - 1);
}

/** Every position of a stretch, and a few others, ascending. */
function samples(end: number, count: number): number[] {
  const next = random(end);
  const some = Array.from({ length: count }, () => next(end + 1));
  return [...new Set([0, 1, ...some, end - 1, end])].sort((a, b) => a - b);
}

function shuffled<T>(values: readonly T[], seed: number): T[] {
  const next = random(seed);
  return values.map((value) => ({ value, key: next(1 << 20) })).sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

/** Seeks to positions in some order and compares with the machine that was never stopped there. */
function checkSeeks(image: Uint8Array, trace: Trace, positions: readonly number[]): void {
  const pages = pagesOf(trace);
  const expected = momentsOf(bootMachine(image), positions, pages);
  const session = new Session(trace);
  for (const position of shuffled(positions, 7)) {
    session.seek(position);
    assertEquals(session.position, position);
    assertEquals(momentOf(session.machine, pages), expected[positions.indexOf(position)]);
  }
}

for (const windowSteps of [1 << 20, 20_011, 997]) {
  Deno.test(`Session.seek() shows the machine as it was, with windows of ${windowSteps}`, () => {
    const trace = record(BUSY.image, { windowSteps });
    assertEquals(trace.footer?.reason, "poweroff");
    checkSeeks(BUSY.image, trace, samples(trace.end, 60));
  });
}

for (const bug of [undefined, ...KERNEL_BUGS]) {
  Deno.test(`Session.seek() shows the built-in kernel as it was, ${bug ?? "good"}`, () => {
    const { elf } = buildKernel(bug === undefined ? {} : { bug });
    for (const windowSteps of [1 << 20, 50_000]) {
      const trace = record(elf, { windowSteps });
      checkSeeks(elf, trace, samples(trace.end, 12));
    }
  });
}

Deno.test("Session.reverseStep() undoes each step", () => {
  for (const windowSteps of [1 << 20, 1000]) {
    const trace = record(BUSY.image, { windowSteps });
    const pages = pagesOf(trace);
    for (const first of [0, 30_000, trace.end - 500]) {
      const positions = Array.from({ length: 500 }, (_, i) => first + i);
      const expected = momentsOf(bootMachine(BUSY.image), positions, pages);
      const session = new Session(trace);
      session.seek(first + 500);
      for (const moment of expected.reverse()) {
        session.reverseStep();
        assertEquals(momentOf(session.machine, pages), moment);
      }
    }
  }
});

Deno.test("Session.step() and reverseStep() stop at the ends of the trace", () => {
  const session = new Session(record(BUSY.image, { limit: 500 }));
  assertEquals(session.reverseStep(), 0);
  assertEquals(session.step(499), 499);
  assertEquals(session.step(10), 500);
  assertEquals(session.reverseStep(600), 0);
  assertThrows(() => session.seek(501), RangeError, "position 501: expected 0 to 500");
});

Deno.test("Session.seek() uses options that the guest can notice", () => {
  const options = { nsPerInstruction: 3, rtc: 12345, strict: true };
  const trace = record(BUSY.image, { machine: options });
  const pages = pagesOf(trace);
  const machine = bootMachine(BUSY.image, options);
  machine.run(90_000);
  const session = new Session(trace);
  session.seek(90_000);
  assertEquals(momentOf(session.machine, pages), momentOf(machine, pages));
});

Deno.test("Session.observe() changes nothing, and sees what a part of its pages is used for", () => {
  const trace = record(BUSY.image, { windowSteps: 5000 });
  const pages = pagesOf(trace);
  const stack = 0x4010_0000 - 4096;
  const session = new Session(trace);
  const positions: number[] = [];
  session.seek(40_000);
  const end = session.observe(60_000, {
    watch: {
      covers: (page) => page === stack,
      accessed: (access) => {
        if (access.write) positions.push(session.position);
      },
    },
  });
  assertEquals([end, session.position], [null, 60_000]);
  const machine = bootMachine(BUSY.image);
  machine.run(60_000);
  assertEquals(momentOf(session.machine, pages), momentOf(machine, pages));
  const words = [...trace.executed(40_000, 60_000)];
  // Each `stp x29, x30` stores two registers.
  const expected = words.filter(({ word }) => word >>> 0 === 0xa9bf_7bfd)
    .flatMap(({ position }) => [position, position]);
  assertEquals(positions, expected);
});

Deno.test("Session() executes windows of another machine version that verify, and no others", () => {
  const trace = record(BUSY.image, { limit: 1000, windowSteps: 100 });
  trace.header.machineVersion = 99;
  const { blocks } = trace;
  // What the other machine did in window 5 is not what this one does.
  trace.blocks = (window) => {
    const flow = blocks.call(trace, window);
    return window === 5 ? { ...flow, blocks: flow.blocks.slice(1) } : flow;
  };
  const session = new Session(trace);
  session.seek(399);
  const message = "it was recorded with machine version 99 by test, this program has version";
  assertThrows(() => session.seek(450), ReplayError, message);
  assertThrows(() => session.seek(401), ReplayError, message);
  assertEquals(session.position <= 400, true);
  session.seek(399);
  // What lies behind starts at the keyframe before it.
  session.seek(510);
  assertEquals(session.position, 510);
});

Deno.test("Session() names the release where states have another form", () => {
  const trace = record(BUSY.image, { limit: 100 });
  trace.header.machineVersion = 99;
  const { keyframe } = trace;
  trace.keyframe = (window) => ({ ...keyframe.call(trace, window), state: { cpus: [] } });
  assertThrows(() => new Session(trace), ReplayError, "use the release that recorded it");
});

Deno.test("Session() refuses states that do not fit, in one line", () => {
  const trace = record(BUSY.image, { limit: 100 });
  const { keyframe } = trace;
  const refused = (changes: Record<string, unknown>) => {
    trace.keyframe = (window) => {
      const frame = keyframe.call(trace, window);
      return { ...frame, state: { ...frame.state, ...changes } as typeof frame.state };
    };
    assertThrows(() => new Session(trace), ReplayError, "Cannot restore the state at #0");
  };
  refused({ devices: {} });
  refused({ cpus: 3 });
  refused({ time: { retired: 5, entries: 0, skippedNs: 0 } });
  refused({ time: { retired: "x", entries: 0, skippedNs: 0 } });
});

Deno.test("Session() refuses machines that it cannot make", () => {
  const trace = record(BUSY.image, { limit: 100 });
  trace.header.memory.size = 2 ** 47;
  assertThrows(() => new Session(trace), ReplayError, "expected RAM of 64 KiB to 3 GiB");
});

Deno.test("Session.reverseStep() answers in under 10 ms anywhere in the demo's traces", () => {
  for (const bug of [undefined, ...KERNEL_BUGS]) {
    const trace = record(buildKernel(bug === undefined ? {} : { bug }).elf);
    const session = new Session(trace);
    const next = random(17);
    const times = Array.from({ length: 40 }, () => {
      session.seek(1 + next(trace.end));
      const started = performance.now();
      session.reverseStep();
      return performance.now() - started;
    });
    const median = times.toSorted((a, b) => a - b)[20];
    assert(median < 10, `half of the steps took more than ${median} ms`);
  }
});
