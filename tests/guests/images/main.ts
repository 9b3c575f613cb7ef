/**
 * Boots other people's images on our machine and on the reference, and compares their consoles.
 *
 *     deno task guests --images [--list] [--show] [NAME…]
 *
 * Fetches what it needs with apt: `fetch_images.ts`. Exit status 1 if any differs.
 */
import { parseArgs } from "@std/cli/parse-args";
import { hasQemu } from "../../drivers/qemu.ts";
import { type ImageCase, imageCases } from "./catalogue.ts";
import { canFetch } from "./fetch_images.ts";
import { compareConsoles } from "./normalise.ts";
import { bootReference, type RecordedBoot, recordImage, verifyTrace } from "./run_image.ts";

/** Most differences that are printed of an image. */
const MOST_PROBLEMS = 10;

/** Runs the images that the command line names. Gives the exit status. */
export async function runImages(args: string[]): Promise<number> {
  const options = parseArgs(args, { boolean: ["list", "show", "images"], string: ["_"] });
  const names = options._.map(String);
  if (!hasQemu() || !canFetch()) {
    console.error("skipped: images need apt-get, dpkg-deb and qemu-system-aarch64");
    return 0;
  }
  const cases = imageCases().filter(({ name }) => names.length === 0 || names.includes(name));
  if (options.list) {
    for (const { name, about } of cases) console.log(name.padEnd(12), about);
    return 0;
  }
  let failed = 0;
  for (const boot of cases) if (!await runImage(boot, options.show === true)) failed++;
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

/** Boots one image on both. Gives whether nothing is wrong. */
async function runImage(boot: ImageCase, show: boolean): Promise<boolean> {
  const reference = await bootReference(boot);
  const ours = await recordImage(boot);
  if (show) console.log(ours.console);
  const problems = compareConsoles(ours.console, reference.console, boot.cpus !== undefined);
  if (ours.reason !== "poweroff") problems.push(`it ended with ${ours.reason}`);
  const verified = await verifyTrace(ours.trace);
  if (verified) problems.push(verified);
  const verdict = problems.length > 0 ? "FAILED" : "ok";
  console.log(`${verdict} ${boot.name}: ${boot.about}`);
  console.log(figures(ours, reference.seconds));
  for (const problem of problems.slice(0, MOST_PROBLEMS)) console.log(`  ${problem}`);
  return problems.length === 0;
}

/** A line of figures: what it took, and bits per instruction by kind of item. */
function figures({ instructions, seconds, sizes }: RecordedBoot, reference: number): string {
  const bits = (bytes: number) => (bytes * 8 / instructions).toFixed(4);
  const kinds = Object.entries(sizes).filter(([, { bytes }]) => bytes * 8 > instructions / 10_000);
  const total = Object.values(sizes).reduce((sum, { bytes }) => sum + bytes, 0);
  return `  ${(instructions / 1e6).toFixed(1)} M instructions, ${seconds.toFixed(1)} s recorded, ` +
    `${reference.toFixed(1)} s on the reference; bits per instruction ${bits(total)}: ` +
    kinds.map(([kind, { bytes }]) => `${kind} ${bits(bytes)}`).join(", ");
}
