/* What the kernels here share: registers, a UART, start code. Each has its own tables and mapper. */
#pragma once
typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;
#define NOINLINE __attribute__((noinline))
#define WRITE(reg, v) __asm__ volatile("msr " #reg ", %0" ::"r"((u64)(v)) : "memory")
#define READ(reg) ({ u64 v_; __asm__ volatile("mrs %0, " #reg : "=r"(v_)); v_; })
#define ISB() __asm__ volatile("isb" ::: "memory")
#define DSB() __asm__ volatile("dsb sy" ::: "memory")
#define PAGE 4096UL
#define BLOCK 0x200000UL
#define ADDRESS 0xfffffffff000UL
#ifndef STACK
#define STACK "0x4000"
#endif

extern u8 image_start[], text_end[], image_end[], bss_start[], bss_end[], vectors[];
u64 main(u64 tree);

__asm__(".section .text.start, \"ax\"\n.global _start\n_start:\n"
        " adrp x1, boot_stack_top\n add x1, x1, :lo12:boot_stack_top\n mov sp, x1\n"
#ifndef BUG_NO_BSS
        " adrp x1, bss_start\n add x1, x1, :lo12:bss_start\n adrp x2, bss_end\n add x2, x2, :lo12:bss_end\n"
        "1: cmp x1, x2\n b.hs 2f\n stp xzr, xzr, [x1], #16\n b 1b\n2:\n"
#endif
        " bl main\n bl power_off\n"
#ifdef PAD
        /* Never executed: moves all other code. */
        ".rept " PAD "\n nop\n .endr\n"
#endif
        ".section .bss.stack, \"aw\", %nobits\n.balign 4096\n.skip " STACK "\n"
        ".global boot_stack_top\nboot_stack_top:\n"
        ".text\n.balign 2048\n.global vectors\nvectors:\n"
        ".rept 16\n.balign 128\n sub sp, sp, #32\n stp x29, x30, [sp]\n stp x0, x1, [sp, #16]\n"
        " bl on_fault\n b .\n.endr\n");

static volatile u32 *uart = (volatile u32 *)0x09000000UL;

NOINLINE void put(char c) {
  while (uart[6] & 0x20) {}
  uart[0] = c;
}

NOINLINE void say(const char *text) {
  while (*text) put(*text++);
}

NOINLINE void say_hex(u64 value) {
  say("0x");
  for (int shift = 60; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

NOINLINE void power_off(void) {
  register u64 x0 __asm__("x0") = 0x84000008;
  __asm__ volatile("hvc #0" : "+r"(x0));
  for (;;) {}
}

NOINLINE void on_fault(void) {
  say("fault: ESR ");
  say_hex(READ(esr_el1));
  say(" FAR ");
  say_hex(READ(far_el1));
  say("\n");
  for (;;) {}
}
