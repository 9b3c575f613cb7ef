/* Walks a device tree at x0 without looking whether there is one. */
#include "guest.h"
int main(u64 device_tree) {
  u32 *blob = (u32 *)device_tree, off = __builtin_bswap32(blob[2]), total = __builtin_bswap32(blob[1]);
  print("total %u structure at %u\n", total, off);
  for (u32 *at = (u32 *)(device_tree + off + 0x7ff0000);; at++) if (*at == 0x09000000) break;
  print("found the end\n");
  return 0;
}
