import { assertEquals } from "@std/assert";
import { Machine } from "../../core/machine.ts";
import { Session } from "../../replay/session.ts";
import { openTrace, Recorder } from "../../trace/mod.ts";
import { MemorySink } from "../../trace/testing.ts";
import { program } from "../drivers/program.ts";

// Machines with EL2 and EL3: their traces replay to the same states.

const MEMORY = 16 << 20;
const SHAPE = { virtualization: true, secure: true };

/**
 * EL3 in Secure RAM goes down to EL2, which maps a guest by stage 2 and enters it at EL1; the guest
 * counts, calls EL2 each time, and EL2 calls EL3 in the end.
 */
const GUEST = program(
  `
start:  ldr x0, =vectors_3 ; msr vbar_el3, x0 ; ldr x0, =vectors_2 ; msr vbar_el2, x0
        mov x0, #0x501 ; msr scr_el3, x0
        ldr x1, =0x0e000000 ; mov x2, #0 ; mov x3, #64
fill:   str x2, [x1], #8 ; add x2, x2, #3 ; subs x3, x3, #1 ; b.ne fill
        ldr x1, =0x0e000100 ; ldr w2, copied ; str w2, [x1] ; ldr w2, copied + 4 ; str w2, [x1, #4]
        blr x1
        ldr x0, =table ; ldr x1, =0x400007fd ; str x1, [x0, #8] ; str x1, [x0, #16]
        msr vttbr_el2, x0 ; ldr x0, =0x80023559 ; msr vtcr_el2, x0
        ldr x0, =0x80000001 ; msr hcr_el2, x0
        ldr x0, =guest + 0x40000000 ; msr elr_el2, x0 ; mov x0, #0x3c5 ; msr spsr_el2, x0
        ldr x0, =level_2 ; msr elr_el3, x0 ; mov x0, #0x3c9 ; msr spsr_el3, x0
        isb ; eret
copied: add x7, x7, #5 ; ret
level_2: eret
guest:  adr x1, counter
again:  ldr x0, [x1] ; add x0, x0, #1 ; str x0, [x1] ; hvc #1
        b again
        .balign 8
counter: .quad 0
        .ltorg
        .balign 0x800
vectors_2: .space 0x400
        add x9, x9, #1 ; cmp x9, #50 ; b.lo back ; smc #0
back:   eret
        .balign 0x800
vectors_3: .space 0x400
        wfi
        .balign 0x1000
table:  .space 0x1000
`,
);

function record(): { bytes: Uint8Array; machine: Machine } {
  const machine = new Machine({ memoryBytes: MEMORY, flow: true, ...SHAPE });
  const plan = { ...GUEST.plan(), kind: "elf" as const };
  machine.boot(plan);
  const sink = new MemorySink();
  const recorder = new Recorder(machine, sink, {
    recordedAt: "2000-01-01T00:00:00.000Z",
    recorder: "test",
    machine: { board: "virt" },
    options: SHAPE,
    image: { name: "guest", kind: "elf", describe: "", pc: plan.pc, files: [], warnings: [] },
    symbols: [],
    lines: [],
    windowSteps: 100,
  });
  machine.observer = recorder;
  assertEquals(recorder.run(Infinity).reason, "halted");
  return { bytes: sink.bytes, machine };
}

Deno.test("a trace of EL1 to EL3 replays to the states that were recorded", () => {
  const { bytes, machine } = record();
  assertEquals(machine.processor.state.el, 3);
  assertEquals(machine.processor.state.x(7), 5n);
  const trace = openTrace(bytes);
  const session = new Session(trace);
  session.seek(trace.end);
  assertEquals(session.state(), machine.save());
  assertEquals(session.machine.memory.bytes, machine.memory.bytes);
  for (let window = 0; window < 4; window++) {
    session.seek(100 * window + 50);
    session.seek(100 * window + 100);
    const executed = session.state();
    session.loadKeyframe(window + 1);
    assertEquals(session.state(), executed);
  }
});

Deno.test("a trace's TLB fills say regime, VMID, IPA and what stage 2 read", () => {
  const trace = openTrace(record().bytes);
  const fills = [...trace.events({ kinds: new Set(["tlb-fill"]) })].flatMap((event) =>
    event.kind === "tlb-fill" ? [event] : []
  );
  assertEquals(fills.length, 1);
  const [{ translation, descriptors }] = fills;
  assertEquals(translation, {
    regime: 1,
    secure: false,
    vmid: 0,
    ipa: GUEST.address("guest") + 0x4000_0000,
  });
  assertEquals(descriptors.map(({ level, stage }) => [level, stage]), [[1, 2]]);
});
