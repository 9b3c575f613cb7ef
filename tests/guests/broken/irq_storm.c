/* The timer's interrupt is never acknowledged nor turned off. */
#include "guest.h"
static volatile u64 count;
void on_exception(struct frame *f, u32 kind) { if (count++ < 3) print("tick %u\n", kind); }
int main(u64 device_tree) {
  *(volatile u32 *)0x08000000 = 1; *(volatile u32 *)0x08000100 = 1 << 27; *(volatile u32 *)0x08010004 = 0xff; *(volatile u32 *)0x08010000 = 1;
  WRITE(cntv_tval_el0, 1000);
  WRITE(cntv_ctl_el0, 1);
  __asm__ volatile("msr daifclr, #2");
  for (;;) __asm__ volatile("wfi");
}
