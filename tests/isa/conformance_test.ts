import { assertEquals, assertStringIncludes } from "@std/assert";
import { MachineCpu } from "./bare_cpu.ts";
import { EvaluatorCpu } from "./evaluator_cpu.ts";
import { type Report, runVectors } from "./run_vectors.ts";
import { type BareCpu, readVectors, type Vector } from "./vectors.ts";

const INTEGER = import.meta.dirname + "/integer_vectors.jsonl.gz";
const FLOAT = import.meta.dirname + "/float_vectors.jsonl.gz";
/**
 * Forms that are CONSTRAINED UNPREDICTABLE, with what qemu-aarch64 7.2 -cpu cortex-a57 does:
 * write-back to a register transferred, a pair of one register, status and data of a
 * store-exclusive in one register, exclusives of different sizes.
 */
const CONSTRAINED = import.meta.dirname + "/constrained_vectors.jsonl";

function run(path: string, cpu: BareCpu): Report {
  return runVectors(readVectors(Deno.readFileSync(path)), cpu);
}

const ENGINES: readonly (readonly [string, () => BareCpu])[] = [
  ["the machine", () => new MachineCpu()],
  ["evaluate()", () => new EvaluatorCpu()],
];

for (const [name, make] of ENGINES) {
  Deno.test(`${name} passes all vectors of base and integer vector instructions`, () => {
    const { passed, failures } = run(INTEGER, make());
    assertEquals(failures, []);
    assertEquals(passed, 30_713);
  });

  Deno.test(`${name} passes all vectors of floating point`, () => {
    const { passed, failures } = run(FLOAT, make());
    assertEquals(failures, []);
    assertEquals(passed, 5_693);
  });

  Deno.test(`${name} does what the reference does where the architecture leaves a choice`, () => {
    const { passed, failures } = run(CONSTRAINED, make());
    assertEquals(failures, []);
    assertEquals(passed, 35);
  });

  Deno.test(`${name} is told from a processor with any other result`, () => {
    const cpu = make();
    assertEquals(runVectors([STORE], cpu).passed, 1);
    for (const [what, a] of Object.entries(WRONG)) {
      const { failed, failures } = runVectors([{ ...STORE, a: { ...STORE.a, ...a } }], cpu);
      assertEquals(failed, 1, what);
      assertStringIncludes(failures[0], what);
    }
  });
}

/** `str x1, [x0], #8`. */
const STORE: Vector = {
  c: "store",
  w: ["f8008401"],
  b: { x: { "0": "10000000", "1": "1122334455667788" } },
  a: { x: { "0": "10000008" }, mem: [[0, "8877665544332211"]] },
};

/** What is said of each wrong expectation. */
const WRONG: Readonly<Record<string, Vector["a"]>> = {
  "X0 is 0x10000008": { x: { "0": "10000010" } },
  "X30 is": { x: { "0": "10000008", "30": "0" } },
  "V31 is": { v: { "31": "0" } },
  "SP is": { sp: "0" },
  "PC is": { pc: "20200000" },
  "NZCV is": { nzcv: 1 },
  "FPCR is": { fpcr: "1" },
  "FPSR is": { fpsr: "1" },
  "data byte 7 is 17": { mem: [[0, "8877665544332212"]] },
  "data byte 8 is": { mem: [[0, "88776655443322110000"]] },
  "is not UNDEFINED": { exc: "undef" },
};

Deno.test("runVectors() counts an encoding that is only listed as unsupported", () => {
  const stg: Vector = { c: "mte", w: ["d9200841"], b: {}, a: {} };
  const ldg: Vector = { c: "mte", w: ["d9600041"], b: {}, a: { pc: "20200000", exc: "undef" } };
  const { passed, failed, unsupported } = runVectors([stg, ldg], new EvaluatorCpu());
  assertEquals({ passed, failed, unsupported }, { passed: 1, failed: 0, unsupported: 1 });
});
