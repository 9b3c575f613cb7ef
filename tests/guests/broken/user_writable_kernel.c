/* Kernel code mapped with AP = 01: EL0-writable, therefore not executable at EL1. */
#include "guest.h"
int main(u64 device_tree) {
  print("before\n");
  identity_map(12, 39);
  map_range(&identity, 0x40000000, 0x40000000, 0x08000000, P_KERNEL | P_USER);
  identity_on();
  print("on\n");
  return 0;
}
