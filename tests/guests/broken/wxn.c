/* SCTLR.WXN with writable code. */
#include "guest.h"
int main(u64 device_tree) {
  print("before\n");
  identity_map(12, 39);
  mmu_on((u64)identity.root, 0, tcr_of(&identity, NULL), 0x1005 | 1 << 19);
  print("on\n");
  return 0;
}
