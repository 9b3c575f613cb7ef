/* Builds tables of one granule and size, maps blocks and pages at every level both ranges have, and tries them. */
#include "guest.h"

#ifndef HIGH_BITS
#define HIGH_BITS MMU_BITS
#endif

static u8 area[4 << 16] __attribute__((aligned(65536)));
static struct space high;

static void try(const char *name, u64 va) {
  u64 esr = probe_read(va, 8);
  print("%-28s %016lx ", name, va);
  if (esr) print("esr %lx far %lx\n", esr, probe.far);
  else print("= %lx\n", probe_value);
}

static u64 at(u64 va, int write) {
  if (write) __asm__ volatile("at s1e1w, %0\n isb" ::"r"(va) : "memory");
  else __asm__ volatile("at s1e1r, %0\n isb" ::"r"(va) : "memory");
  return READ(par_el1);
}

int main(u64 device_tree) {
  print("granule 2^%d, %d and %d bits, first levels", MMU_PAGE, MMU_BITS, HIGH_BITS);
  for (u32 i = 0; i < COUNT(area) / 8; i++) ((u64 *)area)[i] = 0xfeed000000000000UL + i * 8;
  identity_map(MMU_PAGE, MMU_BITS);
  space_init(&high, MMU_PAGE, HIGH_BITS);
  print(" %d %d\n", first_level(&identity), first_level(&high));
  u64 page = 1UL << MMU_PAGE, top = -(1UL << HIGH_BITS), a = (u64)area;
  int low_block = MMU_PAGE == 12 ? 1 : 2;
  /* High range: first page, last page, a block of each size, a page in the middle. */
  map_at(&high, top, a, 3, P_KERNEL_DATA);
  map_at(&high, -page, a + page * (MMU_PAGE < 16), 3, P_KERNEL_DATA);
  u64 va = top + (1UL << (HIGH_BITS - 2));
  map_at(&high, va, a, 3, P_KERNEL_DATA | P_RO);
  u64 blocks[4] = { 0 };
  for (int level = 2; level >= low_block && level >= first_level(&high); level--) {
    u64 size = 1UL << block_log2(&high, level);
    blocks[level] = (top + (1UL << (HIGH_BITS - 1))) + (u64)(3 - level) * (1UL << (HIGH_BITS - 3));
    blocks[level] &= -size;
    map_at(&high, blocks[level], a & -size, level, P_KERNEL_DATA);
  }
  u64 sctlr = 0x1005, tcr = tcr_of(&identity, &high);
  mmu_on((u64)identity.root, (u64)high.root, tcr, sctlr);
  print("tcr %lx on\n", tcr);
  try("first page", top); try("end of first page", top + page - 8); try("behind first page", top + page);
  try("last page", -page); try("last word", -8UL); try("across the end", -4UL); try("before the last page", -page - 8);
  try("middle", va); try("middle, unaligned", va + 5); try("across its end", va + page - 4); try("before it", va - 8);
  try("below the range", top - 8); try("hole", 1UL << 55); try("hole", -(1UL << 55)); try("top of low", (1UL << MMU_BITS) - 8); try("above low", 1UL << MMU_BITS);
  try("unmapped RAM", 0x48000000); try("null", 0); try("device", 0x09000018); try("not there", 0x0a000000 + (1UL << 25));
  for (int level = 1; level < 3; level++) {
    if (!blocks[level]) continue;
    u64 size = 1UL << block_log2(&high, level);
    print("level %d block of %lx\n", level, size);
    try("offset", blocks[level] + (a & (size - 1)) + 0x1238);
    try("behind", blocks[level] + size); try("before", blocks[level] - 8);
    print("par %lx %lx\n", at(blocks[level] + (a & (size - 1)) + 0x1238, 0), at(blocks[level] + size, 1));
  }
  print("par %lx %lx %lx %lx\n", at(va + 0x10, 0), at(va + 0x10, 1), at(top, 1), at(-8UL, 0));
  print("write read-only: %lx far %lx\n", probe_write(va + 8, 8, 1), probe.far);
  print("write first: %lx\n", probe_write(top + 8, 8, 0x77));
  print("execute: %lx far %lx\n", probe_execute(top + 16), probe.far);
  try("written", top + 8);
  /* Tag bits. */
  WRITE(tcr_el1, tcr | 3UL << 37);
  ISB();
  try("tagged low", 0x5a00000000000000UL | a); try("tagged high", (top + 8) & ~0x5500000000000000UL); try("tagged, unmapped", 0x3c00000000000000UL);
  WRITE(tcr_el1, tcr);
  ISB();
  try("tag off", 0x5a00000000000000UL | a);
  /* One range disabled. */
  WRITE(tcr_el1, tcr | 1 << 23);
  ISB();
  __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
  try("EPD1", top + 8);
  WRITE(tcr_el1, tcr);
  ISB();
  try("EPD1 off", top + 8);
  return 0;
}
