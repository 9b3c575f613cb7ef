/* The interrupt controller with two security states (GICv2, or GICv3 with GIC3): random accesses from EL3, Secure and Non-secure EL1; every answer goes into a checksum. */
#include "gic3.h"
#include "levels.h"

static u32 hash = 0x811c9dc5, reads;
static u64 state = SEED, operand, scr = SCR_RW;
static volatile u32 last = 1023;

static u32 next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return (u32)(state >> 16); }
static void note(u64 value) { for (u32 i = 0; i < 8; i++) hash = (hash ^ (u8)(value >> 8 * i)) * 0x01000193; reads++; }
static u64 waiting(u64 unused) { return READ(isr_el1); }

#ifdef GIC3
static const u32 DISTRIBUTOR[] = { 0, 4, 0x84, 0x88, 0x104, 0x108, 0x184, 0x188, 0x204, 0x208, 0x284, 0x288, 0x304, 0x384, 0x420, 0x424, 0x440, 0xc08, 0xc0c, 0xd04, 0xd08, 0xe08, 0xe0c, 0xe10, 0x6100, 0x6104, 0x6108, 0x6110, 0x6200 };
static const u32 REDISTRIBUTOR[] = { 0x10080, 0x10100, 0x10180, 0x10200, 0x10280, 0x10300, 0x10380, 0x10400, 0x10404, 0x10408, 0x10410, 0x1041c, 0x10c00, 0x10c04, 0x10d00, 0x10e00 };
static u64 address_of(u32 which) { return which & 1 ? GICD_BASE + DISTRIBUTOR[(which >> 1) % COUNT(DISTRIBUTOR)] : GICR_BASE + REDISTRIBUTOR[(which >> 1) % COUNT(REDISTRIBUTOR)]; }
static u64 window_read(u64 which) { u64 a = address_of((u32)which); return a >= 0x08006000 && a < 0x08007000 && !(a & 7) ? *(volatile u64 *)a : *(volatile u32 *)a; }
static u64 window_write(u64 which) {
  u64 a = address_of((u32)which), v = operand;
  /* Two states, until the end. */
  if (a == GICD_BASE) v = (v & ~0x40UL) | (v >> 7 & 7);
  if (a >= 0x08006000 && a < 0x08007000) v &= 1UL << 31 | (v & 0xf000 ? 0 : 1);
  if (a >= GICD_BASE + 0xe00 && a < GICD_BASE + 0xf00) v |= v << 1;
  *(volatile u32 *)a = (u32)v;
  return 0;
}
/* Above 32 bits the reference shows the sign of an active priority of 0xf8. */
static u64 icc_read(u64 which) {
  u64 got;
  switch (which % 16) {
  case 0: return ICC_READ(ICC_PMR);
  case 1: case 15: got = ICC_READ(ICC_IAR0); if (got < 1020) last = (u32)got; return got;
  case 2: return ICC_READ(ICC_HPPIR0);
  case 3: return ICC_READ(ICC_BPR0);
  case 4: return (u32)ICC_READ(ICC_AP0R0);
  case 5: return (u32)ICC_READ(ICC_AP1R0);
  case 6: return ICC_READ(ICC_RPR);
  case 7: case 13: case 14: got = ICC_READ(ICC_IAR1); if (got < 1020) last = (u32)got; return got;
  case 8: return ICC_READ(ICC_HPPIR1);
  case 9: return ICC_READ(ICC_BPR1);
  case 10: return ICC_READ(ICC_CTLR);
  case 11: return ICC_READ(ICC_IGRPEN0);
  default: return ICC_READ(ICC_IGRPEN1) | ICC_READ(ICC_SRE) << 8;
  }
}
static u64 icc_write(u64 which) {
  u64 value = operand, id = value & 0x7000 ? last : value & 0x3ff;
  switch (which % 18) {
  case 0: ICC_WRITE(ICC_PMR, value | (value & 0x300 ? 0xe0 : 0)); break;
  case 1: case 15: ICC_WRITE(ICC_EOIR0, id); break;
  case 2: ICC_WRITE(ICC_BPR0, value & 7); break;
  case 3: if (!(value & 0x3000)) ICC_WRITE(ICC_AP0R0, value & value >> 9 & value >> 17); break;
  case 4: if (!(value & 0x3000)) ICC_WRITE(ICC_AP1R0, value & value >> 9 & value >> 17); break;
  case 5: case 16: ICC_WRITE(ICC_DIR, id); break;
  case 6: ICC_WRITE(ICC_SGI1R, value & 0x0f00000fUL); break;
  case 7: ICC_WRITE(ICC_ASGI1R, value & 0x0f00000fUL); break;
  case 8: ICC_WRITE(ICC_SGI0R, value & 0x0f00000fUL); break;
  case 9: case 17: case 14: ICC_WRITE(ICC_EOIR1, id); break;
  case 10: ICC_WRITE(ICC_BPR1, value & 7); break;
  case 11: ICC_WRITE(ICC_CTLR, value); break;
  case 12: ICC_WRITE(ICC_IGRPEN0, value | (value & 0x30) >> 4); break;
  default: ICC_WRITE(ICC_IGRPEN1, value | (value & 0x30) >> 4); break;
  }
  return 0;
}
static u64 el3_only(u64 which) {
#ifdef WITH_EL2
  if (which & 0x100) switch (which % 6) {
  case 0: return ICC_READ(S3_4_C12_C11_2) | ICC_READ(S3_4_C12_C11_5) << 8;
  case 1: return ICC_READ(S3_4_C12_C11_7);
  case 2: ICC_WRITE(S3_4_C12_C11_0, (operand & 0x70ff) | 1); return 0;
  case 3: ICC_WRITE(S3_4_C12_C11_7, operand | 0xe0000003U); return 0;
  default: ICC_WRITE(S3_4_C12_C12_1, 1UL << 62 | (operand & 1UL << 60) | (operand & 0xe0) << 48 | (operand >> 9 & 15)); return 0;
  }
#endif
  switch (which % 6) {
  case 0: return ICC_READ(S3_6_C12_C12_4);
  case 5: return ICC_READ(S3_4_C12_C9_5);
  case 1: return ICC_READ(S3_6_C12_C12_5) | ICC_READ(S3_6_C12_C12_7) << 8;
  case 2: ICC_WRITE(S3_6_C12_C12_4, operand); return 0;
  default: ICC_WRITE(S3_6_C12_C12_7, operand | (operand & 0x300) >> 8); return 0;
  }
}
static void open(void) { GICR(0x14) = 0; }
#else
#define GICC2(o) (*(volatile u32 *)(0x08010000UL + (o)))
static const u32 DISTRIBUTOR[] = { 0, 4, 8, 0x80, 0x84, 0x100, 0x104, 0x180, 0x184, 0x200, 0x204, 0x280, 0x284, 0x300, 0x304, 0x380, 0x384, 0x400, 0x404, 0x408, 0x420, 0x424, 0x820, 0xc00, 0xc04, 0xc08, 0xf00, 0xf10, 0xf14, 0xf20 };
static const u32 INTERFACE[] = { 0, 4, 8, 0xc, 0xc, 0xc, 0x14, 0x18, 0x1c, 0xd0, 0xd8, 0xe0, 0xe8, 0xfc };
static const u32 INTERFACE_WRITE[] = { 0, 0, 4, 8, 0x10, 0x10, 0x10, 0x1c, 0xd0, 0xd8, 0xe8, 0x1000, 0x1000, 4 };
static u64 window_read(u64 which) { return GICD(DISTRIBUTOR[which % COUNT(DISTRIBUTOR)]); }
static u64 window_write(u64 which) {
  u32 offset = DISTRIBUTOR[which % COUNT(DISTRIBUTOR)];
  u64 v = operand;
  if (offset == 0) v |= v >> 7 & 3;
  if (offset == 0xf20) v |= 0x01010101;
  if (offset == 0xf00) v = (v & 15) | 2 << 24;
  GICD(offset) = (u32)v;
  return 0;
}
/* Above 32 bits the reference shows the sign of an active priority of 0xf8. */
static u64 icc_read(u64 which) {
  u32 offset = INTERFACE[which % COUNT(INTERFACE)];
  u64 got = GICC2(offset);
  if (offset == 0xc && (got & 0x3ff) < 1020) last = (u32)got;
  return got;
}
static u64 icc_write(u64 which) {
  u32 offset = INTERFACE_WRITE[which % COUNT(INTERFACE_WRITE)];
  u64 v = operand;
  if (offset == 0) v |= v >> 7 & 3;
  if (offset == 4) v |= v & 0x300 ? 0xe0 : 0;
  if (offset == 0x10 || offset == 0x1000) v = v & 0x7000 ? last : v & 0x3ff;
  if (offset >= 0xd0 && offset < 0x100) v = v & 0x3000 ? 0 : v & v >> 9 & v >> 17;
  GICC2(offset) = (u32)v;
  return 0;
}
static u64 el3_only(u64 which) { return GICD(0x200); }
static void open(void) {}
#endif

int main(u64 device_tree) {
  print("level %lu\n", READ(currentel) >> 2);
  open();
#ifdef WITH_EL2
  WRITE(vbar_el2, el2_vectors);
#endif
  for (u32 n = 0; n < ROUNDS; n++) {
    u32 choice = next(), operation = choice % 16, who = choice >> 4 & 3, which = choice >> 8;
    operand = next() | (u64)next() << 32;
    if (choice & 0x10000000) operand &= next() | (u64)next() << 32;
    u64 (*f)(u64) = operation < 5 ? window_write : operation < 8 ? window_read : operation < 11 ? icc_read : operation < 15 ? icc_write : who ? waiting : el3_only;
    if ((choice >> 20 & 7) == 0) scr = (next() & (SCR_IRQ | SCR_FIQ)) | SCR_RW;
    u64 got;
    WRITE(scr_el3, scr | (who > 1 ? SCR_NS : 0)); ISB();
#ifdef WITH_EL2
    WRITE(hcr_el2, HCR_RW | (choice >> 24 & 3 ? 0 : HCR_IMO) | (choice >> 26 & 3 ? 0 : HCR_FMO));
#endif
    if (who == 0) { got = f(which); el1_reason = 0; }
    else got = el1_call(f, which);
    note(el1_reason); note(el1_reason == 1 ? el1_syndrome : el1_reason ? 0 : got); note(READ(isr_el1));
#ifdef WITH_EL2
    note(READ(esr_el2));
#endif
#ifdef TRACE
    print("%u: who %u scr %lx operation %u which %u operand %lx -> %lx %lx isr %lx\n", n, who, scr, operation, which, operand, el1_reason, el1_reason == 1 ? el1_syndrome : el1_reason ? 0 : got, READ(isr_el1));
#endif
    if (n % 1000 == 999) print("%u: %u values, %08x\n", n + 1, reads, hash);
  }
  end_high();
  return 0;
}
