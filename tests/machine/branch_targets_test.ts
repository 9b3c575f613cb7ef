import { comparePrivileged, type Experiment, type Shape } from "./privileged.ts";

// Guarded pages and PSTATE.BTYPE (FEAT_BTI), compared with the reference.

/** The MMU is switched on for the level of an experiment; the monitor at EL3 has it off. */
const SHAPE: Shape = { virtualization: true, secure: true, cpu: "max" };

/** What branches, to x2, from a page that is guarded or not. */
const BRANCHES = ["br x2", "mov x16, x2 ; br x16", "mov x17, x2 ; br x17", "blr x2", "ret x2"];
/** What it lands on. */
const LANDINGS = [
  ...["hint #32", "hint #34", "hint #36", "hint #38", "paciasp", "pacibsp", "nop", "brk #1"],
  ...[
    "hlt #1",
    "svc #5",
    ".inst 0",
    "hint #0 ; nop",
    "b . + 4",
    "ldr x0, [xzr]",
    "mrs x0, esr_el3",
  ],
].map((code) => code.replace("ldr x0, [xzr]", "ldr x0, [x3]"));

/** Two megabytes at 0x40000000 as they are, and again at 0x80000000 guarded. */
const TABLES = `
        ldr x0, =0x46000000 ; ldr x1, =0x701 ; str x1, [x0]
        ldr x1, =0x40000701 ; str x1, [x0, #8] ; ldr x1, =0x4000040000701 ; str x1, [x0, #16]
        ldr x1, =0x40000741 ; str x1, [x0, #24] ; ldr x1, =0x4000040000741 ; str x1, [x0, #32]`;

/** Descriptors at 3 and 4 GB are for EL0. */
function at(el: number, guarded: boolean): string {
  return `mov x5, #0x${el === 0 ? guarded ? "c0000000" : "80000000" : guarded ? "40000000" : "0"}`;
}

function mmu(el: number, strict: number): string {
  const on = el === 2 ? "ttbr0_el2 tcr_el2 sctlr_el2" : "ttbr0_el1 tcr_el1 sctlr_el1";
  const [ttbr, tcr, sctlr] = on.split(" ");
  const bits = 0x30d0_0801n | BigInt(strict) << 35n;
  return `${TABLES} ; msr ${ttbr}, x0 ; ldr x0, =${el === 2 ? "0x80813519" : "0x100803519"}
        msr ${tcr}, x0 ; mov x0, #0xff ; msr mair_el${
    el === 2 ? 2 : 1
  }, x0 ; isb ; tlbi alle1 ; tlbi alle2
        ldr x0, =0x${bits.toString(16)} ; msr ${sctlr}, x0`;
}

const EXPERIMENTS: Experiment[] = ([0, 1, 2] as const).flatMap((el) =>
  [0, 3].flatMap((strict) =>
    [false, true].flatMap((from) =>
      [false, true].flatMap((to) =>
        BRANCHES.flatMap((branch) =>
          LANDINGS.filter((landing) => strict === 0 || landing.startsWith("pac")).map((
            landing,
          ) => ({
            name: `${branch} to ${landing}, ${from ? "guarded" : "not"} to ${
              to ? "guarded" : "not"
            }`,
            el,
            setup: `${mmu(el, strict)} ; ldr x0, =0x30501 ; msr scr_el3, x0
                    ldr x0, =0x30080000000 ; msr hcr_el2, x0`,
            code: `${at(el, from)} ; adr x6, 1f ; add x6, x6, x5 ; ${at(el, to)} ; adr x2, 2f
                   add x2, x2, x5 ; mov x3, #1 ; lsl x3, x3, #40 ; br x6
                1: hint #38 ; ${branch}
                2: ${landing} ; svc #0x33`,
          }))
        )
      )
    )
  )
);

comparePrivileged("landings of indirect branches", EXPERIMENTS, SHAPE);
