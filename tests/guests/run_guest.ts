/** Builds and runs one guest on both machines and judges it. */
import type { Guest } from "./catalogue.ts";
import { differences, type GuestRun, runOnMachine, runOnReference } from "./compare.ts";
import { buildGuest, type Level } from "./toolchain.ts";

/** What a guest did. */
export interface Verdict {
  /** Everything that is wrong, for people; empty if nothing is. */
  readonly problems: readonly string[];
  readonly reference: GuestRun;
  readonly ours: GuestRun;
  readonly retired: number;
}

/** Builds a guest at a level, runs it on the reference and on our machine, and compares. */
export async function runGuest(guest: Guest, level: Level): Promise<Verdict> {
  const image = await buildGuest({ ...guest, level });
  const reference = await runOnReference(image, guest);
  const { machine, ...ours } = runOnMachine(image, guest);
  const problems = differences(reference, ours, guest);
  if (reference.end === null !== guest.hangs) {
    problems.push(`the reference ${guest.hangs ? "ended by itself" : "did not end"}`);
  }
  if (ours.end !== guest.end) {
    problems.push(`our machine ended with ${ours.end}, expected ${guest.end}`);
  }
  if (reference.console.length === 0) problems.push("the reference's console is empty");
  return { problems, reference, ours, retired: machine.retired };
}
