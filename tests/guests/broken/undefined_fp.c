/* A float in the kernel before FP is enabled, and a handler that prints a float. */
#include "guest.h"

/* Kernels are built without FP; what is written by hand may use it. */
#define FP ".arch_extension fp\n.arch_extension simd\n"
void on_exception(struct frame *f, u32 kind) { __asm__ volatile("str q0, [sp, #-16]!\n add sp, sp, #16" ::: "memory"); describe(f, kind); }
int main(u64 device_tree) { print("computing\n"); __asm__ volatile(FP "fmov d0, x0"); return 0; }
