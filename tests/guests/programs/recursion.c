/* Deep and wide recursion: Ackermann, Hanoi, queens, permutations, mutual recursion, setjmp and coroutines. */
#include "guest.h"

static u64 calls;
static NOINLINE u32 ackermann(u32 m, u32 n) { calls++; return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }
static NOINLINE u32 hanoi(u32 n, int a, int b, int c) { return n == 0 ? 0 : hanoi(n - 1, a, c, b) + 1 + hanoi(n - 1, c, b, a); }
static NOINLINE u64 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
static u32 queens(u32 row, u32 columns, u32 left, u32 right, u32 all) {
  if (columns == all) return 1;
  u32 count = 0;
  for (u32 free = all & ~(columns | left | right); free; free &= free - 1) { u32 bit = free & -free; count += queens(row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1, all); }
  return count;
}
static u64 seen;
static void permute(char *s, u32 at, u32 n) {
  if (at == n) { seen = seen * 31 + checksum(s, n); return; }
  for (u32 i = at; i < n; i++) { char t = s[at]; s[at] = s[i]; s[i] = t; permute(s, at + 1, n); t = s[at]; s[at] = s[i]; s[i] = t; }
}
static NOINLINE int is_odd(u32 n);
static NOINLINE int is_even(u32 n) { return n == 0 ? 1 : is_odd(n - 1); }
static NOINLINE int is_odd(u32 n) { return n == 0 ? 0 : is_even(n - 1); }
static NOINLINE u64 deep(u32 n) { volatile u64 frame[4]; frame[0] = n; return n ? deep(n - 1) + frame[0] : 0; }

struct jump { u64 regs[13]; };
__attribute__((returns_twice)) int set_jump(struct jump *);
void long_jump(struct jump *, int) __attribute__((noreturn));
__asm__(
    ".text\nset_jump:\n stp x19, x20, [x0]\n stp x21, x22, [x0, #16]\n stp x23, x24, [x0, #32]\n stp x25, x26, [x0, #48]\n"
    " stp x27, x28, [x0, #64]\n stp x29, x30, [x0, #80]\n mov x1, sp\n str x1, [x0, #96]\n mov w0, #0\n ret\n"
    "long_jump:\n ldp x19, x20, [x0]\n ldp x21, x22, [x0, #16]\n ldp x23, x24, [x0, #32]\n ldp x25, x26, [x0, #48]\n"
    " ldp x27, x28, [x0, #64]\n ldp x29, x30, [x0, #80]\n ldr x2, [x0, #96]\n mov sp, x2\n cmp w1, #0\n csinc w0, w1, wzr, ne\n ret\n");

static struct jump handler;
static NOINLINE void fail_at(u32 n) { if (n == 0) long_jump(&handler, 7); if (n < 1000) fail_at(n - 1); __asm__ volatile(""); }

static struct jump main_context, routine_context;
static u8 routine_stack[4096] __attribute__((aligned(16)));
static u64 yielded;
static void yield(u64 v) { yielded = v; if (set_jump(&routine_context) == 0) long_jump(&main_context, 1); }
static void routine(void) { for (u64 a = 0, b = 1;; ) { yield(a); u64 t = a + b; a = b; b = t; } }

int main(u64 device_tree) {
  print("ackermann(2, 9) = %u", ackermann(2, 9));
  print(" in %lu calls\n", calls);
  print("hanoi %u fibonacci %lu\n", hanoi(12, 1, 2, 3), fibonacci(20));
  for (u32 n = 1; n <= 8; n++) print("%u queens: %u\n", n, queens(0, 0, 0, 0, (1U << n) - 1));
  char letters[] = "abcdefg";
  permute(letters, 0, 6);
  print("permutations %016lx\n", seen);
  print("even %d odd %d deep %lu\n", is_even(1000), is_odd(777), deep(500));
  volatile int attempts = 0;
  int caught = set_jump(&handler);
  if (attempts++ < 3) { print("caught %d\n", caught); fail_at((u32)attempts * 5); }
  routine_context.regs[11] = (u64)routine;
  routine_context.regs[12] = (u64)(routine_stack + sizeof routine_stack);
  for (volatile int i = 0; i < 20; i++) { if (set_jump(&main_context) == 0) long_jump(&routine_context, 1); print("%lu ", yielded); }
  print("\n");
  return 0;
}
