/* A kernel at EL2 whose threads run at EL0 under it, with HCR_EL2.TGE, as some microkernels do: stage 2 alone translates for them (HCR_EL2.DC), or nothing does, and all that they trap comes to EL2. */
#include "guest.h"

#define HCR_VM 1UL
#define HCR_DC (1UL << 12)
#define HCR_TGE (1UL << 27)
#define HCR_RW (1UL << 31)
#define HOLE 0x40600000UL
#define READ_ONLY 0x40800000UL
#define NO_EXECUTE 0x40a00000UL

static u64 first[512] __attribute__((aligned(4096))), low[512] __attribute__((aligned(4096))), ram[512] __attribute__((aligned(4096)));
extern u64 result[6], user_sp;
u64 run_user(u64 (*f)(u64), u64 argument);

/* result: 0 synchronous, 1 IRQ, 2 FIQ; then ESR, FAR, HPFAR, ELR, SPSR. */
__asm__(
  "  .text\n  .balign 2048\nuser_vectors:\n  .rept 8\n  b fatal\n  .balign 128\n  .endr\n"
  "  str x0, [sp, #-16]!\n  mov x0, #0\n  b left\n  .balign 128\n  str x0, [sp, #-16]!\n  mov x0, #1\n  b left\n  .balign 128\n  str x0, [sp, #-16]!\n  mov x0, #2\n  b left\n  .balign 128\n  b fatal\n  .balign 128\n  .skip 0x200\n"
  "left:\n  adrp x1, result\n  add x1, x1, :lo12:result\n  mrs x2, esr_el2\n  mrs x3, far_el2\n  stp x0, x2, [x1]\n  mrs x2, hpfar_el2\n  stp x3, x2, [x1, #16]\n  mrs x2, elr_el2\n  mrs x3, spsr_el2\n  stp x2, x3, [x1, #32]\n"
  "  ldr x0, [sp], #16\n  ldp x19, x20, [sp], #16\n  ldp x21, x22, [sp], #16\n  ldp x23, x24, [sp], #16\n  ldp x25, x26, [sp], #16\n  ldp x27, x28, [sp], #16\n  ldp x29, x30, [sp], #16\n  ret\n"
  "user_entry:\n  blr x9\n  svc #0x77\n"
  "  .global run_user\nrun_user:\n"
  "  stp x29, x30, [sp, #-16]!\n  stp x27, x28, [sp, #-16]!\n  stp x25, x26, [sp, #-16]!\n  stp x23, x24, [sp, #-16]!\n  stp x21, x22, [sp, #-16]!\n  stp x19, x20, [sp, #-16]!\n"
  "  adrp x2, user_vectors\n  add x2, x2, :lo12:user_vectors\n  msr vbar_el2, x2\n  mov x2, #0\n  msr spsr_el2, x2\n  adrp x2, user_entry\n  add x2, x2, :lo12:user_entry\n  msr elr_el2, x2\n"
  "  adrp x2, user_sp\n  ldr x2, [x2, :lo12:user_sp]\n  msr sp_el0, x2\n  mov x9, x0\n  mov x0, x1\n  isb\n  eret\n"
  "fatal:\n  mrs x0, esr_el2\n  mrs x1, elr_el2\n  mrs x2, far_el2\n  b report\n");
u64 result[6], user_sp;

static void end(void) { __asm__ volatile("movz x0, #8\n movk x0, #0x8400, lsl #16\n smc #0" ::: "x0", "memory"); }
__attribute__((used)) void report(u64 esr, u64 elr, u64 far) { print("at EL2: esr %lx elr %lx far %lx\n", esr, elr, far); end(); }

#define USER(name, text) u64 user_##name(u64); __asm__("  .text\n  .balign 8\n  .global user_" #name "\nuser_" #name ":\n" text "\n ret");
USER(nothing, "mov x0, #7")
USER(load, "ldr x0, [x0]")
USER(store, "str x0, [x0]")
USER(jump, "br x0")
USER(supervisor_call, "svc #5")
USER(hypercall, "hvc #5")
USER(monitor_call, "smc #5")
USER(breakpoint, "brk #3")
USER(cache_type, "mrs x0, ctr_el0")
USER(counter, "mrs x0, cntvct_el0")
USER(physical_counter, "mrs x0, cntpct_el0")
USER(cycles, "mrs x0, pmccntr_el0")
USER(current_el, "mrs x0, currentel")
USER(kernel_register, "mrs x0, ttbr0_el1")
USER(mask, "msr daifset, #2")
USER(zero, "dc zva, x0")
USER(clean, "dc cvau, x0")
USER(invalidate, "ic ivau, x0")
USER(wait, "wfi")
USER(wait_event, "wfe\n wfe")
USER(floating, "fmov d0, x0")
USER(exclusive, "ldxr w1, [x0]\n stxr w0, w1, [x0]")
USER(unaligned, "ldr x0, [x0, #3]")
USER(spin, "1: b 1b")
USER(stack, "mov x1, sp\n add sp, sp, #4\n ldr x0, [sp]\n mov sp, x1")

static const struct { const char *name; u64 (*f)(u64); u64 argument; } CASES[] = {
  {"nothing", user_nothing, 0}, {"load", user_load, READ_ONLY}, {"load hole", user_load, HOLE + 0x1238}, {"store hole", user_store, HOLE + 8}, {"store read-only", user_store, READ_ONLY + 0x18}, {"load far", user_load, 1UL << 40}, {"load beyond", user_load, 0x80000000},
  {"jump hole", user_jump, HOLE + 0x40}, {"jump no-execute", user_jump, NO_EXECUTE}, {"jump unaligned", user_jump, READ_ONLY + 2}, {"call", user_supervisor_call, 0}, {"hypercall", user_hypercall, 0}, {"monitor call", user_monitor_call, 0}, {"breakpoint", user_breakpoint, 0},
  {"cache type", user_cache_type, 0}, {"counter", user_counter, 0}, {"physical counter", user_physical_counter, 0}, {"cycles", user_cycles, 0}, {"current EL", user_current_el, 0}, {"kernel register", user_kernel_register, 0}, {"mask", user_mask, 0},
  {"zero", user_zero, NO_EXECUTE}, {"clean", user_clean, NO_EXECUTE}, {"invalidate", user_invalidate, NO_EXECUTE}, {"wait", user_wait, 0}, {"wait for event", user_wait_event, 0}, {"floating", user_floating, 0}, {"exclusive", user_exclusive, NO_EXECUTE}, {"unaligned", user_unaligned, NO_EXECUTE}, {"stack", user_stack, 0},
};

static void run_all(const char *what) {
  print("%s: HCR_EL2 %lx SCTLR_EL1 %lx CPTR_EL2 %lx\n", what, READ(hcr_el2), READ(sctlr_el1), READ(cptr_el2));
  for (size_t i = 0; i < COUNT(CASES); i++) {
    u64 value = run_user(CASES[i].f, CASES[i].argument), ec = result[1] >> 26;
    int aborts = (ec & ~5UL) == 0x20;
    print("  %s: %lx kind %lx esr %lx", CASES[i].name, ec == 0x15 && CASES[i].f != user_counter && CASES[i].f != user_physical_counter ? value : 0, result[0], result[1]);
    if (aborts) print(" far %lx hpfar %lx", result[2], result[3]);
    print(" elr +%lx spsr %lx\n", result[4] - (u64)CASES[i].f, result[5]);
  }
}

int main(u64 device_tree) {
  (void)device_tree;
  ram[0] = 0x400007fd, ram[1] = 0x402007fd, ram[2] = 0x404007fd, ram[4] = READ_ONLY | 0x77d, ram[5] = 1UL << 54 | NO_EXECUTE | 0x7fd;
  low[72] = 0x090007c5;
  first[0] = (u64)low | 3, first[1] = (u64)ram | 3;
  user_sp = 0x40500000;
  WRITE(vttbr_el2, first);
  WRITE(vtcr_el2, 0x80023559);
  WRITE(cptr_el2, 0x33ff);
  WRITE(cnthctl_el2, 3);
  WRITE(mdcr_el2, 6);
  const u64 plain = HCR_RW | HCR_TGE;
  static const u64 CONTROLS[] = {0x30d00800, 0x30d00800 | 1 | 1 << 12 | 3 << 14 | 1 << 18 | 0x18 | 1 << 26 | 1 << 9};
  for (size_t i = 0; i < COUNT(CONTROLS); i++) {
    WRITE(sctlr_el1, CONTROLS[i]);
    WRITE(ttbr0_el1, HOLE);
    WRITE(cntkctl_el1, i ? 3 : 0);
    /* The reference goes by SCTLR_EL1.M here, which TGE makes 0. */
    if (i == 0) {
      WRITE(hcr_el2, plain);
      run_all("no translation");
    }
    WRITE(hcr_el2, plain | HCR_VM | HCR_DC);
    __asm__ volatile("dsb sy\n tlbi alle1\n dsb sy\n isb");
    run_all("stage 2");
    WRITE(hcr_el2, plain | HCR_VM | HCR_DC | 3UL << 13 | 1UL << 19 | 1UL << 26 | 1UL << 25);
    WRITE(cptr_el2, 0x37ff);
    run_all("traps");
    WRITE(cptr_el2, 0x33ff);
  }
  /* An interrupt comes to EL2 without being routed there. */
  WRITE(cnthp_cval_el2, READ(cntpct_el0) + 2000);
  WRITE(cnthp_ctl_el2, 1);
  *(volatile u32 *)0x08000000 = 1, *(volatile u32 *)0x08010000 = 1, *(volatile u32 *)0x08010004 = 0xff, *(volatile u32 *)0x08000100 = 1 << 26;
  WRITE(hcr_el2, plain | HCR_VM | HCR_DC);
  run_user(user_spin, 0);
  print("interrupt: kind %lx elr +%lx spsr %lx, acknowledged %x\n", result[0], result[4] - (u64)user_spin, result[5], *(volatile u32 *)0x0801000c);
  end();
  return 0;
}
