import { assertEquals } from "@std/assert";
import { SLOT } from "../state.ts";
import {
  edges,
  FPCR_SETTINGS,
  functions,
  type Parameter,
  Random,
} from "../../tests/isa/fp_cases.ts";
import { evaluateFp } from "../../tests/isa/fp_evaluator.ts";
import type { Format } from "../../tests/isa/fp_pseudocode.ts";
import { FPSR } from "./fp_format.ts";
import { defineFpHelpers } from "./fp_helpers.ts";
import { ModuleBuilder } from "./wasm/module_builder.ts";

/** What the functions are called with: an i64 is a BigInt, an i32 a number. */
type Call = (...operands: (bigint | number)[]) => bigint | number;

class Helpers {
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #state = new BigUint64Array(this.#memory.buffer);
  readonly #calls = new Map<string, { call: Call; types: readonly string[] }>();

  constructor() {
    const m = new ModuleBuilder();
    m.importMemory("engine", "memory", 1);
    const defined = defineFpHelpers(m);
    for (const [name, reference] of defined) m.export(name, reference);
    const module = new WebAssembly.Module(m.build());
    const imports = { engine: { memory: this.#memory } };
    const { exports } = new WebAssembly.Instance(module, imports);
    for (const [name, { parameters }] of defined) {
      this.#calls.set(name, { call: exports[name] as Call, types: parameters });
    }
  }

  get names(): string[] {
    return [...this.#calls.keys()];
  }

  /** The function's result and the whole FPSR. */
  run(name: string, operands: readonly bigint[], fpcr: bigint, fpsr: bigint): string {
    const { call, types } = this.#calls.get(name)!;
    this.#state[SLOT.fpcr >> 3] = fpcr;
    this.#state[SLOT.fpsr >> 3] = fpsr;
    const result = call(...operands.map((x, n) => types[n] === "i32" ? Number(x & MASK32) : x));
    const value = typeof result === "number" ? BigInt(result >>> 0) : BigInt.asUintN(64, result);
    return describe(value, this.#state[SLOT.fpsr >> 3]);
  }
}

const MASK32 = 0xffff_ffffn;

function describe(value: bigint, fpsr: bigint): string {
  return `${value.toString(16)} FPSR ${fpsr.toString(16)}`;
}

const helpers = new Helpers();

/** Compares one call, with FPSR.IXC clear and set before it: results must not depend on it. */
function check(name: string, operands: readonly bigint[], fpcr: bigint): void {
  const { value, flags } = evaluateFp(name, operands, fpcr);
  for (const before of [0n, BigInt(FPSR.ixc)]) {
    const found = helpers.run(name, operands, fpcr, before);
    const expected = describe(value, before | BigInt(flags));
    if (found !== expected) {
      const shown = operands.map((x) => x.toString(16)).join(", ");
      assertEquals(found, expected, `${name}(${shown}), FPCR ${fpcr.toString(16)}`);
    }
  }
}

Deno.test("defineFpHelpers() defines what the cases call, and nothing else", () => {
  assertEquals(helpers.names.sort(), [...functions()].map(([name]) => name).sort());
});

/** Every edge in every setting, or every pair of edges in one; the other operands at random. */
function checkEdges(name: string, parameters: readonly Parameter[], format: Format): void {
  const edge = edges(format), random = new Random(name.length);
  const one = (values: readonly bigint[], fpcr: bigint) => {
    let at = 0;
    const operands = random.operands(parameters, format, edge);
    check(name, operands.map((x, n) => parameters[n] === "n" ? values[at++] : x), fpcr);
  };
  const numbers = parameters.filter((parameter) => parameter === "n").length;
  for (const a of edge) {
    if (numbers === 1) { for (const fpcr of FPCR_SETTINGS) one([a], fpcr); }
    else for (const b of edge) one([a, b, random.pick(edge)], random.pick(FPCR_SETTINGS));
  }
}

const RANDOM_CASES = 500;

for (const [name, parameters, format] of functions()) {
  Deno.test(`${name}() gives results and flags as the manual says`, () => {
    if (parameters.includes("n")) checkEdges(name, parameters, format);
    const edge = edges(format), random = new Random(name.length * 131 + format.N);
    for (let n = 0; n < RANDOM_CASES; n++) {
      const operands = random.operands(parameters, format, edge);
      // The usual setting is what the native paths are for.
      check(name, operands, n & 1 ? random.pick(FPCR_SETTINGS) : 0n);
    }
  });
}
