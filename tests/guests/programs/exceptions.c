/* Every synchronous exception a kernel meets, with full syndromes, both stack pointers, and a backtrace by frame pointers. */
#include "guest.h"

static u32 count;

static void backtrace(u64 fp) {
  for (int depth = 0; fp && depth < 8; depth++) {
    u64 *record = (u64 *)fp;
    print("  #%d\n", depth);
    fp = record[0];
  }
}

void on_exception(struct frame *f, u32 kind) {
  describe(f, kind);
  count++;
  switch (f->esr >> 26) {
    case 0x15: case 0x16: case 0x17: f->x[0] = count * 0x1111; return;
    case 0x3c: f->elr += 4; if ((f->esr & 0xffff) == 0x77) backtrace(f->x[29]); return;
    case 0x21: case 0x20: case 0x22: f->elr = f->x[30]; return;
    case 0x26: f->elr = f->x[30]; return;
    case 0x0e: f->spsr = 0x3c5; return;
    default: f->elr += 4;
  }
}

static NOINLINE void inner(int n) { if (n) inner(n - 1); else __asm__ volatile("brk #0x77"); __asm__ volatile(""); }
static NOINLINE u64 call(u64 target) { return ((u64 (*)(void))target)(); }

int main(u64 device_tree) {
  register u64 x0 __asm__("x0");
  __asm__ volatile("svc #0" : "=r"(x0)::"memory"); print("x0 %lx\n", x0);
  __asm__ volatile("svc #0xffff" : "=r"(x0)::"memory"); print("x0 %lx\n", x0);
  __asm__ volatile("smc #3" : "=r"(x0)::"memory");
  __asm__ volatile("brk #0\n brk #0xf000\n brk #1000" ::: "memory");
  __asm__ volatile("hlt #0\n hlt #0xf000" ::: "memory");
  __asm__ volatile("udf #0\n udf #0xffff\n .inst 0xe7f000f0\n .inst 0x00000000\n .inst 0xffffffff" ::: "memory");
  __asm__ volatile("dcps1\n dcps2\n dcps3\n drps" ::: "memory");
  __asm__ volatile("mrs x1, S3_0_C15_C15_0\n msr S3_6_C1_C1_0, x1\n mrs x1, sctlr_el2\n mrs x1, scr_el3\n msr vbar_el2, x1" ::: "x1", "memory");
  __asm__ volatile("msr S0_0_C4_C0_3, xzr\n msr S0_0_C4_C0_4, xzr" ::: "memory");
  __asm__ volatile("mrs x1, spsr_abt\n mrs x1, elr_el2\n mrs x1, sp_el1\n mrs x1, sp_el2" ::: "x1", "memory");
  static const u64 HOLES[] = { 0x0c000000, 0x48000000, 0x08000001UL << 8, 0x30000000000UL, 0xffffffffffffUL, 0x1000000000000UL, 0xffff000000000000UL };
  for (u32 i = 0; i < COUNT(HOLES); i++) {
    u64 t;
    __asm__ volatile("ldr %0, [%1]\n ldrb %w0, [%1]\n str xzr, [%1]\n stp xzr, xzr, [%1]\n ldp xzr, %0, [%1]\n ldtr %0, [%1]\n ldxr %0, [%1]\n stlr xzr, [%1]\n prfm pldl1keep, [%1]\n dc zva, %1\n dc civac, %1\n at s1e1r, %1"
                     : "=&r"(t) : "r"(HOLES[i]) : "memory");
    call(HOLES[i]);
  }
  call((u64)main + 2);
  call((u64)main + 1);
  call(0x48000002);
  u64 saved;
  __asm__ volatile("mov %0, sp\n adr x30, 1f\n sub sp, sp, #8\n ldr x1, [sp]\n 1: mov sp, %0" : "=&r"(saved)::"x1", "x30", "memory");
  __asm__ volatile("mov x1, #0x3c4\n msr spsel, #0\n mov x2, sp\n svc #5\n mrs x2, spsel\n msr spsel, #1" ::: "x0", "x1", "x2", "memory");
  inner(5);
  u64 illegal[] = { 0x3c9, 0x3cd, 0x3c1, 0x3c2, 0x3d3, 0x3c6, 0x1f3, 0x3c8 };
  for (u32 i = 0; i < COUNT(illegal); i++) {
    __asm__ volatile("adr x1, 1f\n msr elr_el1, x1\n msr spsr_el1, %0\n isb\n eret\n 1: nop" ::"r"(illegal[i] | 0xa0000000UL) : "x1", "memory", "cc");
    print("after illegal %lx: daif %lx el %lx sp %lx\n", illegal[i], READ(daif), READ(currentel), READ(spsel));
  }
  print("%u exceptions\n", count);
  return 0;
}
