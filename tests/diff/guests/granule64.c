/* 64 KB granule, a program at EL0 that calls back. */
#include "boot.h"
#define BIG_PAGE 0x10000UL

static struct {
  u64 level3[8192];
  u64 level2[1024];
} tables __attribute__((aligned(65536)));
u64 calls, result;

NOINLINE static void map(u64 va, u64 pa, u64 attributes) {
  tables.level3[va >> 16 & 8191] = pa | attributes | 3;
}

NOINLINE static u64 attributes_of(u64 va) {
  u64 attributes = 1UL << 10 | 3UL << 8 | 1UL << 2;
  if (va >= 0x40300000 && va < 0x40310000) {
    attributes |= 1UL << 6 | 1UL << 53;
#ifdef BUG_UXN
    attributes |= 1UL << 54;
#endif
#ifdef BUG_AP
    attributes &= ~(1UL << 6);
#endif
#ifdef BUG_NG
    attributes |= 1UL << 11;
#endif
  } else attributes |= 1UL << 54;
#ifdef BUG_AF
  if (va >= 0x40310000) attributes &= ~(1UL << 10);
#endif
  return attributes;
}

NOINLINE static void map_all(void) {
  tables.level2[0] = 0x401UL | 1UL << 54 | 1UL << 53;
  tables.level2[2] = (u64)tables.level3 | 3;
  for (u64 va = 0x40200000; va < 0x40400000; va += BIG_PAGE) {
    u64 pa = va;
#ifdef BUG_PA
    if (va == 0x40300000) pa += BIG_PAGE;
#endif
#ifdef BUG_OFF_BY_ONE
    if (va == 0x403f0000) break;
#endif
    map(va, pa, attributes_of(va));
  }
}

NOINLINE static void enable(void) {
  WRITE(mair_el1, 0xff00);
#ifdef BUG_GRANULE
  WRITE(tcr_el1, 25UL | 0x3500UL | 1UL << 23 | 2UL << 32);
#else
  WRITE(tcr_el1, 25UL | 0x3500UL | 1UL << 14 | 1UL << 23 | 2UL << 32);
#endif
#ifdef BUG_TTBR
  WRITE(ttbr0_el1, tables.level3);
#else
  WRITE(ttbr0_el1, tables.level2);
#endif
  DSB();
  ISB();
  WRITE(sctlr_el1, READ(sctlr_el1) | 0x1005);
  ISB();
}

NOINLINE static u64 deep(u64 n) {
  volatile u64 local[16];
  for (int i = 0; i < 16; i++) local[i] = n;
  return n == 0 ? local[0] : local[n & 15] + deep(n - 1);
}

void on_call(void);
__asm__(".text\n.balign 2048\nuser_vectors:\n.rept 8\n.balign 128\n b .\n.endr\n"
        ".balign 128\n b from_user\n.balign 2048\n"
        "from_user: sub sp, sp, #16\n stp x29, x30, [sp]\n bl on_call\n ldp x29, x30, [sp]\n add sp, sp, #16\n eret\n");
extern u8 user_vectors[];

void on_call(void) {
  if (READ(esr_el1) >> 26 != 0x15) {
    say("bad exception\n");
    power_off();
  }
  if (++calls == 3) {
    say("user done\n");
    power_off();
  }
}

u64 main(u64 tree) {
  static const u32 program[] = {0xd2800000, 0xd4000001, 0x91000400, 0x17fffffe}; /* mov, svc, add, b */
  volatile u32 *user = (volatile u32 *)0x40300000;
  for (u32 i = 0; i < 4; i++) user[i] = program[i];
  WRITE(vbar_el1, user_vectors);
  map_all();
  result = deep(3);
  enable();
  WRITE(elr_el1, user);
#ifdef BUG_SPSR
  WRITE(spsr_el1, 0x3c5);
#else
  WRITE(spsr_el1, 0x3c0);
#endif
  __asm__ volatile("eret");
  return 0;
}
