/** Steps over calls, beside a search for where the stack is as before. */
import { assert, assertEquals } from "@std/assert";
import { Debugger } from "../../replay/debugger.ts";
import { Session } from "../../replay/session.ts";
import { POWER_OFF, program } from "./assembly.ts";
import { record } from "./recordings.ts";

/** Recursion, tail calls, calls through registers, and exceptions whose handlers call. */
const CALLS = program(`
  adr x0, =vectors; msr vbar_el1, x0; movz x0, #0x4010, lsl #16; mov sp, x0
  bl =first
  mov x0, #0x4; bl =recursive
  adr x9, =first; blr x9
  ${POWER_OFF}
first:
  stp x29, x30, [sp, #-16]!
  bl =tail; bl =faults
  ldp x29, x30, [sp], #16
  b =tail
tail:
  adr x10, =leaf; br x10
leaf:
  add x1, x1, #1; ret
faults:
  stp x29, x30, [sp, #-16]!
  svc #0x0
  movz x2, #0x1, lsl #32; ldr x3, [x2]
  ldp x29, x30, [sp], #16; ret x30
recursive:
  stp x0, x30, [sp, #-16]!
  cbz x0, =bottom
  sub x0, x0, #1; bl =recursive; bl =leaf
bottom:
  ldp x0, x30, [sp], #16; ret
.align 2048
vectors:
  nop
.align 512
  stp x29, x30, [sp, #-16]!; mrs x11, esr_el1; lsr x11, x11, #26; cmp x11, #0x15
  b.eq =call
  mrs x12, elr_el1; add x12, x12, #0x4; msr elr_el1, x12
call:
  bl =leaf
  ldp x29, x30, [sp], #16; eret
`);

Deno.test("next(), finish() and their reverses: tail calls, recursion, exceptions, BLR", () => {
  for (const windowSteps of [1 << 20, 17]) {
    const trace = record(CALLS.image, { windowSteps });
    assertEquals(trace.footer?.reason, "poweroff");
    const session = new Session(trace);
    const debug = new Debugger(session);
    const moments = Array.from({ length: trace.end }, (_, position) => {
      session.seek(position);
      return { pc: session.pc, sp: session.state().cpus[0].sp };
    });
    const calls = moments.flatMap((_, position) =>
      debug.timeline.instructionAt(position)?.call ? [position] : []
    );
    assert(calls.length > 15);
    for (const call of calls) {
      const { pc, sp } = moments[call];
      const after = moments.findIndex((moment, position) =>
        position > call && moment.pc === pc + 4n && moment.sp === sp
      );
      assert(after > call);
      debug.goto(call);
      assertEquals(debug.next().position, after, `next at #${call}`);
      assertEquals(debug.reverseNext().position, call, `reverseNext at #${after}`);
      debug.goto(call + 1);
      assertEquals(debug.finish().position, after, `finish at #${call + 1}`);
      debug.goto(call + 1);
      assertEquals(debug.reverseFinish().position, call, `reverseFinish at #${call + 1}`);
    }
  }
});
