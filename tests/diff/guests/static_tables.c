/* Tables in .bss, a list of regions, a mapper that takes flags. */
#include "boot.h"

enum { EXEC = 1, WRITE_OK = 2, DEVICE = 4, BIG = 8 };
struct region { const char *name; u64 from, to; u32 flags; };

static u64 root[512] __attribute__((aligned(4096)));
static u64 tables[8][512] __attribute__((aligned(4096)));
static u32 used;
u32 mapped_pages, mapped_blocks;
u64 ticks_at_start;
struct region *last_region;
static u64 scratch[64];

NOINLINE static u64 attributes(u32 flags) {
  u64 d = 1UL << 54 | 1;
#ifndef BUG_AF
  d |= 1UL << 10;
#endif
  if (flags & DEVICE) d |= 0UL << 2;
#ifdef BUG_MAIR_INDEX
  else d |= 2UL << 2 | 3UL << 8;
#else
  else d |= 1UL << 2 | 3UL << 8;
#endif
#ifdef BUG_PXN
  if (!(flags & EXEC) || !(flags & DEVICE)) d |= 1UL << 53;
#else
  if (!(flags & EXEC)) d |= 1UL << 53;
#endif
#ifdef BUG_AP
  d |= 1UL << 7;
#else
  if (!(flags & WRITE_OK)) d |= 1UL << 7;
#endif
  return d;
}

NOINLINE static u64 *next_table(u64 *entry) {
  if (!(*entry & 1)) *entry = (u64)tables[used++] | 3;
  return (u64 *)(*entry & ADDRESS);
}

NOINLINE void map_page(u64 va, u64 pa, u32 flags) {
  u64 *l1 = next_table(&root[va >> 39 & 511]);
  u64 *l2 = next_table(&l1[va >> 30 & 511]);
  u64 d = attributes(flags);
  if (flags & BIG) {
#ifdef BUG_BLOCK
    l2[va >> 21 & 511] = pa | d | 2;
#else
    l2[va >> 21 & 511] = pa | d;
#endif
    mapped_blocks++;
    return;
  }
  u64 *l3 = next_table(&l2[va >> 21 & 511]);
#ifdef BUG_OUTPUT
  if (!(flags & EXEC)) pa += PAGE;
#endif
  l3[va >> 12 & 511] = pa | d | 2;
  mapped_pages++;
}

NOINLINE void map_region(struct region *r) {
  u64 step = r->flags & BIG ? BLOCK : PAGE;
  last_region = r;
#ifdef BUG_SHORT
  for (u64 at = r->from; at + step < r->to; at += step) map_page(at, at, r->flags);
#else
  for (u64 at = r->from; at < r->to; at += step) map_page(at, at, r->flags);
#endif
  say("  ");
  say(r->name);
  say(" ");
  say_hex(r->from);
  say("\n");
}

NOINLINE void map_all(void) {
  struct region regions[] = {
    {"text", (u64)image_start, (u64)text_end, EXEC},
    {"data", ((u64)text_end + PAGE - 1) & ~(PAGE - 1), (u64)image_end, WRITE_OK},
    {"heap", 0x40400000, 0x40800000, WRITE_OK | BIG},
    {"uart", 0x09000000, 0x09200000, WRITE_OK | DEVICE | BIG},
  };
  for (u32 i = 0; i < sizeof regions / sizeof *regions; i++) map_region(&regions[i]);
}

NOINLINE void vectors_init(void) {
  WRITE(vbar_el1, vectors);
  ISB();
}

NOINLINE void mmu_init(void) {
#ifdef BUG_MAIR
  WRITE(mair_el1, 0x44ff);
#else
  WRITE(mair_el1, 0x44ff00);
#endif
#ifdef BUG_T0SZ
  WRITE(tcr_el1, 25UL | 0x3500UL | 1UL << 23 | 4UL << 32);
#else
  WRITE(tcr_el1, 16UL | 0x3500UL | 1UL << 23 | 4UL << 32);
#endif
  WRITE(ttbr0_el1, root);
  DSB();
#ifndef BUG_NO_TLBI
  __asm__ volatile("tlbi vmalle1");
#endif
  DSB();
#ifndef BUG_NO_ISB
  ISB();
#endif
  WRITE(sctlr_el1, READ(sctlr_el1) | 0x1005);
  ISB();
}

NOINLINE void scratch_init(void) {
  for (u64 i = 0; i < 64; i++) scratch[i] = i * i;
}

NOINLINE static u64 deep(u64 n) {
  volatile u64 local[16];
  for (int i = 0; i < 16; i++) local[i] = n + i;
  return n == 0 ? local[3] : local[n & 15] + deep(n - 1);
}

NOINLINE void clock_init(void) { ticks_at_start = READ(cntvct_el0); }

u64 main(u64 tree) {
  say("static tables\n");
#ifdef BUG_EXTRA_CALL
  scratch[3] = 77;
#endif
  clock_init();
#ifdef ORDER
  scratch_init();
#endif
#ifndef BUG_LATE
  vectors_init();
#endif
#ifndef ORDER
  scratch_init();
#endif
  map_all();
  scratch[1] = deep(20);
  say("MMU on\n");
  mmu_init();
#ifdef BUG_LATE
  vectors_init();
#endif
  scratch[2] = *(volatile u64 *)0x40400000UL;
  *(volatile u64 *)0x40400008UL = (u64)&scratch[2];
  say("done, pages ");
  say_hex(mapped_pages);
  say("\n");
  return 0;
}
