/** Recording with threads gives the bytes of recording without, whenever they take over. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { loadImage } from "../../core/loader/boot.ts";
import { Machine } from "../../core/machine.ts";
import { buildKernel } from "../../kernel/build.ts";
import { openTrace, Recorder, type RecorderOptions, RecorderThreads } from "../../trace/mod.ts";
import { MemorySink } from "../../trace/testing.ts";
import { assemble } from "../../core/isa/assemble.ts";

const MEMORY = 64 * 2 ** 20;
const WAIT_MS = 60_000;

function recorderOf(
  image: Uint8Array,
  options: Partial<RecorderOptions>,
): { machine: Machine; recorder: Recorder; sink: MemorySink } {
  const plan = loadImage(image, { memory: MEMORY });
  const machine = new Machine({ memoryBytes: MEMORY, flow: true });
  machine.boot(plan);
  const sink = new MemorySink();
  const recorder = new Recorder(machine, sink, {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: {},
    options: {},
    image: { ...plan, name: "guest", files: [] },
    symbols: [],
    lines: [],
    loaded: plan.segments.map(({ address, zeroTo }) => ({ address, length: zeroTo - address })),
    ...options,
  });
  return { machine, recorder, sink };
}

function started(flowThreads: number): RecorderThreads {
  const threads = new RecorderThreads(flowThreads);
  assert(threads.wait(WAIT_MS), "the threads did not start");
  return threads;
}

/** Instructions that overwrite others of the run in hand: ahead of them, the next one, and behind them. */
const SELF_MODIFYING = [
  "movz x1, #0x4008, lsl #16",
  "movz w4, #0x0463",
  "movk w4, #0x9100, lsl #16", // add x3, x3, #1
  "movz w6, #0x0c00", // what makes it add x3, x3, #2
  "movz x9, #3000",
  "nop",
  "str w4, [x1, #36]",
  "str w4, [x1, #32]",
  "add x3, x3, #1",
  "add x3, x3, #1",
  "str w4, [x1, #32]",
  "eor w4, w4, w6",
  "sub x9, x9, #1",
  "cbnz x9, 0x40080018",
  "movz w0, #0x8400, lsl #16",
  "movk w0, #8",
  "hvc #0",
];

function selfModifying(): Uint8Array {
  const words = SELF_MODIFYING.map((line, i) => assemble(line, BigInt(0x4008_0000 + 4 * i)));
  return new Uint8Array(new Uint32Array(words).buffer);
}

for (
  const [name, image, windowSteps, flowThreads] of [
    ["a kernel", () => buildKernel({ bug: "block-encoding" }).elf, 30_011, 3],
    ["code that changes itself", selfModifying, 1009, 1],
  ] as const
) {
  Deno.test(`Recorder writes the same bytes with threads: ${name}`, () => {
    const plain = recorderOf(image(), { windowSteps });
    const result = plain.recorder.run();
    const early = recorderOf(image(), { windowSteps, threads: started(flowThreads) });
    assertEquals(early.recorder.run(), result);
    assertEquals(early.sink.bytes, plain.sink.bytes);
    const threads = new RecorderThreads(1);
    const late = recorderOf(image(), { windowSteps, threads });
    late.recorder.recordWindow();
    assert(threads.wait(WAIT_MS));
    late.recorder.run();
    assertEquals(late.sink.bytes, plain.sink.bytes);
  });
}

Deno.test("finish() with threads leaves out the window in hand after an internal error", () => {
  const threads = started(2);
  const { recorder, sink } = recorderOf(buildKernel().elf, { windowSteps: 5000, threads });
  for (let i = 0; i < 3; i++) assertEquals(recorder.recordWindow(), null);
  assertEquals(recorder.recordPart(100), null);
  const { steps } = recorder.finish("internal-error");
  assertEquals(steps, 15_000);
  assertEquals(openTrace(sink.bytes).end, 15_000);
});

Deno.test("Recorder says what a thread could not do", () => {
  const threads = started(1);
  const { machine, recorder } = recorderOf(buildKernel().elf, { windowSteps: 5000, threads });
  assertEquals(recorder.recordWindow(), null);
  // Records that do not exist: the thread's tables end before.
  const { buffer } = machine.flowSource.flowMemory!;
  const entries = new Uint32Array(buffer, buffer.byteLength - 8);
  entries.set([16, 0x7fff_fff0]);
  recorder.flow(entries);
  assertThrows(() => {
    for (;;) if (recorder.recordWindow()) break;
    const { failure } = recorder.finish("poweroff");
    if (failure) throw failure;
  }, Error);
  assertEquals(recorder.finish("internal-error").steps, 5000);
});
