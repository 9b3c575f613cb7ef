/* The kernel's own pages are mapped PXN: the MMU goes on and nothing more is executed. */
#include "guest.h"
int main(u64 device_tree) {
  identity_map(12, 39);
  map_range(&identity, 0x40000000, 0x40000000, 0x08000000, P_KERNEL_DATA);
  print("turning the MMU on\n");
  identity_on();
  print("on\n");
  return 0;
}
