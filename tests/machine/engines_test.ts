import { loadImage } from "../../core/loader/mod.ts";
import { buildKernel } from "../../kernel/mod.ts";
import { GUESTS } from "../guests/catalogue.ts";
import { hasToolchain } from "../guests/toolchain.ts";
import { compare, compiled, MEMORY, type Subject } from "./engines.ts";
import { program } from "../drivers/program.ts";
import { CPUS, severalCpusGuest } from "./several_cpus_guest.ts";
import { tortureGuest } from "./torture_guest.ts";

/** Steps that compiled guests are given: all of what most of them do. */
const MOST_STEPS = 500_000;
/** Every so many of the compiled guests, at a level of its own. */
const STRIDE = 12;

/** A loop over `pages` page ends with nothing but additions in its body, and one inside a page. */
function loopOverPages(pages: number): string {
  const body = "add x1, x1, x0\n".repeat(1024 * pages);
  return `
  movz x0, #3000
outer:
  movz x2, #20
  b inner
  .org 0x40080f80
inner:
  ${body}
  eor x3, x1, x3
  sub x2, x2, #1
  cbnz x2, inner
near: eor x3, x3, x1, lsl #1
  add x2, x2, #1
  cmp x2, #40
  b.lo near
  sub x0, x0, #1
  cbnz x0, outer
end: b end`;
}

const OWN: readonly Subject[] = [
  ...[1, 2].map((pages) => ({
    name: `a loop over ${pages} page ends`,
    steps: 400_000,
    options: {},
    plan: () => program(loopOverPages(pages)).plan(),
  })),
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
