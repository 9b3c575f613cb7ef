import { assertEquals } from "@std/assert";
import { run, type Watched } from "./watched.ts";

// Instructions whose handlers stand in a function of their own (`core/engine/apart.ts`).

const STEPS = 200_000;
const ENABLE_FP = "mov x0, #0x300000 ; msr cpacr_el1, x0 ; isb\n";

/** Vectors at 0x40080800, of which that for exceptions from EL1 with SP_EL1 powers off. */
const VECTORS = `
        .org 0x40080a00
        ldr x0, =0x84000008 ; hvc #0
`;
const SET_VECTORS = "ldr x0, =0x40080800 ; msr vbar_el1, x0 ; isb\n";

/** Exception class, ELR and FAR of the first exception. */
function firstException({ events }: Watched) {
  for (const event of events) {
    if (event.kind === "exception") {
      return { errorClass: Number(event.esr >> 26n), elr: event.elr, far: event.far };
    }
  }
  return undefined;
}

Deno.test("Machine.run() ends a loop that begins with an instruction apart", () => {
  const { reason } = run(
    `start: ${ENABLE_FP} loop: sqadd v0.4s, v0.4s, v1.4s ; b loop`,
    STEPS * 100,
    { flow: false },
  );
  assertEquals(reason, "loop");
});

Deno.test("Machine.run() traps an instruction apart where CPACR_EL1 says so", () => {
  const watched = run(
    `start: ${SET_VECTORS} msr cpacr_el1, xzr ; isb
here:  sqadd v0.4s, v0.4s, v1.4s
${VECTORS}`,
    STEPS,
  );
  assertEquals(watched.reason, "poweroff");
  const { errorClass, elr } = firstException(watched)!;
  assertEquals(errorClass, 0x07);
  assertEquals(watched.machine.memory.read(Number(elr), 4), Uint8Array.of(0, 0x0c, 0xa1, 0x4e));
});

Deno.test("Machine.run() checks SP's alignment for an instruction apart", () => {
  const watched = run(
    `start: ${SET_VECTORS} ${ENABLE_FP}
        mrs x0, sctlr_el1 ; orr x0, x0, #8 ; msr sctlr_el1, x0 ; isb
        ldr x0, =0x40100008 ; mov sp, x0 ; ld2 {v0.4s, v1.4s}, [x0]
        ld2 {v0.4s, v1.4s}, [sp], #32
${VECTORS}`,
    STEPS,
    { strict: true },
  );
  assertEquals(watched.reason, "poweroff");
  assertEquals(firstException(watched)?.errorClass, 0x26);
  assertEquals(watched.machine.engine.state.sp, 0x4010_0008n);
});

Deno.test("Machine.run() takes the abort of an instruction apart, which then changed nothing", () => {
  const watched = run(
    `start: ${SET_VECTORS} ${ENABLE_FP}
        ldr x1, =0x0000010000000000 ; movi v0.16b, #1 ; movi v1.16b, #2
        ld4 {v0.b, v1.b, v2.b, v3.b}[5], [x1], #4
${VECTORS}`,
    STEPS,
  );
  assertEquals(watched.reason, "poweroff");
  const { errorClass, far } = firstException(watched)!;
  assertEquals([errorClass, far], [0x25, 0x100_0000_0000n]);
  const { state } = watched.machine.engine;
  assertEquals(state.x(1), 0x100_0000_0000n);
  assertEquals([state.v(0), state.v(1)], [
    new Uint8Array(16).fill(1),
    new Uint8Array(16).fill(2),
  ]);
});
