import { assert, assertEquals } from "@std/assert";
import type { TranslateOptions } from "../../core/engine/engine_options.ts";
import { type BootPlan, loadImage } from "../../core/loader/mod.ts";
import { Machine, type MachineOptions } from "../../core/machine.ts";
import { buildKernel } from "../../kernel/mod.ts";
import { Recorder } from "../../trace/mod.ts";
import { MemorySink } from "../../trace/testing.ts";
import { GUESTS } from "../guests/catalogue.ts";
import { buildGuest, hasToolchain } from "../guests/toolchain.ts";
import { Random, tortureGuest } from "./torture_guest.ts";

// The interpreter, the translator and any mixture of the two give the same trace, byte for byte.

/** Everything that is executed twice is translated at once. */
const ALWAYS: TranslateOptions = { samples: 0, firstSlice: 1 };

interface Subject {
  readonly name: string;
  readonly steps: number;
  readonly options: Partial<MachineOptions>;
  plan(): BootPlan | Promise<BootPlan>;
}

const MEMORY = 64 << 20;
/** Steps that compiled guests are given: all of what most of them do. */
const MOST_STEPS = 1_000_000;

const OWN: readonly Subject[] = [
  ...[undefined, "pxn", "late-vectors", "block-encoding"].map((bug) => ({
    name: `the kernel (${bug ?? "good"})`,
    steps: 2_000_000,
    options: {},
    plan: () => loadImage(buildKernel(bug ? { bug: bug as "pxn" } : {}).elf, { memory: MEMORY }),
  })),
  ...[1, 2, 3, 4].map((seed) => ({
    name: `random code, seed ${seed}`,
    steps: 60_000,
    options: { storm: Infinity },
    plan: () => tortureGuest(seed),
  })),
];

/** Every so many of the compiled guests, at a level of its own. */
const STRIDE = 8;

const COMPILED: readonly Subject[] = GUESTS.filter(({ slow, input }, i) =>
  !slow && !input && i % STRIDE === 0
).map(
  (guest, i) => {
    const memory = (guest.memory ?? 128) * 2 ** 20;
    const { append, initrd, cpu, gic, virtualization, secure } = guest;
    const level = guest.levels[i % guest.levels.length];
    return {
      name: `${guest.name} ${level}`,
      steps: Math.min(guest.steps, MOST_STEPS),
      options: {
        memoryBytes: memory,
        ...(cpu ? { cpu } : {}),
        ...(gic ? { gic } : {}),
        virtualization,
        secure,
      },
      plan: async () =>
        loadImage(await buildGuest({ ...guest, level }), {
          memory,
          append,
          initrd,
          gic,
          virtualization,
          secure,
        }),
    };
  },
);

function record(
  { steps, options }: Subject,
  plan: BootPlan,
  translate: TranslateOptions | null,
): { bytes: Uint8Array; made: number } {
  const machine = new Machine({ memoryBytes: MEMORY, ...options, flow: true, translate });
  machine.boot(plan);
  const sink = new MemorySink();
  new Recorder(machine, sink, {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: { board: "virt" },
    options: {},
    image: { ...plan, name: "guest", files: [] },
    symbols: [],
    lines: [],
    loaded: [],
    windowSteps: 1 << 18,
  }).run(steps);
  return { bytes: sink.bytes, made: machine.engine.translator?.statistics.made ?? 0 };
}

/** Modes that a subject is run in: always, and two mixtures of its own. */
function modes(n: number): TranslateOptions[] {
  const random = new Random(n + 1);
  const mixed = () => ({ samples: random.below(4), firstSlice: 1 + random.below(2000) });
  return [ALWAYS, mixed(), mixed()];
}

async function compare(subject: Subject, n: number): Promise<void> {
  const plan = await subject.plan();
  const expected = record(subject, plan, null);
  let made = 0;
  for (const mode of modes(n)) {
    const actual = record(subject, plan, mode);
    made += actual.made;
    const at = expected.bytes.findIndex((byte, i) => byte !== actual.bytes[i]);
    const where = `${subject.name}, ${JSON.stringify(mode)}`;
    assertEquals(at, -1, `${where}: the traces differ at byte ${at}`);
    assertEquals(actual.bytes.length, expected.bytes.length, where);
  }
  assert(made > 0, `nothing of ${subject.name} was translated`);
}

for (const [n, subject] of OWN.entries()) {
  Deno.test(`engines give the same trace: ${subject.name}`, () => compare(subject, n));
}

for (const [n, subject] of COMPILED.entries()) {
  Deno.test({
    name: `engines give the same trace: ${subject.name}`,
    ignore: !hasToolchain(),
    fn: () => compare(subject, n),
  });
}
