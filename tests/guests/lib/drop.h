/* to_el1: for guests that start at EL2, or at EL3 with EL3 defined, and go on at EL1. At EL3 they bring a PSCI of their own: CPUs wait in a spin table, SMC asks for them. */
#pragma once
#include "guest.h"

#ifndef EL3
/* Registers that it may use: x1, x2. */
__asm__(
  "  .text\n  .global to_el1\nto_el1:\n"
  "  mov x1, #1 << 31\n  msr hcr_el2, x1\n  mov x1, #3\n  msr cnthctl_el2, x1\n  msr cntvoff_el2, xzr\n  mov x1, #0x33ff\n  msr cptr_el2, x1\n"
#ifdef GIC3
  "  mov x1, #0xf\n  msr S3_4_C12_C9_5, x1\n  isb\n"
#endif
  "  mov x1, #0x3c5\n  msr spsr_el2, x1\n  msr elr_el2, x30\n  mov x1, sp\n  msr sp_el1, x1\n  eret\n");
#else
#include "gic3.h"
/* Not in .bss, which start.S clears while others wait. */
__attribute__((used, section(".data"))) u64 spin_entry[8] = {0}, spin_context[8] = {0};
__attribute__((section(".data"))) static volatile u64 powered[8] = {1};
__attribute__((used, aligned(16), section(".data"))) char monitor_stacks[8 * 0x1000] = {1};
__asm__(
  "  .text\n  .balign 2048\nmonitor_vectors:\n  .skip 0x400\n"
  "  stp x4, x5, [sp, #-16]!\n  stp x6, x7, [sp, #-16]!\n  stp x8, x9, [sp, #-16]!\n  stp x10, x11, [sp, #-16]!\n  stp x12, x13, [sp, #-16]!\n  stp x14, x15, [sp, #-16]!\n  stp x16, x17, [sp, #-16]!\n  stp x18, x30, [sp, #-16]!\n"
  "  bl monitor\n"
  "  ldp x18, x30, [sp], #16\n  ldp x16, x17, [sp], #16\n  ldp x14, x15, [sp], #16\n  ldp x12, x13, [sp], #16\n  ldp x10, x11, [sp], #16\n  ldp x8, x9, [sp], #16\n  ldp x6, x7, [sp], #16\n  ldp x4, x5, [sp], #16\n  eret\n"
  "  .balign 128\n  .skip 0x380\n"
  /* What every CPU needs at EL3; x1 its number. */
  "el3_on:\n  adrp x2, monitor_vectors\n  add x2, x2, :lo12:monitor_vectors\n  msr vbar_el3, x2\n  adrp x2, monitor_stacks\n  add x2, x2, :lo12:monitor_stacks\n  add x4, x1, #1\n  add x2, x2, x4, lsl #12\n  mov x4, #0x401\n  msr scr_el3, x4\n  msr cptr_el3, xzr\n  mov x4, #0xf\n  msr S3_6_C12_C12_5, x4\n  isb\n  mov x4, #0x3c5\n  msr spsr_el3, x4\n  ret\n"
  "  .global to_el1\nto_el1:\n  mov x20, x30\n  bl el3_gic\n  mov x1, #0\n  bl el3_on\n  msr elr_el3, x20\n  mov x1, sp\n  msr sp_el1, x1\n  mov sp, x2\n  eret\n"
  "  .global park\npark:\n  mrs x1, mpidr_el1\n  and x1, x1, #0xff\n  adrp x5, spin_entry\n  add x5, x5, :lo12:spin_entry\n1: wfe\n  ldar x6, [x5]\n  ldr x6, [x5, x1, lsl #3]\n  cbz x6, 1b\n  str xzr, [x5, x1, lsl #3]\n"
  "  adrp x7, spin_context\n  add x7, x7, :lo12:spin_context\n  ldr x0, [x7, x1, lsl #3]\n  bl el3_on\n  mov sp, x2\n  msr elr_el3, x6\n  msr sctlr_el1, xzr\n  eret\n");

__attribute__((used)) void el3_gic(void) {
  GICD(0) = 0x30;
  for (u32 spi = 1; spi < 8; spi++) GICD(0x80 + 4 * spi) = ~0U;
  GICD(0) = 0x37;
  for (u32 cpu = 0; cpu < 8; cpu++) {
    u64 at = cpu * 0x20000;
    GICR(at + 0x14) = 0;
    GICR(at + SGI_FRAME + 0x80) = ~0U;
    if (GICR(at + 8) & 0x10) break; /* Last */
  }
}

__attribute__((used)) s64 monitor(u64 function, u64 target, u64 entry, u64 context) {
  extern char park[];
  u64 self = READ(mpidr_el1) & 0xff;
  switch (function) {
  case 0x84000002: /* CPU_OFF */
    powered[self] = 0;
    DSB();
    __asm__ volatile("br %0" ::"r"(park));
    __builtin_unreachable();
  case 0xc4000003: /* CPU_ON */
    if (target >= CPUS) return -2;
    if (powered[target]) return -4;
    powered[target] = 1;
    spin_context[target] = context;
    DSB();
    spin_entry[target] = entry;
    __asm__ volatile("dsb sy\n sev" ::: "memory");
    return 0;
  case 0xc4000004: return target >= CPUS ? -2 : !powered[target];
  case 0xc4000001: __asm__ volatile("wfi"); return 0;
  case 0x84000006: return 2;
  case 0x84000008: /* the Secure GPIO's first line */
    *(volatile u32 *)0x090b0400UL = 1;
    *(volatile u32 *)0x090b0004UL = 1;
    for (;;) {}
  }
  return -1;
}
#endif
