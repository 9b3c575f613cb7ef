/* VBAR_EL1 is left at zero: the first fault goes to flash. */
#include "guest.h"
int main(u64 device_tree) {
  WRITE(vbar_el1, 0);
  ISB();
#ifdef MMU_PAGE
  identity_map(MMU_PAGE, MMU_BITS);
  identity_on();
#endif
  print("about to read nothing\n");
  *(volatile u64 *)0x50000000;
  print("unreachable\n");
  return 0;
}
