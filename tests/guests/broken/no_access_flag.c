/* Data pages lack the access flag; the handler does not set it either. */
#include "guest.h"
void on_exception(struct frame *f, u32 kind) { static u32 n; if (n++ < 4) describe(f, kind); }
int main(u64 device_tree) {
  identity_map(12, 39);
  map_at(&identity, 0x80000000, 0x44000000, 3, P_KERNEL_DATA & ~P_AF);
  identity_on();
  print("touching\n");
  *(volatile u64 *)0x80000010 = 1;
  print("touched\n");
  return 0;
}
