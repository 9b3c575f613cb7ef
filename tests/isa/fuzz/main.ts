/**
 * `deno task fuzz:isa`: random instructions here and on `qemu-aarch64`, until a number of them
 * agree or some differ.
 */
import { parseArgs } from "@std/cli/parse-args";
import { ALL_FEATURES } from "../bare_cpu.ts";
import { fuzz } from "./fuzz.ts";
import { missingProgram } from "./reference_cpu.ts";

const USAGE =
  "deno task fuzz:isa [--count N] [--seed N] [--cpu cortex-a57|max] [--only ROW-REGEXP]";
const MAX_DIFFERENCES = 20;

const options = parseArgs(Deno.args, {
  string: ["count", "seed", "cpu", "only"],
  default: { count: "1000000", seed: "1", cpu: "max", only: "" },
  unknown(argument) {
    console.error(`unknown option ${argument}; ${USAGE}`);
    Deno.exit(2);
  },
});
const count = Number(options.count), seed = Number(options.seed);
const cpu = String(options.cpu);
if (!(count > 0 && Number.isSafeInteger(seed)) || !["cortex-a57", "max"].includes(cpu)) {
  console.error(USAGE);
  Deno.exit(2);
}
const missing = missingProgram();
if (missing) {
  console.error(`${missing} is not here: nothing to compare with`);
  Deno.exit(1);
}
const started = performance.now();
const report = await fuzz({
  cpu,
  features: cpu === "max" ? ALL_FEATURES : new Set(),
  count,
  seed,
  maxDifferences: MAX_DIFFERENCES,
  only: new RegExp(String(options.only)),
  progress(compared) {
    if (Deno.stderr.isTerminal() && compared % 12_800 === 0) {
      Deno.stderr.writeSync(new TextEncoder().encode(`\r${compared} `));
    }
  },
});
for (const { text } of report.differences) console.log(text);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(
  `${report.compared} instructions compared with qemu-aarch64 -cpu ${cpu} in ${seconds} s, ` +
    `${report.differences.length} instructions differ ` +
    `(${report.undefined} were UNDEFINED, ${report.faults} faulted; seed ${seed})`,
);
Deno.exit(report.differences.length === 0 ? 0 : 1);
