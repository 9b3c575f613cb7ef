/* The power key at line 3 of the PL061: edges, levels and masks, while somebody presses it each time the guest asks. */
#include "guest.h"

#define GICD(o) (*(volatile u32 *)(0x08000000UL + (o)))
#define GICC(o) (*(volatile u32 *)(0x08010000UL + (o)))
#define GPIO(o) (*(volatile u32 *)(0x09030000UL + (u64)(o)))
#define KEY 8
enum { DATA = 0x3fc, DIR = 0x400, IS = 0x404, IBE = 0x408, IEV = 0x40c, IE = 0x410, RIS = 0x414, MIS = 0x418, IC = 0x41c };
static volatile u32 interrupts;

void on_exception(struct frame *f, u32 kind) {
  if (kind != 5) { describe(f, kind); power_off(); }
  u32 irq = GICC(0xc), level = GPIO(IS) & KEY;
  if ((irq & 0x3ff) == 39) {
    interrupts++;
    print("  irq %u: data %x raw %x masked %x", irq & 0x3ff, GPIO(DATA), GPIO(RIS), GPIO(MIS));
    GPIO(IC) = KEY; print(", cleared raw %x\n", GPIO(RIS));
    if (level) GPIO(IE) = 0;
  }
  GICC(0x10) = irq;
}

/* A WFI that nothing slips past: the interrupt is taken behind it. */
static void wait(u32 from) {
  __asm__ volatile("msr daifset, #2");
  while (interrupts == from) { __asm__ volatile("wfi"); __asm__ volatile("msr daifclr, #2\n isb\n msr daifset, #2"); }
  __asm__ volatile("msr daifclr, #2");
}
static void look(const char *what) { print("%s: data %x raw %x masked %x\n", what, GPIO(DATA), GPIO(RIS), GPIO(MIS)); }
static void set(u32 is, u32 ibe, u32 iev) { GPIO(IE) = 0; GPIO(IS) = is; GPIO(IBE) = ibe; GPIO(IEV) = iev; GPIO(IC) = 0xff; }
static void released(void) {
  set(0, KEY, 0);
  if (GPIO(DATA) & KEY) { u32 from = interrupts; GPIO(IE) = KEY; wait(from); }
  look("released");
}

int main(u64 device_tree) {
  GICD(0) = 1; GICD(0x104) = 1 << 7; GICD(0x824) = 0x01000000; GICC(4) = 0xff; GICC(0) = 1;
  __asm__ volatile("msr daifclr, #2");
  look("at first");
  static const struct { const char *name; u32 is, ibe, iev; } SHAPES[] = {
    { "rising", 0, 0, KEY }, { "falling", 0, 0, 0 }, { "both", 0, KEY, 0 }, { "high", KEY, 0, KEY }, { "both of all", 0, 0xff, 0xff }, { "high of all", KEY, 0xff, KEY },
  };
  for (u32 i = 0; i < COUNT(SHAPES); i++) {
    set(SHAPES[i].is, SHAPES[i].ibe, SHAPES[i].iev);
    u32 from = interrupts; GPIO(IE) = KEY;
    print("%s: press now\n", SHAPES[i].name);
    wait(from);
    look("woken");
    static const u32 CHANGES[][3] = { { KEY, 0, 0 }, { KEY, 0, KEY }, { 0, 0, KEY }, { 0, KEY, 0 }, { 0xff, 0, 0xff } };
    for (u32 k = 0; k < COUNT(CHANGES); k++) { set(CHANGES[k][0], CHANGES[k][1], CHANGES[k][2]); look("  changed"); GPIO(IC) = 0xff; look("  cleared"); }
    u32 was = GPIO(DATA);
    GPIO(DIR) = KEY; GPIO(DATA) = 0; look("  output"); GPIO(DATA) = 0xff; look("  output"); GPIO(DATA) = was; GPIO(DIR) = 0; look("  input");
    released();
  }
  print("%u interrupts\n", interrupts);
  return 0;
}
