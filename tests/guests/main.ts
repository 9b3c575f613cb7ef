/**
 * Runs every guest at every level on the reference and on our machine.
 *
 *     deno task guests --images [--list] [--show] [NAME…]     other people's images: images/main.ts
 *     deno task guests [--level=-O2] [--clang] [--list] [--show] [NAME…]
 *
 * A name may be the start of several. `--clang` builds with LLVM instead of GCC. `--show` prints
 * what the guests print. Exit status 1 if any guest differs.
 */
import { parseArgs } from "@std/cli/parse-args";
import { hasQemu } from "../drivers/qemu.ts";
import { runImages } from "./images/main.ts";
import { type Guest, GUESTS } from "./catalogue.ts";
import { judgeGuest, pipeline, type PreparedGuest, prepareGuest } from "./run_guest.ts";
import { hasToolchain, type Level } from "./toolchain.ts";

/** Guests that are built and run on the reference at a time. */
const READY = 4;

async function main(args: string[]): Promise<number> {
  if (args.includes("--images")) return runImages(args);
  const options = parseArgs(args, { boolean: ["show", "list", "clang"], string: ["level", "_"] });
  const names = options._.map(String);
  const compiler = options.clang ? "clang" : "gcc";
  const guests = GUESTS.filter(({ name }) =>
    names.length === 0 || names.some((start) => name.startsWith(start))
  ).map((guest) => ({ ...guest, compiler } as const));
  if (options.list) {
    for (const { name, levels } of guests) console.log(name, levels.join(" "));
    return 0;
  }
  if (!hasToolchain(compiler) || !hasQemu()) {
    const programs = `aarch64-linux-gnu-gcc${options.clang ? ", clang" : ""}, qemu-system-aarch64`;
    console.error(`skipped: guests need ${programs}`);
    return 0;
  }
  const runs = guests.flatMap((guest) => guest.levels.map((level) => ({ guest, level })))
    .filter(({ level }) => options.level === undefined || options.level === level);
  let passed = 0;
  await pipeline(runs, READY, ({ guest, level }) => prepareGuest(guest, level), (prepared, run) => {
    if (report(prepared, run, options.show === true)) passed++;
  });
  console.log(`${passed} passed, ${runs.length - passed} failed`);
  return passed < runs.length ? 1 : 0;
}

/** Prints what came of a guest. Gives whether nothing is wrong. */
function report(
  prepared: PreparedGuest | Error,
  { guest, level }: { guest: Guest; level: Level },
  show: boolean,
): boolean {
  if (prepared instanceof Error) {
    console.log(`FAILED ${guest.name} ${level}: ${prepared.message}`);
    return false;
  }
  const { problems, reference, ours, retired } = judgeGuest(prepared);
  if (show) console.log(new TextDecoder().decode(reference.console));
  const counts = `${retired} instructions, ${ours.exceptions.length} exceptions`;
  console.log(`${problems.length ? "FAILED" : "ok"} ${guest.name} ${level} (${counts})`);
  for (const problem of problems) console.log(`  ${problem}`);
  return problems.length === 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
