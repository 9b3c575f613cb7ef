/* A value that goes through two copy loops, and an atomic. */
typedef unsigned long u64;
#define NOINLINE __attribute__((noinline))
__asm__(".section .text.start, \"ax\"\n.global _start\n_start:\n"
        " adrp x1, stack_top\n add x1, x1, :lo12:stack_top\n mov sp, x1\n"
        " bl main\n ldr w0, =0x84000008\n hvc #0\n b .\n"
        ".section .bss.stack, \"aw\", %nobits\n.balign 4096\n.skip 0x1000\n.global stack_top\nstack_top:\n");

u64 first[8], middle[8], last[8], lock;

NOINLINE void make(volatile u64 *to) { to[0] = 0x1122334455667788UL; }

NOINLINE void copy_bytes(volatile char *to, const volatile char *from, int n) {
  while (n--) *to++ = *from++;
}

NOINLINE void copy_words(volatile u64 *to, const volatile u64 *from, int n) {
  while (n--) *to++ = *from++;
}

int main(void) {
  make(first);
  copy_bytes((char *)middle, (const char *)first, 64);
  copy_words(last, middle, 8);
  __atomic_fetch_add(&lock, 5, __ATOMIC_SEQ_CST);
  return 0;
}
