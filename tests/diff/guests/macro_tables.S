/* Assembly only: tables by macro in .data, one entry made at run time. */
#ifdef BUG_IPS
#define IPS 0
#else
#define IPS 2
#endif
#define PAGE_ATTR (1 << 10 | 3 << 8 | 1 << 2 | 3)
    .section .text.start, "ax"
    .global _start
_start:
    adrp x1, stack_top
    add x1, x1, :lo12:stack_top
    mov sp, x1
#ifndef BUG_VECTOR
    adrp x2, vectors
    add x2, x2, :lo12:vectors
#else
    adrp x2, vectors + 0x800
    add x2, x2, :lo12:vectors + 0x800
#endif
    msr vbar_el1, x2
    isb
#ifdef BUG_IRQ
    msr daifclr, #2
#endif
    bl clear
    bl link_tables
    bl fix_up
    bl enable
    bl use
    ldr w0, =0x84000008
    hvc #0
    b .
#ifdef PAD
    .rept PAD
    nop
    .endr
#endif

    .type clear, %function
clear:
    adrp x1, buffer
    add x1, x1, :lo12:buffer
#ifdef BUG_LENGTH
    add x2, x1, #4096
    add x2, x2, #512
#else
    add x2, x1, #4096
#endif
1:  cmp x1, x2
    b.hs 2f
    stp xzr, xzr, [x1], #16
    b 1b
2:  ret
    .size clear, . - clear

    .type link_tables, %function
link_tables:
    adrp x0, level1
    add x0, x0, :lo12:level1
    adrp x1, level2
    add x1, x1, :lo12:level2
    orr x1, x1, #3
    str x1, [x0, #8]
    adrp x2, level3
    add x2, x2, :lo12:level3
    orr x2, x2, #3
    str x2, [x0, #4096 + 8 * 1]
    ret
    .size link_tables, . - link_tables

    /* The page that holds the buffer: not executable. */
    .type fix_up, %function
fix_up:
    adrp x1, buffer
    ubfx x2, x1, #12, #9
#ifdef BUG_OFF_BY_ONE
    add x2, x2, #1
#endif
    ldr x3, =(1 << 54 | 1 << 53 | PAGE_ATTR)
#ifdef BUG_NG
    orr x3, x3, #(1 << 11)
#endif
#ifdef BUG_SH
    and x3, x3, #~(1 << 9)
#endif
#ifdef BUG_UXN
    and x3, x3, #~(1 << 54)
#endif
#ifdef BUG_AF
    and x3, x3, #~(1 << 10)
#endif
#ifdef BUG_AP
    orr x3, x3, #(1 << 7)
#endif
#ifdef BUG_PA
    add x1, x1, #4096
#endif
    orr x1, x1, x3
    adrp x4, level3
    add x4, x4, :lo12:level3
    str x1, [x4, x2, lsl #3]
    dsb sy
    ret
    .size fix_up, . - fix_up

    .type enable, %function
enable:
#ifdef BUG_MAIR
    mov x0, #0x44
#else
    mov x0, #0xff00
#endif
    msr mair_el1, x0
    ldr x0, =(25 | 0x3500 | 1 << 23 | IPS << 32)
    msr tcr_el1, x0
    adrp x0, level1
#ifdef BUG_TTBR
    adrp x0, level2
#endif
    msr ttbr0_el1, x0
#ifndef BUG_TLBI
    tlbi vmalle1
#endif
    dsb sy
#ifndef BUG_ISB
    isb
#endif
    mrs x0, sctlr_el1
    movz x1, #0x1005
    orr x0, x0, x1
    msr sctlr_el1, x0
    isb
    ret
    .size enable, . - enable

    .type use, %function
use:
    adrp x0, buffer
    add x0, x0, :lo12:buffer
#ifdef BUG_POINTER
    mov x0, xzr
#endif
    mov x1, #77
    str x1, [x0, #24]
    ldr x1, [x0, #24]
    ret
    .size use, . - use

    .text
    .balign 2048
    .global vectors
vectors:
    .rept 16
    .balign 128
    mrs x0, esr_el1
    b .
    .endr

    .data
    .balign 4096
level1:
    .quad 0
    .quad 0
    .quad 0, 0
    .balign 4096
level2:
    .quad 0
    .quad 0
    .balign 4096
level3:
    .set at, 0x40200000
    .rept 512
    .quad at + PAGE_ATTR
    .set at, at + 4096
    .endr
    .section .bss.buffer, "aw", %nobits
    .balign 4096
buffer:
    .skip 8192
    .balign 4096
    .skip 4096
stack_top:
