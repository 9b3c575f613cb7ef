import { loadImage } from "../../core/loader/mod.ts";
import { buildKernel } from "../../kernel/mod.ts";
import { GUESTS } from "../guests/catalogue.ts";
import { hasToolchain } from "../guests/toolchain.ts";
import { compare, compiled, MEMORY, type Subject } from "./engines.ts";
import { CPUS, severalCpusGuest } from "./several_cpus_guest.ts";
import { tortureGuest } from "./torture_guest.ts";

/** Steps that compiled guests are given: all of what most of them do. */
const MOST_STEPS = 500_000;
/** Every so many of the compiled guests, at a level of its own. */
const STRIDE = 12;

const OWN: readonly Subject[] = [
  ...[undefined, "block-encoding"].map((bug) => ({
    name: `the kernel (${bug ?? "good"})`,
    steps: 2_000_000,
    options: {},
    plan: () => loadImage(buildKernel(bug ? { bug: bug as "pxn" } : {}).elf, { memory: MEMORY }),
  })),
  ...[1, 2, 3].map((seed) => ({
    name: `random code, seed ${seed}`,
    steps: 60_000,
    options: { storm: Infinity },
    plan: () => tortureGuest(seed),
  })),
  {
    name: `${CPUS} CPUs`,
    steps: 1_500_000,
    options: { cpus: CPUS },
    plan: severalCpusGuest,
  },
];

const COMPILED: readonly Subject[] = GUESTS.filter(({ slow, input }, i) =>
  !slow && !input && i % STRIDE === 0
).map((guest, i) =>
  compiled(guest, guest.levels[i % guest.levels.length], Math.min(guest.steps, MOST_STEPS))
);

for (const [n, subject] of OWN.entries()) {
  Deno.test(`engines give the same trace: ${subject.name}`, async () => {
    await compare(subject, n);
  });
}

for (const [n, subject] of COMPILED.entries()) {
  Deno.test({
    name: `engines give the same trace: ${subject.name}`,
    ignore: !hasToolchain(),
    fn: async () => {
      await compare(subject, n);
    },
  });
}
