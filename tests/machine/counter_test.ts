import { assertEquals } from "@std/assert";
import { Watched } from "./watched.ts";

// Reads of the counter, which generated code answers by itself where nothing can trap them.

const STEPS = 3000;
const RESULTS = 0x4020_0000;
/** Instructions before the loop; of a pass; and of which of them are the reads. */
const BEFORE = 1, PASS = 10, READS = [0, 3, 6];

/** A guest that keeps what it reads: first in a run, behind a store, and last before a branch. */
function guest(register: string): string {
  const read = `mrs x1, ${register} ; str x1, [x0], #8`;
  return `
start:  ldr x0, =${RESULTS}
loop:   ${read} ; nop ; ${read} ; b next
        nop
next:   ${read} ; nop ; b loop`;
}

/** What the guest read, on a machine that stops and goes on every so many steps. */
function readings(register: string, options: {
  virtualization: boolean;
  nsPerInstruction: number;
  pause: number;
}): bigint[] {
  const { machine } = new Watched({ ...options, flow: false, endless: true }).boot(guest(register));
  while (machine.position < STEPS) machine.run(machine.position + options.pause);
  const length = Number(machine.engine.state.x(0)) - RESULTS;
  return [...new BigUint64Array(machine.memory.read(RESULTS, length).slice().buffer)];
}

/** What it must have read: the time behind the instruction that asks, in ticks of 16 ns. */
function expected(count: number, nsPerInstruction: number): bigint[] {
  return Array.from({ length: count }, (_, n) => {
    const retired = BEFORE + Math.floor(n / READS.length) * PASS + READS[n % READS.length] + 1;
    return BigInt(Math.floor(retired * nsPerInstruction / 16));
  });
}

for (const virtualization of [false, true]) {
  for (const register of ["cntpct_el0", "cntvct_el0"]) {
    // A fraction of a nanosecond is left to TypeScript.
    for (const nsPerInstruction of [1, 7, 1000, 2.5]) {
      const level = virtualization ? "EL2" : "EL1";
      Deno.test(`${register} at ${level} is exact with ${nsPerInstruction} ns per instruction`, () => {
        for (const pause of [1, 7, 1024, STEPS]) {
          const found = readings(register, { virtualization, nsPerInstruction, pause });
          assertEquals(found, expected(found.length, nsPerInstruction), `every ${pause} steps`);
        }
      });
    }
  }
}

Deno.test("Machine.run() proves no loop of a guest that reads the counter, whoever answers", () => {
  for (const nsPerInstruction of [1, 2.5]) {
    const { machine } = new Watched({ flow: false, nsPerInstruction })
      .boot("start: mrs xzr, cntvct_el0 ; b start");
    assertEquals(machine.run(4 << 20), null);
  }
});

Deno.test("CNTVCT_EL0 traps at EL0 where CNTKCTL_EL1 says so, also after EL1 has read it", () => {
  const { machine } = new Watched({ flow: false }).boot(`
start:  adr x0, vectors ; msr vbar_el1, x0 ; mrs x5, cntvct_el0
        adr x0, user ; msr elr_el1, x0 ; msr spsr_el1, xzr ; eret
user:   mov x6, #1 ; mrs x6, cntvct_el0 ; b .
        .balign 2048
vectors: .org vectors + 0x400
        mrs x7, esr_el1 ; ldr x0, =0x84000008 ; hvc #0`);
  assertEquals(machine.run(1000), "poweroff");
  const { state } = machine.engine;
  assertEquals([state.x(6), state.x(7) >> 26n], [1n, 0x18n]);
});
