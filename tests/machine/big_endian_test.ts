import { comparePrivileged, type Experiment, type Shape } from "./privileged.ts";

// Big-endian data at every exception level, by SCTLR_ELx.EE and E0E, compared with the reference.

const SHAPE: Shape = { virtualization: true, secure: true, cpu: "max" };

/** Stores and loads; the literal is data, too. */
const ACCESSES = [
  "ldr x0, =0x1122334455667788 ; str x0, [x16] ; ldrb w1, [x16] ; ldr w2, [x16] ; ldp w3, w4, [x16]",
  "mov x0, #0x1234 ; strh w0, [x16] ; ldrb w1, [x16] ; ldrh w2, [x16] ; ldr x3, [x16]",
  "mov x0, #0x1234 ; str x0, [x16, #8] ; sttr w0, [x16] ; ldtr w1, [x16] ; ldr w2, [x16] ; ldr x3, [x16, #8]",
  "mov x4, x16 ; ldxp w0, w1, [x4] ; stxp w2, w1, w0, [x4] ; ldr x3, [x4]",
  "ldr x4, =0x0a000000 ; mov w4, #0x0a000000 ; ldr w0, [x4] ; ldrb w1, [x4] ; ldr x2, [x4]",
];
const BITS = [1n << 24n, 1n << 25n, 3n << 24n];

/** Levels, the register that rules their data, and what makes it so. */
const LEVELS: readonly { el: 0 | 1 | 2; register: string; setup: string; name: string }[] = [
  { el: 0, register: "sctlr_el1", setup: "", name: "" },
  { el: 1, register: "sctlr_el1", setup: "", name: "" },
  { el: 2, register: "sctlr_el2", setup: "", name: "" },
  {
    el: 0,
    register: "sctlr_el2",
    setup: "ldr x0, =0x488000000 ; msr hcr_el2, x0 ; isb ; ",
    name: " of a host",
  },
  {
    el: 2,
    register: "sctlr_el2",
    setup: "ldr x0, =0x488000000 ; msr hcr_el2, x0 ; isb ; ",
    name: " of a host",
  },
];

const EXPERIMENTS: readonly Experiment[] = [
  ...LEVELS.flatMap(({ el, register, setup, name }) =>
    BITS.flatMap((bits) =>
      ACCESSES.map((code): Experiment => ({
        name: `${code}${name}, ${register} with 0x${bits.toString(16)}`,
        el,
        setup: `${setup}mrs x1, ${register} ; ldr x0, =0x${
          bits.toString(16)
        } ; orr x1, x1, x0 ; msr ${register}, x1`,
        code,
      }))
    )
  ),
  // EL3 goes back before the report.
  ...ACCESSES.map((code): Experiment => ({
    name: `${code}, sctlr_el3`,
    el: 3,
    code: `mrs x5, sctlr_el3 ; orr x6, x5, #0x2000000 ; msr sctlr_el3, x6 ; isb ; ${code}
        msr sctlr_el3, x5 ; isb`,
  })),
];

comparePrivileged("big-endian data", EXPERIMENTS, SHAPE);
