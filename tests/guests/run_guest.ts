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

/** A guest that was built and has run on the reference. */
export interface PreparedGuest {
  readonly guest: Guest;
  readonly level: Level;
  readonly image: Uint8Array;
  readonly reference: GuestRun;
}

/** Builds a guest at a level and runs it on the reference. */
export async function prepareGuest(guest: Guest, level: Level): Promise<PreparedGuest> {
  const image = await buildGuest({ ...guest, level });
  return { guest, level, image, reference: await runOnReference(image, guest) };
}

/** Runs a prepared guest on our machine, and compares. */
export function judgeGuest({ guest, image, reference }: PreparedGuest): Verdict {
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

/**
 * Does something with each item, in order, while the next ones are made ready.
 *
 * @param ready how many are made ready at a time
 */
export async function pipeline<T, U>(
  items: readonly T[],
  ready: number,
  prepare: (item: T) => Promise<U>,
  use: (prepared: U | Error, item: T) => void,
): Promise<void> {
  const started: Promise<U | Error>[] = [];
  for (let i = 0; i < items.length; i++) {
    while (started.length < Math.min(items.length, i + ready)) {
      started.push(prepare(items[started.length]).catch((error) => error as Error));
    }
    use(await started[i], items[i]);
  }
}
