/*
 * Big-endian data: every kind of load and store with SCTLR_EL1.EE, then EL0 with E0E, and LDTR. What
 * was loaded is printed as registers, what was stored as bytes. LSE is defined for FEAT_LSE, TABLES
 * for translation by big-endian tables.
 */
#include "guest.h"

#ifdef TABLES
#define EE (1UL << 25 | 1UL << 2 | 1)
#else
#define EE (1UL << 25)
#endif
#define E0E (1UL << 24)
static u8 area[0x3000] __attribute__((aligned(4096)));
static u64 out[16] __attribute__((aligned(64)));
static u64 user_stack[64];

void on_exception(struct frame *frame, u32 kind) {
  if (kind == 8 && frame->esr >> 26 == 0x15) { frame->elr = frame->x[20]; frame->spsr = 0x3c5; return; }
  describe(frame, kind); frame->elr += 4;
}

static void fill(void) { for (u32 i = 0; i < sizeof area; i++) area[i] = (u8)(i * 7 + (i >> 8) * 13 + 1); }

static void show(const char *name, u32 count, u32 at) {
  print("%s:", name);
  for (u32 i = 0; i < count; i++) print(" %lx", out[i]);
  print(" |");
  for (u32 i = 0; i < 40; i++) print(" %02x", area[at + i]);
  print("\n");
}

/* Runs code with x1 = a place, x2 to x5 values, and shows x6, x7, x8, x9 and v0 to v3. */
#define ASM(set, text, at) do { \
  fill(); \
  register u64 x1 __asm__("x1") = (u64)area + (at); register u64 x2 __asm__("x2") = 0x1122334455667788; register u64 x3 __asm__("x3") = 0x99aabbccddeeff00; \
  register u64 x4 __asm__("x4") = 0x0123456789abcdef; register u64 x5 __asm__("x5") = 0xfedcba9876543210; \
  register u64 x6 __asm__("x6") = 0; register u64 x7 __asm__("x7") = 0; register u64 x8 __asm__("x8") = 0; register u64 x9 __asm__("x9") = 0; \
  __asm__ volatile("fmov d0, x4\n mov v0.d[1], x5\n fmov d1, x5\n mov v1.d[1], x2\n fmov d2, x3\n mov v2.d[1], x4\n fmov d3, x2\n mov v3.d[1], x3\n" \
    "mrs x10, sctlr_el1\n orr x11, x10, %[bits]\n msr sctlr_el1, x11\n isb\n" text "\n msr sctlr_el1, x10\n isb\n" \
    : "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7), "+r"(x8), "+r"(x9) : [bits] "r"(set) \
    : "x10", "x11", "x12", "x13", "x14", "x20", "v0", "v1", "v2", "v3", "memory", "cc"); \
  out[0] = x6; out[1] = x7; out[2] = x8; out[3] = x9; \
  __asm__ volatile("stp q0, q1, [%0]\n stp q2, q3, [%0, #32]" :: "r"(out + 4) : "memory"); \
  show(text, 12, ((at) & ~15) & 0x2fff); \
} while (0)
#define BE(text) ASM(EE, text, 64)
#define AT(text, at) ASM(EE, text, at)

static NOINLINE void user(void) {
  __asm__ volatile("adr x20, 2f\n adr x12, 1f\n msr elr_el1, x12\n msr spsr_el1, xzr\n msr sp_el0, %0\n mov x1, %1\n mov x2, %2\n isb\n eret\n"
    "1: ldr x6, [x1]\n ldr w7, [x1, #8]\n ldrh w8, [x1, #12]\n ldrb w9, [x1, #14]\n str w6, [x1, #16]\n str x7, [x1, #24]\n stp x6, x7, [x2]\n stp x8, x9, [x2, #16]\n svc #0\n 2: nop"
    :: "r"(user_stack + 64), "r"(area + 64), "r"(out) : "x1", "x2", "x6", "x7", "x8", "x9", "x12", "x20", "x30", "memory");
}

/* Turns the descriptors of a table and of those below it around. */
__attribute__((unused)) static void turn(u64 *table, int level) {
  for (u32 i = 0; i < 512; i++) {
    if (level < 3 && (table[i] & 3) == 3) turn((u64 *)(table[i] & 0xfffffffff000), level + 1);
    table[i] = __builtin_bswap64(table[i]);
  }
}

int main(u64 device_tree) {
#ifdef TABLES
  identity_map(12, 39);
  turn(identity.root, 1);
  WRITE(mair_el1, MAIR_DEFAULT);
  WRITE(tcr_el1, tcr_of(&identity, NULL));
  WRITE(ttbr0_el1, identity.root);
  ISB();
#endif
  BE("ldrb w6, [x1]\n ldrh w7, [x1]\n ldr w8, [x1]\n ldr x9, [x1]");
  BE("ldrsb x6, [x1, #40]\n ldrsh x7, [x1, #40]\n ldrsw x8, [x1, #40]\n ldur x9, [x1, #41]");
  BE("strb w2, [x1]\n strh w2, [x1, #2]\n str w2, [x1, #4]\n str x2, [x1, #8]");
  BE("ldp x6, x7, [x1]\n ldp w8, w9, [x1, #16]");
  BE("ldpsw x6, x7, [x1, #40]\n ldnp x8, x9, [x1]");
  BE("stp x2, x3, [x1]\n stp w4, w5, [x1, #16]");
  BE("ldr b0, [x1]\n ldr h1, [x1]\n ldr s2, [x1]\n ldr d3, [x1]");
  BE("ldr q0, [x1]\n ldr q1, [x1, #16]");
  BE("ldp q0, q1, [x1]\n ldp d2, d3, [x1]");
  BE("str q0, [x1]\n str d1, [x1, #16]\n str s2, [x1, #24]\n str h3, [x1, #28]\n str b3, [x1, #30]");
  BE("stp q1, q2, [x1]");
  BE("stp s1, s2, [x1]\n stp d1, d2, [x1, #8]");
  BE("ld1 {v0.16b}, [x1]\n ld1 {v1.8h}, [x1]\n ld1 {v2.4s}, [x1]\n ld1 {v3.2d}, [x1]");
  BE("ld1 {v0.8b}, [x1]\n ld1 {v1.4h}, [x1]\n ld1 {v2.2s}, [x1]\n ld1 {v3.1d}, [x1]");
  BE("ld1 {v0.4s-v3.4s}, [x1]");
  BE("ld2 {v0.8h, v1.8h}, [x1]\n ld2 {v2.2s, v3.2s}, [x1]");
  BE("ld3 {v0.4h-v2.4h}, [x1]");
  BE("ld4 {v0.4s-v3.4s}, [x1]");
  BE("st1 {v0.8h, v1.8h}, [x1]");
  BE("st1 {v0.16b}, [x1]\n st1 {v1.2d}, [x1]\n st1 {v2.2s}, [x1]");
  BE("st2 {v0.4s, v1.4s}, [x1]");
  BE("st4 {v0.4h-v3.4h}, [x1]");
  BE("ld1r {v0.8h}, [x1]\n ld2r {v1.4s, v2.4s}, [x1]\n ld1 {v3.h}[3], [x1]");
  BE("st1 {v0.s}[1], [x1]\n st2 {v0.h, v1.h}[2], [x1]");
  BE("ldxr x6, [x1]\n stxr w7, x2, [x1]\n ldxr w8, [x1, #0]\n stxr w9, w3, [x1]");
  BE("ldxrh w6, [x1]\n stxrh w7, w2, [x1]\n ldaxrb w8, [x1]\n stlxrb w9, w3, [x1]");
  BE("ldxp x6, x7, [x1]\n stxp w8, x2, x3, [x1]");
  BE("ldxp w6, w7, [x1]\n stxp w8, w2, w3, [x1]");
  BE("ldaxp x6, x7, [x1]\n str x2, [x1]\n stlxp w8, x2, x3, [x1]");
  BE("ldar x6, [x1]\n ldarh w7, [x1]\n stlr w2, [x1, #0]\n ldar w8, [x1]");
  BE("ldr x6, 1f\n b 2f\n .balign 8\n1: .quad 0x0102030405060708\n2: nop");
  BE("dc zva, x1\n str x2, [x1]");
  AT("ldr x6, [x1]\n ldr w7, [x1]\n str x2, [x1]\n ldr x8, [x1]", 0xffb);
  AT("ldr q0, [x1]\n str q1, [x1]\n ldr x6, [x1]", 0xff9);
  AT("ldp x6, x7, [x1]\n stp x2, x3, [x1]", 0xff5);
  AT("ldr q0, [x1]\n ld1 {v1.4s}, [x1]\n st1 {v2.8h}, [x1]", 0xffc);
  BE("mov x12, #0x0a000000\n ldr w6, [x12]\n ldr w7, [x12, #4]\n mov x12, #0x09000000\n ldr w8, [x12, #0xfe0]\n ldrh w9, [x12, #0xff0]");
  BE("mov x12, #0x0a000000\n movz w13, #0x0100, lsl #16\n str w13, [x12, #0x14]\n str w13, [x12, #0x24]\n ldr w6, [x12, #0x10]");
#ifdef LSE
  BE("ldadd x2, x6, [x1]\n ldadd w3, w7, [x1, #0]\n swp x4, x8, [x1]");
  BE("ldaddh w2, w6, [x1]\n ldclrb w3, w7, [x1]\n ldsmax x4, x8, [x1]\n ldumin w5, w9, [x1]");
  BE("ldr x6, [x1]\n cas x6, x2, [x1]\n ldr w7, [x1]\n mov w8, w7\n cas w8, w3, [x1]\n ldr x9, [x1]");
  BE("ldp x6, x7, [x1]\n mov x8, #1\n mov x9, #2\n casp x6, x7, x2, x3, [x1]\n casp x8, x9, x2, x3, [x1]");
  BE("ldp w6, w7, [x1]\n casp w6, w7, w2, w3, [x1]\n ldp w8, w9, [x1]");
#endif
  /* EL1 little-endian, EL0 not, with loads of EL1 with EL0's rights; then the other way round. */
  ASM(E0E, "ldtr x6, [x1]\n ldr x7, [x1]\n sttr x2, [x1]\n ldr x8, [x1]", 64);
  static const u64 BITS[] = {0, E0E, EE, EE | E0E};
  u64 control = READ(sctlr_el1);
  for (u32 i = 0; i < COUNT(BITS); i++) {
    fill();
    /* Only EL0 runs between the two writes, and what leads there stores nothing. */
    if (BITS[i] & 1UL << 25) {
#ifndef TABLES
      ASM(BITS[i], "ldtr x6, [x1]\n ldr x7, [x1]\n sttr x2, [x1, #8]\n ldtr w8, [x1, #8]", 64);
#endif
      continue;
    }
    WRITE(sctlr_el1, control | BITS[i]); ISB(); user(); user(); WRITE(sctlr_el1, control); ISB();
    show("EL0", 4, 64);
  }
  return 0;
}
