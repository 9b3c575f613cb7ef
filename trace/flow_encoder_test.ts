import { assertEquals, assertLess } from "@std/assert";
import { BlockTable } from "./block_table.ts";
import type { CborMap } from "./cbor.ts";
import { Fields } from "./fields.ts";
import { decodeFlow, readDefinitions, type WindowFlow } from "./flow_decoder.ts";
import { ReferenceFlowEncoder } from "./flow_encoder.ts";
import { WasmFlowEncoder } from "./flow_encoder_wasm.ts";
import type { FlowEncoder, FlowFields, FlowSource } from "./flow_source.ts";
import { Random, SyntheticProgram } from "./synthetic_flow.ts";

/** Records of one page at 0x1000: every word is its own index, every kind sequential or as given. */
function page(kinds: Record<number, number> = {}): FlowSource {
  return {
    arenaBase: 0x1000,
    arenaSize: 0x4000,
    context: (id) => ({ regime: 1, page: BigInt(id) << 12n, recordBase: 0x1000 }),
    code: (start, end) => {
      const words = new Uint32Array((end - start) / 16);
      return new Uint8Array(words.map((_, i) => (start - 0x1000) / 16 + i).buffer);
    },
    kindOf: (record) => kinds[record] ?? 0,
  };
}

function window(encoder: FlowEncoder, number: number, pairs: number[]): FlowFields & { n: number } {
  encoder.startWindow(number);
  encoder.flow(new Uint32Array(pairs));
  const n = encoder.steps;
  return { ...encoder.take(true), n };
}

function decode(fields: FlowFields, table: BlockTable, steps: number): WindowFlow {
  const before = table.count;
  readDefinitions(new Fields(fields as unknown as CborMap, "the flow"), table, NO_IMAGE);
  const columns = { ...fields, sequential: true };
  const ids = { before, after: table.count };
  return decodeFlow(columns, table, ids, { start: 0, steps }, "the flow");
}

const NO_IMAGE = (): Uint8Array => new Uint8Array();

function both(make: () => FlowSource): FlowEncoder[] {
  return [new ReferenceFlowEncoder(make()), new WasmFlowEncoder(make())];
}

Deno.test("flow() stores a loop as one run of hits", () => {
  for (const encoder of both(() => page({ 0x1030: 2 }))) {
    const loop = Array.from({ length: 100 }, () => [0x1010, 0x1040]).flat();
    const fields = window(encoder, 1, [0, 5, ...loop]);
    assertEquals(fields.blocks, 100);
    assertEquals(fields.n, 300);
    // Two misses: the first block, and the first time that its branch is taken to itself.
    assertEquals([...fields.misses], [1, 2]);
    assertEquals([...fields.hits], [0, 0]);
    const flow = decode(fields, new BlockTable(), 300);
    assertEquals(flow.blocks.length, 100);
    assertEquals(flow.table.pc(0), 0x5004n);
    assertEquals(flow.table.word(0, 2), 3);
  }
});

Deno.test("flow() gives the columns that SPEC.md works out", () => {
  for (const encoder of both(() => page({ 0x1020: 2, 0x1030: 1, 0x1050: 0 }))) {
    const [a, b, c] = [[0x1000, 0x1030], [0x1030, 0x1040], [0x1040, 0x1060]];
    const pairs = [[0, 0x40080], a, a, a, b, c, a, a, a, b, [1, 2], c].flat();
    const fields = window(encoder, 1, pairs);
    assertEquals(fields.n, 26);
    assertEquals(fields.blocks, 10);
    assertEquals([...fields.hits], [0, 0, 1, 1, 2]);
    assertEquals([...fields.misses], [1, 2, 1, 5, 0]);
    assertEquals([...fields.exceptions], [9, 2]);
    assertEquals([...fields.kinds], [2, 1, 0]);
    assertEquals([...fields.steps], [3, 1, 2]);
    assertEquals([...fields.pcs], [0x80, 0x80, 0xc0, 0x80, 0x08, 24, 8]);
    const { blocks } = decode(fields, new BlockTable(), 26);
    assertEquals([...blocks], [0, 0, 0, 1, 2, 0, 0, 0, 1, 2]);
  }
});

Deno.test("flow() splits a run of more than 64 instructions", () => {
  for (const encoder of both(() => page())) {
    const fields = window(encoder, 1, [0, 5, 0x1000, 0x1000 + 150 * 16]);
    assertEquals(fields.blocks, 3);
    assertEquals([...fields.steps], [64, 64, 22]);
  }
});

Deno.test("flow() joins exception entries however the ring was drained", () => {
  for (const encoder of both(() => page())) {
    encoder.startWindow(1);
    for (
      const pair of [[0, 5], [0x1000, 0x1010], [1, 2], [1, 0], [1, 3], [0x1200, 0x1210], [1, 7]]
    ) {
      encoder.flow(new Uint32Array(pair));
    }
    assertEquals(encoder.steps, 14);
    const fields = encoder.take(true);
    assertEquals([...fields.exceptions], [1, 5, 1, 7]);
    const flow = decode(fields, new BlockTable(), 14);
    assertEquals(flow.exceptions, [{ before: 1, count: 5 }, { before: 2, count: 7 }]);
  }
});

Deno.test("WasmFlowEncoder gives the bytes of ReferenceFlowEncoder, and they decode", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const chaos = seed % 3 === 0 ? 0 : 1;
    const shape = [seed, 1 + seed % 9, 20 + seed * 40, chaos] as const;
    const reference = new ReferenceFlowEncoder(new SyntheticProgram(...shape));
    const program = new SyntheticProgram(...shape);
    const wasm = new WasmFlowEncoder(program);
    const sourceOfReference = new SyntheticProgram(...shape);
    const oracle = new ReferenceFlowEncoder(sourceOfReference);
    const table = new BlockTable();
    const random = new Random(seed);
    for (let number = 1; number <= 6; number++) {
      for (const encoder of [oracle, wasm, reference]) encoder.startWindow(number);
      for (let part = 0; part < 4; part++) {
        const runs = 1 + random.below(2500);
        oracle.flow(sourceOfReference.run(runs));
        wasm.flow(program.run(runs));
        if (chaos > 0 && part === 1) {
          for (let i = 0; i < 5; i++) {
            const { start, end } = program.modify();
            wasm.codeChanged(start, end);
            sourceOfReference.modify();
          }
        }
        if (part === 2 && seed % 5 === 0) wasm.codeChanged(program.arenaBase, 0xffffffff);
      }
      const executed = [...wasm.executedBlocks()];
      assertEquals(executed, [...oracle.executedBlocks()].sort((a, b) => a - b));
      const steps = wasm.steps;
      assertEquals(steps, oracle.steps);
      const [a, b] = [oracle.take(true), wasm.take(true)];
      assertEquals(b, a, `seed ${seed} window ${number}`);
      const flow = decode(a, table, steps);
      assertEquals(new Set(flow.blocks).size, executed.length);
    }
  }
});

Deno.test("decodeFlow() gives back the runs that were encoded", () => {
  const program = new SyntheticProgram(7, 5, 200, 1);
  const encoder = new WasmFlowEncoder(program);
  encoder.startWindow(1);
  const pairs = program.run(5000);
  encoder.flow(pairs);
  const expected: string[] = [];
  let context = program.context(0);
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] === 0) context = program.context(pairs[i + 1]);
    else if (pairs[i] === 1) { for (let n = 0; n < pairs[i + 1]; n++) expected.push("exception"); }
    else {
      for (let at = pairs[i]; at < pairs[i + 1]; at += 16) {
        const pc = context.page + BigInt((at - context.recordBase) / 4);
        const [word] = new Uint32Array(program.code(at, at + 16).slice().buffer);
        expected.push(`${context.regime} ${pc} ${word}`);
      }
    }
  }
  const flow = decode(encoder.take(true), new BlockTable(), expected.length);
  const found: string[] = [];
  const exceptions = [...flow.exceptions];
  for (let i = 0; i <= flow.blocks.length; i++) {
    if (exceptions[0]?.before === i) {
      for (let n = exceptions.shift()!.count; n > 0; n--) found.push("exception");
    }
    if (i === flow.blocks.length) break;
    const id = flow.blocks[i];
    const { table } = flow;
    for (let n = 0; n < table.steps(id); n++) {
      found.push(`${table.regime(id)} ${table.pc(id) + BigInt(4 * n)} ${table.word(id, n)}`);
    }
  }
  assertEquals(found, expected);
});

Deno.test("flow() stays below 0.1 bit per instruction on loops", () => {
  const program = new SyntheticProgram(3, 4, 60, 0);
  const encoder = new WasmFlowEncoder(program);
  encoder.startWindow(1);
  encoder.flow(program.run(100_000));
  const steps = encoder.steps;
  const fields = encoder.take(true);
  assertLess(8 * (fields.hits.length + fields.misses.length) / steps, 0.1);
});
