/**
 * Compares the engines on every compiled guest and on random code: `deno task engines [NAME…]`, or
 * only on guests whose name has one of the arguments in it. Takes some minutes.
 */
import { GUESTS } from "../guests/catalogue.ts";
import { compare, compiled, type Subject } from "./engines.ts";
import { tortureGuest } from "./torture_guest.ts";

const RANDOM = 40;

const subjects: Subject[] = [
  ...Array.from({ length: RANDOM }, (_, seed) => ({
    name: `random code, seed ${seed + 100}`,
    steps: 100_000,
    options: { storm: Infinity },
    plan: () => tortureGuest(seed + 100),
  })),
  ...GUESTS.filter(({ input }) => !input).flatMap((guest) =>
    guest.levels.map((level) => compiled(guest, level, guest.steps))
  ),
].filter(({ name }) =>
  Deno.args.length === 0 || Deno.args.some((argument) => name.includes(argument))
);

let failures = 0;
for (const [n, subject] of subjects.entries()) {
  try {
    const made = await compare(subject, n);
    console.log(`${subject.name}: equal, ${made} regions`);
  } catch (error) {
    failures++;
    console.log(`${subject.name}: ${(error as Error).message}`);
  }
}
console.log(`${subjects.length} guests, ${failures} of them not equal`);
if (failures > 0) Deno.exit(1);
