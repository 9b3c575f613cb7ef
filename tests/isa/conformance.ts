import { parseArgs } from "@std/cli/parse-args";
import { MachineCpu } from "./bare_cpu.ts";
import { EvaluatorCpu } from "./evaluator_cpu.ts";
import { type Report, runVectors } from "./run_vectors.ts";
import { type BareCpu, readVectors } from "./vectors.ts";

/**
 * Runs a file of single-instruction vectors, by default the committed one.
 *
 *     deno task conformance:isa [--vectors FILE.jsonl.gz] [--engine machine|evaluator] [--json]
 *
 * Ends with `N passed, N failed, N unsupported`; with `--json` that and the counts by class are one
 * object. Exit status: 0 if nothing failed, 1 if something did or the file is bad, 2 for wrong usage.
 */

const ENGINES: Readonly<Record<string, () => BareCpu>> = {
  machine: () => new MachineCpu(),
  evaluator: () => new EvaluatorCpu(),
};

const USAGE = "usage: deno task conformance:isa [--vectors FILE.jsonl.gz] " +
  "[--engine machine|evaluator] [--json]";

function main(args: readonly string[]): number {
  const unknown: string[] = [];
  const options = parseArgs(args, {
    string: ["vectors", "engine"],
    boolean: ["json"],
    default: { engine: "machine" },
    unknown: (argument) => {
      unknown.push(argument);
      return false;
    },
  });
  const engine = ENGINES[options.engine as string];
  if (unknown.length > 0 || !engine || options.vectors === "") {
    console.error(USAGE);
    return 2;
  }
  const path = options.vectors as string | undefined ?? COMMITTED_VECTORS;
  let report: Report;
  try {
    report = runVectors(readVectors(Deno.readFileSync(path)), engine());
  } catch (error) {
    console.error(`Cannot run the vectors of ${path}: ${(error as Error).message}`);
    return 1;
  }
  if (options.json) console.log(JSON.stringify(report));
  else print(report);
  return report.failed > 0 ? 1 : 0;
}

function print(report: Report): void {
  const width = Math.max(...Object.keys(report.classes).map((name) => name.length));
  for (const [name, { passed, failed, unsupported }] of Object.entries(report.classes)) {
    const rest = [failed && `${failed} failed`, unsupported && `${unsupported} unsupported`];
    const text = [`${passed} passed`, ...rest].filter((part) => part).join(", ");
    console.log(`${name.padEnd(width)}  ${text}`);
  }
  for (const failure of report.failures) console.log(failure);
  const { passed, failed, unsupported } = report;
  console.log(`${passed} passed, ${failed} failed, ${unsupported} unsupported`);
}

const COMMITTED_VECTORS = import.meta.dirname + "/integer_vectors.jsonl.gz";

if (import.meta.main) Deno.exit(main(Deno.args));
