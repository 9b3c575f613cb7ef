import type { BootPlan } from "../../core/loader/mod.ts";
import { program } from "../drivers/program.ts";

/** CPUs that {@linkcode severalCpusGuest} uses. */
export const CPUS = 4;
/** What each of them adds to the counter. */
const ROUNDS = 60;

/**
 * A guest of four CPUs that do everything that ends a turn: long stretches, WFE, YIELD, WFI for an
 * SGI of another CPU and for a timer, CPU_OFF. They share a counter through exclusives, and one of
 * them is switched off and on again; when that one is done, the first powers off. The others print a letter each.
 */
export function severalCpusGuest(): BootPlan {
  return program(`
        .equ GICD, 0x08000000
        .equ GICC, 0x08010000
        .equ UART, 0x09000000
start:  mov x19, #0
        ldr x0, =GICD ; mov w1, #1 ; str w1, [x0]
        mov x23, #1
next:   mov x1, x23 ; bl turnon
        add x23, x23, #1 ; cmp x23, #${CPUS} ; b.lo next
        mov x0, #0 ; b work
turnon: ldr x0, =0xc4000003 ; ldr x2, =work ; mov x3, x1 ; hvc #0 ; ret

        // x19 = own number, x20 = rounds
work:   mov x19, x0
        ldr x0, =vectors ; msr vbar_el1, x0 ; isb
        ldr x0, =GICD ; ldr w1, =0x0800ffff ; str w1, [x0, #0x100]
        ldr x0, =GICC ; mov w1, #0xff ; str w1, [x0, #4] ; mov w1, #1 ; str w1, [x0]
        msr daifclr, #2
        mov x20, #0
round:  ldr x0, =counter
more:   ldxr x1, [x0] ; add x1, x1, #1 ; stxr w2, x1, [x0] ; cbnz w2, more
        tst x20, #1 ; b.eq odd
        wfe
odd:    tst x20, #2 ; b.eq noyld
        yield
noyld:  sev
        mov x1, #60 ; madd x1, x1, x20, x1             // longer than a turn in the end
spin:   subs x1, x1, #1 ; b.ne spinon ; b spun
spinon: b spin
spun:   and x1, x20, #7 ; cmp x1, #3 ; b.ne nosgi
        add x1, x19, #1 ; and x1, x1, #${CPUS - 1} ; mov x2, #1 ; lsl x2, x2, x1
        lsl x2, x2, #16 ; orr x2, x2, #4 ; ldr x0, =GICD ; str w2, [x0, #0xf00]
nosgi:  and x1, x20, #7 ; cmp x1, #6 ; b.ne notim
        mov x1, #40 ; madd x1, x1, x19, x1 ; msr cntv_tval_el0, x1 ; mov x1, #1
        // A masked interrupt ends WFI, too, and cannot be taken before it.
        msr daifset, #2 ; msr cntv_ctl_el0, x1 ; wfi ; msr daifclr, #2
notim:  and x1, x20, #15 ; cmp x1, #9 ; b.ne notlb
        dsb ishst ; tlbi vmalle1is ; dsb ish ; isb
notlb:  add x20, x20, #1
        cmp x19, #1 ; b.ne stay
        cmp x20, #30 ; b.ne stay
        ldr x0, =again ; ldr x1, [x0] ; cbnz x1, stay
        mov x1, #1 ; str x1, [x0]
        ldr w0, =0x84000002 ; hvc #0
stay:   cmp x20, #${ROUNDS} ; b.lo round
        ldr x0, =UART ; add w1, w19, #65 ; str w1, [x0]
        cbz x19, last
        ldr w0, =0x84000002 ; hvc #0
        // CPU 1 does another ${ROUNDS} rounds
last:   ldr w0, =0x84000004 ; mov x1, #1 ; mov x2, #0 ; hvc #0
        cmp x0, #1 ; b.ne last
        mov x1, #1 ; bl turnon
wait:   yield ; ldr x0, =counter ; ldr x1, [x0] ; cmp x1, #${CPUS * ROUNDS + 30}
        b.lo wait
        ldr w0, =0x84000008 ; hvc #0

        .balign 2048
vectors: .space 0x280
        ldr x24, =GICC ; ldr w25, [x24, #12] ; and w26, w25, #0x3ff
        cmp w26, #27 ; b.ne ack
        msr cntv_ctl_el0, xzr
ack:    str w25, [x24, #16]
        ldr x26, =came ; add x26, x26, x19, lsl #3 ; ldr x27, [x26] ; add x27, x27, #1
        str x27, [x26] ; eret
        .balign 8
counter: .quad 0
again:  .quad 0
came:   .space 64
`).plan();
}
