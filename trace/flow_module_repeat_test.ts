import { assertEquals } from "@std/assert";
import { ReferenceFlowEncoder } from "./flow_encoder.ts";
import { WasmFlowEncoder } from "./flow_encoder_wasm.ts";
import type { FlowEncoder, FlowSource } from "./flow_source.ts";
import { Random, SyntheticProgram } from "./synthetic_flow.ts";

// Repetitions are counted, not encoded: the bytes must be those of encoding every block.

/** `[start, end)` pairs from a list, as often as said. */
function repeat(pairs: readonly number[], times: number): number[] {
  return Array.from({ length: times }, () => pairs).flat();
}

function compare(make: () => FlowSource, windows: readonly number[][], what: string): void {
  const encoders: FlowEncoder[] = [
    new ReferenceFlowEncoder(make()),
    new WasmFlowEncoder(make()),
  ];
  windows.forEach((pairs, window) => {
    const [expected, actual] = encoders.map((encoder) => {
      encoder.startWindow(window + 1);
      encoder.flow(new Uint32Array(pairs));
      const { steps } = encoder;
      return { executed: steps, ...encoder.take(true) };
    });
    assertEquals(actual, expected, `${what}, window ${window + 1}`);
  });
}

Deno.test("flow() counts a loop of one run, however often it runs", () => {
  const kinds: Record<number, number> = { 0x1030: 2, 0x1060: 2 };
  const source: FlowSource = {
    arenaBase: 0x1000,
    arenaSize: 0x4000,
    context: (id) => ({ regime: 1, page: BigInt(id) << 12n, recordBase: 0x1000 }),
    code: (start, end) => new Uint8Array((end - start) / 4).fill(start >> 4),
    kindOf: (record) => kinds[record] ?? 0,
  };
  const inner = [0x1010, 0x1040], outer = [0x1040, 0x1070];
  const loops = repeat([...repeat(inner, 3000), ...outer], 12);
  compare(() => source, [[0, 5, ...loops], [0, 5, ...repeat(inner, 100_000)]], "loops");
});

Deno.test("flow() gives the same bytes for repetitions as block by block", () => {
  const random = new Random(99);
  for (let seed = 1; seed <= 12; seed++) {
    const shape = [seed, 1 + seed % 5, 40 + seed * 20, seed % 4 === 0 ? 0 : 1] as const;
    const walk = new SyntheticProgram(...shape);
    const windows = Array.from({ length: 3 }, () => {
      const pairs: number[] = [];
      for (let part = 0; part < 6; part++) {
        // A stretch may have wrong guesses, calls without returns, other contexts, and exceptions.
        const stretch = [...walk.run(1 + random.below(part % 2 ? 150 : 12))];
        pairs.push(...repeat(stretch, 1 + random.below(3000 / stretch.length * 4)));
        pairs.push(...walk.run(random.below(300)));
      }
      return pairs;
    });
    compare(() => new SyntheticProgram(...shape), windows, `seed ${seed}`);
  }
});
