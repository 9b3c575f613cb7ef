/* Finds out what is where in the physical address space by reading it and catching the aborts. */
#include "guest.h"

static void scan(u64 from, u64 to, u64 step, int size) {
  u64 start = from, last = ~0UL;
  print("%d bytes:\n", size);
  for (u64 a = from; a <= to; a += step) {
    u64 esr = a < to ? probe_read(a, size) : ~0UL - 1;
    if (esr == last) continue;
    if (a != from) print("  %lx to %lx: %lx\n", start, a, last);
    start = a;
    last = esr;
  }
}

int main(u64 device_tree) {
  for (int size = 1; size <= 8; size *= 2) scan(0, 0x40000000, 0x10000, size);
  scan(0x0a000000, 0x0a006000, 0x200, 4);
  scan(0x40000000, 0x50000000, 0x200000, 8);
  scan(0x47fff000, 0x48001000, 0x100, 4);
  scan(0x100000000, 0x10000000000, 0x40000000, 4);
  u64 words[] = { 0, 8, 0x100, 0x3fffff8, 0x4000000, 0x7fffff8, 0x8000004, 0x8000008, 0x9000fe0, 0x9010fe0, 0x9020000, 0x9030fe0, 0xa000000, 0xa000004, 0xa000008, 0xa00000c, 0xa003e00, 0x3eff0000, 0x10000000 };
  for (u32 i = 0; i < COUNT(words); i++) { u64 esr = probe_read(words[i], 4); if (esr) print("%lx: %lx\n", words[i], esr); else print("%lx = %lx\n", words[i], probe_value); }
  return 0;
}
