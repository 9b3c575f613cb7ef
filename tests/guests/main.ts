/**
 * Runs every guest at every level on the reference and on our machine.
 *
 *     deno task guests [--level -O2] [--list] [--show] [NAME…]
 *
 * A name may be the start of several. `--show` prints what the guests print. Exit status 1 if any
 * guest differs.
 */
import { parseArgs } from "@std/cli/parse-args";
import { hasQemu } from "../drivers/qemu.ts";
import { type Guest, GUESTS } from "./catalogue.ts";
import { runGuest } from "./run_guest.ts";
import { hasToolchain, type Level } from "./toolchain.ts";

async function main(args: string[]): Promise<number> {
  const options = parseArgs(args, { boolean: ["show", "list"], string: ["level", "_"] });
  const names = options._.map(String);
  const guests = GUESTS.filter(({ name }) =>
    names.length === 0 || names.some((start) => name.startsWith(start))
  );
  if (options.list) {
    for (const { name, levels } of guests) console.log(name, levels.join(" "));
    return 0;
  }
  if (!hasToolchain() || !hasQemu()) {
    console.error("skipped: aarch64-linux-gnu-gcc or qemu-system-aarch64 is not installed");
    return 0;
  }
  let passed = 0, failed = 0;
  for (const guest of guests) {
    for (const level of guest.levels) {
      if (options.level !== undefined && options.level !== level) continue;
      if (await judge(guest, level, options.show === true)) passed++;
      else failed++;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

async function judge(guest: Guest, level: Level, show: boolean): Promise<boolean> {
  try {
    const { problems, reference, ours, retired } = await runGuest(guest, level);
    if (show) console.log(new TextDecoder().decode(reference.console));
    const counts = `${retired} instructions, ${ours.exceptions.length} exceptions`;
    console.log(`${problems.length ? "FAILED" : "ok"} ${guest.name} ${level} (${counts})`);
    for (const problem of problems) console.log(`  ${problem}`);
    return problems.length === 0;
  } catch (error) {
    console.log(`FAILED ${guest.name} ${level}: ${error}`);
    return false;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
