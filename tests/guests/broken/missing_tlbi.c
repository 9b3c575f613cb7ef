/* A page is moved without TLBI: the old translation is used until something drops it. */
#include "guest.h"
static u64 a[512] __attribute__((aligned(4096))), b[512] __attribute__((aligned(4096)));
int main(u64 device_tree) {
  a[0] = 0xa; b[0] = 0xb;
  identity_map(12, 39);
  volatile u64 *p = (volatile u64 *)0x80000000;
  map_at(&identity, 0x80000000, (u64)a, 3, P_KERNEL_DATA);
  identity_on();
  print("first %lx\n", *p);
  map_at(&identity, 0x80000000, (u64)b, 3, P_KERNEL_DATA);
  DSB();
  ISB();
  print("moved, no TLBI: %lx\n", *p);
  *p = 0xcc;
  print("a %lx b %lx\n", a[0], b[0]);
  *space_entry(&identity, 0x80000000, 3, 0) = 0;
  DSB();
  print("unmapped, no TLBI: %lx\n", *p);
  WRITE(contextidr_el1, 5);
  ISB();
  print("after CONTEXTIDR: %lx\n", *p);
  WRITE(ttbr0_el1, READ(ttbr0_el1));
  ISB();
  print("after the same TTBR0: %lx\n", *p);
  WRITE(mair_el1, READ(mair_el1));
  ISB();
  print("after the same MAIR: %s\n", probe_read(0x80000000, 8) ? "gone" : "there");
  tlbi_all();
  print("after TLBI: %s\n", probe_read(0x80000000, 8) ? "gone" : "there");
  return 0;
}
