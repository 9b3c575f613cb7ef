/* PXNTable and APTable in the level 1 entry. */
#include "guest.h"
int main(u64 device_tree) {
  identity_map(12, 39);
  identity.root[1] |= BITS;
  print("table bits %lx\n", (u64)BITS);
  identity_on();
  print("on\n");
  return 0;
}
