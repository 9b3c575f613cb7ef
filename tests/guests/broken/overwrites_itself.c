/* memset with a length that wrapped: the kernel's own code is filled with zeroes while it runs. */
#include "guest.h"
int main(u64 device_tree) {
  print("clearing\n");
  volatile u8 *from = (volatile u8 *)image_start;
  for (u64 i = 0; i < (u64)(text_end - image_start); i++) from[i] = (u8)FILL;
  print("cleared\n");
  return 0;
}
