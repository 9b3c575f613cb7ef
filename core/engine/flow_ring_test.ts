import { assertEquals } from "@std/assert";
import { CpuState, SLOT } from "../state.ts";
import type { CodeCache } from "./code_cache.ts";
import { FlowRing } from "./flow_ring.ts";
import { FLOW_RING, LAYOUT } from "./layout.ts";

/** A ring over a memory whose record `r` has the word at `r / 4`; what its observer is told. */
function ring() {
  const memory = new ArrayBuffer(LAYOUT.codeTable);
  const words = new Uint32Array(memory);
  const state = new CpuState(memory);
  const records = {
    layout: { arena: 0x20000, regions: 0x30000, decodedWords: 0x40000 },
    instructionAddress: (record: number) => record / 4,
    bytes: (address: number, length: number) => new Uint8Array(memory, address, length).slice(),
    wordAt: (record: number) => words[record / 16],
  } as CodeCache;
  const flow = new FlowRing(true, records, () => state);
  const told: string[] = [];
  flow.observer = {
    flow: (entries) => void told.push(`flow ${[...entries]}`),
    codeChanged: (start, end) => void told.push(`changed ${start} ${end}`),
  };
  return { words, state, flow, told };
}

Deno.test("FlowRing hands over each entry once, in order", () => {
  const { flow, told } = ring();
  flow.append(0, 7);
  flow.append(0x20000, 0x20030);
  flow.deliver();
  flow.deliver();
  flow.append(1, 1);
  flow.deliver();
  assertEquals(told, ["flow 0,7,131072,131120", "flow 1,1"]);
});

Deno.test("FlowRing begins its segment anew when it is full", () => {
  const { flow, told, state } = ring();
  state.set32(SLOT.ring, FLOW_RING.limit - 8);
  flow.append(0x20000, 0x20010);
  assertEquals(told.length, 1);
  assertEquals(state.get32(SLOT.ring), 0);
});

Deno.test("FlowRing goes on in the segment that its observer names", () => {
  const { flow, told, state } = ring();
  const full: number[] = [];
  flow.observer!.nextSegment = (segment) => full.push(segment) + 4;
  for (const [segment, next] of [[0, 5], [5, 6]]) {
    state.set32(SLOT.ring, segment * FLOW_RING.segmentBytes + FLOW_RING.limit - 16);
    flow.deliver();
    told.length = 0;
    flow.append(0x20000, 0x20010);
    flow.append(0x20010, 0x20020);
    assertEquals(told, ["flow 131072,131088,131088,131104"]);
    assertEquals(state.get32(SLOT.ring), next * FLOW_RING.segmentBytes);
  }
  assertEquals(full, [0, 5]);
});

Deno.test("FlowRing keeps the words that the run in hand executed before they were changed", () => {
  const { words, state, flow, told } = ring();
  const start = 0x20000;
  words[start / 16 + 1] = 0x1234;
  state.set32(SLOT.runStart, start);
  state.set32(SLOT.record, start + 32);
  assertEquals(flow.codeChanges(start + 16, start + 32), true);
  words[start / 16 + 1] = 0x5678;
  assertEquals([...new Uint32Array(flow.code(start, start + 32).buffer)], [0, 0x1234]);
  flow.append(start, start + 48);
  flow.append(start, start + 48);
  flow.deliver();
  assertEquals([...new Uint32Array(flow.code(start, start + 32).buffer)], [0, 0x5678]);
  const run = `flow ${start},${start + 48}`;
  const changed = `changed ${start + 16} ${start + 32}`;
  assertEquals(told, [changed, run, changed, run]);
});

Deno.test("FlowRing numbers contexts until they are dropped", () => {
  const { flow } = ring();
  assertEquals([flow.contextId(1, 0x1000n, 16), flow.contextId(0, 0x1000n, 16)], [0, 1]);
  assertEquals(flow.contextId(1, 0x1000n, 16), 0);
  assertEquals(flow.context(1), { regime: 0, page: 0x1000n, recordBase: 16 });
  flow.dropContexts();
  assertEquals(flow.contextId(0, 0x1000n, 16), 0);
});
