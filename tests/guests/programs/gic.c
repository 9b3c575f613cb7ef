/* GICv2: registers as they read back, software interrupts, priorities, masks, nesting, split EOI, pending and active bits. */
#include "guest.h"

#define GICD(o) (*(volatile u32 *)(0x08000000UL + (o)))
#define GICD8(o) (*(volatile u8 *)(0x08000000UL + (o)))
#define GICC(o) (*(volatile u32 *)(0x08010000UL + (o)))
static u32 log_at, seen[64], nest_at, depth, split;

void on_exception(struct frame *f, u32 kind) {
  if ((kind & 3) == 0) { describe(f, kind); power_off(); }
  u32 irq = GICC(0xc);
  seen[log_at++ & 63] = (kind & 3) << 24 | irq;
  u32 running = GICC(0x14);
  depth++;
  if ((irq & 0x3ff) == nest_at) {
    nest_at = 9999;
    GICD(0xf00) = 2 << 24 | 3;
    GICD(0xf00) = 2 << 24 | 9;
    u64 spsr = READ(spsr_el1), elr = READ(elr_el1);
    __asm__ volatile("msr daifclr, #3\n nop\n nop\n msr daifset, #3" ::: "memory");
    WRITE(spsr_el1, spsr); WRITE(elr_el1, elr);
  }
  seen[log_at++ & 63] = 0x10000000 | depth << 16 | running;
  depth--;
  if ((irq & 0x3ff) >= 1020) GICC(0) = 0; /* It would come again for ever. */
  if ((irq & 0x3ff) < 1020) { GICC(0x10) = irq; if (split) GICC(0x1000) = irq; }
}

static void show(const char *title) {
  print("%s:", title);
  for (u32 i = 0; i < log_at; i++) print(" %x", seen[i]);
  print("\n");
  log_at = 0;
}
static void open(void) { __asm__ volatile("msr daifclr, #3\n nop\n nop\n nop\n msr daifset, #3" ::: "memory"); }
static void dump(u32 from, u32 to) { for (u32 o = from; o < to; o += 4) { u32 v = GICD(o); if (v) print("%03x=%x ", o, v); } print("\n"); }

int main(u64 device_tree) {
  dump(0, 0x80); dump(0xfd0, 0x1000); print("cpu:");
  for (u32 o = 0; o < 0x100; o += 4) if (o != 0xc) { u32 v = GICC(o); if (v) print(" %x=%x", o, v); }
  print("\nlines %u\n", (GICD(4) & 31) * 32 + 32);
  for (u32 o = 0x80; o < 0x400; o += 4) GICD(o) = 0xffffffff;
  dump(0x80, 0x400);
  for (u32 o = 0x180; o < 0x200; o += 4) GICD(o) = 0xffffffff;
  for (u32 o = 0x280; o < 0x300; o += 4) GICD(o) = 0xffffffff;
  for (u32 o = 0x380; o < 0x400; o += 4) GICD(o) = 0xffffffff;
  for (u32 o = 0x80; o < 0x100; o += 4) GICD(o) = 0;
  dump(0x80, 0x400);
  for (u32 o = 0x400; o < 0xd00; o += 4) GICD(o) = 0x89abcdef;
  dump(0x400, 0x440); dump(0x500, 0x540); dump(0x800, 0x840); dump(0x900, 0x940); dump(0xc00, 0xd00);
  for (u32 o = 0xf10; o < 0xf30; o += 4) GICD(o) = 0x01010101;
  dump(0xf00, 0xfd0);
  for (u32 o = 0xf10; o < 0xf20; o += 4) GICD(o) = 0xffffffff;
  GICD8(0x403) = 0x77; print("byte %x half %x\n", GICD(0x400), *(volatile u16 *)0x08000402UL);
  for (u32 o = 0x400; o < 0x500; o += 4) GICD(o) = 0xa0a0a0a0;
  for (u32 o = 0; o < 0x1c; o += 4) if (o != 0xc && o != 0x10) { GICC(o) = 0xffffffff; print("%x=%x ", o, GICC(o)); }
  for (u32 o = 0xd0; o < 0x100; o += 4) { GICC(o) = 0; }
  print("\n");
  GICC(8) = 0; GICC(0x1c) = 0;
  GICC(4) = 0; GICC(0) = 0; GICD(0) = 0;
  print("iar %x hppir %x rpr %x\n", GICC(0xc), GICC(0x18), GICC(0x14));
  GICD(0x100) = 0xffff; GICD(0xf00) = 2 << 24 | 5;
  print("off: pending %x iar %x isr %lx\n", GICD(0x200), GICC(0xc), READ(isr_el1));
  GICD(0) = 1; GICC(4) = 0xff; GICC(0) = 1;
  print("on: hppir %x isr %lx\n", GICC(0x18), READ(isr_el1));
  open(); show("sgi 5");
  GICD8(0x401) = 0x10; GICD8(0x402) = 0x20; GICD8(0x403) = 0x08; GICD8(0x404) = 0xf0; GICD8(0x409) = 0x60;
  for (u32 i = 1; i < 5; i++) GICD(0xf00) = 2 << 24 | i;
  open(); show("by priority");
  GICC(4) = 0x20;
  for (u32 i = 1; i < 5; i++) GICD(0xf00) = 1 << 16 | i;
  open(); show("masked below 20"); print("hppir %x pending %x\n", GICC(0x18), GICD(0x200));
  GICC(4) = 0xff; open(); show("unmasked");
  nest_at = 2; GICD(0xf00) = 2 << 24 | 2; open(); show("nested");
  GICC(8) = 5; nest_at = 2; GICD(0xf00) = 2 << 24 | 2; open(); show("binary point 5"); GICC(8) = 0;
  GICC(0) = 0x201; split = 1; GICD(0xf00) = 2 << 24 | 7; open(); show("split"); split = 0;
  GICD(0xf00) = 2 << 24 | 7; open(); show("not deactivated"); print("active %x\n", GICD(0x300)); GICD(0xf00) = 2 << 24 | 7; print("again isr %lx pending %x\n", READ(isr_el1), GICD(0x200)); GICC(0x1000) = 7; open(); show("deactivated"); GICC(0x1000) = 7; GICC(0) = 1;
  /* Shared interrupts by pending bits; level and edge. */
  for (u32 i = 0; i < 3; i++) {
    u32 irq = 40 + i * 37, word = irq / 32 * 4, bit = 1U << irq % 32;
    GICD(0x100 + word) = bit;
    if (i == 1) GICD(0xc00 + irq / 16 * 4) |= 2U << irq % 16 * 2;
    GICD(0x200 + word) = bit; print("pending %x ", GICD(0x200 + word)); open(); show("spi"); print("pending %x active %x\n", GICD(0x200 + word), GICD(0x300 + word));
    GICD(0x200 + word) = bit; GICD(0x280 + word) = bit; open(); show("taken back");
    GICD(0x180 + word) = bit; GICD(0x200 + word) = bit; open(); show("disabled"); GICD(0x100 + word) = bit; open(); show("enabled"); GICD(0x180 + word) = bit;
  }
  /* Group 1 and FIQ. */
  GICD(0x80) = 1 << 6; GICD(0) = 3; GICC(0) = 0xb; GICD(0xf00) = 2 << 24 | 6; GICD(0xf00) = 2 << 24 | 1; print("isr %lx\n", READ(isr_el1)); open(); show("groups"); GICC(0) = 0xf; open(); show("ackctl");
  GICC(0) = 0; GICD(0) = 0;
  return 0;
}
