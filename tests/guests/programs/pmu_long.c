/* At EL2: event counters of 64 bits (FEAT_PMUv3p5; without it with SHORT), where they overflow, and what stops the cycle counter. */
#include "levels.h"

static const u64 STARTS[] = { 0xffffffff, 0x1ffffffff, 0xfffffffffffffffe, ~0UL, 0x7fffffffffffffff };

static void increments(const char *name) {
  for (u32 i = 0; i < COUNT(STARTS); i++) {
    WRITE(pmovsclr_el0, ~0UL);
    WRITE(pmevcntr1_el0, STARTS[i]);
    WRITE(pmevcntr5_el0, STARTS[i]);
    WRITE(pmswinc_el0, 0x22);
    ISB();
    print("%s %lx: %lx %lx overflown %lx\n", name, STARTS[i], READ(pmevcntr1_el0), READ(pmevcntr5_el0), READ(pmovsset_el0));
  }
}

static void cycles(const char *name) {
  WRITE(pmccntr_el0, 0);
  ISB();
  for (u32 i = 0; i < 100; i++) __asm__ volatile("nop");
  print("%s: the cycle counter %s\n", name, READ(pmccntr_el0) ? "counts" : "stands");
}

int main(u64 device_tree) {
  print("pmcr %lx mdcr %lx ceid %lx %lx\n", READ(pmcr_el0), READ(mdcr_el2), READ(pmceid0_el0), READ(pmceid1_el0));
#ifndef SHORT
  print("mmir %lx\n", READ(S3_0_C9_C14_6));
#endif
  for (u32 lp = 0; lp < 2; lp++)
    for (u32 hlp = 0; hlp < 2; hlp++) {
      WRITE(mdcr_el2, (u64)hlp << 26 | 0x80 | 4);
      WRITE(pmcr_el0, lp << 7 | 7);
      WRITE(pmcntenset_el0, 0x8000003f);
      WRITE(pmevtyper1_el0, 0x08000000);
      WRITE(pmevtyper5_el0, 0x08000000);
      WRITE(pmccfiltr_el0, 0x08000000);
      ISB();
      print("lp %u hlp %u\n", lp, hlp);
      increments("increment");
    }
  static const u64 STOPS[] = { 0, 1UL << 23, 1UL << 17, 1UL << 23 | 1UL << 17 };
  for (u32 dp = 0; dp < 2; dp++)
    for (u32 i = 0; i < COUNT(STOPS); i++) {
      WRITE(mdcr_el2, STOPS[i] | 0x80 | 4);
      WRITE(pmcr_el0, dp << 5 | 1);
      ISB();
      cycles(dp ? "dp" : "no dp");
    }
  WRITE(mdcr_el2, 6);
  WRITE(pmcr_el0, 0xff);
  ISB();
  print("pmcr %lx\n", READ(pmcr_el0));
  end_high();
  return 0;
}
