/* Page tables at work: 4 KB pages are mapped, touched, made read-only, unmapped, with the TLBI that each needs. */
#include "guest.h"

extern u64 l1_table[512];

#define WINDOW 0x80000000UL
#define PAGES 2048
#define NORMAL 0x703UL
#define READ_ONLY 0x80UL

static u64 level2[512] __attribute__((aligned(4096)));
static u64 level3[PAGES] __attribute__((aligned(4096)));
static u8 frames[PAGES][4096] __attribute__((aligned(4096)));

static void synchronise(void) { __asm__ volatile("dsb ish\n\tisb" ::: "memory"); }

static void invalidate(u64 va) {
  __asm__ volatile("dsb ishst\n\ttlbi vae1is, %0\n\tdsb ish\n\tisb" ::"r"(va >> 12) : "memory");
}

int main(void) {
  u64 random = 88172645463325252UL, sum = 0;
  for (u32 i = 0; i < PAGES / 512; i++) level2[i] = (u64)&level3[512 * i] | 3;
  l1_table[2] = (u64)level2 | 3;
  synchronise();
  for (u32 pass = 0; pass < 60; pass++) {
    for (u32 i = 0; i < PAGES; i++) {
      random ^= random << 13; random ^= random >> 7; random ^= random << 17;
      level3[i] = (u64)frames[random % PAGES] | NORMAL;
    }
    synchronise();
    for (u32 i = 0; i < PAGES; i++) {
      volatile u64 *page = (u64 *)(WINDOW + 4096UL * i);
      for (u32 n = 0; n < 512; n += 16) page[n] += i + n;
      sum += page[(i * 16) & 511];
    }
    for (u32 i = 0; i < PAGES; i += 2) {
      level3[i] |= READ_ONLY;
      invalidate(WINDOW + 4096UL * i);
      sum += *(volatile u64 *)(WINDOW + 4096UL * i);
    }
    for (u32 i = 0; i < PAGES; i++) {
      level3[i] = 0;
      if (i & 1) invalidate(WINDOW + 4096UL * i);
    }
    __asm__ volatile("dsb ishst\n\ttlbi vmalle1is\n\tdsb ish\n\tisb" ::: "memory");
  }
  report("pages", sum);
  return 0;
}
