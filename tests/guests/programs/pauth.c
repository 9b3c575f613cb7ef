/* Pointer authentication: codes, authentication, stripping, branches, returns and loads, by keys, ranges and enables. */
#include "guest.h"

static u64 esr, far_, count;
void on_exception(struct frame *f, u32 kind) {
  esr = f->esr; far_ = f->far; count++;
  if (f->esr >> 26 == 0x15) return;
  if (f->esr >> 26 == 0x20 || f->esr >> 26 == 0x21 || f->esr >> 26 == 0x22) { f->elr = f->x[30]; return; }
  f->elr += 4;
}

#define KEY(reg, v) __asm__ volatile("msr " reg ", %0" ::"r"((u64)(v)))
static void set_keys(u64 seed) {
  KEY("S3_0_C2_C1_0", seed * 0x9e3779b97f4a7c15); KEY("S3_0_C2_C1_1", seed * 0xbf58476d1ce4e5b9); KEY("S3_0_C2_C1_2", seed * 0x94d049bb133111eb); KEY("S3_0_C2_C1_3", ~seed);
  KEY("S3_0_C2_C2_0", seed ^ 0x123456789abcdef); KEY("S3_0_C2_C2_1", seed * 3); KEY("S3_0_C2_C2_2", seed * 5); KEY("S3_0_C2_C2_3", seed * 7);
  KEY("S3_0_C2_C3_0", seed * 11); KEY("S3_0_C2_C3_1", seed * 13);
}

#define OP(name) static NOINLINE u64 name(u64 p, u64 m) { __asm__ volatile(".arch armv8.5-a\n " #name " %0, %1" : "+r"(p) : "r"(m)); return p; }
#define OPZ(name) static NOINLINE u64 name(u64 p, u64 m) { __asm__ volatile(".arch armv8.5-a\n " #name " %0" : "+r"(p)); return p; }
OP(pacia) OP(pacib) OP(pacda) OP(pacdb) OP(autia) OP(autib) OP(autda) OP(autdb)
OPZ(paciza) OPZ(pacizb) OPZ(pacdza) OPZ(pacdzb) OPZ(autiza) OPZ(autizb) OPZ(autdza) OPZ(autdzb) OPZ(xpaci) OPZ(xpacd)
static NOINLINE u64 pacga(u64 p, u64 m) { u64 r; __asm__ volatile(".arch armv8.5-a\n pacga %0, %1, %2" : "=r"(r) : "r"(p), "r"(m)); return r; }
#define OP17(name) static NOINLINE u64 name(u64 p, u64 m) { register u64 x17 __asm__("x17") = p; register u64 x16 __asm__("x16") = m; __asm__ volatile(".arch armv8.5-a\n " #name : "+r"(x17) : "r"(x16)); return x17; }
#define OP30(name) static NOINLINE u64 name(u64 p, u64 m) { __asm__ volatile(".arch armv8.5-a\n mov x9, x30\n mov x10, sp\n mov x30, %0\n mov sp, %1\n " #name "\n mov %0, x30\n mov x30, x9\n mov sp, x10" : "+r"(p) : "r"(m & ~15UL) : "x9", "x10"); return p; }
OP17(pacia1716) OP17(pacib1716) OP17(autia1716) OP17(autib1716)
OP30(paciaz) OP30(pacibz) OP30(paciasp) OP30(pacibsp) OP30(autiaz) OP30(autibz) OP30(autiasp) OP30(autibsp) OP30(xpaclri)

typedef u64 (*operation)(u64, u64);
static const operation ALL[] = {pacia, pacib, pacda, pacdb, autia, autib, autda, autdb, paciza, pacizb, pacdza, pacdzb, autiza, autizb, autdza, autdzb, xpaci, xpacd, pacga,
  pacia1716, pacib1716, autia1716, autib1716, paciaz, pacibz, paciasp, pacibsp, autiaz, autibz, autiasp, autibsp, xpaclri};
static const operation PAIRS[][2] = {{pacia, autia}, {pacib, autib}, {pacda, autda}, {pacdb, autdb}, {paciasp, autiasp}, {pacib1716, autib1716}};

static NOINLINE u64 target(u64 x) { return x + 1; }
static u64 data[8] = {0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 0x7777, 0x8888};

static NOINLINE void branches(void) {
  u64 p = pacia((u64)target, 77), q = pacizb((u64)target, 0), r = 5, x30;
  __asm__ volatile(".arch armv8.5-a\n mov x0, #41\n mov x9, %1\n mov x10, #77\n blraa x9, x10\n mov %0, x0" : "=r"(r) : "r"(p) : "x0", "x9", "x10", "x30", "memory");
  print("blraa %lx", r);
  __asm__ volatile(".arch armv8.5-a\n mov x0, #42\n mov x9, %1\n blrabz x9\n mov %0, x0" : "=r"(r) : "r"(q) : "x0", "x9", "x30", "memory");
  print(" blrabz %lx", r);
  __asm__ volatile(".arch armv8.5-a\n adr x30, 1f\n paciasp\n mov %0, x30\n retaa\n1: nop" : "=r"(x30) : : "x30");
  print(" retaa");
  __asm__ volatile(".arch armv8.5-a\n adr x9, 1f\n mov x10, sp\n pacib x9, x10\n msr elr_el1, x9\n mov x11, #0x3c5\n msr spsr_el1, x11\n eretab\n1: nop" ::: "x9", "x10", "x11", "memory");
  print(" eretab\n");
  count = esr = 0;
  __asm__ volatile(".arch armv8.5-a\n mov x9, %0\n mov x10, #78\n blraa x9, x10" ::"r"(p) : "x0", "x9", "x10", "x30", "memory");
  print("blraa with another modifier: %lu %lx %lx\n", count, esr, far_);
  u64 d = pacdza((u64)&data[3], 0), e = pacdzb((u64)&data[3], 0), v, w = d;
  __asm__ volatile(".arch armv8.5-a\n ldraa %0, [%1, #-16]!" : "=&r"(v), "+r"(w));
  print("ldraa %lx %d", v, (int)(w - (u64)&data[1]));
  __asm__ volatile(".arch armv8.5-a\n ldrab %0, [%1, #32]" : "=r"(v) : "r"(e));
  print(" ldrab %lx", v);
  count = esr = 0;
  __asm__ volatile(".arch armv8.5-a\n ldrab %0, [%1, #32]" : "=r"(v) : "r"(d));
  print(" wrong key %lu %lx\n", count, esr);
}

int main(u64 device_tree) {
  u64 sctlr = READ(sctlr_el1), tcr = READ(tcr_el1);
  static const u64 CONTROLS[] = {0, 25, 25 | 25UL << 16, 25 | 1UL << 37, 25 | 30UL << 16 | 3UL << 37, 39 | 1UL << 38, 16 | 16UL << 16 | 3UL << 37, 25 | 25UL << 16 | 3UL << 37 | 3UL << 51, 25 | 25UL << 16 | 3UL << 37 | 1UL << 52};
  for (u64 c = 0; c < COUNT(CONTROLS); c++) {
    WRITE(tcr_el1, CONTROLS[c]);
    WRITE(sctlr_el1, sctlr | (1UL << 31 | 1UL << 30 | 1UL << 27 | 1UL << 13));
    ISB();
    for (u64 n = 0; n < 24; n++) {
      set_keys(random64());
      u64 p = random64(), m = random64();
      if (n & 1) p = (s64)p >> 20;
      if (n & 2) p &= 0xffffffffff;
      print("%lu %lx %lx:", c, p, m);
      for (u64 i = 0; i < COUNT(ALL); i++) print(" %lx", ALL[i](p, m));
      print("\n ");
      for (u64 i = 0; i < COUNT(PAIRS); i++) { u64 s = PAIRS[i][0](p, m); print(" %lx %lx %lx %lx", PAIRS[i][1](s, m), PAIRS[i][1](s, m ^ 16), PAIRS[i][1](s ^ 1UL << 50, m), xpaci(s, 0)); }
      print("\n");
    }
  }
  for (u64 enables = 0; enables < 16; enables++) {
    WRITE(sctlr_el1, sctlr | (enables & 1) << 31 | (enables >> 1 & 1) << 30 | (enables >> 2 & 1) << 27 | (enables >> 3 & 1) << 13);
    ISB();
    print("%lu:", enables);
    for (u64 i = 0; i < COUNT(ALL); i++) print(" %lx", ALL[i](0x123456789, 0x1000));
    print("\n");
  }
  WRITE(tcr_el1, tcr);
  set_keys(0x1234567);
  identity_map(12, 39);
  identity_on();
  WRITE(sctlr_el1, READ(sctlr_el1) | (1UL << 31 | 1UL << 30 | 1UL << 27 | 1UL << 13));
  ISB();
  branches();
  /* A tagged pointer to code, with TBI and then with TBID. */
  for (u64 tbid = 0; tbid < 2; tbid++) {
    WRITE(tcr_el1, READ(tcr_el1) | 1UL << 37 | tbid << 51);
    ISB();
    branches();
    count = esr = 0;
    u64 r = 0;
    __asm__ volatile("mov x0, #43\n mov x9, %1\n blr x9\n mov %0, x0" : "=r"(r) : "r"((u64)target | 0x5aUL << 56) : "x0", "x9", "x30", "memory");
    print("tagged %lx %lu %lx %lx\n", r, count, esr, far_);
  }
  return 0;
}
