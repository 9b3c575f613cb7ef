/* A monitor that reads lines: first by polling, then by receive interrupts. */
#include "guest.h"

#define GICD(o) (*(volatile u32 *)(0x08000000UL + (o)))
#define GICC(o) (*(volatile u32 *)(0x08010000UL + (o)))
#define UARTR(o) (*(volatile u32 *)(UART + (u64)(o)))
static volatile char ring[256];
static volatile u32 head, tail, spurious;
static int interrupts;

void on_exception(struct frame *f, u32 kind) {
  if (kind != 5) { describe(f, kind); power_off(); }
  u32 irq = GICC(0xc);
  if ((irq & 0x3ff) == 33) while (!(UARTR(0x18) & 0x10)) ring[head++ % sizeof ring] = (char)UARTR(0);
  else spurious++;
  GICC(0x10) = irq;
}

static char get(void) {
  if (!interrupts) { while (UARTR(0x18) & 0x10) {} return (char)UARTR(0); }
  while (head == tail) __asm__ volatile("wfi");
  return ring[tail++ % sizeof ring];
}

static void line(char *buffer, u32 size) {
  u32 n = 0;
  for (char c; (c = get()) != '\n' && n + 1 < size;) { put_char(c); buffer[n++] = c; }
  put_char('\n');
  buffer[n] = 0;
}

static void execute(char *text) {
  s64 stack[16] = { 0 };
  u32 depth = 0;
  for (; *text; text++) {
    if (*text >= '0' && *text <= '9') { s64 v = 0; for (; *text >= '0' && *text <= '9'; text++) v = v * 10 + (*text - '0'); stack[depth++ & 15] = v; text--; }
    else if (*text != ' ') { s64 b = stack[--depth & 15], a = stack[(depth - 1) & 15]; stack[(depth - 1) & 15] = *text == '+' ? a + b : *text == '-' ? a - b : *text == '*' ? a * b : b ? a / b : -1; }
  }
  print("= %ld\n", stack[(depth - 1) & 15]);
}

int main(u64 device_tree) {
  char text[80];
  print("ready\n");
  for (u32 i = 0; i < 3; i++) { line(text, sizeof text); execute(text); }
  print("now by interrupt\n");
  UARTR(0x38) = 0x10;
  GICD(0) = 1; GICD(0x104) = 2; GICC(4) = 0xff; GICC(0) = 1;
  interrupts = 1;
  __asm__ volatile("msr daifclr, #2");
  for (;;) { line(text, sizeof text); if (!strcmp(text, "quit")) break; execute(text); }
  __asm__ volatile("msr daifset, #2");
  print("%u spurious, flags %x\n", spurious, UARTR(0x18));
  return 0;
}
