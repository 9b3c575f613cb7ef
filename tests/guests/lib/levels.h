/* For guests that start at EL2, or at EL3 with EL3 defined, and run functions at EL1; end_high() powers off, or at EL3 goes on for ever. The MMU stays off. */
#pragma once
#include "guest.h"

#ifdef EL3
#define HIGH_LEVEL "el3"
#define CALL_HIGH "smc #0"
#define CALL_CLASS "0x17"
#else
#define HIGH_LEVEL "el2"
#define CALL_HIGH "hvc #0"
#define CALL_CLASS "0x16"
#endif
#define HCR_RW (1UL << 31)
#define HCR_FMO (1UL << 3)
#define HCR_IMO (1UL << 4)
#define SCR_NS 1UL
#define SCR_IRQ 2UL
#define SCR_FIQ 4UL
#define SCR_RW (1UL << 10)

/* What brought EL1 back: 0 its end, 1 a synchronous exception (with its syndrome), 2 IRQ, 3 FIQ. */
extern u64 el1_reason, el1_syndrome;
u64 el1_call(u64 (*f)(u64), u64 argument);

__asm__(
  "  .text\n  .balign 2048\nhigh_vectors:\n"
  "  .skip 0x200\n  b high_fatal\n  .balign 128\n  b high_fatal\n  .balign 128\n  b high_fatal\n  .balign 128\n  b high_fatal\n  .balign 128\n"
  "  b el1_sync\n  .balign 128\n  mov x1, #2\n  b el1_left\n  .balign 128\n  mov x1, #3\n  b el1_left\n  .balign 128\n  b high_fatal\n  .balign 128\n  .skip 0x200\n"
  "el1_sync:\n  mrs x2, esr_" HIGH_LEVEL "\n  adrp x3, el1_syndrome\n  str x2, [x3, :lo12:el1_syndrome]\n"
  "  lsr x2, x2, #26\n  cmp x2, #" CALL_CLASS "\n  cset x1, ne\n"
  "el1_left:\n  adrp x3, el1_reason\n  str x1, [x3, :lo12:el1_reason]\n"
  "  ldp x19, x20, [sp], #16\n  ldp x21, x22, [sp], #16\n  ldp x23, x24, [sp], #16\n  ldp x25, x26, [sp], #16\n  ldp x27, x28, [sp], #16\n  ldp x29, x30, [sp], #16\n  ret\n"
  "el1_entry:\n  blr x9\n  " CALL_HIGH "\n"
  "  .global el1_call\nel1_call:\n"
  "  stp x29, x30, [sp, #-16]!\n  stp x27, x28, [sp, #-16]!\n  stp x25, x26, [sp, #-16]!\n  stp x23, x24, [sp, #-16]!\n  stp x21, x22, [sp, #-16]!\n  stp x19, x20, [sp, #-16]!\n"
  "  adrp x2, high_vectors\n  add x2, x2, :lo12:high_vectors\n  msr vbar_" HIGH_LEVEL ", x2\n"
  "  mov x2, #0x3c5\n  msr spsr_" HIGH_LEVEL ", x2\n  adrp x2, el1_entry\n  add x2, x2, :lo12:el1_entry\n  msr elr_" HIGH_LEVEL ", x2\n"
  "  mov x2, sp\n  sub x2, x2, #0x8000\n  msr sp_el1, x2\n  mov x9, x0\n  mov x0, x1\n  isb\n  eret\n"
  "high_fatal:\n  mrs x0, esr_" HIGH_LEVEL "\n  mrs x1, elr_" HIGH_LEVEL "\n  mrs x2, far_" HIGH_LEVEL "\n  b high_report\n");
u64 el1_reason, el1_syndrome;

#ifdef EL3
/* Vectors for EL2 that hand everything to EL3 as an end. */
extern char el2_vectors[];
__asm__("  .text\n  .balign 2048\nel2_vectors:\n  .rept 16\n  smc #0\n  .balign 128\n  .endr\n");
/* Nothing answers PSCI calls on a board that starts at EL3. */
static inline void end_high(void) { for (;;) __asm__ volatile(""); }
#else
static inline void end_high(void) { __asm__ volatile("movz x0, #8\n movk x0, #0x8400, lsl #16\n smc #0" ::: "x0", "memory"); }
#endif
__attribute__((used)) void high_report(u64 esr, u64 elr, u64 far) { print("at " HIGH_LEVEL ": esr %lx elr %lx far %lx\n", esr, elr, far); end_high(); }
