/* PL011: registers as they read back, output driven by transmit interrupts through a ring buffer, line settings. */
#include "guest.h"

#define GICD(o) (*(volatile u32 *)(0x08000000UL + (o)))
#define GICC(o) (*(volatile u32 *)(0x08010000UL + (o)))
#define UARTR(o) (*(volatile u32 *)(UART + (u64)(o)))
static char ring[256];
static volatile u32 head, tail, interrupts;

void on_exception(struct frame *f, u32 kind) {
  if (kind != 5) { describe(f, kind); power_off(); }
  u32 irq = GICC(0xc);
  interrupts++;
  if ((irq & 0x3ff) == 33) {
    UARTR(0x44) = 0x20;
    if (tail != head) UARTR(0) = (u8)ring[tail++ % sizeof ring];
    else UARTR(0x38) = 0;
  }
  GICC(0x10) = irq;
}

static void queue(const char *s) {
  for (; *s; s++) {
    while (head - tail == sizeof ring) {}
    ring[head++ % sizeof ring] = *s;
  }
  __asm__ volatile("msr daifset, #2");
  UARTR(0x38) = 0x20;
  if (tail != head && !(UARTR(0x3c) & 0x20)) UARTR(0) = (u8)ring[tail++ % sizeof ring];
  __asm__ volatile("msr daifclr, #2");
  while (tail != head) {}
}

int main(u64 device_tree) {
  for (u32 o = 0; o < 0x50; o += 4) if (o != 0) print("%x=%x ", o, UARTR(o));
  for (u32 o = 0xfe0; o < 0x1000; o += 4) print("%x ", UARTR(o));
  print("\n");
  UARTR(0x30) = 0; UARTR(0x24) = 26; UARTR(0x28) = 3; UARTR(0x2c) = 0x70; UARTR(0x30) = 0x301;
  for (u32 o = 4; o < 0x50; o += 4) print("%x=%x ", o, UARTR(o));
  static const u32 WRITABLE[] = { 0x20, 0x24, 0x28, 0x34, 0x38, 0x48 };
  for (u32 i = 0; i < COUNT(WRITABLE); i++) { u32 old = UARTR(WRITABLE[i]); UARTR(WRITABLE[i]) = 0xffffffff; print("%x:%x ", WRITABLE[i], UARTR(WRITABLE[i])); UARTR(WRITABLE[i]) = old; }
  print("\nflags %x raw %x masked %x data %x\n", UARTR(0x18), UARTR(0x3c), UARTR(0x40), UARTR(0));
  UARTR(0x44) = 0x7ff; print("cleared, then raw %x\n", UARTR(0x3c));
  UARTR(4) = 0xff; print("status %x\n", UARTR(4));
  GICD(0) = 1; GICD(0x104) = 2; GICD(0x820) = 0x100; GICC(4) = 0xff; GICC(0) = 1;
  UARTR(0x44) = 0x7ff;
  __asm__ volatile("msr daifclr, #2");
  queue("Printed from the interrupt handler,\n");
  queue("byte by byte.\n");
  for (int i = 0; i < 20; i++) { char line[64]; format_into(line, sizeof line, "line %d of many that do not fit the ring at once\n", i); queue(line); }
  __asm__ volatile("msr daifset, #2");
  print("%u interrupts\n", interrupts);
  UARTR(0x38) = 0x20; print("pending in the GIC: %x isr %lx\n", GICD(0x204) & 2, READ(isr_el1));
  UARTR(0x44) = 0x20; print("%x isr %lx\n", GICD(0x204) & 2, READ(isr_el1));
  __asm__ volatile("strb %w0, [%1]\n strh %w0, [%1]\n str %0, [%1]\n stp %w0, wzr, [%1]" ::"r"(0x41UL), "r"(UART));
  print("\nsizes %x %x %lx\n", *(volatile u8 *)(UART + 0x18), *(volatile u16 *)(UART + 0x18), *(volatile u64 *)(UART + 0x18));
  return 0;
}
