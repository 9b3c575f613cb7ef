/* The virtual part of the interrupt controller (GICv2, or GICv3 with GIC3): random accesses by a hypervisor and its guest; every answer goes into a checksum. */
#include "gic3.h"
#include "levels.h"

static u32 hash = 0x811c9dc5, reads;
static u64 state = SEED;

static u32 next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return (u32)(state >> 16); }
static void note(u64 value) { for (u32 i = 0; i < 8; i++) hash = (hash ^ (u8)(value >> 8 * i)) * 0x01000193; reads++; }

#ifdef GIC3
#define ICH_AP0R0 S3_4_C12_C8_0
#define ICH_AP1R0 S3_4_C12_C9_0
#define ICH_HCR S3_4_C12_C11_0
#define ICH_VTR S3_4_C12_C11_1
#define ICH_MISR S3_4_C12_C11_2
#define ICH_EISR S3_4_C12_C11_3
#define ICH_ELRSR S3_4_C12_C11_5
#define ICH_VMCR S3_4_C12_C11_7
#define ICH_LR0 S3_4_C12_C12_0
#define ICH_LR1 S3_4_C12_C12_1
#define ICH_LR2 S3_4_C12_C12_2
#define ICH_LR3 S3_4_C12_C12_3

static u64 hypervisor_read(u32 which) {
  switch (which % 12) {
  case 0: return (u32)ICC_READ(ICH_AP0R0);
  case 1: return (u32)ICC_READ(ICH_AP1R0);
  case 2: return ICC_READ(ICH_HCR);
  case 3: return ICC_READ(ICH_VTR);
  case 4: return ICC_READ(ICH_MISR);
  case 5: return ICC_READ(ICH_EISR);
  case 6: return ICC_READ(ICH_ELRSR);
  case 7: return ICC_READ(ICH_VMCR);
  case 8: return ICC_READ(ICH_LR0);
  case 9: return ICC_READ(ICH_LR1);
  case 10: return ICC_READ(ICH_LR2);
  default: return ICC_READ(ICH_LR3);
  }
}
static void hypervisor_write(u32 which, u64 value) {
  u64 entry = (value & 0x7UL << 61) | (value & 0xe0UL) << 48 | (value & 0x100 ? 1UL << 60 : 0) | (value >> 9 & 15) | (value & 0x10000 ? 1UL << 41 : (u64)(24 + (value >> 17 & 15)) << 32);
  if (value & 1UL << 40) entry = (entry & ~(3UL << 62)) | 1UL << 62;
  if ((value & 0x1fUL << 41) == 0) entry = value;
  switch (which % 10) {
  case 0: if (!(value & 0x3000)) ICC_WRITE(ICH_AP0R0, value & value >> 9 & value >> 17); break;
  case 1: if (!(value & 0x3000)) ICC_WRITE(ICH_AP1R0, value & value >> 9 & value >> 17); break;
  case 2: ICC_WRITE(ICH_HCR, (value & ~0x7c00UL) | (value & 0x30000 ? 1 : 0) | (value & 0x700000 ? 0 : value & 0x7c00)); break;
  case 3: ICC_WRITE(ICH_VMCR, value | (value & 0x3UL << 35 ? 0xe0000003UL : 0)); break;
  case 4: case 8: ICC_WRITE(ICH_LR0, entry); break;
  case 5: case 9: ICC_WRITE(ICH_LR1, entry); break;
  case 6: ICC_WRITE(ICH_LR2, entry); break;
  default: ICC_WRITE(ICH_LR3, entry); break;
  }
}
static u64 operand;
static u64 guest_read(u64 which) {
  switch (which % 15) {
  case 0: return ICC_READ(ICC_PMR);
  case 1: return ICC_READ(ICC_IAR0);
  case 2: return ICC_READ(ICC_HPPIR0);
  case 3: return ICC_READ(ICC_BPR0);
  case 4: return (u32)ICC_READ(ICC_AP0R0);
  case 5: return (u32)ICC_READ(ICC_AP1R0);
  case 6: return ICC_READ(ICC_RPR);
  case 7: case 13: case 14: return ICC_READ(ICC_IAR1);
  case 8: return ICC_READ(ICC_HPPIR1);
  case 9: return ICC_READ(ICC_BPR1);
  case 10: return ICC_READ(ICC_CTLR);
  case 11: return ICC_READ(ICC_IGRPEN0);
  default: return ICC_READ(ICC_IGRPEN1) | ICC_READ(ICC_SRE) << 8;
  }
}
static u64 guest_write(u64 which) {
  u64 value = operand, id = value & 0x8000 ? value & 0x3fff : value & 15;
  switch (which % 15) {
  case 0: ICC_WRITE(ICC_PMR, value | (value & 0x300 ? 0xe0 : 0)); break;
  case 1: ICC_WRITE(ICC_EOIR0, id); break;
  case 2: ICC_WRITE(ICC_BPR0, value & 7); break;
  case 3: if (!(value & 0x3000)) ICC_WRITE(ICC_AP0R0, value & value >> 9 & value >> 17); break;
  case 4: if (!(value & 0x3000)) ICC_WRITE(ICC_AP1R0, value & value >> 9 & value >> 17); break;
  case 5: case 11: ICC_WRITE(ICC_DIR, id); break;
  case 6: ICC_WRITE(ICC_SGI1R, value & 0x0f00000fUL); break;
  case 7: case 12: case 13: ICC_WRITE(ICC_EOIR1, id); break;
  case 8: ICC_WRITE(ICC_BPR1, value & 7); break;
  case 9: ICC_WRITE(ICC_CTLR, value); break;
  case 10: ICC_WRITE(ICC_IGRPEN0, value | (value & 0x30) >> 4); break;
  default: ICC_WRITE(ICC_IGRPEN1, value | (value & 0x30) >> 4); break;
  }
  return 0;
}
static u64 physical(void) { return GICR(SGI_FRAME + 0x200) | (u64)GICR(SGI_FRAME + 0x300) << 32; }
static void activate(u32 value) { GICR(SGI_FRAME + 0x300) = value << 16; }
static void open(void) { GICR(0x14) = 0; GICD(0) = 3; GICR(SGI_FRAME + 0x80) = ~0U; GICR(SGI_FRAME + 0x100) = ~0U; }
#else
#define GICH(o) (*(volatile u32 *)(0x08030000UL + (o)))
#define GICV(o) (*(volatile u32 *)(0x08040000UL + (o)))
#define GICC2(o) (*(volatile u32 *)(0x08010000UL + (o)))
static const u32 HYPERVISOR[] = { 0, 4, 8, 0x10, 0x20, 0x24, 0x30, 0x34, 0xf0, 0x100, 0x104, 0x108, 0x10c, 0x110, 0x114, 0xc };
static const u32 GUEST[] = { 0, 4, 8, 0xc, 0xc, 0xc, 0x14, 0x18, 0x1c, 0xd0, 0xd4, 0xe0, 0xfc, 0x1000 };
static const u32 GUEST_WRITE[] = { 0, 0, 4, 8, 0x10, 0x10, 0x10, 0x1c, 0xd0, 0x1000, 0x1000, 0xe0 };
static u64 operand;
static u64 hypervisor_read(u32 which) { return GICH(HYPERVISOR[which % COUNT(HYPERVISOR)]); }
static void hypervisor_write(u32 which, u64 value) {
  static const u32 TO[] = { 0, 8, 0xf0, 0x100, 0x104, 0x108, 0x10c, 0x100, 0x104, 0x110, 4, 0x10 };
  u32 offset = TO[which % COUNT(TO)];
  if (offset >= 0x100) value = (value & 0xf0000000U) | (value & 0x1c) << 23 | (value >> 9 & 15) | (value & 0x10000 ? (value & 0x20000 ? 1U << 19 : (value >> 18 & 7) << 10) : (24 + (value >> 18 & 7)) << 10);
  if (offset >= 0x100 && value & 0x40) value = (value & ~0x30000000UL) | 0x10000000;
  if (offset == 0) value |= value & 0x30000 ? 1 : 0;
  if (offset == 8) value |= value & 0x700 ? 0xe0000003U : 0;
  if (offset == 0xf0) value = value & 0x3000 ? 0 : value & value >> 9 & value >> 17;
  GICH(offset) = (u32)value;
}
static u64 guest_read(u64 which) { return GICV(GUEST[which % COUNT(GUEST)]); }
static u64 guest_write(u64 which) {
  u32 offset = GUEST_WRITE[which % COUNT(GUEST_WRITE)];
  u64 value = operand;
  if (offset == 0) value |= (value & 0x30) >> 4;
  if (offset == 4) value |= value & 0x300 ? 0xe0 : 0;
  if (offset == 0x10 || offset == 0x1000) value = value & 0x8000 ? value & 0x3ff : value & 15;
  if (offset == 0xd0) value = value & 0x3000 ? 0 : value & value >> 9 & value >> 17;
  GICV(offset) = (u32)value;
  return 0;
}
static u64 physical(void) { return GICD(0x200) | (u64)GICD(0x300) << 32; }
static void activate(u32 value) { GICD(0x300) = value << 16; }
static void open(void) { GICD(0) = 3; GICD(0x100) = ~0U; GICC2(4) = 0xff; GICC2(0) = 3; }
#endif
static u64 waiting(u64 unused) { return READ(isr_el1); }

int main(u64 device_tree) {
  print("level %lu\n", READ(currentel) >> 2);
  WRITE(hcr_el2, HCR_RW); open();
  for (u32 n = 0; n < ROUNDS; n++) {
    u32 choice = next(), operation = choice % 16;
    u64 value = next() | (u64)next() << 32;
    if (choice & 0x10000) value &= next() | (u64)next() << 32;
    operand = value;
    if (operation < 5) hypervisor_write(choice >> 8, value);
    else if (operation < 7) {
      u64 got = hypervisor_read(choice >> 8);
      note(got);
#ifdef TRACE
      print("%u: hypervisor %u -> %lx\n", n, choice >> 8, got);
#endif
    } else if (operation == 7) {
      WRITE(hcr_el2, HCR_RW | (value & 7 ? HCR_IMO : 0) | (value & 0x70 ? HCR_FMO : 0));
    } else if (operation < 15) {
      u64 (*f)(u64) = operation < 10 ? guest_read : operation < 14 ? guest_write : waiting;
      u64 got = el1_call(f, choice >> 8);
      note(el1_reason); note(el1_reason == 1 ? el1_syndrome : el1_reason ? 0 : got);
#ifdef TRACE
      print("%u: guest %u %u (%lx) -> %lx %lx\n", n, operation, choice >> 8, value, el1_reason, el1_reason == 1 ? el1_syndrome : got);
#endif
    } else {
      if (value & 1) activate((u32)value);
      note(physical());
#ifdef TRACE
      print("%u: physical %lx\n", n, physical());
#endif
    }
    if (n % 1000 == 999) print("%u: %u values, %08x\n", n + 1, reads, hash);
  }
  end_high();
  return 0;
}
