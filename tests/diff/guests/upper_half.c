/* A kernel in the upper half: after its boot code it makes its own tables, by sections. */
#include "guest.h"


static u64 *kernel_tables;
u64 count;

static u64 virt_to_phys(void *p) { return (u64)p - HIGH; }
static void *phys_to_virt(u64 p) { return (void *)(p + HIGH); }

NOINLINE static u64 *new_table(void) {
  static u8 pool[16][4096] __attribute__((aligned(4096)));
  static int used;
  return (u64 *)pool[used++];
}

NOINLINE void set_entry(u64 va, u64 pa, u64 prot) {
  u64 *table = kernel_tables;
  for (int shift = 39; shift > 12; shift -= 9) {
    u64 *entry = &table[va >> shift & 511];
    if (!*entry) *entry = virt_to_phys(new_table()) | 3;
    table = phys_to_virt(*entry & 0xfffffffff000UL);
  }
  table[va >> 12 & 511] = pa | prot | 3;
  count++;
}

NOINLINE void map_sections(void) {
  u64 code = P_NORMAL | P_SHARED | P_AF | P_UXN;
  u64 data = code | P_PXN;
#ifdef BUG_PXN
  code = data;
#endif
#ifndef BUG_AP
  code |= P_RO;
#endif
  for (char *at = image_start; at < image_end; at += 4096)
    set_entry((u64)at, virt_to_phys(at), at < text_end ? code : data);
  set_entry(HIGH + UART, UART, P_IO);
}

NOINLINE void switch_tables(void) {
  WRITE(ttbr1_el1, virt_to_phys(kernel_tables));
  ISB();
#ifndef BUG_NO_TLBI
  tlbi_all();
#endif
}

int main(u64 tree) {
  print("upper half at %lx\n", (u64)image_start);
  kernel_tables = new_table();
  map_sections();
  switch_tables();
  print("mapped %lu pages\n", count);
  return 0;
}

void on_exception(struct frame *frame, u32 kind) { power_off(); }
