/* Cycle and event counters over known instructions, to the cycle. */
#include "guest.h"

int main(u64 device_tree) {
  u64 a, b, c, d;
  WRITE(pmcr_el0, 7); WRITE(pmccfiltr_el0, 0); WRITE(pmevtyper0_el0, 8); WRITE(pmevtyper1_el0, 0x11); WRITE(pmevtyper2_el0, 0); WRITE(pmcntenset_el0, 0x80000007); ISB();
  __asm__ volatile("mrs %0, pmccntr_el0\n nop\n nop\n nop\n mrs %1, pmccntr_el0" : "=&r"(a), "=&r"(b)); print("cycles over 3: %lu\n", b - a);
  __asm__ volatile("mrs %0, pmevcntr0_el0\n .rept 50\n nop\n .endr\n mrs %1, pmevcntr0_el0" : "=&r"(a), "=&r"(b)); print("retired over 50: %lu\n", b - a);
  __asm__ volatile("mrs %0, pmevcntr1_el0\n .rept 50\n nop\n .endr\n mrs %1, pmevcntr1_el0" : "=&r"(a), "=&r"(b)); print("cycles over 50: %lu\n", b - a);
  WRITE(pmswinc_el0, 7); WRITE(pmswinc_el0, 4); print("software %lu\n", READ(pmevcntr2_el0));
  WRITE(pmselr_el0, 2); ISB(); WRITE(pmxevcntr_el0, 0xffffffff); WRITE(pmswinc_el0, 4); print("wrapped %lu overflow %lx\n", READ(pmevcntr2_el0), READ(pmovsclr_el0)); WRITE(pmovsclr_el0, 4); print("overflow %lx\n", READ(pmovsset_el0));
  WRITE(pmcntenclr_el0, 0x80000000); ISB(); a = READ(pmccntr_el0); b = READ(pmccntr_el0); print("stopped %lu\n", b - a);
  WRITE(pmcntenset_el0, 0x80000000); WRITE(pmccntr_el0, 0xfffffff0); ISB(); __asm__ volatile(".rept 64\n nop\n .endr\n mrs %0, pmccntr_el0" : "=r"(a)); print("over 32 bits: %lx overflow %lx\n", a, READ(pmovsset_el0));
  WRITE(pmcr_el0, 1 | 8); ISB(); __asm__ volatile("mrs %0, pmccntr_el0\n .rept 640\n nop\n .endr\n mrs %1, pmccntr_el0" : "=&r"(a), "=&r"(b)); print("divided: %s\n", b - a == 10 || b - a == 11 ? "by 64" : "wrong");
  WRITE(pmcr_el0, 7); ISB(); c = READ(pmccntr_el0); d = READ(pmevcntr0_el0); print("reset: %s %s, pmcr %lx\n", c < 10 ? "small" : "large", d < 20 ? "small" : "large", READ(pmcr_el0));
  WRITE(pmcr_el0, 0); ISB(); a = READ(pmccntr_el0); b = READ(pmccntr_el0); print("off: %lu\n", b - a);
  return 0;
}
