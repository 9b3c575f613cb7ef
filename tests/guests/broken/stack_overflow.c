/* Recursion without end into an unmapped guard page; the handler uses the same stack. */
#include "guest.h"
static NOINLINE u64 deeper(u64 n) { volatile u64 frame[64]; frame[n & 63] = n; if (n % 50 == 0) print("%lu ", n); return deeper(n + 1) + frame[3]; }
int main(u64 device_tree) {
  identity_map(12, 39);
  u64 stack = 0x100000000UL;
  for (u64 i = 0; i < 16; i++) map_at(&identity, stack + i * 4096, 0x44000000 + i * 4096, 3, P_KERNEL_DATA);
  identity_on();
  print("recursing\n");
  __asm__ volatile("mov sp, %0\n mov x0, #0\n b deeper_start\n" ::"r"(stack + 0x10000));
  return (int)deeper(0);
}
__asm__(".global deeper_start\ndeeper_start: b deeper_c\n");
u64 deeper_c(u64 n) { return deeper(n); }
