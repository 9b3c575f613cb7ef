// Runs translation cases on a real implementation, from EL2 with its own MMU off, so that the
// EL1&0 registers and tables of a case can be anything. oracle.ts writes the cases and reads the
// results; both layouts are described there.

        .equ    CASES, 0x41000000
        .equ    RESULTS, 0x42000000
        .equ    HIGH_TABLE, 0x40300000
        .equ    UART, 0x09000000
        .equ    HIGH, 0xffffff8000000000        // TTBR1 maps 0x40000000 at HIGH + 0x40000000

        .text
        .global _start
_start:
        ldr     x0, =vectors_el2
        msr     vbar_el2, x0
        mov     x0, #1 << 31                    // HCR_EL2.RW: EL1 is AArch64
        msr     hcr_el2, x0
        ldr     x0, =vectors_el1 + HIGH
        msr     vbar_el1, x0
        ldr     x0, =HIGH_TABLE                 // 1 GB at index 1, read-only, executable by both
        ldr     x1, =0x40000000 | 1 << 10 | 2 << 6 | 1
        str     x1, [x0, #8]
        ldr     x19, =CASES
        ldr     x20, =RESULTS
        ldr     x21, [x19], #128                // the first record holds the count

next_case:
        cbz     x21, finish
        sub     x21, x21, #1
        ldr     x0, [x19, #56]                  // descriptors to write
        add     x1, x19, #64
1:      cbz     x0, 2f
        ldp     x2, x3, [x1], #16
        str     x3, [x2]
        sub     x0, x0, #1
        b       1b
2:      ldp     x0, x1, [x19, #8]
        msr     sctlr_el1, x0
        msr     tcr_el1, x1
        ldp     x0, x1, [x19, #24]
        msr     ttbr0_el1, x0
        msr     ttbr1_el1, x1
        ldp     x0, x1, [x19, #40]
        msr     mair_el1, x0
        msr     far_el1, xzr
        msr     esr_el1, xzr
        dsb     sy
        tlbi    alle1
        dsb     sy
        isb
        mov     x2, #0                          // what stores store
        ldr     x0, [x19]
        adr     x3, operations
        add     x3, x3, x0, lsl #4
        br      x3

operations:                                     // 16 bytes each; x1 = address
        at      s1e1r, x1
        b       translated
        nop
        nop
        at      s1e1w, x1
        b       translated
        nop
        nop
        at      s1e0r, x1
        b       translated
        nop
        nop
        at      s1e0w, x1
        b       translated
        nop
        nop
        mov     x0, x1                          // 4: fetch at EL1
        mov     x3, #0x3c5
        b       enter
        nop
        mov     x0, x1                          // 5: fetch at EL0
        mov     x3, #0x3c0
        b       enter
        nop
        ldr     x0, =stub_load + HIGH           // 6: load at EL1
        mov     x3, #0x3c5
        b       enter
        nop
        ldr     x0, =stub_load + HIGH           // 7: load at EL0
        mov     x3, #0x3c0
        b       enter
        nop
        ldr     x0, =stub_store + HIGH          // 8: store at EL1
        mov     x3, #0x3c5
        b       enter
        nop
        ldr     x0, =stub_store + HIGH          // 9: store at EL0
        mov     x3, #0x3c0
        b       enter
        nop
        ldr     x0, =stub_ldtr + HIGH           // 10: unprivileged load at EL1
        mov     x3, #0x3c5
        b       enter
        nop
        ldr     x0, =stub_sttr + HIGH           // 11: unprivileged store at EL1
        mov     x3, #0x3c5
        b       enter
        nop

        ldr     x0, =stub_zva + HIGH            // 12: DC ZVA at EL1
        mov     x3, #0x3c5
        b       enter
        nop

enter:  msr     elr_el2, x0
        msr     spsr_el2, x3
        eret

translated:
        isb
        mrs     x1, par_el1
        mov     x0, #0
        mov     x2, #0
        b       record

record: stp     x0, x1, [x20], #16              // kind, PAR or ESR
        str     x2, [x20], #8                   // FAR
        ldr     x0, [x19, #56]
        add     x1, x19, #64
1:      cbz     x0, 2f
        ldp     x2, x3, [x1], #16
        str     xzr, [x2]
        sub     x0, x0, #1
        b       1b
2:      add     x19, x19, #128
        b       next_case

lower:  mrs     x4, esr_el2                     // from EL1 or EL0
        lsr     x5, x4, #26
        cmp     x5, #0x16
        b.ne    abort_el2
        and     x0, x4, #0xffff                 // 2: the exception came to EL1 first
        mrs     x1, esr_el1
        mrs     x2, far_el1
        b       record

abort_el2:                                      // taken by AT itself
        mov     x0, #4
        mrs     x1, esr_el2
        mrs     x2, far_el2
        b       record

finish: ldr     x0, =RESULTS
        ldr     x1, =UART
1:      cmp     x0, x20
        b.hs    2f
        ldrb    w2, [x0], #1
        str     w2, [x1]
        b       1b
2:      ldr     w0, =0x84000008                 // PSCI SYSTEM_OFF
        smc     #0
        b       .

        .ltorg
        .balign 2048
vectors_el1:
        .rept   16
        .balign 128
        hvc     #2
        .endr
stub_load:
        ldr     x2, [x1]
        svc     #3
stub_store:
        str     x2, [x1]
        svc     #3
stub_ldtr:
        ldtr    x2, [x1]
        svc     #3
stub_sttr:
        sttr    x2, [x1]
        svc     #3

stub_zva:
        dc      zva, x1
        svc     #3

        .balign 2048
vectors_el2:
        .rept   4
        .balign 128
        b       .
        .endr
        .balign 128
        b       abort_el2                       // from EL2 itself, SPx
        .rept   3
        .balign 128
        b       .
        .endr
        .balign 128
        b       lower
        .rept   7
        .balign 128
        b       .
        .endr

