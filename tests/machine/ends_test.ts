import { assert, assertEquals } from "@std/assert";
import { run, Watched } from "./watched.ts";

// Which guests end, and which must not.

const MOST_STEPS = 40_000_000;

/** Vectors at 0x40080800 that send every exception to `handler`. */
const VECTORS = `
        .org 0x40080800
vectors:
        ${
  Array.from({ length: 16 }, (_, n) => `.org 0x40080800 + ${n * 0x80}\n b handler`).join("\n")
}
        .org 0x40081000
`;

const SET_VECTORS = "ldr x0, =vectors ; msr vbar_el1, x0 ; isb\n";

const POWER_OFF = "ldr x0, =0x84000008 ; hvc #0\n";

/** Guests that go on for ever without anything new. */
const LOOPS: Record<string, string> = {
  "a branch to itself": "start: b .",
  "a wfe loop": "start: wfe ; b start",
  "a flag toggled in memory": `
start:  adr x0, flag
loop:   ldr w1, [x0] ; eor w1, w1, #1 ; str w1, [x0] ; b loop
        .balign 64
flag:   .word 0`,
  "a panic message printed for ever": `
start:  ldr x0, =0x09000000
again:  adr x1, text
next:   ldrb w2, [x1], #1 ; cbz w2, again
wait:   ldr w3, [x0, #0x18] ; tbnz w3, #5, wait
        str w2, [x0] ; b next
text:   .asciz "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b, and so on\\n"`,
  "a panic message with a delay between": `
start:  ldr x0, =0x09000000
again:  adr x1, text
next:   ldrb w2, [x1], #1 ; cbz w2, pause ; str w2, [x0] ; b next
pause:  ldr x4, =200000
delay:  subs x4, x4, #1 ; b.ne delay
        b again
text:   .asciz "panic\\n"`,
  "a delay whose counter is in memory": `
start:  adr x0, counter
again:  str xzr, [x0] ; b check
body:   ldr w1, [x0] ; add w1, w1, #1 ; str w1, [x0]
check:  ldr w1, [x0] ; mov w2, #20000 ; cmp w1, w2 ; b.lo body
        b again
        .balign 64
counter: .quad 0`,
  "calls between two exception levels for ever": `
start:  ${SET_VECTORS} adr x0, user ; msr elr_el1, x0 ; msr spsr_el1, xzr ; eret
user:   svc #1 ; b user
handler: eret
${VECTORS}`,
  "a call at the vector for calls": `
start:  ${SET_VECTORS} svc #0
handler: svc #0
${VECTORS}`,
  "a vector that is a call": `
start:  ldr x0, =vectors ; msr vbar_el1, x0 ; isb ; svc #0
        .org 0x40080800
vectors: .org 0x40080a00
        svc #0`,
  "an exception return to itself": `
start:  mov x1, #0x3c5 ; msr spsr_el1, x1 ; adr x0, return ; msr elr_el1, x0
return: eret`,
  "a breakpoint that is returned to": `
start:  ${SET_VECTORS} brk #0
handler: eret
${VECTORS}`,
  "a loop of masked interrupts": `
start:  mov x0, #1 ; msr cntv_ctl_el0, x0 ; msr cntv_cval_el0, x0
        wfe ; b .`,
};

for (const [name, source] of Object.entries(LOOPS)) {
  Deno.test(`Machine.run() ends ${name} as a loop`, () => {
    const { reason, machine } = run(source, MOST_STEPS, { flow: false });
    assertEquals([reason, machine.ended], ["loop", "loop"]);
  });
}

Deno.test("Machine.run() ends the prefetch-abort loop at 0x200 as a loop at once", () => {
  const { reason, machine, events } = run(
    `
start:  ldr x0, =0x0000000100000000 ; br x0`,
    MOST_STEPS,
  );
  assertEquals(reason, "loop");
  assert(machine.position < 10, `${machine.position} steps`);
  assertEquals(machine.firstFault, 2);
  const elrs = events.flatMap((event) => event.kind === "exception" ? [event.elr] : []);
  assertEquals(elrs.slice(0, 3), [0x1_0000_0000n, 0x200n, 0x200n]);
});

/** Guests that end otherwise. */
const ENDS: Record<string, [source: string, reason: string]> = {
  "a power-off": [`start: ${POWER_OFF}`, "poweroff"],
  "a reset": ["start: ldr x0, =0x84000009 ; hvc #0", "reset"],
  "WFI with nothing armed": ["start: wfi ; b .", "halted"],
  "WFI with a timer that the interrupt controller does not forward": [
    "start: mov x0, #1 ; msr cntv_ctl_el0, x0 ; msr cntv_tval_el0, x0 ; wfi ; b .",
    "halted",
  ],
  "CPU_OFF": ["start: ldr x0, =0x84000002 ; hvc #0 ; b .", "halted"],
  "a handler that faults, over and over": [
    `
start:  ${SET_VECTORS} .word 0
handler: add x5, x5, #1 ; .word 0
${VECTORS}`,
    "fault-storm",
  ],
  "a handler that returns to the fault, over and over": [
    `
start:  ${SET_VECTORS} mov x9, #0x0100000000000000
load:   ldr x1, [x9]
handler: add x5, x5, #1 ; eret
${VECTORS}`,
    "fault-storm",
  ],
};

for (const [name, [source, expected]] of Object.entries(ENDS)) {
  Deno.test(`Machine.run() ends ${name}: ${expected}`, () => {
    const { reason } = run(source, MOST_STEPS);
    assertEquals(reason, expected);
  });
}

Deno.test("Machine.run() points a storm at its first fault and honours its length", () => {
  const source = `
start:  ${SET_VECTORS} nop
        .word 0
handler: add x5, x5, #1 ; .word 0
${VECTORS}`;
  const { machine, events } = run(source, MOST_STEPS, { storm: 17 });
  assertEquals(machine.ended, "fault-storm");
  assertEquals(events.filter(({ kind }) => kind === "exception").length, 17);
  assertEquals(machine.firstFault, 4);
});

Deno.test("Machine.run() boots again as often as it may", () => {
  // The counter stands outside of the image, so it outlives a reset.
  const source = `
start:  ldr x0, =0x40200000 ; ldr w1, [x0] ; add w1, w1, #1 ; str w1, [x0]
        ldr x2, =0x09000000 ; ldr w4, [x2, #0x38] ; add w4, w4, #48 ; str w4, [x2]
        mov w3, #7 ; str w3, [x2, #0x38] ; mov x9, #9 ; msr tpidr_el0, x9
        adr x6, own ; ldr w7, [x6] ; add w7, w7, #48 ; str w7, [x2] ; mov w7, #5 ; str w7, [x6]
        ldr x0, =0x84000009 ; hvc #0
        .balign 64
own:    .word 0`;
  const { reason, machine, console } = run(source, MOST_STEPS, { reboots: 2 });
  assertEquals(reason, "reset");
  assertEquals(machine.memory.word(0x4020_0000), 3);
  // The UART's mask outlives a reset as well, as on the reference.
  assertEquals(console, "007070");
  assertEquals(machine.engine.state.x(8), 0n);
});

/** Guests that must go on: how many steps to watch them for. */
const GOES_ON: Record<string, [source: string, steps: number]> = {
  "a long counter": ["start: add x0, x0, #1 ; b start", 1 << 26],
  "a counter in memory": [
    `
start:  adr x0, counter
loop:   ldr x1, [x0] ; add x1, x1, #1 ; str x1, [x0] ; b loop
        .balign 64
counter: .quad 0`,
    1 << 24,
  ],
  "a CNTVCT delay loop": [
    `
start:  ldr x5, =0x0100000000000000
loop:   mrs x0, cntvct_el0 ; cmp x0, x5 ; mov x0, #0 ; b.lo loop`,
    1 << 23,
  ],
  "a masked timer that will fire": [
    "start: ldr x0, =100000000000 ; msr cntv_cval_el0, x0 ; mov x0, #1 ; msr cntv_ctl_el0, x0 ; b .",
    1 << 23,
  ],
  "an LFSR": [
    `
start:  mov x0, #1 ; ldr x1, =0xd800000000000000
loop:   tst x0, #1 ; lsr x0, x0, #1 ; eor x2, x0, x1 ; csel x0, x2, x0, ne ; b loop`,
    1 << 24,
  ],
  "a storm of calls": [
    `
start:  ${SET_VECTORS}
loop:   add x7, x7, #1 ; svc #0 ; b loop
handler: eret
${VECTORS}`,
    1 << 20,
  ],
  "calls without a return": [
    `
start:  ${SET_VECTORS}
handler: add x7, x7, #1 ; svc #0
${VECTORS}`,
    1 << 20,
  ],
  "a storm of breakpoints": [
    `
start:  ${SET_VECTORS}
        brk #0
handler: add x7, x7, #1 ; eret
${VECTORS}`,
    1 << 18,
  ],
};

for (const [name, [source, steps]] of Object.entries(GOES_ON)) {
  Deno.test(`Machine.run() does not end ${name}`, () => {
    const { reason, machine } = run(source, steps, { flow: false });
    assertEquals(reason, null);
    assertEquals(machine.position, steps);
  });
}

Deno.test("Machine.run() does not end the polling of a UART while input is open", () => {
  const watched = new Watched({ flow: false }).boot(`
start:  ldr x0, =0x09000000
poll:   ldr w1, [x0, #0x18] ; tbnz w1, #4, poll
        ldr w2, [x0] ; add w2, w2, #1 ; str w2, [x0] ; b poll`);
  const { machine } = watched;
  let console = "";
  machine.observer = {
    event(event) {
      if (event.kind === "console") console += String.fromCharCode(event.byte);
    },
  };
  machine.inputOpen = true;
  assertEquals(machine.run(3_000_000), null);
  assertEquals([machine.receive(0x48), machine.receive(0x49)], [true, false]);
  assertEquals(machine.run(6_000_000), null);
  assertEquals(console, "I");
  machine.inputOpen = false;
  assertEquals(machine.run(MOST_STEPS), "loop");
});

Deno.test("Machine.run() does not halt at WFI while input is open", () => {
  const { machine } = new Watched({ flow: false }).boot("start: wfi ; b start");
  machine.inputOpen = true;
  assertEquals(machine.run(1000), null);
  machine.inputOpen = false;
  assertEquals(machine.run(2000), "halted");
});

Deno.test("Machine.run() wakes from WFI when an armed timer's interrupt arrives", () => {
  const { reason, machine, events } = run(
    `
start:  ${SET_VECTORS}
        ldr x1, =0x08000000 ; mov w2, #1 ; str w2, [x1]
        ldr w2, =0x08000000 ; str w2, [x1, #0x100]
        ldr x1, =0x08010000 ; mov w2, #0xff ; str w2, [x1, #4] ; mov w2, #1 ; str w2, [x1]
        mov x9, #0
again:  ldr x2, =62500000 ; msr cntv_tval_el0, x2 ; mov x2, #1 ; msr cntv_ctl_el0, x2
        msr daifclr, #2
        wfi
        cmp x9, #3 ; b.lo again
        ${POWER_OFF}
handler: ldr x1, =0x08010000 ; ldr w2, [x1, #0xc] ; msr cntv_ctl_el0, xzr
        str w2, [x1, #0x10] ; add x9, x9, #1 ; mov w8, w2 ; eret
${VECTORS}`,
    MOST_STEPS,
  );
  assertEquals(reason, "poweroff");
  assertEquals(machine.engine.state.x(8), 27n);
  const irqs = events.filter((event) => event.kind === "exception" && event.type === "irq");
  assertEquals(irqs.length, 3);
  const seconds = machine.time.nanoseconds / 1e9;
  assert(seconds > 3 && seconds < 3.001, `${seconds} s`);
});

Deno.test("Machine.run() takes an interrupt at the same step however it is stopped", () => {
  // An alarm of the real-time clock, set through a device and not through a system register.
  const source = `
start:  ${SET_VECTORS}
        ldr x1, =0x08000000 ; mov w2, #1 ; str w2, [x1]
        mov w2, #4 ; str w2, [x1, #0x104] ; ldr w2, =0x01010101 ; str w2, [x1, #0x820]
        ldr x1, =0x08010000 ; mov w2, #0xff ; str w2, [x1, #4] ; mov w2, #1 ; str w2, [x1]
        ldr x1, =0x09010000 ; mov w2, #1 ; str w2, [x1, #0x10]
        ldr w2, [x1] ; add w2, w2, #1 ; str w2, [x1, #4]
        msr daifclr, #2
loop:   add x5, x5, #1 ; b loop
handler: ${POWER_OFF}
${VECTORS}`;
  // 10,000 ns for each instruction, so that the second passes soon.
  const ends = [Infinity, 1, 3, 1000].map((piece) => {
    const { machine } = new Watched({ flow: false, nsPerInstruction: 10_000 }).boot(source);
    while (!machine.ended && machine.position < 1e6) {
      machine.run(Math.min(1e6, machine.position + piece));
    }
    return [machine.ended, machine.position, machine.engine.state.x(5)];
  });
  assertEquals(ends[0][0], "poweroff");
  for (const end of ends) assertEquals(end, ends[0]);
});

Deno.test("Machine.run() does not end a kernel that maps 100,000 pages on demand", () => {
  const pages = 100_000;
  const { reason, machine } = run(
    `
        .equ TABLE_1, 0x40100000
        .equ TABLE_2, 0x40101000
        .equ LEAVES, 0x40102000
start:  ${SET_VECTORS}
        ldr x0, =TABLE_1 ; ldr x1, =0x405 ; str x1, [x0] ; ldr x1, =0x40000701 ; str x1, [x0, #8]
        ldr x1, =TABLE_2 + 3 ; str x1, [x0, #32]
        ldr x0, =TABLE_2 ; ldr x1, =LEAVES + 3 ; mov x2, #512
fill:   str x1, [x0], #8 ; add x1, x1, #1, lsl #12 ; subs x2, x2, #1 ; b.ne fill
        ldr x0, =TABLE_1 ; msr ttbr0_el1, x0
        ldr x0, =0x100803519 ; msr tcr_el1, x0
        mov x0, #0xff ; msr mair_el1, x0
        ldr x0, =0x30d00801 ; msr sctlr_el1, x0 ; isb
        ldr x20, =0x100000000 ; ldr x21, =${pages} ; mov x22, #0
touch:  ldr x23, [x20] ; add x22, x22, #1 ; add x20, x20, #1, lsl #12
        subs x21, x21, #1 ; b.ne touch
        ${POWER_OFF}
handler: mrs x0, far_el1 ; ldr x1, =0x100000000 ; sub x0, x0, x1 ; lsr x0, x0, #12
        ldr x1, =LEAVES ; ldr x2, =0x40000783 ; str x2, [x1, x0, lsl #3] ; dsb ish ; eret
${VECTORS}`,
    MOST_STEPS,
    { flow: false },
  );
  assertEquals(reason, "poweroff");
  assertEquals(machine.engine.state.x(22), BigInt(pages));
});
