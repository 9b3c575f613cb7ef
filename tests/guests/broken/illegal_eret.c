/* Returns to EL2, which does not exist; the handler does not repair SPSR. */
#include "guest.h"
void on_exception(struct frame *f, u32 kind) { static u32 n; if (n++ < 3) describe(f, kind); f->spsr |= 0x3c9; }
int main(u64 device_tree) {
  WRITE(spsr_el1, 0x3c9);
  WRITE(elr_el1, (u64)main);
  print("to EL2\n");
  __asm__ volatile("eret");
  return 0;
}
