import { program } from "../drivers/program.ts";
import type { BootPlan } from "../../core/loader/mod.ts";

/** How often it goes over everything. */
const ROUNDS = 40;

/**
 * A guest that branches in guarded pages (FEAT_BTI): BR, BLR and RET to instructions that are their
 * targets and to others, calls and faults right behind a branch. Its handler adds SPSR_EL1 up in x20, and goes
 * on behind what faulted. Ends in a loop.
 */
export function guardedGuest(): BootPlan {
  const landings = [
    "hint #34",
    "hint #36",
    "hint #38",
    "hint #25",
    "svc #1",
    "ldr x9, [x8]",
    ".inst 0",
    "nop",
  ];
  const branches = ["br x1", "br x16", "blr x1", "ret x1"];
  const cases = branches.flatMap((branch, b) =>
    landings.map((landing, n) => `
        adr x1, to_${b}_${n} ; mov x16, x1 ; ${branch} ; nop
to_${b}_${n}: ${landing} ; add x21, x21, #1`)
  );
  return program(`
start:  ldr x0, =vectors ; msr vbar_el1, x0
        ldr x0, =tables ; msr ttbr0_el1, x0 ; ldr x0, =0x100803519 ; msr tcr_el1, x0
        mov x0, #0xff ; msr mair_el1, x0 ; isb ; ldr x0, =0x34d5d91d ; msr sctlr_el1, x0 ; isb
        mov x8, #0x5000 ; lsl x8, x8, #20 ; mov x20, #0 ; mov x21, #0 ; mov x22, #${ROUNDS}
again:  ${cases.join("\n")}
        sub x22, x22, #1 ; cbz x22, ended ; b again
ended:  b .
        .ltorg
        .balign 0x800
vectors: .org vectors + 0x200
        mrs x10, spsr_el1 ; add x20, x10, x20 ; and x10, x10, #0xfffffffffffff3ff
        mrs x11, esr_el1 ; lsr x11, x11, #26 ; cmp x11, #0x15 ; b.eq back
        mrs x12, elr_el1 ; add x12, x12, #4 ; msr elr_el1, x12
back:   msr spsr_el1, x10 ; eret
        .balign 0x1000
tables: .quad 0x60000000000401, 0x4000040000701
        .space 0xff0
`).plan();
}
