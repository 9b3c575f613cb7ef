/* Says something and then spins. */
#include "guest.h"

int main(u64 device_tree) {
  print("spinning\n");
  for (;;) {}
}
