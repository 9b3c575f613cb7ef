/* GICv3: registers as they read back, software interrupts, priorities, masks, nesting, split EOI, groups, waiting for timers. */
#include "gic3.h"

static u32 log_at, seen[64], nest_at, depth, split;

static void send(u32 interrupt) { ICC_WRITE(ICC_SGI1R, (u64)interrupt << 24 | 1); }

void on_exception(struct frame *f, u32 kind) {
  if (probe.taken == 1 || (kind & 3) == 0) { describe(f, kind); power_off(); }
  u32 fiq = (kind & 3) == 2;
  u32 irq = (u32)(fiq ? ICC_READ(ICC_IAR0) : ICC_READ(ICC_IAR1));
  seen[log_at++ & 63] = (kind & 3) << 24 | irq;
  u32 running = (u32)ICC_READ(ICC_RPR);
  depth++;
  if (irq == nest_at) {
    nest_at = 9999;
    send(3); send(9);
    u64 spsr = READ(spsr_el1), elr = READ(elr_el1);
    __asm__ volatile("msr daifclr, #3\n nop\n nop\n msr daifset, #3" ::: "memory");
    WRITE(spsr_el1, spsr); WRITE(elr_el1, elr);
  }
  seen[log_at++ & 63] = 0x10000000 | depth << 16 | running;
  depth--;
  if (irq == 27) WRITE(cntv_ctl_el0, 2);
  if (irq == 30) WRITE(cntp_ctl_el0, 0);
  if (irq >= 1020) { ICC_WRITE(ICC_IGRPEN1, 0); return; }
  if (fiq) ICC_WRITE(ICC_EOIR0, irq); else ICC_WRITE(ICC_EOIR1, irq);
  if (split) ICC_WRITE(ICC_DIR, irq);
}

static void show(const char *title) {
  print("%s:", title);
  for (u32 i = 0; i < log_at; i++) print(" %x", seen[i]);
  print("\n");
  log_at = 0;
}
static void open(void) { __asm__ volatile("msr daifclr, #3\n nop\n nop\n nop\n msr daifset, #3" ::: "memory"); }
static void dump(u64 base, u32 from, u32 to) { for (u32 o = from; o < to; o += 4) { u32 v = *(volatile u32 *)(base + o); if (v) print("%05x=%x ", o, v); } print("\n"); }
static void interface(void) {
  print("pmr %lx bpr %lx %lx ctlr %lx sre %lx en %lx %lx rpr %lx hppir %lx %lx apr %lx %lx\n", ICC_READ(ICC_PMR), ICC_READ(ICC_BPR0), ICC_READ(ICC_BPR1), ICC_READ(ICC_CTLR), ICC_READ(ICC_SRE), ICC_READ(ICC_IGRPEN0), ICC_READ(ICC_IGRPEN1), ICC_READ(ICC_RPR), ICC_READ(ICC_HPPIR0), ICC_READ(ICC_HPPIR1), ICC_READ(ICC_AP0R0), ICC_READ(ICC_AP1R0));
}

int main(u64 device_tree) {
  print("pfr0 %lx pfr1 %lx mpidr %lx\n", READ(id_aa64pfr0_el1), READ(id_pfr1_el1), READ(mpidr_el1));
  dump(GICD_BASE, 0, 0x10000); dump(GICR_BASE, 0, 0x20000); dump(GITS_BASE, 0, 0x20000); interface();
  print("redistributor typer %lx\n", GICR64(8));
  GICR(0x14) = 0; print("waker %x ", GICR(0x14)); GICR(0x14) = ~0U; print("%x ", GICR(0x14)); GICR(0x14) = 0; print("%x\n", GICR(0x14));
  GICD(0) = ~0U; print("ctlr %x\n", GICD(0)); GICD(0) = 0;
  for (u32 o = 0x80; o < 0x400; o += 4) { GICD(o) = ~0U; GICR(SGI_FRAME + o) = ~0U; }
  dump(GICD_BASE, 0x80, 0x400); dump(GICR_BASE, 0x10080, 0x10400);
  for (u32 o = 0x180; o < 0x400; o += 0x100) for (u32 n = 0; n < 0x80; n += 4) { GICD(o + n) = ~0U; GICR(SGI_FRAME + o + n) = ~0U; }
  dump(GICD_BASE, 0x80, 0x400); dump(GICR_BASE, 0x10080, 0x10400);
  for (u32 o = 0x400; o < 0x1000; o += 4) { GICD(o) = 0x89abcdef; GICR(SGI_FRAME + o) = 0x89abcdef; }
  dump(GICD_BASE, 0x400, 0x440); dump(GICD_BASE, 0x500, 0x1000); dump(GICR_BASE, 0x10400, 0x11000);
  for (u32 i = 0; i < 8; i++) GICD64(0x6100 + 8 * i) = 0x123456789abcdef0UL + i;
  GICD(0x6104) = 0x55; GICD(0x6110) = 0x66; print("routes %lx %lx %lx %x %x\n", GICD64(0x6100), GICD64(0x6108), GICD64(0x6110), GICD(0x6118), GICD(0x611c));
  for (u32 i = 0; i < 8; i++) GICD64(0x6100 + 8 * i) = 0;
  GICD8(0x423) = 0x77; print("byte %x %x half %x\n", GICD(0x420), GICD8(0x423), *(volatile u16 *)(GICD_BASE + 0x422));
  for (u32 o = 0x400; o < 0x520; o += 4) GICD(o) = 0xa0a0a0a0;
  for (u32 o = 0x400; o < 0x420; o += 4) GICR(SGI_FRAME + o) = 0xa0a0a0a0;
  for (u32 o = 0xc00; o < 0xd00; o += 4) GICD(o) = 0;
  GICR(SGI_FRAME + 0xc04) = 0;
  ICC_WRITE(ICC_PMR, ~0UL); ICC_WRITE(ICC_BPR0, 0); ICC_WRITE(ICC_BPR1, 0); ICC_WRITE(ICC_CTLR, ~0UL); ICC_WRITE(ICC_SRE, 0); ICC_WRITE(ICC_IGRPEN0, ~0UL); ICC_WRITE(ICC_IGRPEN1, ~0UL);
  interface();
  ICC_WRITE(ICC_BPR1, 5); ICC_WRITE(ICC_BPR0, 7); interface(); ICC_WRITE(ICC_CTLR, 0); ICC_WRITE(ICC_BPR1, 6); ICC_WRITE(ICC_BPR0, 4); interface();
  ICC_WRITE(ICC_BPR0, 0); ICC_WRITE(ICC_BPR1, 0); ICC_WRITE(ICC_AP0R0, 0x1234567890UL); ICC_WRITE(ICC_AP1R0, ~0UL); interface(); ICC_WRITE(ICC_AP0R0, 0); ICC_WRITE(ICC_AP1R0, 0);
  ICC_WRITE(ICC_PMR, 0); ICC_WRITE(ICC_IGRPEN0, 0); ICC_WRITE(ICC_IGRPEN1, 0);
  /* Software interrupts. */
  GICR(SGI_FRAME + 0x80) = ~0U; GICR(SGI_FRAME + 0x100) = 0xffff; send(5);
  print("off: pending %x iar %lx %lx isr %lx\n", GICR(SGI_FRAME + 0x200), ICC_READ(ICC_IAR0), ICC_READ(ICC_IAR1), READ(isr_el1));
  GICD(0) = 2; ICC_WRITE(ICC_PMR, 0xff); ICC_WRITE(ICC_IGRPEN1, 1);
  interface(); print("isr %lx\n", READ(isr_el1));
  open(); show("sgi 5"); interface();
  GICR(SGI_FRAME + 0x400) = 0x08201040; GICR8(SGI_FRAME + 0x404) = 0xf0; GICR8(SGI_FRAME + 0x409) = 0x60;
  for (u32 i = 1; i < 5; i++) send(i);
  open(); show("by priority");
  ICC_WRITE(ICC_PMR, 0x20); for (u32 i = 1; i < 5; i++) send(i);
  open(); show("masked below 20"); interface(); print("pending %x\n", GICR(SGI_FRAME + 0x200));
  ICC_WRITE(ICC_PMR, 0xff); open(); show("unmasked");
  nest_at = 2; send(2); open(); show("nested");
  ICC_WRITE(ICC_BPR1, 6); nest_at = 2; send(2); open(); show("binary point 6"); ICC_WRITE(ICC_BPR1, 0);
  ICC_WRITE(ICC_CTLR, 2); split = 1; send(7); open(); show("split"); split = 0;
  send(7); open(); show("not deactivated"); print("active %x\n", GICR(SGI_FRAME + 0x300)); send(7); print("again isr %lx pending %x\n", READ(isr_el1), GICR(SGI_FRAME + 0x200)); ICC_WRITE(ICC_DIR, 7); open(); show("deactivated"); ICC_WRITE(ICC_DIR, 7); ICC_WRITE(ICC_CTLR, 0);
  ICC_WRITE(ICC_SGI1R, 1UL << 40 | 4 << 24); ICC_WRITE(ICC_SGI1R, 4 << 24 | 2); ICC_WRITE(ICC_SGI1R, 1UL << 16 | 4 << 24 | 1); ICC_WRITE(ICC_SGI0R, 4 << 24 | 1); ICC_WRITE(ICC_ASGI1R, 4 << 24 | 1);
  print("to others %x\n", GICR(SGI_FRAME + 0x200));
  /* Shared interrupts by pending bits; level and edge. */
  for (u32 o = 0x80; o < 0xa4; o += 4) GICD(o) = ~0U;
  for (u32 i = 0; i < 3; i++) {
    u32 irq = 40 + i * 37, word = irq / 32 * 4, bit = 1U << irq % 32;
    GICD(0x100 + word) = bit;
    if (i == 1) GICD(0xc00 + irq / 16 * 4) |= 2U << irq % 16 * 2;
    GICD(0x200 + word) = bit; print("pending %x ", GICD(0x200 + word)); open(); show("spi"); print("pending %x active %x\n", GICD(0x200 + word), GICD(0x300 + word));
    GICD(0x200 + word) = bit; GICD(0x280 + word) = bit; open(); show("taken back");
    GICD(0x180 + word) = bit; GICD(0x200 + word) = bit; open(); show("disabled"); GICD(0x100 + word) = bit; open(); show("enabled");
    GICD64(0x6000 + 8 * irq) = 1; GICD(0x200 + word) = bit; open(); show("routed away"); GICD64(0x6000 + 8 * irq) = 1UL << 31; open(); show("any"); GICD64(0x6000 + 8 * irq) = 0; open(); show("routed here");
    GICD(0x180 + word) = bit;
  }
  /* The UART's line, level-sensitive and edge-triggered. */
  GICD(0x104) = 2; *(volatile u32 *)(UART + 0x38) = 0x20;
  print("x\n"); print("uart pending %x isr %lx\n", GICD(0x204), READ(isr_el1)); u64 taken = ICC_READ(ICC_IAR1); print("iar %lx pending %x\n", taken, GICD(0x204)); ICC_WRITE(ICC_EOIR1, taken); print("again isr %lx\n", READ(isr_el1)); *(volatile u32 *)(UART + 0x38) = 0; print("quiet %lx\n", READ(isr_el1)); GICD(0x184) = 2;
  /* Group 0 is FIQ. */
  GICR(SGI_FRAME + 0x80) = ~(1U << 6); GICD(0) = 3; ICC_WRITE(ICC_IGRPEN0, 1); send(6); ICC_WRITE(ICC_SGI0R, 6 << 24 | 1); ICC_WRITE(ICC_ASGI1R, 6 << 24 | 1); send(1); interface(); print("isr %lx\n", READ(isr_el1)); open(); show("groups"); interface();
  GICD(0) = 2; ICC_WRITE(ICC_SGI0R, 6 << 24 | 1); open(); show("group 0 off"); GICD(0) = 3; ICC_WRITE(ICC_IGRPEN0, 0); open(); show("group 0 off at the interface"); ICC_WRITE(ICC_IGRPEN0, 1); open(); show("on");
  /* Timers. */
  GICR(SGI_FRAME + 0x100) = 1U << 27 | 1U << 30;
  WRITE(cntv_tval_el0, 1000); WRITE(cntv_ctl_el0, 1); __asm__ volatile("wfi"); open(); show("virtual timer");
  WRITE(cntp_tval_el0, 1000); WRITE(cntp_ctl_el0, 1); __asm__ volatile("wfi"); open(); show("physical timer");
  GICR(SGI_FRAME + 0xc04) = 2U << 22; print("config %x\n", GICR(SGI_FRAME + 0xc04)); WRITE(cntv_cval_el0, 0); WRITE(cntv_ctl_el0, 1); print("edge pending %x\n", GICR(SGI_FRAME + 0x200)); WRITE(cntv_ctl_el0, 0); open(); show("edge");
  return 0;
}
