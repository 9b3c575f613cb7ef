/* PL031: alarms that interrupt, by match and by load, across the end of the count, masked, cleared and polled. */
#include "guest.h"

#define GICD(o) (*(volatile u32 *)(0x08000000UL + (o)))
#define GICC(o) (*(volatile u32 *)(0x08010000UL + (o)))
#define RTC(o) (*(volatile u32 *)(0x09010000UL + (u64)(o)))
enum { DR = 0, MR = 4, LR = 8, CR = 0xc, IMSC = 0x10, RIS = 0x14, MIS = 0x18, ICR = 0x1c };
static volatile u32 interrupts;

void on_exception(struct frame *f, u32 kind) {
  if (kind != 5) { describe(f, kind); power_off(); }
  u32 irq = GICC(0xc);
  print("  irq %u at %x: raw %x masked %x", irq & 0x3ff, RTC(DR), RTC(RIS), RTC(MIS));
  RTC(ICR) = 1; print(", cleared raw %x\n", RTC(RIS));
  interrupts++;
  GICC(0x10) = irq;
}

static void wait(void) {
  u32 from = interrupts;
  __asm__ volatile("msr daifset, #2");
  while (interrupts == from) { __asm__ volatile("wfi"); __asm__ volatile("msr daifclr, #2\n isb\n msr daifset, #2"); }
  __asm__ volatile("msr daifclr, #2");
}
static void look(const char *what) { print("%s: time %x match %x load %x mask %x raw %x masked %x\n", what, RTC(DR), RTC(MR), RTC(LR), RTC(IMSC), RTC(RIS), RTC(MIS)); }

int main(u64 device_tree) {
  GICD(0) = 1; GICD(0x104) = 1 << 2; GICD(0x820) = 0x010000; GICC(4) = 0xff; GICC(0) = 1;
  __asm__ volatile("msr daifclr, #2");
  look("at first");
  RTC(IMSC) = 0xff; look("mask");
  for (u32 seconds = 0; seconds < 4; seconds++) { RTC(MR) = RTC(DR) + seconds; if (seconds) wait(); look("matched"); }
  RTC(LR) = 0xfffffffe; look("loaded"); RTC(MR) = 1; wait(); look("across the end");
  RTC(LR) = 1; look("loaded with the match"); RTC(LR) = 0; wait(); look("loaded before it");
  RTC(MR) = RTC(DR) + 5; RTC(LR) = RTC(DR) + 3; wait(); look("nearer by a load");
  RTC(MR) = RTC(DR) + 1; RTC(MR) = RTC(DR) + 2; wait(); look("moved");
  RTC(IMSC) = 0; RTC(MR) = RTC(DR) + 1;
  u32 then = RTC(DR); u64 polls = 0; while (RTC(DR) == then && polls < 300000) polls++;
  look("polled"); print("%lu\n", polls);
  RTC(IMSC) = 1; look("unmasked"); RTC(ICR) = 2; look("other bit"); RTC(ICR) = 1; RTC(CR) = 0; look("cleared"); print("control %x\n", RTC(CR));
  print("%u interrupts\n", interrupts);
  return 0;
}
