/* The frame allocator hands out the page that holds the live tables. */
#include "guest.h"
int main(u64 device_tree) {
  identity_map(12, 39);
  identity_on();
  u64 victim = (u64)identity.root;
  print("clearing a frame\n");
  for (u64 *p = (u64 *)victim; p < (u64 *)(victim + 4096); p++) *p = 0;
  tlbi_all();
  print("cleared\n");
  return 0;
}
