/* FP/SIMD registers only as memory: lazy enabling in the trap handler, save and restore of 32 registers, bits moved through them. */
#include "guest.h"

/* Kernels are built without FP; what is written by hand may use it. */
#define FP ".arch_extension fp\n.arch_extension simd\n"

static u32 traps;
void on_exception(struct frame *f, u32 kind) {
  if (f->esr >> 26 != 7) { describe(f, kind); power_off(); }
  print("fp trap %lx\n", f->esr);
  traps++;
  WRITE(cpacr_el1, 3 << 20);
  ISB();
}

static u8 area[544] __attribute__((aligned(16))), copy[544] __attribute__((aligned(16)));

int main(u64 device_tree) {
  for (u32 i = 0; i < sizeof area; i++) area[i] = (u8)(i * 11);
  u64 d = 0;
  __asm__ volatile(
      "ldp q0, q1, [%0]\n ldp q2, q3, [%0, #32]\n ldp q4, q5, [%0, #64]\n ldp q6, q7, [%0, #96]\n ldp q8, q9, [%0, #128]\n ldp q10, q11, [%0, #160]\n ldp q12, q13, [%0, #192]\n ldp q14, q15, [%0, #224]\n"
      "ldp q16, q17, [%0, #256]\n ldp q18, q19, [%0, #288]\n ldp q20, q21, [%0, #320]\n ldp q22, q23, [%0, #352]\n ldp q24, q25, [%0, #384]\n ldp q26, q27, [%0, #416]\n ldp q28, q29, [%0, #448]\n ldp q30, q31, [%0, #480]"
      ::"r"(area) : "memory");
  __asm__ volatile(
      "stp q0, q1, [%0]\n stp q2, q3, [%0, #32]\n stp q4, q5, [%0, #64]\n stp q6, q7, [%0, #96]\n stp q8, q9, [%0, #128]\n stp q10, q11, [%0, #160]\n stp q12, q13, [%0, #192]\n stp q14, q15, [%0, #224]\n"
      "stp q16, q17, [%0, #256]\n stp q18, q19, [%0, #288]\n stp q20, q21, [%0, #320]\n stp q22, q23, [%0, #352]\n stp q24, q25, [%0, #384]\n stp q26, q27, [%0, #416]\n stp q28, q29, [%0, #448]\n stp q30, q31, [%0, #480]"
      ::"r"(copy) : "memory");
  print("saved %s\n", memcmp(area, copy, 512) ? "WRONG" : "same");
  __asm__ volatile(FP "ldr d3, [%1, #3]\n fmov %0, d3" : "=r"(d) : "r"(area)); print("d3 %lx\n", d);
  __asm__ volatile(FP "ldr s3, [%1, #3]\n fmov %0, d3" : "=r"(d) : "r"(area)); print("s3 %lx\n", d);
  __asm__ volatile(FP "ldr h3, [%1, #3]\n fmov %0, d3" : "=r"(d) : "r"(area)); print("h3 %lx\n", d);
  __asm__ volatile(FP "ldr b3, [%1, #3]\n str q3, [%2]\n fmov %0, d3" : "=r"(d) : "r"(area), "r"(copy) : "memory"); print("b3 %lx %x\n", d, checksum(copy, 16));
  __asm__ volatile(FP "fmov d4, %1\n fmov w9, s4\n mov %0, x9" : "=r"(d) : "r"(0x8877665544332211UL) : "x9"); print("s4 %lx\n", d);
  __asm__ volatile(FP "ldp s0, s1, [%1, #-8]!\n ldp d2, d3, [%1], #16\n fmov %0, d1\n stp d2, d3, [%2]\n stp s0, s1, [%2, #16]\n ldnp q5, q6, [%2]\n stnp q6, q5, [%2, #32]" : "=&r"(d) : "r"(area + 16), "r"(copy) : "memory"); print("pairs %lx %x\n", d, checksum(copy, 64));
  __asm__ volatile("mov x9, #5\n ldr q7, [%1, x9]\n ldr d8, [%1, w9, uxtw #3]\n b 2f\n .balign 16\n1: .quad 0x1234, 0x5678\n2: ldr q9, 1b\n str q7, [%2]\n str d8, [%2, #16]\n str q9, [%2, #32]" : "=r"(d) : "r"(area), "r"(copy) : "x9", "memory"); print("offsets %x\n", checksum(copy, 48));
  print("%u traps\n", traps);
  WRITE(cpacr_el1, 0); ISB();
  __asm__ volatile("str q0, [%0]" ::"r"(copy) : "memory");
  WRITE(cpacr_el1, 1 << 20); ISB();
  __asm__ volatile(FP "mrs x9, fpcr\n msr fpsr, x9" ::: "x9");
  print("%u traps\n", traps);
  return 0;
}
