import { assertEquals } from "@std/assert";
import { CpuState, SLOT } from "../state.ts";
import { importMemories } from "./interpreter.ts";
import { FLOW_RING, LAYOUT } from "./layout.ts";
import { lookUpPage, RunState } from "./run_state.ts";
import { type FunctionBuilder, type FunctionReference, i32 } from "./wasm/function_builder.ts";
import { ModuleBuilder } from "./wasm/module_builder.ts";

/** A function `(address: i64) → i32` around a run state that is restored before and saved behind it. */
function build(body: (f: FunctionBuilder, run: RunState) => void, flow = true) {
  const m = new ModuleBuilder();
  importMemories(m, true);
  const { reference, body: f }: { reference: FunctionReference; body: FunctionBuilder } = m
    .function(["i64"], "i32");
  const run = new RunState(f, flow);
  run.restore();
  body(f, run);
  run.save();
  f.return(run.isSpent);
  f.unreachable();
  m.export("run", reference);
  const memory = new WebAssembly.Memory({ initial: LAYOUT.codeTable / 65536 });
  const module = new WebAssembly.Module(m.build());
  const pages = FLOW_RING.bytes / 65536;
  const flowRing = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const { exports } = new WebAssembly.Instance(module, { engine: { memory, flow: flowRing } });
  const bytes = memory.buffer as ArrayBuffer;
  const state = new CpuState(bytes);
  state.set32(SLOT.fetchLookup, LAYOUT.fetchLookup);
  return {
    state,
    words: new Uint32Array(bytes),
    ring: new Uint32Array(flowRing.buffer),
    run: exports.run as (address: bigint) => number,
  };
}

Deno.test("complete() takes the run off the budget and writes it to the ring", () => {
  const { state, ring, run } = build((f, run) => {
    const end = f.local("i32");
    f.set(end, i32(0x20030));
    run.complete(end, false);
  });
  state.set32(SLOT.runStart, 0x20000);
  state.set32(SLOT.budget, 4);
  assertEquals(run(0n), 0);
  assertEquals(state.get32(SLOT.budget), 1);
  assertEquals([...ring.subarray(0, 2)], [0x20000, 0x20030]);
  assertEquals(state.get32(SLOT.ring), 8);
  assertEquals(run(0n), 1, "three more than the budget has");
});

Deno.test("isSpent says so when a segment of the ring is full", () => {
  const { state, run } = build(() => {});
  state.set32(SLOT.budget, 10);
  assertEquals(run(0n), 0);
  state.set32(SLOT.ring, 3 * FLOW_RING.segmentBytes + FLOW_RING.limit);
  assertEquals(run(0n), 1);
});

Deno.test("enterPage() begins a run where the lookup entry of the address says", () => {
  const { state, words, ring, run } = build((f, run) => {
    const entry = f.local("i32");
    f.if(lookUpPage(f, entry, f.parameter(0)), () => f.return(i32(77)));
    run.enterPage(entry, f.parameter(0));
  });
  state.set32(SLOT.budget, 10);
  const address = 0xffff_0000_0000_5120n;
  assertEquals(run(address), 77, "nothing is known of the page");
  const entry = (LAYOUT.fetchLookup + 5 * 32) / 4;
  words.set([0x5000, 0xffff_0000, 0x1234, 0, 0x30000, 9], entry);
  assertEquals(run(address), 0);
  assertEquals(state.get32(SLOT.record), 0x30000 + 0x120 * 4);
  assertEquals(state.get32(SLOT.runStart), 0x30000 + 0x120 * 4);
  assertEquals(state.get64(SLOT.pcBase), 0x1234n);
  assertEquals([...ring.subarray(0, 2)], [0, 9]);
  assertEquals(run(address + 1n), 77, "a PC that is not aligned misses");
});
