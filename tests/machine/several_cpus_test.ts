import { assert, assertEquals } from "@std/assert";
import { TURN_STEPS } from "../../core/turns.ts";
import { CPUS, severalCpusGuest } from "./several_cpus_guest.ts";
import { program } from "../drivers/program.ts";
import { Watched } from "./watched.ts";

/** Most steps between two branches of the guests here. */
const LONGEST_RUN = 64;
const TURN_ON = "ldr x0, =0xc4000003 ; mov x1, #1 ; ldr x2, =second ; mov x3, #77 ; hvc #0";
const OFF = "ldr w0, =0x84000008 ; hvc #0";

/** Boots a guest of two CPUs and runs it to its end. */
function ended(source: string, flow = true): Watched {
  const watched = new Watched({ cpus: 2, flow }).boot(source);
  watched.machine.run(20_000_000);
  return watched;
}

Deno.test("Machine.run() gives CPUs turns of the same length where all of them run", () => {
  const watched = new Watched({ cpus: 2 }).boot(`
    start: ${TURN_ON}
    first: add x5, x5, #1 ; b first
    second: add x6, x6, #1 ; b second
  `);
  watched.machine.run(100_000);
  const turns = watched.events.filter(({ kind }) => kind === "turn");
  assertEquals(turns.slice(0, 4).map(({ cpu }) => cpu), [1, 0, 1, 0]);
  for (let i = 1; i < turns.length; i++) {
    const steps = turns[i].position - turns[i - 1].position;
    assert(steps >= TURN_STEPS && steps < TURN_STEPS + LONGEST_RUN, `turn ${i} has ${steps} steps`);
  }
  const [first, second] = watched.machine.cpus;
  assertEquals(first.retired + second.retired, 100_000);
  assertEquals(second.processor.state.x(0), 77n);
});

Deno.test("Machine.run() has several CPUs share memory, interrupts, timers and power", () => {
  const watched = new Watched({ cpus: CPUS });
  watched.machine.boot(severalCpusGuest());
  assertEquals(watched.machine.run(20_000_000), "poweroff");
  assertEquals([...watched.console].sort().join(""), "ACD");
  const taken = (cpu: number) =>
    watched.events.filter((event) => event.kind === "exception" && event.cpu === cpu).length;
  for (let cpu = 0; cpu < CPUS; cpu++) assert(taken(cpu) > 5, `CPU ${cpu} took ${taken(cpu)}`);
});

Deno.test("Machine.run() wakes a CPU that waits with the SGI of another, and not before", () => {
  const { machine, events } = ended(`
    start: ldr x0, =0x08000000 ; mov w1, #1 ; str w1, [x0] ; ${TURN_ON}
      mov x1, #20000
    spin: subs x1, x1, #1 ; b.ne spin
      ldr x0, =0x08000000 ; ldr w1, =0x00020001 ; str w1, [x0, #0xf00]
    wait: ldr x0, =flag ; ldr x1, [x0] ; cbz x1, wait
      ${OFF}
    second: ldr x0, =0x08000000 ; mov w1, #2 ; str w1, [x0, #0x100]
      ldr x0, =0x08010000 ; mov w1, #0xff ; str w1, [x0, #4] ; mov w1, #1 ; str w1, [x0]
      wfi
      ldr x0, =flag ; mov x1, #1 ; str x1, [x0]
      b .
      .balign 8
    flag: .quad 0
  `);
  assertEquals(machine.ended, "poweroff");
  // CPU 1 waits through the first CPU's delay without a turn.
  const turns = events.filter(({ kind }) => kind === "turn").map(({ cpu }) => cpu);
  assertEquals(turns.slice(0, 3), [1, 0, 1]);
});

Deno.test("Machine.run() ends as halted when no CPU can wake, not when one can", () => {
  assertEquals(
    ended(`start: ${TURN_ON} ; wfi ; b start \n second: wfi ; b second`).machine.ended,
    "halted",
  );
  assertEquals(
    ended(`start: ${TURN_ON} ; ldr w0, =0x84000002 ; hvc #0
      second: ldr w0, =0x84000002 ; hvc #0`).machine.ended,
    "halted",
  );
  const timed = ended(`
    start: ${TURN_ON}
    sleep: wfi ; b sleep
    second: ldr x0, =0x08000000 ; ldr w1, =0x08000000 ; str w1, [x0, #0x100] ; mov w1, #1 ; str w1, [x0]
      ldr x0, =0x08010000 ; mov w1, #0xff ; str w1, [x0, #4] ; mov w1, #1 ; str w1, [x0]
      ldr x0, =1000000 ; msr cntv_tval_el0, x0 ; mov x0, #1 ; msr cntv_ctl_el0, x0
      wfi ; ${OFF}
  `);
  assertEquals(timed.machine.ended, "poweroff");
  assert(timed.machine.time.skipped > 15_000_000, `${timed.machine.time.skipped} ns`);
});

Deno.test("Machine.run() ends as a loop when all of several CPUs repeat, not while one goes on", () => {
  const both = ended(`start: ${TURN_ON} \n first: b first \n second: wfe ; b second`, false);
  assertEquals(both.machine.ended, "loop");
  const counting = new Watched({ cpus: 2, flow: false }).boot(`
    start: ${TURN_ON}
    first: b first
    second: add x5, x5, #1 ; b second
  `);
  assertEquals(counting.machine.run(6_000_000), null);
});

Deno.test("Machine.run() has WFE go on where SEV came before, and registers one event", () => {
  const { machine } = ended(`
    start: ${TURN_ON} ; sevl ; wfe ; mov x9, #1 ; wfe
      ldr x0, =flag ; ldr x8, [x0] ; ${OFF}
    second: ldr x0, =flag ; mov x1, #5 ; str x1, [x0]
    rest: wfe ; b rest
      .balign 8
    flag: .quad 0
  `);
  const { state } = machine.cpus[0].processor;
  // The first WFE went on at once, the second let CPU 1 store.
  assertEquals([state.x(9), state.x(8)], [1n, 5n]);
});

Deno.test("Machine.run() starts all CPUs together where no firmware can", () => {
  const watched = new Watched({ cpus: 3, virtualization: true, secure: true });
  const { pc, segments, x } = program(`
    start: mrs x0, mpidr_el1 ; and x0, x0, #255 ; ldr x1, =0x09000000 ; add w2, w0, #65
      str w2, [x1] ; wfi ; b start
  `).plan();
  // No plan of an image: the guest starts at the highest level.
  watched.machine.boot({ pc, segments, x });
  watched.machine.run(1_000_000);
  assertEquals(watched.console, "ABC");
});

Deno.test("a CPU's TLBI is for all where it is broadcast, and for itself where it is not", () => {
  const watched = new Watched({ cpus: 2 }).boot(`
    start: ${TURN_ON} ; wfe
    first: tlbi vmalle1 ; dsb sy ; isb ; wfe
      tlbi vmalle1is ; dsb sy ; isb ; wfe ; b first
    second: ldr x0, =table ; msr ttbr0_el1, x0 ; ldr x0, =0x803519 ; msr tcr_el1, x0
      mov x0, #0xff ; msr mair_el1, x0 ; isb ; mov x0, #1 ; msr sctlr_el1, x0 ; isb
    rest: wfe ; b rest
      .balign 4096
    table: .quad 0
      .quad 0x40000701
  `);
  const { machine } = watched;
  const [, second] = machine.cpus;
  const entries = () => second.processor.tlb.save().reduce((sum, word) => sum + (word ? 1 : 0), 0);
  const executed = (operation: string) =>
    watched.events.some((event) => event.kind === "tlbi" && event.operation === operation);
  while (!executed("TLBI VMALLE1")) machine.run(machine.position + 1);
  const kept = entries();
  while (!executed("TLBI VMALLE1IS")) machine.run(machine.position + 1);
  assert(kept > entries(), `${kept} words, then ${entries()}`);
});

Deno.test("Machine.run() looks for loops of several CPUs without a trace in the guest", () => {
  // Long enough for a checkpoint and what follows it.
  const states = [false, true].map((endless) => {
    const watched = new Watched({ cpus: 2, flow: false, endless }).boot(`
      start: ${TURN_ON} ; mov x0, xzr
      first: add x0, x0, #0x10, lsl #12 ; b first
      second: add x5, x5, #1 ; b second
    `);
    watched.machine.run(2_000_000);
    return watched.state();
  });
  assertEquals(states[0], states[1]);
});
