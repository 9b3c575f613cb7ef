/* The smallest C kernel: a line on the console, then power off. */
#include "guest.h"

int main(u64 device_tree) {
  print("Hello from EL%lu, %s\n", READ(CurrentEL) >> 2, device_tree ? "with a device tree" : "without a device tree");
  return 0;
}
