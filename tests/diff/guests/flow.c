/* Flow decided by data: the code is the same in all variants. */
#include "boot.h"
#ifndef MODE
#define MODE 3
#endif
volatile const u32 mode __attribute__((section(".data"))) = MODE;
volatile u32 spins __attribute__((section(".data"))) =
#ifdef SPINS
SPINS
#else
5
#endif
;
static volatile u64 table_of[8];

NOINLINE u64 probe(u64 n) { __asm__ volatile("" ::: "memory"); return n * 3; }
NOINLINE u64 other(u64 n) { __asm__ volatile("mul %0, %0, %0\n eor %0, %0, #6\n" : "+r"(n)); return n + 5; }
NOINLINE u64 strategy_a(u64 n) { __asm__ volatile("" ::: "memory"); return n ^ 5; }
NOINLINE u64 strategy_b(u64 n) { __asm__ volatile("" ::: "memory"); return n ^ 6; }
typedef u64 (*strategy_fn)(u64);
volatile strategy_fn strategy __attribute__((section(".data"))) =
#ifdef STRATEGY
strategy_b
#else
strategy_a
#endif
;

/* Keeps all of them in every variant. */
const volatile strategy_fn all[] = {probe, other, strategy_a, strategy_b};

NOINLINE void choose(u64 n) {
  if (mode == 3) probe(n);
  else other(n);
}

#ifdef VECTORS
volatile u32 wanted __attribute__((section(".data"))) = VECTORS;
NOINLINE void install(void) {
  if (wanted) WRITE(vbar_el1, vectors);
  ISB();
}
#endif

NOINLINE void wait_ticks(u64 ticks) {
  u64 from = READ(cntvct_el0);
  while (READ(cntvct_el0) - from < ticks) {}
}

NOINLINE void delay(u32 n) {
  for (u32 i = 0; i < n; i++) (void)uart[6];
}

u64 main(u64 tree) {
  say("flow\n");
  table_of[0] = all[0] != 0;
#ifdef CALLS
  other(5);
#endif
  choose(4);
  table_of[1] = 2;
  strategy(4);
  delay(spins);
  wait_ticks(spins);
  table_of[2] = 3;
#ifdef VECTORS
  install();
#endif
  say("done\n");
  return 0;
}
