import { assert, assertEquals } from "@std/assert";
import type { TranslateOptions } from "../../core/engine/engine_options.ts";
import { type BootPlan, loadImage } from "../../core/loader/mod.ts";
import { Machine, type MachineOptions } from "../../core/machine.ts";
import { Recorder } from "../../trace/mod.ts";
import { MemorySink } from "../../trace/testing.ts";
import type { Guest } from "../guests/catalogue.ts";
import { buildGuest, type Level } from "../guests/toolchain.ts";
import { Random } from "./torture_guest.ts";

/**
 * The interpreter, the translator and any mixture of the two give the same trace, byte for byte:
 * `engines_test.ts` compares some guests, `deno task engines` all of them, and images.
 */

/** Everything that is executed twice is translated at once. */
const ALWAYS: TranslateOptions = { samples: 0, firstSlice: 1 };

/** What is run in all ways. */
export interface Subject {
  readonly name: string;
  readonly steps: number;
  readonly options: Partial<MachineOptions>;
  plan(): BootPlan | Promise<BootPlan>;
}

/** RAM of subjects that do not say. */
export const MEMORY: number = 64 << 20;

/** A guest of the catalogue, at one level of its own. */
export function compiled(guest: Guest, level: Level, steps: number): Subject {
  const memory = (guest.memory ?? 128) * 2 ** 20;
  const { append, initrd, cpu, cpus = 1, gic, virtualization, secure } = guest;
  return {
    name: `${guest.name} ${level}`,
    steps,
    options: {
      memoryBytes: memory,
      cpus,
      ...(cpu ? { cpu } : {}),
      ...(gic ? { gic } : {}),
      virtualization,
      secure,
    },
    plan: async () => {
      const image = await buildGuest({ ...guest, level });
      return loadImage(image, { memory, append, initrd, gic, virtualization, secure, cpus });
    },
  };
}

interface Way {
  readonly translate: TranslateOptions | null;
  /** Most steps of a stretch, behind which the lookup caches are emptied. */
  readonly stretch: number;
}

/** Ways that a subject is run in: always translated, and two mixtures of its own. */
function ways(n: number): Way[] {
  const random = new Random(n + 1);
  const mixed = () => ({
    translate: { samples: random.below(4), firstSlice: 1 + random.below(2000) },
    stretch: 1 + random.below(50_000),
  });
  return [{ translate: ALWAYS, stretch: Infinity }, mixed(), mixed()];
}

function record(
  { steps, options }: Subject,
  plan: BootPlan,
  { translate, stretch }: Way,
): { bytes: Uint8Array; made: number } {
  const machine = new Machine({ memoryBytes: MEMORY, ...options, flow: true, translate });
  machine.boot(plan);
  const sink = new MemorySink();
  const recorder = new Recorder(machine, sink, {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: { board: "virt" },
    options: {},
    image: { ...plan, name: "guest", files: [] },
    symbols: [],
    lines: [],
    loaded: plan.segments.map(({ address, zeroTo }) => ({ address, length: zeroTo - address })),
    windowSteps: 1 << 18,
  });
  const random = new Random(stretch === Infinity ? 1 : stretch);
  let reason = null;
  while (!reason) {
    const part = stretch === Infinity ? 1 << 18 : 1 + random.below(stretch);
    reason = recorder.recordPart(part, steps);
    // Lookup caches are derived: they may go at any time.
    if (stretch !== Infinity) { for (const lookup of machine.engine.lookups) lookup.flush(); }
  }
  recorder.finish(reason);
  return { bytes: sink.bytes, made: machine.engine.translator?.statistics.made ?? 0 };
}

/**
 * Runs a subject in all ways, and fails where the traces differ.
 *
 * @param n chooses the mixtures
 * @returns how many regions were translated
 */
export async function compare(subject: Subject, n: number): Promise<number> {
  const plan = await subject.plan();
  const expected = record(subject, plan, { translate: null, stretch: Infinity });
  let made = 0;
  for (const way of ways(n)) {
    const actual = record(subject, plan, way);
    made += actual.made;
    const at = expected.bytes.findIndex((byte, i) => byte !== actual.bytes[i]);
    const where = `${subject.name}, ${JSON.stringify(way)}`;
    assertEquals(at, -1, `${where}: the traces differ at byte ${at}`);
    assertEquals(actual.bytes.length, expected.bytes.length, where);
  }
  assert(made > 0, `nothing of ${subject.name} was translated`);
  return made;
}
