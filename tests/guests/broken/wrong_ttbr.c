/* TTBR0 points at WHERE: an unaligned address, a device, zeroes, a hole, above the output size. */
#include "guest.h"
int main(u64 device_tree) {
  identity_map(12, 39);
  print("with ttbr0 at %s\n", TEXT);
  mmu_on(WHERE, 0, tcr_of(&identity, NULL), 0x1005);
  print("on\n");
  return 0;
}
