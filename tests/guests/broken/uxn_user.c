/* The user's page is not executable at EL0, and the handler kills nothing: it returns to the same fault for ever. */
#include "guest.h"
void on_exception(struct frame *f, u32 kind) { static u32 n; if (n++ < 3) describe(f, kind); }
int main(u64 device_tree) {
  identity_map(12, 39);
  map_at(&identity, 0x400000, 0x40400000, 3, P_NORMAL | P_SHARED | P_AF | P_USER | P_UXN);
  identity_on();
  WRITE(elr_el1, 0x400000);
  WRITE(spsr_el1, 0);
  print("into user mode\n");
  __asm__ volatile("eret");
  return 0;
}
