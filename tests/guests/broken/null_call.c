/* Calls a function pointer that nobody set; address 0 is flash, or unmapped with the MMU on. */
#include "guest.h"
static void (*volatile callback)(int);
int main(u64 device_tree) {
#ifdef MMU_PAGE
  identity_map(MMU_PAGE, MMU_BITS);
  identity_on();
#endif
  print("calling\n");
  callback(5);
  print("returned\n");
  return 0;
}
