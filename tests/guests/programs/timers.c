/* Counters and timers: conditions, masks, compare values, waiting by polling and by WFI; no times are printed. */
#include "guest.h"

#define GICD(o) (*(volatile u32 *)(0x08000000UL + (o)))
#define GICC(o) (*(volatile u32 *)(0x08010000UL + (o)))
static volatile u32 fired[2], spurious;

void on_exception(struct frame *f, u32 kind) {
  if (kind != 5) { describe(f, kind); power_off(); }
  u32 irq = GICC(0xc) & 0x3ff;
  if (irq == 27) { fired[0]++; WRITE(cntv_ctl_el0, 3); }
  else if (irq == 30) { fired[1]++; WRITE(cntp_ctl_el0, 0); }
  else spurious++;
  if (irq < 1020) GICC(0x10) = irq;
}

int main(u64 device_tree) {
  print("frequency %lu\n", READ(cntfrq_el0));
  u64 a = READ(cntvct_el0), b = READ(cntpct_el0);
  print("counters %s\n", b - a < 1000 ? "agree" : "differ");
  u64 last = a, backwards = 0;
  for (int i = 0; i < 1000; i++) { u64 now = READ(cntvct_el0); if (now < last) backwards++; last = now; }
  print("backwards %lu, advanced %s\n", backwards, last > a ? "yes" : "no");
  WRITE(cntv_tval_el0, 100000); WRITE(cntv_ctl_el0, 3);
  print("ctl %lx, tval %s\n", READ(cntv_ctl_el0), READ(cntv_tval_el0) < 100000 && READ(cntv_tval_el0) > 90000 ? "counts" : "?");
  WRITE(cntv_cval_el0, 0);
  print("ctl %lx\n", READ(cntv_ctl_el0));
  WRITE(cntv_ctl_el0, 2); print("ctl off %lx\n", READ(cntv_ctl_el0));
  WRITE(cntv_ctl_el0, 0xff); print("ctl all %lx\n", READ(cntv_ctl_el0));
  WRITE(cntv_tval_el0, 0xffffffff); print("minus one: ctl %lx, cval %s\n", READ(cntv_ctl_el0), READ(cntv_cval_el0) < READ(cntvct_el0) ? "past" : "future");
  WRITE(cntv_tval_el0, 0x7fffffff); print("largest: ctl %lx, tval high %lx\n", READ(cntv_ctl_el0), READ(cntv_tval_el0) >> 24);
  WRITE(cntv_cval_el0, ~0UL); print("never: ctl %lx\n", READ(cntv_ctl_el0));
  WRITE(cntv_ctl_el0, 0);
  GICD(0) = 1; GICD(0x100) = 1 << 27 | 1 << 30; GICC(4) = 0xff; GICC(0) = 1;
  WRITE(cntv_tval_el0, 1000); WRITE(cntv_ctl_el0, 1);
  u64 start = READ(cntvct_el0);
  while (!(READ(cntv_ctl_el0) & 4)) {}
  print("polled: %s\n", READ(cntvct_el0) - start < 1100 ? "on time" : "late");
  print("pending %x isr %lx masked %u\n", GICD(0x200) >> 27 & 1, READ(isr_el1), fired[0]);
  __asm__ volatile("msr daifclr, #2\n nop\n nop");
  print("fired %u ctl %lx pending %x isr %lx\n", fired[0], READ(cntv_ctl_el0), GICD(0x200) >> 27 & 1, READ(isr_el1));
  for (int i = 0; i < 5; i++) {
    WRITE(cntp_tval_el0, 50000 * (i + 1)); WRITE(cntp_ctl_el0, 1);
    start = READ(cntpct_el0);
    while (fired[1] == (u32)i) __asm__ volatile("wfi");
    u64 waited = READ(cntpct_el0) - start;
    print("waited %s\n", waited >= 49990UL * (u64)(i + 1) && waited < 50000UL * (u64)(i + 1) + 500 ? "right" : "wrong");
  }
  __asm__ volatile("msr daifset, #2");
  WRITE(cntp_tval_el0, 1000); WRITE(cntp_ctl_el0, 1);
  __asm__ volatile("wfi");
  print("woken though masked: fired %u isr %lx\n", fired[1], READ(isr_el1));
  WRITE(cntp_ctl_el0, 0);
  print("isr %lx spurious %u\n", READ(isr_el1), spurious);
  WRITE(cntv_tval_el0, 100); WRITE(cntv_ctl_el0, 1); WRITE(cntp_tval_el0, 100); WRITE(cntp_ctl_el0, 1);
  __asm__ volatile("wfi\n msr daifclr, #2\n nop\n msr daifset, #2");
  while (fired[0] + fired[1] < 8) { __asm__ volatile("wfi\n msr daifclr, #2\n nop\n msr daifset, #2"); }
  print("both: %u %u\n", fired[0], fired[1]);
  return 0;
}
