import { assertEquals, assertThrows } from "@std/assert";
import { BlockTable } from "./block_table.ts";
import type { WindowFlow } from "./flow_decoder.ts";
import { TraceError } from "./trace_error.ts";
import { ValueEncoder } from "./value_codec.ts";
import { decodeValues, type WindowValueColumns } from "./window_values.ts";

/** Two blocks of two instructions; the first has results of 1 and 2 words, the second of 0 and 1. */
function flowOf(blocks: number[]): WindowFlow {
  const table = new BlockTable();
  for (const pc of [0x1000n, 0x2000n]) table.add(1, pc, 1, new Uint8Array(8));
  return {
    start: 100,
    blocks: Uint32Array.from(blocks),
    exceptions: [{ before: 1, count: 2 }],
    table,
  };
}

function columnsOf(): WindowValueColumns {
  const encoder = new ValueEncoder();
  encoder.reset();
  const values = BigUint64Array.of(5n, 6n, 7n, 8n, 5n, 6n, 9n);
  encoder.encode(Uint32Array.of(0, 3, 3, 1, 0, 3), values);
  return { counts: Uint8Array.of(1, 2, 0, 1), ...encoder.take() };
}

Deno.test("decodeValues() gives each instruction its words, with their positions", () => {
  const results = [...decodeValues(columnsOf(), flowOf([0, 1, 0]), "the values")];
  assertEquals(results, [
    { position: 100, words: [5n] },
    { position: 101, words: [6n, 7n] },
    { position: 104, words: [] },
    { position: 105, words: [8n] },
    { position: 106, words: [5n] },
    { position: 107, words: [6n, 9n] },
  ]);
});

Deno.test("decodeValues() refuses counts and flows that do not fit", () => {
  const good = columnsOf();
  const cases: [Partial<WindowValueColumns>, number[]][] = [
    [{ counts: Uint8Array.of(1, 2, 0) }, [0, 1, 0]],
    [{ counts: Uint8Array.of(1, 2, 0, 1, 0) }, [0, 1, 0]],
    [{ counts: Uint8Array.of(1, 17, 0, 1) }, [0, 1, 0]],
    [{ counts: Uint8Array.of(1, 2) }, [0, 0]],
    [{ choices: good.choices.map(() => 200) }, [0, 1, 0]],
  ];
  for (const [change, blocks] of cases) {
    const read = () => [...decodeValues({ ...good, ...change }, flowOf(blocks), "the values")];
    assertThrows(read, TraceError, "the values");
  }
});
