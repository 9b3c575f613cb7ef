/* Which exception levels the monitors count, the counters' overflow interrupt, and EL0's rights. */
#include "guest.h"
#define R32(a) (*(volatile u32 *)(a))
#define GICD 0x08000000UL
#define GICC 0x08010000UL

static volatile u32 interrupts, at_el0;
static u64 user_stack[256];
void on_exception(struct frame *frame, u32 kind) {
  if (kind % 4 == 1) {
    u32 id = R32(GICC + 0xc); u64 overflown = READ(pmovsclr_el0);
    print("interrupt %u overflown %lx", id, overflown); if (id == 23) WRITE(pmovsclr_el0, overflown);
    ISB(); R32(GICC + 0x10) = id; print(" now %lx\n", READ(pmovsset_el0)); interrupts++; return;
  }
  if (kind == 8 && frame->esr >> 26 == 0x15) { at_el0 = 0; frame->elr = frame->x[20]; frame->spsr = 0x305; return; }
  describe(frame, kind); frame->elr += 4;
}
/* 100 instructions at EL0, and back by SVC. */
static NOINLINE void user(void) {
  at_el0 = 1;
  __asm__ volatile("adr x20, 2f\n adr x21, 1f\n msr elr_el1, x21\n msr spsr_el1, xzr\n msr sp_el0, %0\n isb\n eret\n 1: .rept 99\n nop\n .endr\n svc #0\n 2: nop" :: "r"(user_stack + 256) : "x20", "x21", "x30", "memory");
}
static void wait_for(u32 count) { for (u32 i = 0; i < 200000 && interrupts < count; i++) __asm__ volatile("nop"); print("interrupts %u\n", interrupts); }

int main(u64 device_tree) {
  static const u64 FILTERS[] = { 0, 0x40000000, 0x80000000, 0xc0000000, 0x20000000, 0x10000000, 0x08000000, 0x04000000, 0x60000000, 0xfc000000 };
  WRITE(pmcr_el0, 7); ISB();
  for (u32 i = 0; i < COUNT(FILTERS); i++) {
    WRITE(pmcntenclr_el0, ~0UL); WRITE(pmcr_el0, 7); WRITE(pmccfiltr_el0, FILTERS[i]); WRITE(pmevtyper0_el0, FILTERS[i] | 8); WRITE(pmevtyper1_el0, FILTERS[i] | 0x11); ISB();
    WRITE(pmcntenset_el0, 0x80000003); ISB(); user(); __asm__ volatile(".rept 50\n nop\n .endr"); WRITE(pmcntenclr_el0, 0x80000003);
    print("filter %lx type %lx: cycles %lu retired %lu events %lu\n", READ(pmccfiltr_el0), READ(pmevtyper0_el0), READ(pmccntr_el0), READ(pmevcntr0_el0), READ(pmevcntr1_el0));
  }
  for (u32 event = 0; event < 0x60; event++) {
    WRITE(pmevtyper3_el0, event); WRITE(pmevcntr3_el0, 0); WRITE(pmcntenset_el0, 8); ISB(); __asm__ volatile(".rept 30\n nop\n .endr"); WRITE(pmcntenclr_el0, 8);
    u64 n = READ(pmevcntr3_el0); if (n) print("event %x: %lu\n", event, n);
  }
  R32(GICD) = 1; R32(GICC + 4) = 0xff; R32(GICC) = 1; R32(GICD + 0x100) = 1 << 23; __asm__ volatile("msr daifclr, #2");
  WRITE(pmccfiltr_el0, 0); WRITE(pmevtyper0_el0, 8); WRITE(pmevtyper1_el0, 0x11); WRITE(pmevtyper2_el0, 0);
  print("-- cycles\n"); WRITE(pmintenset_el1, 0x80000000); WRITE(pmcntenset_el0, 0x80000000); ISB(); WRITE(pmccntr_el0, 0xfffff000); ISB(); wait_for(1);
  /* The reference is late with these: only that they overflow is compared. */
  WRITE(pmintenclr_el1, 0x80000000); WRITE(pmcntenset_el0, 7); ISB(); WRITE(pmevcntr0_el0, 0xffffff00); WRITE(pmevcntr1_el0, 0xfffffc00); WRITE(pmevcntr2_el0, 0xffffffff); WRITE(pmswinc_el0, 4); for (u32 i = 0; i < 1000; i++) __asm__ volatile("nop"); print("events %lu", READ(pmevcntr2_el0)); READ(pmevcntr0_el0); READ(pmevcntr1_el0); print(" overflown %lx\n", READ(pmovsset_el0)); WRITE(pmovsclr_el0, 7);
  print("-- by hand\n"); WRITE(pmovsset_el0, 8); WRITE(pmintenset_el1, 8); ISB(); wait_for(2);
  print("-- off: %lx\n", READ(pmintenset_el1)); WRITE(pmcr_el0, 0); WRITE(pmovsset_el0, 4); ISB(); wait_for(2); WRITE(pmovsclr_el0, 4); WRITE(pmcr_el0, 1); ISB(); wait_for(2);
  print("-- masked\n"); WRITE(pmintenclr_el1, 0xffffffff); WRITE(pmovsset_el0, 4); ISB(); wait_for(2); print("pending %x\n", R32(GICD + 0x200)); WRITE(pmovsclr_el0, 0xffffffff);
  print("-- divided\n"); WRITE(pmcntenclr_el0, ~0UL); WRITE(pmcr_el0, 9); WRITE(pmintenset_el1, 0x80000000); WRITE(pmcntenset_el0, 0x80000000); ISB(); WRITE(pmccntr_el0, 0xfffffff0); ISB(); wait_for(3);
  print("-- long\n"); WRITE(pmcr_el0, 0x41); WRITE(pmccntr_el0, 0xfffffff0); for (u32 i = 0; i < 100; i++) __asm__ volatile("nop"); wait_for(3); WRITE(pmccntr_el0, -1000L); wait_for(4);
  print("-- asleep\n"); WRITE(pmcr_el0, 1); WRITE(pmccntr_el0, 0xff000000); __asm__ volatile("msr daifset, #2\n isb\n wfi\n"); print("awake %lx isr %lx\n", READ(pmovsset_el0), READ(isr_el1)); __asm__ volatile("msr daifclr, #2"); wait_for(5);
  return 0;
}
