import { assert, assertEquals, assertLess } from "@std/assert";
import type { MachineEvent } from "../core/observer.ts";
import { ReferenceFlowEncoder } from "./flow_encoder.ts";
import { decodeContent } from "./cbor.ts";
import { Fields } from "./fields.ts";
import { openTrace } from "./reader.ts";
import { Recorder } from "./recorder.ts";
import { ITEM, PAGE_SIZE } from "./schema.ts";
import { SyntheticMachine, syntheticOptions, type SyntheticShape } from "./synthetic_machine.ts";
import { splitTrace } from "./testing.ts";
import type { TraceSink } from "./writer.ts";

class MemorySink implements TraceSink {
  readonly parts: Uint8Array[] = [];
  write(bytes: Uint8Array): void {
    this.parts.push(bytes);
  }
  get bytes(): Uint8Array {
    return new Uint8Array(this.parts.flatMap((part) => [...part]));
  }
}

function record(shape: SyntheticShape, windowSteps: number) {
  const sink = new MemorySink();
  const machine = new SyntheticMachine(shape);
  const recorder = new Recorder(machine, sink, syntheticOptions(windowSteps));
  const seen: MachineEvent[] = [];
  const event = recorder.event.bind(recorder);
  recorder.event = (e) => {
    seen.push(e);
    event(e);
  };
  const snapshots = [machine.memory.bytes.slice()];
  const saved = [machine.save()];
  let reason = null;
  while (!reason) {
    reason = recorder.recordWindow();
    snapshots.push(machine.memory.bytes.slice());
    saved.push(machine.save());
  }
  const result = recorder.finish(reason, { note: "done" });
  return { bytes: sink.bytes, seen, snapshots, saved, machine, result };
}

Deno.test("Recorder writes what openTrace() reads back", () => {
  const { bytes, seen, snapshots, saved, machine, result } = record(
    { seed: 1, steps: 50_123 },
    5000,
  );
  const trace = openTrace(bytes);
  assertEquals(trace.truncated, null);
  assertEquals(trace.header.recordedAt, "2000-01-01T00:00:00.000Z");
  assertEquals(trace.header.windowSteps, 5000);
  assertEquals(trace.footer?.reason, "poweroff");
  assertEquals(trace.footer?.detail, { note: "done" });
  assertEquals(trace.end, 50_123);
  assertEquals(trace.windows.length, 12);
  assertEquals(result.steps, 50_123);
  assertEquals(result.bytes, bytes.length);
  assertEquals(trace.symbols(), syntheticOptions(1).symbols as unknown);
  assertEquals(trace.lines(), syntheticOptions(1).lines as unknown);
  assertEquals(trace.image, syntheticOptions(1).image);
  assertEquals([...trace.events()], seen);
  assertEquals(trace.footer?.events, result.events as Record<string, number>);
  for (let window = 0; window < trace.windows.length; window++) {
    const keyframe = trace.keyframe(window);
    const { tlb, ...state } = saved[window];
    assertEquals(keyframe.tlb, tlb);
    assertEquals<unknown>(keyframe.state, state);
    assertEquals(trace.computeStateHash(window), keyframe.hash);
    for (let page = 0; page < snapshots[window].length; page += PAGE_SIZE) {
      assertEquals(
        trace.page(machine.memory.base + page, window),
        snapshots[window].slice(page, page + PAGE_SIZE),
      );
    }
  }
});

Deno.test("Recorder gives the same bytes with either flow encoder, twice", () => {
  const shape = { seed: 5, steps: 30_000 };
  const traces = [0, 1, 2].map((i) => {
    const sink = new MemorySink();
    const machine = new SyntheticMachine(shape);
    const options = syntheticOptions(4096);
    if (i === 1) options.flowEncoder = new ReferenceFlowEncoder(machine.flowSource);
    options.recordedAt = `2000-01-01T00:00:0${i}.000Z`;
    new Recorder(machine, sink, options).run();
    return sink.bytes;
  });
  const different = traces[0].reduce((count, byte, i) => count + Number(byte !== traces[1][i]), 0);
  assertEquals(different, 1);
  assertEquals(traces[0].length, traces[2].length);
});

Deno.test("Recorder stores the image from where it was loaded", () => {
  const traces = [undefined, [{ address: 0x4000_0000 + 100, length: 21 * PAGE_SIZE - 200 }]];
  const [searched, told] = traces.map((loaded) => {
    const sink = new MemorySink();
    const options = { ...syntheticOptions(1000), ...(loaded ? { loaded } : {}) };
    new Recorder(new SyntheticMachine({ seed: 5, steps: 3000 }), sink, options).run();
    return openTrace(sink.bytes);
  });
  assertEquals([searched.loaded, told.loaded], [null, traces[1]]);
  assertEquals(told.pageAddresses(0), searched.pageAddresses(0));
  for (const window of told.windows) {
    assertEquals(told.keyframe(window.number).hash, searched.keyframe(window.number).hash);
    assertEquals(told.computeStateHash(window.number), told.keyframe(window.number).hash);
  }
});

Deno.test("executed() gives every retired instruction with its position", () => {
  const { bytes, machine } = record({ seed: 3, steps: 9_999 }, 1000);
  const trace = openTrace(bytes);
  const all = [...trace.executed()];
  assertEquals(all.length, machine.retired);
  assert(all.every((step, i) => i === 0 || step.position > all[i - 1].position));
  assertEquals(
    [...trace.executed(1234, 5678)],
    all.filter((s) => s.position >= 1234 && s.position < 5678),
  );
  assertEquals([...trace.executed(5678, 5679)].length <= 1, true);
});

Deno.test("events() filters by kind, position and address", () => {
  const { bytes, seen } = record({ seed: 8, steps: 20_000 }, 2000);
  const trace = openTrace(bytes);
  const kinds = new Set(["mmio", "console"] as const);
  assertEquals([...trace.events({ kinds })], seen.filter((e) => kinds.has(e.kind as "mmio")));
  const some = seen.find((e) => e.kind === "tlb-fill" && e.descriptors.length > 0)!;
  assert(some.kind === "tlb-fill");
  const at = BigInt(some.descriptors[0].address);
  const found = [...trace.events({ address: { first: at, last: at } })];
  assert(found.some((e) => e.position === some.position));
  const between = [...trace.events({ from: 3000, to: 3500 })];
  assertEquals(between, seen.filter((e) => e.position >= 3000 && e.position < 3500));
});

Deno.test("recordWindow() stops at a limit as max-instructions", () => {
  const sink = new MemorySink();
  const recorder = new Recorder(
    new SyntheticMachine({ seed: 2, steps: 1e9 }),
    sink,
    syntheticOptions(1000),
  );
  assertEquals(recorder.run(3500).reason, "max-instructions");
  const trace = openTrace(sink.bytes);
  assertEquals(trace.end, 3500);
  assertEquals(trace.windows.map((w) => w.end), [0, 1000, 2000, 3000, 3500]);
});

Deno.test("Recorder ends with disk-full and leaves a trace up to the last commit", () => {
  const full = record({ seed: 4, steps: 40_000 }, 2000).bytes;
  const whole = openTrace(full);
  for (const room of [whole.windows[5].commitOffset + 3, whole.windows[9].offset + 100]) {
    let left = room;
    const parts: number[] = [];
    const sink: TraceSink = {
      write(bytes) {
        parts.push(...bytes.subarray(0, Math.max(0, left)));
        left -= bytes.length;
        if (left < 0) throw new Error("no space left on device");
      },
    };
    const recorder = new Recorder(
      new SyntheticMachine({ seed: 4, steps: 40_000 }),
      sink,
      syntheticOptions(2000),
    );
    const result = recorder.run();
    assertEquals(result.reason, "disk-full");
    assertEquals(result.error?.message, "no space left on device");
    const trace = openTrace(new Uint8Array(parts));
    assertEquals(trace.end, result.steps);
    assertEquals(trace.truncated?.position, result.steps);
    assertEquals([...trace.events()], [...whole.events({ to: trace.end })]);
  }
});

Deno.test("summary() names the pages executed and written", () => {
  const { bytes } = record({ seed: 6, steps: 6000 }, 1000);
  const trace = openTrace(bytes);
  for (let window = 1; window < trace.windows.length; window++) {
    const { executed, written, events, levels } = trace.summary(window);
    const lines = new Map(executed.map(({ page, lines }) => [page, lines]));
    const expected = new Set<string>();
    let mask = 0;
    for (const step of trace.executed(trace.windows[window].start, trace.windows[window].end)) {
      const page = Number(step.pc >> 12n);
      const line = Number(step.pc & 0xfffn) >> 6;
      assert(lines.get(page)![line >> 3] & (1 << (line & 7)));
      expected.add(`${page} ${line}`);
      mask |= 1 << step.el;
    }
    const count = executed.flatMap((e) => [...e.lines]).reduce((n, b) => n + bitCount(b), 0);
    assertEquals(count, expected.size);
    assertEquals(levels, mask);
    const from = { from: trace.windows[window].start, to: trace.windows[window].end };
    const total = Object.values(events).reduce((sum, n) => sum + n, 0);
    assertEquals(total, [...trace.events(from)].length);
    for (const address of trace.changedPages(window - 1, window)) {
      assert(written.includes(address / PAGE_SIZE));
    }
  }
});

Deno.test("Recorder stores equal pages of the image once", () => {
  const { bytes } = record({ seed: 6, steps: 100 }, 1000);
  assertLess(openTrace(bytes).sizes().get("pages")!.bytes, 21 * PAGE_SIZE);
});

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest; rest &= rest - 1) count++;
  return count;
}

Deno.test("Recorder stores copies of the image, and code in it, as their places", () => {
  const { bytes } = record({ seed: 9, steps: 40_000 }, 2500);
  let sources = 0, origins = 0;
  for (const { frame, content } of splitTrace(bytes)) {
    if (frame.kind !== ITEM.pages && frame.kind !== ITEM.flow) continue;
    const fields = new Fields(decodeContent(content, "an item"), "an item");
    sources += fields.column("sources").length;
    origins += fields.column("origins").filter((byte) => byte !== 0).length;
  }
  assert(sources > 10 && origins > 10, `${sources}, ${origins}`);
});
