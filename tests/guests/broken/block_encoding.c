/* 2 MB blocks written with bit 1 set: they read as tables. */
#include "guest.h"
static u64 l1[512] __attribute__((aligned(4096))), l2[512] __attribute__((aligned(4096)));
int main(u64 device_tree) {
  struct space s = { l1, 12, 39, 0 };
  l1[0] = 0x00000000 | P_IO | 1;
  l1[1] = (u64)l2 | 3;
  for (u64 i = 0; i < 64; i++) l2[i] = (0x40000000 + (i << 21)) | P_KERNEL | (i >= 32 ? 3 : 1);
  mmu_on((u64)l1, 0, tcr_of(&s, NULL), 0x1005);
  print("on\n");
  for (u64 a = 0x43000000; a < 0x48000000; a += 0x200000) { *(volatile u64 *)a = a; print("%lx ok\n", a); }
  return 0;
}
