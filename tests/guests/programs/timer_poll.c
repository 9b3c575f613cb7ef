/* ISTATUS and the counter read instruction by instruction around a timer's deadline, masked and not. */
#include "guest.h"

#define STEP "mrs x10, cntv_ctl_el0\n lsl %0, %0, #1\n lsr x10, x10, #2\n orr %0, %0, x10\n"
static void poll(u32 pad, u32 ticks, u64 control) {
  u64 bits = 0, count; WRITE(cntv_ctl_el0, 0);
  for (u32 i = 0; i < pad; i++) __asm__ volatile("nop");
  WRITE(cntv_cval_el0, READ(cntvct_el0) + ticks); WRITE(cntv_ctl_el0, control);
  __asm__ volatile(".rept 40\n" STEP ".endr\n mrs %1, cntvct_el0" : "+r"(bits), "=r"(count) :: "x10");
  print("%u %u %lx: %010lx left %ld isr %lx\n", pad, ticks, control, bits, (s64)(READ(cntv_cval_el0) - count), READ(isr_el1));
}
static void loop(u32 pad, u32 ticks) {
  u64 turns = 0; WRITE(cntv_ctl_el0, 0); for (u32 i = 0; i < pad; i++) __asm__ volatile("nop");
  WRITE(cntv_tval_el0, ticks); WRITE(cntv_ctl_el0, 1); while (!(READ(cntv_ctl_el0) & 4)) turns++;
  print("loop %u %u: %lu tval %ld\n", pad, ticks, turns, (s64)(s32)READ(cntv_tval_el0));
}

int main(u64 device_tree) {
  for (u32 pad = 0; pad < 20; pad++) for (u32 ticks = 1; ticks < 9; ticks += 2) { poll(pad, ticks, 1); poll(pad, ticks, 3); }
  for (u32 pad = 0; pad < 40; pad++) loop(pad, 3 + pad * 5);
  return 0;
}
