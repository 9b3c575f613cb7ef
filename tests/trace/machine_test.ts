import { assert, assertEquals } from "@std/assert";
import { assemble } from "../../core/isa/assemble.ts";
import { loadImage } from "../../core/loader/boot.ts";
import { Machine } from "../../core/machine.ts";
import { buildKernel } from "../../kernel/build.ts";
import { openTrace, Recorder, type RecorderOptions, type Trace } from "../../trace/mod.ts";
import { MemorySink } from "../../trace/testing.ts";

const MEMORY = 64 * 2 ** 20;
const BASE = 0x4008_0000;

function bootMachine(image: Uint8Array): { machine: Machine; options: RecorderOptions } {
  const plan = loadImage(image, { memory: MEMORY });
  const machine = new Machine({ memoryBytes: MEMORY, flow: true });
  machine.boot(plan);
  const options: RecorderOptions = {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: { board: "virt" },
    options: {},
    image: {
      name: "guest",
      kind: plan.kind,
      describe: plan.describe,
      pc: plan.pc,
      files: [],
      warnings: plan.warnings,
    },
    symbols: plan.symbols,
    lines: plan.lines,
    loaded: plan.segments.map(({ address, zeroTo }) => ({ address, length: zeroTo - address })),
  };
  return { machine, options };
}

function record(image: Uint8Array, windowSteps: number, limit = Infinity): Trace {
  const { machine, options } = bootMachine(image);
  const sink = new MemorySink();
  new Recorder(machine, sink, { ...options, windowSteps }).run(limit);
  return openTrace(sink.bytes);
}

/** A flat image: instructions, one per line, `label:` and references to labels as `=label`. */
function flat(text: string): Uint8Array {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const labels = new Map<string, number>();
  const code = lines.filter((line) => {
    if (line.endsWith(":")) labels.set(line.slice(0, -1), BASE + 4 * countBefore(lines, line));
    return !line.endsWith(":");
  });
  const words = code.map((line, i) => {
    const resolved = line.replace(/=(\w+)/, (_, name) => `0x${labels.get(name)!.toString(16)}`);
    return assemble(resolved, BigInt(BASE + 4 * i));
  });
  return new Uint8Array(new Uint32Array(words).buffer);
}

function countBefore(lines: string[], line: string): number {
  return lines.slice(0, lines.indexOf(line)).filter((l) => !l.endsWith(":")).length;
}

/** What the machine executes, one step at a time, with the word that memory holds at each PC. */
function stepThrough(image: Uint8Array, steps: number): string[] {
  const { machine } = bootMachine(image);
  const seen: string[] = [];
  while (machine.position < steps && !machine.ended) {
    const { pc, retired, position } = machine;
    const address = Number(pc);
    const word = machine.memory.contains(address, 4) ? machine.memory.word(address) : 0;
    machine.run(position + 1);
    if (machine.retired > retired) seen.push(`${position} ${pc.toString(16)} ${word.toString(16)}`);
  }
  return seen;
}

function executed(trace: Trace): string[] {
  return [...trace.executed()].map(({ position, pc, word }) =>
    `${position} ${pc.toString(16)} ${word.toString(16)}`
  );
}

/** Rewrites an instruction of its own line, behind or ahead of the store, in some iterations. */
function selfModifying(target: "behind" | "ahead", when: "always" | "once"): Uint8Array {
  const patch = "patch:\n add x5, x5, #1";
  const store = `
    cmp x4, #20
    csel x8, x0, x9, ${when === "once" ? "eq" : "al"}
    str w2, [x8]`;
  return flat(`
    adr x0, =patch
    adr x1, =words
    mov x9, #0x40000000
    ldr w2, [x1]
    ldr w3, [x1, #4]
    mov x4, #40
    loop:
    ${target === "behind" ? patch : store}
    nop
    ${target === "behind" ? store : patch}
    eor w2, w2, w3
    eor w3, w2, w3
    eor w2, w2, w3
    sub x4, x4, #1
    cbnz x4, =loop
    wfi
    words:
    add x6, x6, #2
    add x7, x7, #3
  `);
}

for (const target of ["behind", "ahead"] as const) {
  for (const when of ["always", "once"] as const) {
    Deno.test({
      name: `executed() gives the words that ran when code ${target} the store changes ${when}`,
      // A run that overwrites what it executed itself and is executed again at once: both
      // executions are of the same records, with different words.
      fn() {
        const image = selfModifying(target, when);
        const expected = stepThrough(image, 400);
        assert(expected.length > 390);
        for (const windowSteps of [1 << 20, 100, 7]) {
          assertEquals(executed(record(image, windowSteps, 400)), expected);
        }
      },
    });
  }
}

Deno.test("a recorded kernel gives the console, the steps and the state of the machine", () => {
  const { elf } = buildKernel();
  const { machine } = bootMachine(elf);
  let console = "";
  machine.observer = {
    event: (e) => void (console += e.kind === "console" ? String.fromCharCode(e.byte) : ""),
  };
  assertEquals(machine.run(Infinity), "poweroff");
  const trace = record(elf, 100_000);
  assertEquals(trace.footer?.reason, "poweroff");
  assertEquals(trace.end, machine.position);
  let found = "";
  for (const event of trace.events({ kinds: new Set(["console"]) })) {
    if (event.kind === "console") found += String.fromCharCode(event.byte);
  }
  assertEquals(found, console);
  const last = trace.windows.length - 1;
  for (const address of trace.pageAddresses(last)) {
    assertEquals(trace.page(address, last), machine.memory.read(address, 4096).slice());
  }
  assertEquals(trace.computeStateHash(last), trace.keyframe(last).hash);
  const { tlb, ...state } = machine.save();
  assertEquals(trace.keyframe(last).tlb, tlb);
  assertEquals<unknown>(trace.keyframe(last).state, state);
});

Deno.test("executed() gives the steps of a fault loop with their positions", () => {
  const { elf } = buildKernel({ bug: "late-vectors" });
  const trace = record(elf, 50_000);
  assertEquals(trace.footer?.reason, "loop");
  const { machine } = bootMachine(elf);
  machine.run(Infinity);
  assertEquals(trace.end, machine.position);
  assertEquals(trace.footer?.retired, [machine.retired]);
  assertEquals(executed(trace).length, machine.retired);
});

Deno.test("recordPart() leaves the bytes of the trace alone, however long the parts are", () => {
  const { elf } = buildKernel({ bug: "block-encoding" });
  const traceOf = (parts: () => number): Uint8Array => {
    const { machine, options } = bootMachine(elf);
    const sink = new MemorySink();
    const recorder = new Recorder(machine, sink, { ...options, windowSteps: 30_011 });
    for (;;) {
      const reason = recorder.recordPart(parts());
      if (reason) {
        recorder.finish(reason);
        return sink.bytes;
      }
    }
  };
  const whole = traceOf(() => Infinity);
  let length = 0;
  assertEquals(traceOf(() => length = length % 997 + 1), whole);
  assertEquals(traceOf(() => 65_536), whole);
});

Deno.test("finish() writes the window in hand", () => {
  const { machine, options } = bootMachine(buildKernel().elf);
  const sink = new MemorySink();
  const recorder = new Recorder(machine, sink, options);
  assertEquals(recorder.recordPart(1234), null);
  assertEquals(recorder.finish("interrupted").steps, 1234);
  assertEquals(openTrace(sink.bytes).end, 1234);
});
