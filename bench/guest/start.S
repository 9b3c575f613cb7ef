// Bare-metal start for the benchmark guests: stack, identity map with the MMU and caches on,
// main(), power off. RAM is Normal write-back in 2 MB blocks, the first gigabyte is Device.
    .section .text.start, "ax"
    .global _start
_start:
    ldr     x0, =stack_top
    mov     sp, x0
    adr     x0, vectors
    msr     vbar_el1, x0
    ldr     x0, =l1_table
    mov     x1, #0x0401             // Device-nGnRnE block at 0: AF, AttrIndx 0
    orr     x1, x1, #(3 << 53)      // PXN, UXN
    str     x1, [x0]
    ldr     x2, =l2_table
    orr     x3, x2, #3
    str     x3, [x0, #8]
    ldr     x1, =0x40000705         // Normal block: AF, inner shareable, AttrIndx 1
    mov     x4, #512
1:  str     x1, [x2], #8
    add     x1, x1, #0x200000
    subs    x4, x4, #1
    b.ne    1b
    ldr     x1, =0xff00
    msr     mair_el1, x1
    ldr     x1, =0x100803519        // 39-bit TTBR0, write-back tables, 36-bit output, TTBR1 off
    msr     tcr_el1, x1
    msr     ttbr0_el1, x0
    dsb     sy
    isb
    mrs     x1, sctlr_el1
    ldr     x2, =0x1005
    orr     x1, x1, x2
    msr     sctlr_el1, x1
    isb
    bl      main
    mov     w0, #0x84000000
    add     w0, w0, #8              // PSCI SYSTEM_OFF
    hvc     #0
    b       .

    .balign 2048
vectors:
    .rept 16
    b       .
    .balign 128
    .endr

    .bss
    .balign 4096
    .global l1_table
l1_table: .skip 4096
l2_table: .skip 4096
    .balign 16
    .skip   65536
stack_top:
