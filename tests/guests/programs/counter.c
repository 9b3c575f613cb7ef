/* The counter as read after a known number of instructions, to the tick. */
#include "guest.h"

static u64 a[40], b[40], c[8];

int main(u64 device_tree) {
  __asm__ volatile("mov x9, %0\n .rept 40\n mrs x10, cntvct_el0\n str x10, [x9], #8\n nop\n .endr" ::"r"(a) : "x9", "x10", "memory");
  __asm__ volatile("mov x9, %0\n .rept 40\n mrs x10, cntpct_el0\n str x10, [x9], #8\n .endr" ::"r"(b) : "x9", "x10", "memory");
  WRITE(cntv_tval_el0, 0);
  for (u32 i = 0; i < 40; i++) print("%lu %lu\n", a[i] - a[0], b[i] - a[0]);
  print("%lu\n", READ(cntv_cval_el0) - a[0]);
  for (u32 i = 0; i < 8; i++) { WRITE(cntp_tval_el0, 0); c[i] = READ(cntp_cval_el0); __asm__ volatile("nop\n nop\n nop"); }
  for (u32 i = 0; i < 8; i++) print("%lu ", c[i] - a[0]);
  print("\n%lu start\n", a[0]);
  return 0;
}
