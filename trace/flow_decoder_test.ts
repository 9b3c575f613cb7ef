import { assert, assertEquals } from "@std/assert";
import { BlockTable } from "./block_table.ts";
import type { CborMap } from "./cbor.ts";
import { Fields } from "./fields.ts";
import { decodeFlow, decodeSlowly, readDefinitions, readExceptions } from "./flow_decoder.ts";
import type { FlowColumns } from "./flow_decoder.ts";
import { decodeInWasm } from "./flow_decoder_wasm.ts";
import { WasmFlowEncoder } from "./flow_encoder_wasm.ts";
import { Random, SyntheticProgram } from "./synthetic_flow.ts";
import { TraceError } from "./trace_error.ts";

/** A window's columns, its table, and which of its blocks are its own. */
interface Window {
  readonly columns: FlowColumns;
  readonly table: BlockTable;
  readonly ids: { before: number; after: number };
  readonly steps: number;
}

function windows(seed: number): Window[] {
  const program = new SyntheticProgram(seed, 1 + seed % 9, 20 + seed * 40, seed % 2);
  const encoder = new WasmFlowEncoder(program);
  const table = new BlockTable();
  return Array.from({ length: 4 }, (_, n) => {
    encoder.startWindow(n + 1);
    encoder.flow(program.run(1500));
    const { steps } = encoder;
    const fields = encoder.take(true);
    const before = table.count;
    readDefinitions(
      new Fields(fields as unknown as CborMap, "the flow"),
      table,
      () => new Uint8Array(),
    );
    const ids = { before, after: table.count };
    return { columns: { ...fields, sequential: true }, table, ids, steps };
  });
}

/** What a decoder says: the blocks, or the error's text. */
function outcome(decode: typeof decodeFlow, { columns, table, ids, steps }: Window): unknown {
  try {
    const { blocks, exceptions } = decode(columns, table, ids, { start: 0, steps }, "it");
    return { blocks, exceptions };
  } catch (error) {
    assert(error instanceof TraceError, `${error}`);
    return error.message;
  }
}

const slowly: typeof decodeFlow = (columns, table, ids, position, what) =>
  decodeSlowly(columns, table, ids, position, {
    exceptions: readExceptions(columns, position.steps, what),
    what,
  });

Deno.test("decodeInWasm() decodes what was encoded", () => {
  for (let seed = 1; seed <= 20; seed++) {
    for (const window of windows(seed)) {
      const { columns, table, ids, steps } = window;
      const exceptions = readExceptions(columns, steps, "it");
      const decoded = decodeInWasm(columns, table, ids, exceptions);
      const { blocks } = slowly(columns, table, ids, { start: 0, steps }, "it");
      assertEquals(decoded?.blocks, blocks);
      assertEquals(decoded?.fresh, ids.after);
    }
  }
});

Deno.test("decodeFlow() says the same of damaged flows as decodeSlowly()", () => {
  const random = new Random(4);
  let read = 0;
  for (let seed = 1; seed <= 10; seed++) {
    for (const window of windows(seed)) {
      for (let n = 0; n < 30; n++) {
        const columns = {
          hits: window.columns.hits.slice(),
          misses: window.columns.misses.slice(),
          exceptions: window.columns.exceptions.slice(),
          blocks: Math.max(0, window.columns.blocks - (n % 5 ? 0 : random.below(3))),
          sequential: n % 3 !== 0,
        };
        const column = columns[(["hits", "misses", "exceptions"] as const)[random.below(3)]];
        if (column.length > 0) column[random.below(column.length)] = random.below(256);
        const damaged = { ...window, columns };
        const expected = outcome(slowly, damaged);
        assertEquals(outcome(decodeFlow, damaged), expected);
        if (typeof expected !== "string") read++;
      }
    }
  }
  assert(read > 0);
});

Deno.test("decodeFlow() reads the flow of formats before 1.3", () => {
  // Block 0 twice, then block 1 by its id: 2 and the id.
  const table = new BlockTable();
  table.add(1, 0x1000n, 0, new Uint8Array(4));
  table.add(1, 0x2000n, 0, new Uint8Array(8));
  const columns = {
    hits: Uint8Array.of(0, 0, 0),
    misses: Uint8Array.of(1, 2, 1),
    exceptions: new Uint8Array(),
    blocks: 3,
    sequential: false,
  };
  const ids = { before: 0, after: 2 };
  assertEquals(outcome(decodeFlow, { columns, table, ids, steps: 4 }), {
    blocks: Uint32Array.of(0, 0, 1),
    exceptions: [],
  });
});
