/* MAIR and AttrIndx make RAM Device memory: unaligned accesses, exclusives and DC ZVA on the stack and data. */
#include "guest.h"
struct __attribute__((packed)) odd { u8 a; u64 b; u32 c; u16 d; };
int main(u64 device_tree) {
  identity_map(12, 39);
  map_range(&identity, 0x40000000, 0x40000000, 0x08000000, (P_KERNEL & ~P_NORMAL) | P_DEVICE);
  identity_on();
  struct odd local[5];
  u64 sum = 0;
  for (u32 i = 0; i < 5; i++) { volatile struct odd *o = &local[i]; o->a = (u8)i; o->b = i * 0x1234567UL; o->c = i; o->d = (u16)i; sum += o->b + o->c + o->d + o->a; }
  print("sum %lx\n", sum);
  u64 counter = 0;
  for (int i = 0; i < 10; i++) __atomic_fetch_add(&counter, 7, __ATOMIC_SEQ_CST);
  print("counter %lu\n", counter);
  u8 block[192];
  memset(block, 1, sizeof block);
  __asm__ volatile("dc zva, %0" ::"r"(block + 64) : "memory");
  print("zeroed %x\n", checksum(block + (-(u64)block & 63), 64));
  return 0;
}
