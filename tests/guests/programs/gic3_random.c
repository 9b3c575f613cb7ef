/* GICv3: random accesses of all sizes to all windows and system registers; every answer goes into a checksum. */
#include "gic3.h"

#define TABLES 0x44000000UL
static u32 hash = 0x811c9dc5, reads;
static u64 state = SEED;

static u32 next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return (u32)(state >> 16); }
static void note(u64 value) { for (u32 i = 0; i < 8; i++) hash = (hash ^ (u8)(value >> 8 * i)) * 0x01000193; reads++; }

/* Offsets that mean something, more often than chance would hit them. */
static const u32 DISTRIBUTOR[] = { 0, 4, 8, 0x10, 0x40, 0x84, 0x88, 0xa0, 0xa4, 0x100, 0x104, 0x108, 0x120, 0x124, 0x184, 0x188, 0x1a0, 0x204, 0x208, 0x284, 0x288, 0x304, 0x308, 0x384, 0x388, 0x400, 0x41c, 0x420, 0x424, 0x444, 0x51c, 0x520, 0x820, 0xc00, 0xc04, 0xc08, 0xc0c, 0xc10, 0xd04, 0xe08, 0xf00, 0xf10, 0xf20, 0x6100, 0x6104, 0x6108, 0x6110, 0x60f8, 0x68f8, 0x6900, 0x7fdc, 0x7fe0, 0xffd0, 0xffe0, 0xffe8, 0xfffc };
static const u32 REDISTRIBUTOR[] = { 0, 4, 8, 0xc, 0x10, 0x14, 0x40, 0x70, 0x74, 0x78, 0x7c, 0xa0, 0xffd0, 0xffe0, 0xfff4, 0x10080, 0x10084, 0x10100, 0x10180, 0x10200, 0x10280, 0x10300, 0x10380, 0x10400, 0x10404, 0x10408, 0x1041c, 0x10420, 0x10c00, 0x10c04, 0x10c08, 0x10d00, 0x10e00 };
static const u32 ITS[] = { 0, 4, 8, 0xc, 0x80, 0x84, 0x88, 0x8c, 0x90, 0x94, 0x100, 0x104, 0x108, 0x10c, 0x110, 0x138, 0xffd0, 0xffe0, 0x10040, 0x10044 };

static u64 icc_read(u32 which) {
  switch (which % 16) {
  case 0: return ICC_READ(ICC_PMR);
  case 1: return ICC_READ(ICC_IAR0);
  case 2: return ICC_READ(ICC_HPPIR0);
  case 3: return ICC_READ(ICC_BPR0);
  case 4: return (u32)ICC_READ(ICC_AP0R0);
  case 5: return (u32)ICC_READ(ICC_AP1R0);
  case 6: return ICC_READ(ICC_RPR);
  case 7: case 13: case 14: case 15: return ICC_READ(ICC_IAR1);
  case 8: return ICC_READ(ICC_HPPIR1);
  case 9: return ICC_READ(ICC_BPR1);
  case 10: return ICC_READ(ICC_CTLR);
  case 11: return ICC_READ(ICC_IGRPEN0);
  default: return ICC_READ(ICC_IGRPEN1) | ICC_READ(ICC_SRE) << 8;
  }
}

static void icc_write(u32 which, u64 value, u32 last) {
  switch (which % 20) {
  case 0: ICC_WRITE(ICC_PMR, value | (value & 0x300 ? 0xe0 : 0)); break;
  case 1: case 16: ICC_WRITE(ICC_EOIR0, value & 0x1000 ? value & 0x3ff : last); break;
  case 2: ICC_WRITE(ICC_BPR0, value & 7); break;
  case 3: if (!(value & 0x3000)) ICC_WRITE(ICC_AP0R0, value & value >> 7 & value >> 13); break;
  case 4: if (!(value & 0x3000)) ICC_WRITE(ICC_AP1R0, value & value >> 7 & value >> 13); break;
  case 5: case 17: ICC_WRITE(ICC_DIR, value & 0x1000 ? value & 0x3ff : last); break;
  case 6: case 15: ICC_WRITE(ICC_SGI1R, value & 0x0f00000fUL); break;
  case 7: ICC_WRITE(ICC_ASGI1R, value & 0x010f00000fUL); break;
  case 8: case 14: ICC_WRITE(ICC_SGI0R, value & 0x0f00000fUL); break;
  case 9: case 18: case 19: ICC_WRITE(ICC_EOIR1, value & 0x1000 ? value & 0x3ff : last); break;
  case 10: ICC_WRITE(ICC_BPR1, value & 7); break;
  case 11: ICC_WRITE(ICC_CTLR, value); break;
  case 12: ICC_WRITE(ICC_IGRPEN0, value | (value & 0x30) >> 4); break;
  default: ICC_WRITE(ICC_IGRPEN1, value | (value & 0x30) >> 4); break;
  }
}

int main(u64 device_tree) {
  u32 last = 1023;
  GICR64(0x70) = TABLES | 15; GICR64(0x78) = TABLES + 0x20000;
  for (u32 n = 0; n < ROUNDS; n++) {
    u32 choice = next(), operation = choice % 20;
    u64 value = next() | (u64)next() << 32;
    if (choice & 0x10000) value &= next();
    if (choice & 0x20000) value &= next() & next();
    u32 size = 1u << (choice & 0xc0000 ? 2 : choice >> 20 & 3);
    u32 window = choice >> 22 & 7;
    u64 address = window < 4 ? GICD_BASE + (window ? DISTRIBUTOR[(choice >> 8) % COUNT(DISTRIBUTOR)] : (choice >> 8 & 0xffff)) : window < 7 ? GICR_BASE + (window > 4 ? REDISTRIBUTOR[(choice >> 8) % COUNT(REDISTRIBUTOR)] : (choice >> 8 & 0x1ffff)) : GITS_BASE + ITS[(choice >> 8) % COUNT(ITS)];
    if (choice >> 25 & 1) address += size == 1 ? value >> 40 & 3 : size == 2 ? value >> 40 & 2 : 0;
    address &= ~(u64)(size - 1);
    if (operation < 5) {
      /* Tables stay where there is memory, the ITS off. */
      u64 offset = address - GICR_BASE;
      if (address >= GICR_BASE && offset >= 0x70 && offset < 0x80) { if (offset & 4) value = 0; else value = (value & 0x1f) | TABLES | (offset & 8 ? 0x20000 : 0); }
      if (address == GITS_BASE) value &= ~1UL;
      if (address == GICD_BASE && size == 4) value |= value >> 5 & 3;
      note(probe_write(address, (int)size, value));
#ifdef TRACE
      print("%u: [%lx].%u = %lx esr %lx\n", n, address, size, value, probe.taken ? probe.esr : 0);
#endif
    } else if (operation < 9) {
      u64 esr = probe_read(address, (int)size);
      note(esr ? esr : probe_value);
#ifdef TRACE
      print("%u: [%lx].%u -> %lx\n", n, address, size, esr ? esr : probe_value);
#endif
    } else if (operation < 13) {
      u64 got = icc_read(choice >> 8);
      if (((choice >> 8) % 16 == 1 || (choice >> 8) % 16 == 7 || (choice >> 8) % 16 > 12) && (got < 1020 || got > 1023)) last = (u32)got;
      note(got);
#ifdef TRACE
      print("%u: icc %u -> %lx\n", n, (choice >> 8) % 16, got);
#endif
    } else if (operation < 17) {
      icc_write(choice >> 8, value, last);
#ifdef TRACE
      print("%u: icc %u = %lx last %u\n", n, (choice >> 8) % 20, value, last);
#endif
    } else if (operation == 17) {
      WRITE(cntv_cval_el0, value & 1 ? 0 : ~0UL); WRITE(cntv_ctl_el0, 1);
    } else if (operation == 18) {
      *(volatile u32 *)(UART + 0x38) = value & 1 ? 0x20 : 0;
    } else {
      note(READ(isr_el1)); note(ICC_READ(ICC_RPR)); note(ICC_READ(ICC_HPPIR1));
#ifdef TRACE
      print("%u: isr %lx rpr %lx hppir %lx\n", n, READ(isr_el1), ICC_READ(ICC_RPR), ICC_READ(ICC_HPPIR1));
#endif
    }
    if (n % 1000 == 999) print("%u: %u reads, %08x\n", n + 1, reads, hash);
  }
  return 0;
}
