/* TCR does not fit the tables. */
#include "guest.h"
int main(u64 device_tree) {
  identity_map(12, 39);
  print("with tcr ^ %lx\n", (u64)CHANGE);
  mmu_on((u64)identity.root, 0, tcr_of(&identity, NULL) ^ CHANGE, 0x1005);
  print("on\n");
  *(volatile u32 *)0x09000000 = '!';
  return *(volatile int *)0x47fffff0;
}
