/* A descriptor whose output address has bits above the 32-bit IPS, at LEVEL. */
#include "guest.h"
int main(u64 device_tree) {
  identity_map(12, 39);
  map_at(&identity, 0x80000000, 0x44000000, 3, P_KERNEL_DATA);
  *space_entry(&identity, 0x80000000, LEVEL, 1) |= 1UL << BIT;
  mmu_on((u64)identity.root, 0, tcr_of(&identity, NULL) & ~(7UL << 32), 0x1005);
  print("read %lx far %lx\n", probe_read(0x80000000, 8), probe.far);
  print("execute %lx\n", probe_execute(0x80000000));
  return *(volatile int *)0x80000000;
}
