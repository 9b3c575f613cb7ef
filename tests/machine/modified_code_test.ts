import { assert, assertEquals } from "@std/assert";
import { assemble } from "../../core/isa/assemble.ts";
import { Machine } from "../../core/machine.ts";
import { program } from "../drivers/program.ts";
import { run, Watched } from "./watched.ts";

// A write to code takes effect at the next fetch, whoever writes and by whatever address; and the
// flow tells what was executed, not what stands there afterwards.

const POWER_OFF = "ldr x9, =0x84000008 ; mov x10, x0 ; mov x0, x9 ; hvc #0\n";

/** Turns the MMU on: RAM at its address, and once more at 0x80000000. Loses x0. */
const MMU_ON = `
        ldr x0, =tables ; msr ttbr0_el1, x0
        ldr x0, =0x100803519 ; msr tcr_el1, x0
        mov x0, #0xff ; msr mair_el1, x0
        ldr x0, =0x30d00801 ; msr sctlr_el1, x0
        isb
`;
const TABLES = `
        .balign 0x1000
tables: .quad 0x405, 0x40000701, 0x40000701
        .org tables + 0x1000
`;

/** How \`patch\` gets to \`target\`; what x0 (here kept in x10) is if it took effect is 2. */
const WAYS: Record<string, string> = {
  "the next instruction": `
start:  adr x2, target ; ldr w1, patch ; str w1, [x2]
target: mov x0, #1
        ${POWER_OFF}
patch:  mov x0, #2`,
  "an instruction of another line": `
start:  adr x2, target ; ldr w1, patch
        bl target ; str w1, [x2] ; bl target
        ${POWER_OFF}
patch:  mov x0, #2
        .balign 64
target: mov x0, #1 ; ret`,
  "an instruction that ran before, in a run of straight code": `
start:  adr x2, target ; ldr w1, patch ; mov x3, #2
target: mov x0, #1
        str w1, [x2] ; subs x3, x3, #1 ; b.ne target
        ${POWER_OFF}
patch:  mov x0, #2`,
  "an instruction through another address": `
start:  ${MMU_ON}
        ldr x2, =target + 0x40000000 ; ldr w1, patch ; adr x4, target
        blr x4 ; str w1, [x2] ; blr x4
        ${POWER_OFF}
patch:  mov x0, #2
        .balign 64
target: mov x0, #1 ; ret
        ${TABLES}`,
  "an instruction run at another address": `
start:  ${MMU_ON}
        ldr x4, =target + 0x40000000 ; ldr w1, patch ; adr x2, target
        blr x4 ; str w1, [x2] ; blr x4
        ${POWER_OFF}
patch:  mov x0, #2
        .balign 64
target: mov x0, #1 ; ret
        ${TABLES}`,
  "by STP": `
start:  adr x2, target - 4 ; ldr x1, patch ; ldr x3, patch + 8
        bl target ; stp x1, x3, [x2] ; bl target
        ${POWER_OFF}
        .balign 8
patch:  nop ; mov x0, #1 ; mov x0, #2 ; ret
        .balign 64
        nop ; mov x0, #7
target: mov x0, #1 ; ret ; .space 16`,
  "by a store of 16 bytes over the end of a line": `
start:  adr x2, target - 12 ; mov x0, #0x300000 ; msr cpacr_el1, x0 ; isb ; ldr q0, patch
        bl target ; str q0, [x2] ; bl target
        ${POWER_OFF}
        .balign 16
patch:  nop ; nop ; nop ; mov x0, #2
        .balign 64
        .org . + 64 - 4
target: mov x0, #1 ; ret`,
  "the last word of a pair of 16 bytes, by STP": `
start:  adr x2, target - 28 ; mov x0, #0x300000 ; msr cpacr_el1, x0 ; isb ; adr x3, patch ; ldp q0, q1, [x3]
        bl target ; stp q0, q1, [x2] ; bl target
        ${POWER_OFF}
        .balign 16
patch:  .space 28 ; mov x0, #2
        .balign 64
        .space 44
target: mov x0, #1 ; ret`,
  "by STXR": `
start:  adr x2, target ; ldr w1, patch
        ${MMU_ON}
        bl target ; ldxr w4, [x2] ; stxr w3, w1, [x2] ; bl target
        ${POWER_OFF}
patch:  mov x0, #2
        .balign 64
target: mov x0, #1 ; ret
        ${TABLES}`,
  "by an unaligned store over the end of a page": `
start:  ${MMU_ON}
        adr x2, target - 2 ; ldr x1, patch
        bl target ; str x1, [x2] ; bl target
        ${POWER_OFF}
        .balign 8
patch:  .byte 0x1f, 0x20, 0x40, 0, 0x80, 0xd2, 0xc0, 0x03
        .org 0x40081000 - 4
        nop
target: mov x0, #1 ; ret
        ${TABLES}`,
  "the first instruction of the next page": `
start:  adr x2, target ; ldr w1, patch ; b before
patch:  mov x0, #2
        .org 0x40081000 - 8
before: nop ; str w1, [x2]
target: mov x0, #1
        ${POWER_OFF}`,
  "an instruction that was never decoded": `
start:  ldr x2, =0x40200000 ; ldr x1, patch ; str x1, [x2] ; blr x2
        ${POWER_OFF}
        .balign 8
patch:  mov x0, #2 ; ret`,
};

for (const [name, source] of Object.entries(WAYS)) {
  for (const flow of [true, false]) {
    Deno.test(`Machine.run() sees the change of ${name}, flow ${flow ? "on" : "off"}`, () => {
      const { reason, machine } = run(source, 10_000, { flow });
      assertEquals(reason, "poweroff");
      assertEquals(machine.engine.state.x(10), 2n);
    });
  }
  Deno.test(`flow() has the words executed at the change of ${name}`, () => {
    const { machine, flow } = run(source, 10_000);
    machine.cutFlow();
    assertEquals(flow, stepped(source));
  });
}

/** The flow as memory has it before each step. */
function stepped(source: string): string[] {
  const watched = new Watched({ flow: false }).boot(source);
  const { machine } = watched;
  const flow: string[] = [];
  while (!machine.ended) {
    const pc = machine.pc, regime = machine.engine.state.el;
    const physical = Number(pc >= 0x8000_0000n ? pc - 0x4000_0000n : pc);
    const word = machine.memory.word(physical);
    const { entries } = machine;
    machine.run(machine.position + 1);
    const executed = `EL${regime} ${pc.toString(16)} ${word.toString(16)}`;
    flow.push(machine.entries > entries ? "entry" : executed);
  }
  return flow;
}

Deno.test("Machine.run() executes an instruction that overwrites itself, and then what it wrote", () => {
  const source = `
start:  adr x2, own ; ldr w1, patch ; mov x3, #3
own:    str w1, [x2]
        subs x3, x3, #1 ; b.ne own
        ${POWER_OFF}
patch:  add x0, x0, #1`;
  const { machine, flow } = run(source, 1000);
  machine.cutFlow();
  assertEquals(machine.engine.state.x(10), 2n);
  assertEquals(flow, stepped(source));
});

Deno.test("DC ZVA makes the code that it zeroes undefined", () => {
  const { events, reason } = run(
    `
start:  adr x2, target ; ldr x0, =vectors ; msr vbar_el1, x0 ; isb
        bl target ; dc zva, x2 ; bl target
        .balign 64
target: mov x0, #1 ; ret
        .balign 0x800
vectors: .org vectors + 0x200
        ${POWER_OFF}`,
    1000,
  );
  assertEquals(reason, "poweroff");
  const [{ esr, elr }] = events.filter((event) => event.kind === "exception");
  assertEquals([esr, elr], [0x0200_0000n, 0x4008_0040n]);
});

/** Counts the accesses of a run that generated code could not finish by itself. */
function slowAccesses(source: string, steps: number): number {
  const machine = new Machine({ memoryBytes: 16 << 20 });
  const { access } = machine;
  const original = access.access.bind(access);
  let count = 0;
  access.access = (kind) => {
    count++;
    return original(kind);
  };
  machine.boot(program(source).plan());
  machine.run(steps);
  return count;
}

for (
  const [name, place, store] of [
    ["the same line", ".balign 8", "str x1, [x2]"],
    ["the same line, unaligned", ".balign 8 ; nop ; .space 3", "str x1, [x2]"],
    ["another line of the page", ".balign 64", "str x1, [x2]"],
    ["another line of the page, unaligned", ".balign 64 ; .space 3", "str x1, [x2]"],
    ["another page", ".balign 4096", "str x1, [x2]"],
    ["the same line, a pair", ".balign 16", "stp x1, x1, [x2]"],
    ["the same line, a byte", ".balign 16", "strb w1, [x2]"],
    ["the same line, 16 bytes", ".balign 16", "str q1, [x2]"],
    ["the same line, 32 bytes", ".balign 16", "stp q1, q1, [x2]"],
    ["the same line, exclusively", ".balign 16", "ldxr x4, [x2] ; stxr w5, x1, [x2]"],
  ]
) {
  Deno.test(`stores beside code, to ${name}, seldom leave the engine`, () => {
    const source = `
start:  ${MMU_ON}
        movz x3, #0x30, lsl #16 ; msr cpacr_el1, x3 ; isb
        adr x2, variable
loop:   add x1, x1, #1 ; ${store} ; ldr x3, [x2] ; b loop
        ${place}
variable: .space 64
        ${TABLES}`;
    const count = slowAccesses(source, 40_000);
    assert(count < 20, `${count} of 10,000 stores`);
  });
}

Deno.test("a variable beside the only code of its page does not drop the page's lookups for ever", () => {
  const watched = new Watched({ flow: false }).boot(`
start:  adr x2, variable
loop:   add x1, x1, #1 ; str x1, [x2] ; b loop
variable: .quad 0`);
  const { machine } = watched;
  const { lookup } = machine.engine;
  const original = lookup.flushWritesTo.bind(lookup);
  let count = 0;
  lookup.flushWritesTo = (host) => {
    count++;
    original(host);
  };
  machine.run(3000);
  assert(count < 20, `${count} times for 1,000 stores`);
  assertEquals(machine.memory.word(program("start: nop").base + 16), 1000);
});

Deno.test("Machine.run() goes on when the arena of decoded code is full, with and without flow", () => {
  // 6,000 pages of code, each called twice, in more memory than the arena has slots for.
  const source = `
start:  ldr x5, =0x40100000 ; ldr x1, code ; mov x0, #0 ; mov x6, #2
again:  mov x2, x5 ; mov x3, #6000
next:   str x1, [x2] ; blr x2 ; add x2, x2, #1, lsl #12 ; subs x3, x3, #1 ; b.ne next
        subs x6, x6, #1 ; b.ne again
        ${POWER_OFF}
        .balign 8
code:   add x0, x0, #1 ; ret`;
  const states = [true, false].map((flow) => {
    const watched = run(source, 1_000_000, { flow, memoryBytes: 32 << 20 });
    watched.machine.cutFlow();
    assertEquals(watched.reason, "poweroff");
    assertEquals(watched.machine.engine.state.x(10), 12_000n);
    if (flow) {
      const word = (text: string) => assemble(text).toString(16);
      const called = watched.flow.filter((step) => step.endsWith(word("add x0, x0, #1")));
      assertEquals(called.length, 12_000);
      assertEquals(new Set(called).size, 6000);
      assertEquals(watched.flow.length, watched.machine.position);
    }
    return watched.state();
  });
  assertEquals(states[0], states[1]);
});

Deno.test("GuestMemory.write() changes code that was executed", () => {
  const { machine } = new Watched({ flow: false }).boot("start: mov x0, #1 ; b start");
  machine.run(100);
  machine.memory.write(0x4008_0000, new Uint8Array(Uint32Array.of(assemble("mov x0, #2")).buffer));
  machine.run(200);
  assertEquals(machine.engine.state.x(0), 2n);
});
