/* MMU and caches on, off, on with other tables, as boot loaders do before they hand over; set/way maintenance by CLIDR and CCSIDR. */
#include "guest.h"

static u32 by_set_way(int what) {
  u32 operations = 0;
  u64 clidr = READ(clidr_el1);
  for (u32 level = 0; level < 7; level++) {
    u32 type = clidr >> 3 * level & 7;
    if (type < 2) continue;
    WRITE(csselr_el1, level << 1);
    ISB();
    u64 ccsidr = READ(ccsidr_el1);
    u32 line = (ccsidr & 7) + 4, ways = (ccsidr >> 3 & 0x3ff) + 1, sets = (ccsidr >> 13 & 0x7fff) + 1, shift = ways > 1 ? (u32)__builtin_clz(ways - 1) : 0;
    for (u32 way = 0; way < ways; way++)
      for (u32 set = 0; set < sets; set++) {
        u64 v = (u64)way << shift | (u64)set << line | level << 1;
        if (what == 0) __asm__ volatile("dc isw, %0" ::"r"(v)); else if (what == 1) __asm__ volatile("dc csw, %0" ::"r"(v)); else __asm__ volatile("dc cisw, %0" ::"r"(v));
        operations++;
      }
  }
  DSB();
  ISB();
  return operations;
}

static NOINLINE void off(void) {
  WRITE(sctlr_el1, READ(sctlr_el1) & ~0x1005UL);
  ISB();
  __asm__ volatile("tlbi vmalle1\n ic iallu\n dsb sy\n isb" ::: "memory");
}

int main(u64 device_tree) {
  print("set/way %u\n", by_set_way(0));
  volatile u64 *cell = (volatile u64 *)0x44000000, *alias = (volatile u64 *)0x80000000;
  for (u32 round = 0; round < 4; round++) {
    identity_map(round & 1 ? 16 : 12, round & 1 ? 42 : 39);
    map_at(&identity, 0x80000000, 0x44000000 + round * 0x10000, 3, P_KERNEL_DATA);
    identity_on();
    *alias = round * 7 + 1;
    print("on %u: sctlr %lx, alias %lx, cleaned %u\n", round, READ(sctlr_el1), *alias, by_set_way(round & 1 ? 1 : 2));
    __asm__ volatile("dc civac, %0\n dc cvac, %0\n dc ivac, %0\n dc cvau, %0\n ic ivau, %0\n dsb sy" ::"r"(alias) : "memory");
    off();
    print("off: sctlr %lx, cell %lx, alias %lx\n", READ(sctlr_el1), cell[round * 0x2000], probe_read(0x80000000, 8));
  }
  return 0;
}
