import { assertEquals } from "@std/assert";
import { type CpuName, DEFAULT_CPU } from "../../core/cpu_models.ts";
import type { Machine } from "../../core/machine.ts";
import type { MachineEvent } from "../../core/observer.ts";
import { buildKernel } from "../../kernel/mod.ts";
import { type BootPlan, loadImage } from "../../core/loader/mod.ts";
import { guardedGuest } from "./guarded_guest.ts";
import { Random, tortureGuest } from "./torture_guest.ts";
import { CPUS, severalCpusGuest } from "./several_cpus_guest.ts";
import { MEMORY_BYTES, Watched } from "./watched.ts";

// What a machine does follows from the image alone: not from where it was stopped on the way, not
// from what its lookup caches hold, and not from whether it is the machine that began the run.

const STEPS = 150_000;
const KERNEL_MEMORY = 32 << 20;

interface Guest {
  readonly name: string;
  readonly plan: BootPlan;
  readonly memoryBytes: number;
  readonly cpus?: number;
  readonly cpu?: CpuName;
  readonly steps: number;
}

const GUESTS: readonly Guest[] = [
  ...[1, 2, 3].map((seed) => ({
    name: `random code, seed ${seed}`,
    plan: tortureGuest(seed),
    memoryBytes: MEMORY_BYTES,
    steps: STEPS,
  })),
  ...(["late-vectors", undefined] as const).map((bug) => ({
    name: `the kernel (${bug ?? "good"})`,
    plan: loadImage(buildKernel(bug ? { bug } : {}).elf, { memory: KERNEL_MEMORY }),
    memoryBytes: KERNEL_MEMORY,
    steps: 500_000,
  })),
  {
    name: "four CPUs",
    plan: severalCpusGuest(),
    memoryBytes: MEMORY_BYTES,
    cpus: CPUS,
    steps: 1_000_000,
  },
  {
    name: "indirect branches in guarded pages",
    plan: guardedGuest(),
    memoryBytes: MEMORY_BYTES,
    cpu: "max",
    steps: 20_000,
  },
];

interface Outcome {
  readonly position: number;
  readonly events: readonly MachineEvent[];
  readonly flow: readonly string[];
  readonly state: unknown;
}

function start({ plan, memoryBytes, cpus = 1, cpu = DEFAULT_CPU }: Guest): Watched {
  const watched = new Watched({ memoryBytes, cpus, cpu, storm: Infinity });
  watched.machine.boot(plan);
  return watched;
}

function outcome(watched: Watched): Outcome {
  const { machine, events, flow } = watched;
  machine.cutFlow();
  return { position: machine.position, events, flow, state: watched.state() };
}

const straight = new Map<string, Outcome>();

/** The run of a guest in one piece. */
function inOnePiece(guest: Guest): Outcome {
  const known = straight.get(guest.name);
  if (known) return known;
  const watched = start(guest);
  watched.machine.run(guest.steps);
  const result = outcome(watched);
  straight.set(guest.name, result);
  return result;
}

/** Compares, naming the first difference of the long lists only. */
function assertSame(actual: Outcome, expected: Outcome): void {
  assertSameList(actual.events, expected.events, "event");
  assertSameList(actual.flow, expected.flow, "step");
  assertEquals(actual.position, expected.position);
  assertEquals(actual.state, expected.state);
}

function assertSameList(actual: readonly unknown[], expected: readonly unknown[], what: string) {
  const text = (item: unknown) =>
    typeof item === "string"
      ? item
      : JSON.stringify(item, (_, v) => typeof v === "bigint" ? `0x${v.toString(16)}` : v);
  const length = Math.max(actual.length, expected.length);
  for (let i = 0; i < length; i++) {
    const [a, e] = [text(actual[i]), text(expected[i])];
    if (a !== e) assertEquals(a, e, `${what} ${i} of ${expected.length}`);
  }
}

/** Runs in random pieces; `between` may do what must not matter. */
function inPieces(
  guest: Guest,
  random: Random,
  longest: number,
  between: (machine: Machine) => void = () => {},
): Outcome {
  const watched = start(guest);
  const { machine } = watched;
  const steps = inOnePiece(guest).position;
  while (machine.position < steps) {
    const until = Math.min(steps, machine.position + 1 + random.below(longest));
    const reason = machine.run(until);
    if (reason) break;
    assertEquals(machine.position, until);
    between(machine);
  }
  return outcome(watched);
}

for (const guest of GUESTS) {
  const { name } = guest;

  Deno.test(`Machine.run() in pieces of up to 5,000 steps is the run in one piece: ${name}`, () => {
    assertSame(inPieces(guest, new Random(7), 5000), inOnePiece(guest));
  });

  Deno.test(`Machine.run() in pieces of a few steps is the run in one piece: ${name}`, () => {
    const short = { ...guest, name: `${name}, shortened`, steps: 30_000 };
    assertSame(inPieces(short, new Random(8), 7), inOnePiece(short));
  });

  Deno.test(`Machine.run() does not depend on what the lookup caches hold: ${name}`, () => {
    const random = new Random(9);
    const disturb = (machine: Machine) => {
      const { lookup } = machine.engine;
      random.of([
        () => lookup.flush(),
        () => lookup.flushFetches(),
        () => lookup.flushWrites(),
        () => lookup.dropRange(random.below(2 ** 32), 12 + random.below(12)),
        () => machine.memory.trackFirstWrites(() => {}).close(),
      ])();
    };
    assertSame(inPieces(guest, random, 2000, disturb), inOnePiece(guest));
  });

  Deno.test(`Machine.run() does not depend on who tracks writes: ${name}`, () => {
    const random = new Random(10);
    const seen: number[] = [];
    let epoch: { restart(): void; close(): void } | undefined;
    const disturb = (machine: Machine) => {
      if (random.below(3)) return epoch?.restart();
      epoch?.close();
      epoch = machine.memory.trackFirstWrites((page) => seen.push(page));
    };
    assertSame(inPieces(guest, random, 2000, disturb), inOnePiece(guest));
  });

  Deno.test(`Machine.run() does not depend on what is decoded: ${name}`, () => {
    const random = new Random(11);
    // Hazards about code that was decoded before it was changed are about decoding.
    const disturb = (machine: Machine) => {
      machine.cutFlow();
      const saved = machine.save();
      if (random.below(2)) machine.engine.records.drop();
      machine.restore(saved);
    };
    const expected = inOnePiece(guest);
    const actual = inPieces(guest, random, 4000, disturb);
    assertSameList(withoutHazards(actual.events), withoutHazards(expected.events), "event");
    assertSameList(actual.flow, expected.flow, "step");
    assertEquals(actual.state, expected.state);
  });

  Deno.test(`Machine.restore() of what was just saved changes nothing: ${name}`, () => {
    const short = { ...guest, name: `${name}, short`, steps: 3000 };
    const again = (machine: Machine) => {
      machine.cutFlow();
      machine.restore(machine.save());
    };
    const expected = inOnePiece(short), actual = inPieces(short, new Random(13), 3, again);
    assertSameList(withoutHazards(actual.events), withoutHazards(expected.events), "event");
    assertEquals(actual.state, expected.state);
  });

  Deno.test(`Machine.restore() goes on in another machine as if nothing had happened: ${name}`, () => {
    const random = new Random(12);
    const expected = inOnePiece(guest);
    for (let time = 0; time < 3; time++) {
      const first = start(guest);
      const at = random.below(expected.position);
      first.machine.run(at);
      first.machine.cutFlow();
      const second = start(guest);
      second.machine.memory.write(first.machine.memory.base, first.machine.memory.bytes);
      second.machine.restore(first.machine.save());
      assertEquals(second.state(), first.state());
      second.machine.run(expected.position);
      const end = outcome(second);
      assertSameList(
        withoutHazards([...first.events, ...end.events]),
        withoutHazards(expected.events),
        "event",
      );
      assertSameList([...first.flow, ...end.flow], expected.flow, "step");
      assertEquals(end.state, expected.state);
    }
  });
}

function withoutHazards(events: readonly MachineEvent[]): MachineEvent[] {
  return events.filter(({ kind }) => kind !== "hazard");
}
