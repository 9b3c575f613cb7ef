// Start of every guest. Options: IMAGE_HEADER (Linux arm64 boot header), RELOCATE (apply
// R_AARCH64_RELATIVE relocations of a static PIE), MMU (identity map before main), HIGH (jump to the
// upper half), PARK (CPUs but the first go to park), DROP (to_el1 before all else), LOW_STACK (the stack grows down from the image, where it overwrites nothing of it).
    .section .text.start, "ax"
    .global _start
_start:
#ifdef IMAGE_HEADER
    add     x13, x18, #0x16
    b       entry
    .quad   TEXT_OFFSET
    .quad   image_size
    .quad   IMAGE_FLAGS
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0
entry:
#endif
#ifdef PARK
    mrs     x1, mpidr_el1
    and     x1, x1, #0xff
    cbnz    x1, park
#endif
    mov     x19, x0
#ifdef SIMD
    mov     x1, #(3 << 20)
    msr     cpacr_el1, x1
    isb
#endif
#ifdef LOW_STACK
    adrp    x1, image_start
    add     x1, x1, :lo12:image_start
#else
    adrp    x1, stack_top
    add     x1, x1, :lo12:stack_top
#endif
    mov     sp, x1
#ifdef DROP
    bl      to_el1
#endif
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    isb
#ifdef RELOCATE
    adrp    x0, image_start
    add     x0, x0, :lo12:image_start
    adrp    x1, rela_start
    add     x1, x1, :lo12:rela_start
    adrp    x2, rela_end
    add     x2, x2, :lo12:rela_end
1:  cmp     x1, x2
    b.hs    2f
    ldp     x3, x4, [x1], #16
    ldr     x5, [x1], #8
    cmp     w4, #1027               // R_AARCH64_RELATIVE
    b.ne    1b
    add     x5, x5, x0
    str     x5, [x3, x0]
    b       1b
2:
#endif
    adrp    x1, bss_start
    add     x1, x1, :lo12:bss_start
    adrp    x2, bss_end
    add     x2, x2, :lo12:bss_end
3:  cmp     x1, x2
    b.hs    4f
    stp     xzr, xzr, [x1], #16
    b       3b
4:
#ifdef MMU
    mov     w0, #MMU_PAGE
    mov     w1, #MMU_BITS
    bl      identity_map
    bl      identity_on
#endif
#ifdef HIGH
    bl      high_map
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    ldr     x1, =HIGH
    add     x0, x0, x1
    msr     vbar_el1, x0
    add     sp, sp, x1
    ldr     x0, =5f
    isb
    br      x0
5:
#endif
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x19
    bl      main
    bl      power_off

    .section .bss.stack, "aw", %nobits
    .balign 16
    .skip   0x40000
    .global stack_top
stack_top:
