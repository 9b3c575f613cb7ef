/* VBAR is not aligned to 2 KB. */
#include "guest.h"
static u8 handlers[8192] __attribute__((aligned(2048)));
int main(u64 device_tree) {
  for (u32 i = 0; i < 0x800; i++) ((u8 *)handlers)[0x800 + i] = ((u8 *)vectors)[i];
  DSB();
  __asm__ volatile("ic iallu\n dsb sy\n isb");
  for (u64 offset = 0; offset < 0x800; offset += 0x123) {
    WRITE(vbar_el1, (u64)vectors + offset);
    print("vbar + %lx\n", READ(vbar_el1) - (u64)vectors);
  }
  ISB();
  WRITE(vbar_el1, (u64)handlers + OFFSET);
  ISB();
  __asm__ volatile("svc #1");
  print("back\n");
  return 0;
}
