import { assert, assertEquals } from "@std/assert";
import { KERNEL_BUGS } from "../../kernel/bugs.ts";
import { buildKernel } from "../../kernel/build.ts";
import { verify } from "../../replay/queries/verify.ts";
import { verifyInWorkers } from "../../replay/queries/verify_parallel.ts";
import { type CborMap, decodeContent, encodeContent } from "../../trace/cbor.ts";
import { openTrace, type Trace, TraceError } from "../../trace/mod.ts";
import { ITEM } from "../../trace/schema.ts";
import { joinTrace, type LooseItem, splitTrace } from "../../trace/testing.ts";
import { BUSY } from "./assembly.ts";
import { random, record, recordBytes } from "./recordings.ts";

/** A trace with other contents, of which every hash of the file is right. */
function forged(bytes: Uint8Array, change: (items: LooseItem[]) => void): Trace {
  const items = splitTrace(bytes);
  change(items);
  const spans = openTrace(bytes).windows.map(({ start, end }): [number, number] => [start, end]);
  return openTrace(joinTrace(items, spans));
}

/** Changes the content of the n-th item of a kind. */
function changeItem(items: LooseItem[], kind: number, n: number, change: (map: CborMap) => void) {
  const item = items.filter(({ frame }) => frame.kind === kind)[n];
  const map = decodeContent(item.content, "an item") as CborMap;
  change(map);
  item.content = encodeContent(map);
}

for (const bug of [undefined, ...KERNEL_BUGS]) {
  Deno.test(`verify() passes on the built-in kernel, ${bug ?? "good"}`, () => {
    const { elf } = buildKernel(bug === undefined ? {} : { bug });
    const trace = record(elf, { windowSteps: 100_000 });
    const seen: number[] = [];
    const { difference, steps, windows, events } = verify(trace, (steps) => seen.push(steps));
    assertEquals(difference, null);
    assertEquals(steps, trace.end);
    assertEquals(windows, trace.windows.length - 1);
    const counted = Object.values(trace.footer!.events).reduce((a, b) => a + b, 0);
    assertEquals(events, counted);
    assertEquals(seen, trace.windows.slice(1).map(({ end }) => end));
  });
}

Deno.test("verify() passes on interrupts, self-modifying code and truncated traces", () => {
  for (const windowSteps of [1 << 20, 20_011, 1009]) {
    assertEquals(verify(record(BUSY.image, { windowSteps })).difference, null);
  }
  const bytes = recordBytes(BUSY.image, { windowSteps: 5000 });
  const trace = openTrace(bytes.subarray(0, bytes.length - 5000));
  assert(trace.truncated);
  assertEquals(verify(trace).difference, null);
  const nothing = openTrace(bytes.subarray(0, trace.windows[1].offset));
  assertEquals(verify(nothing), { windows: 0, steps: 0, events: 0, difference: null });
  assertEquals(verify(record(BUSY.image, { limit: 12_345 })).difference, null);
});

Deno.test("verify() names the position and the field of an event that was changed", () => {
  const bytes = recordBytes(BUSY.image, { windowSteps: 20_011 });
  const events = [...openTrace(bytes).events({ kinds: new Set(["mmio"]) })];
  const window = 2;
  const first = events.find(({ position }) => position >= 20_011 && position < 2 * 20_011)!;
  const trace = forged(bytes, (items) => {
    changeItem(items, ITEM.events, window - 1, (map) => {
      const column = (map.mmio as CborMap).size as Uint8Array;
      column[0] = 2;
    });
  });
  const { difference, windows } = verify(trace);
  assertEquals(windows, 1);
  assertEquals(difference, {
    position: first.position,
    what: "size of the mmio event",
    expected: "0x2",
    found: "0x4",
  });
});

Deno.test("verifyInWorkers() finds what verify() finds", async () => {
  const bytes = recordBytes(BUSY.image, { windowSteps: 5000, limit: 40_000 });
  const items = splitTrace(bytes);
  changeItem(items, ITEM.events, 5, (map) => {
    const column = (map.mmio as CborMap).size as Uint8Array;
    column[0] = 2;
  });
  const spans = openTrace(bytes).windows.map(({ start, end }): [number, number] => [start, end]);
  const path = await Deno.makeTempFile({ suffix: ".unboot" });
  try {
    for (const content of [bytes, joinTrace(items, spans)]) {
      await Deno.writeFile(path, content);
      const trace = openTrace(content);
      assertEquals(await verifyInWorkers(path, trace, { workers: 2 }), verify(trace));
    }
    assert(verify(openTrace(joinTrace(items, spans))).difference);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("verify() names the position of an instruction that was changed", () => {
  const bytes = recordBytes(BUSY.image, { windowSteps: 20_011 });
  // Code that is as it was loaded is not in the flow; what the guest has rewritten is.
  let changed = 0;
  const trace = forged(bytes, (items) => {
    changeItem(items, ITEM.flow, 0, (map) => {
      const words = new DataView((map.code as Uint8Array).slice().buffer);
      changed = words.getUint32(0, true);
      words.setUint32(0, 0xd503_201f, true);
      map.code = new Uint8Array(words.buffer);
    });
  });
  const first = [...openTrace(bytes).executed()].find(({ word }) => word === changed)!;
  const { difference } = verify(trace);
  assertEquals(difference?.position, first.position);
  assertEquals(difference?.what, "the execution");
  assertEquals(difference?.expected, `0x${first.pc.toString(16)}: d503201f at EL1`);
});

Deno.test("verify() names the register of a keyframe that was changed", () => {
  const bytes = recordBytes(BUSY.image, { windowSteps: 20_011 });
  const trace = forged(bytes, (items) => {
    changeItem(items, ITEM.keyframe, 2, (map) => {
      const state = decodeContent(map.state as Uint8Array, "a state") as CborMap;
      const [cpu] = state.cpus as CborMap[];
      (cpu.x as bigint[])[17] ^= 1n << 40n;
      map.state = encodeContent(state);
    });
  });
  const { difference } = verify(trace);
  assertEquals(difference, {
    position: 2 * 20_011,
    what: "cpus[0].x[17] of the state",
    expected: "0x10000000000",
    found: "0x0",
  });
});

Deno.test("verify() sees an event or exception entry too much or too little", () => {
  const bytes = recordBytes(BUSY.image, { windowSteps: 20_011 });
  const drop = forged(bytes, (items) => {
    const events = items.findIndex(({ frame }) => frame.kind === ITEM.events);
    items.splice(events, 1);
  });
  const [first] = openTrace(bytes).events();
  const { difference } = verify(drop);
  assertEquals(difference?.position, first.position);
  assertEquals(difference?.found, `sysreg at #${first.position}, PC 0x${first.pc.toString(16)}`);
});

Deno.test("verify() notices any change of what a window holds", () => {
  const bytes = recordBytes(BUSY.image, { windowSteps: 1000, limit: 3000 });
  const kinds: number[] = [ITEM.flow, ITEM.events, ITEM.keyframe, ITEM.pages, ITEM.summary];
  const next = random(5);
  const count = splitTrace(bytes).filter(({ frame }) => kinds.includes(frame.kind)).length;
  let noticed = 0;
  for (let tries = 0; tries < 60; tries++) {
    const trace = tryForge(bytes, (items) => {
      const { content } = items.filter(({ frame }) => kinds.includes(frame.kind))[tries % count];
      content[next(content.length)] ^= 1 << next(8);
    });
    if (!trace) continue;
    try {
      assert(verify(trace).difference, `change ${tries} was not noticed`);
      noticed++;
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
    }
  }
  assert(noticed > 20, `only ${noticed} changed traces could be read`);
});

/** A forged trace, or undefined where the change made it unreadable. */
function tryForge(bytes: Uint8Array, change: (items: LooseItem[]) => void): Trace | undefined {
  try {
    return forged(bytes, change);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    return undefined;
  }
}
