import { assertEquals } from "@std/assert";
import { edges, FPCR_SETTINGS, Random } from "./fp_cases.ts";
import { evaluateFp } from "./fp_evaluator.ts";
import { type Format, FORMATS } from "./fp_pseudocode.ts";
import {
  type Instruction,
  INSTRUCTIONS,
  missingProgram,
  type ReferenceCase,
  runOnReference,
} from "./fp_reference.ts";

const EACH = 300;
/** QEMU 7.2 says of a denormalized operand that FPCR.FZ flushed that FJCVTZS is exact; not the manual. */
const FZ = 1n << 24n;

function formatOf({ name }: Instruction): Format {
  return FORMATS[/^FPConvert(\d\d)/.exec(name)?.[1] ?? /\d\d$/.exec(name)?.[0] ?? "32"];
}

function casesOf(instruction: Instruction, seed: number): ReferenceCase[] {
  const format = formatOf(instruction), edge = edges(format), random = new Random(seed);
  const isInteger = /^FixedToFP|^Unsigned/.test(instruction.name);
  const kind = isInteger ? "integer" : "n";
  const kinds = Array.from({ length: instruction.count }, () => kind);
  return Array.from({ length: EACH }, (_, i) => {
    const operands = random.operands(kinds as ("n" | "integer")[], format, edge);
    if (i < edge.length && !isInteger) operands[0] = edge[i];
    const setting = i & 3 ? random.pick(FPCR_SETTINGS) : 0n;
    const fpcr = instruction.name === "FPToFixedJS64" ? setting & ~FZ : setting;
    return { instruction, operands, fpcr };
  });
}

Deno.test({
  name: "evaluateFp() gives what the reference's instructions do",
  ignore: missingProgram() !== undefined,
  async fn() {
    const cases = INSTRUCTIONS.flatMap((instruction, n) => casesOf(instruction, n + 1));
    const outcomes = await runOnReference(cases);
    const different = cases.flatMap(({ instruction, operands, fpcr }, i) => {
      const { name, assembly, fixed, result } = instruction;
      const { value, flags } = evaluateFp(name, [...operands, ...fixed], fpcr);
      const found = `${value.toString(16)} FPSR ${flags.toString(16)}`;
      const { fpsr } = outcomes[i];
      const expected = `${result(outcomes[i]).toString(16)} FPSR ${fpsr.toString(16)}`;
      if (found === expected) return [];
      const shown = operands.map((x) => x.toString(16)).join(" ");
      return [`${assembly}: ${shown}, FPCR ${fpcr.toString(16)}: ${found}, expected ${expected}`];
    });
    assertEquals(different.slice(0, 20), []);
  },
});
