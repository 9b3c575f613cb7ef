/**
 * Executes a boot on our machine and on the reference side by side, and names the first moment at
 * which registers differ.
 *
 *     deno task lockstep [IMAGE] [--every block|instruction] [--compare flow|registers|vectors]
 *                        [--from N] [--to N] [--no-system] [options of `record`]
 *
 * `--compare flow` compares the address of every instruction, which is the fastest; `vectors` adds FP and SIMD
 * registers. `--from` lets the reference run there at full speed first. Where registers differ, the
 * reference is brought there once more, and system registers are compared. Nothing is typed at the
 * guest. Exit status 1 if the two differ.
 */
import { BOOT_OPTIONS } from "../../commands/boot_options.ts";
import { flag, optionOr, parseOptions } from "../../commands/options.ts";
import { reportError } from "../../commands/report_error.ts";
import { count, oneOf, positive } from "../../commands/values.ts";
import { hasQemu } from "../drivers/qemu.ts";
import { differenceLines, summaryLine } from "./report.ts";
import { type LockstepOptions, runLockstep } from "./run.ts";
import { compareSystemRegisters } from "./system_registers.ts";

const OPTIONS = {
  ...BOOT_OPTIONS,
  every: optionOr("POINT", oneOf("block", "instruction"), "block", "where to compare"),
  compare: optionOr("WHAT", oneOf("flow", "registers", "vectors"), "registers", "what to compare"),
  from: optionOr("N", count, "0", "where to begin"),
  to: optionOr("N", positive, "1000000000", "where to end"),
  "no-system": flag("leave system registers out"),
};

async function main(args: string[]): Promise<number> {
  const { values, operands } = parseOptions(args, OPTIONS);
  if (!hasQemu()) {
    console.error("skipped: lockstep needs qemu-system-aarch64");
    return 0;
  }
  const { every, compare, from, to } = values;
  const options: LockstepOptions = {
    ...{ image: operands[0], values, every, compare, from, to },
    progress: (position) => console.error(`#${position}`),
  };
  const result = await runLockstep(options);
  console.log(summaryLine(result));
  for (const line of result.noise) console.log(`reference: ${line}`);
  if (!result.difference) return 0;
  const registers = values["no-system"] ? null : await compareSystemRegisters(options, result);
  for (const line of differenceLines(result, registers)) console.log(line);
  return 1;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    const { message, status } = reportError(error, undefined);
    console.error(message ?? String(error));
    Deno.exitCode = status;
  }
}
