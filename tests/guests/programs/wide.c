/* 128-bit arithmetic, big numbers, modular powers, Miller-Rabin, carries and overflows. */
#include "guest.h"

static void show(const char *name, u128 v) { print("%s %016lx%016lx\n", name, (u64)(v >> 64), (u64)v); }

static u64 power(u64 b, u64 e, u64 m) { u64 r = 1; for (b %= m; e; e >>= 1) { if (e & 1) r = (u64)((u128)r * b % m); b = (u64)((u128)b * b % m); } return r; }
static int is_prime(u64 n) {
  if (n < 2 || n % 2 == 0) return n == 2;
  u64 d = n - 1; int s = 0;
  while (d % 2 == 0) { d /= 2; s++; }
  static const u64 BASES[] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37 };
  for (u32 i = 0; i < COUNT(BASES); i++) {
    if (BASES[i] % n == 0) continue;
    u64 x = power(BASES[i], d, n);
    if (x == 1 || x == n - 1) continue;
    int r = 1;
    for (; r < s; r++) { x = (u64)((u128)x * x % n); if (x == n - 1) break; }
    if (r == s) return 0;
  }
  return 1;
}

static u32 big[200]; static u32 used = 1;
static void multiply(u32 by) { u64 carry = 0; for (u32 i = 0; i < used; i++) { carry += (u64)big[i] * by; big[i] = (u32)(carry % 1000000000); carry /= 1000000000; } if (carry) big[used++] = (u32)carry; }

struct n256 { u64 w[4]; };
static struct n256 add256(struct n256 a, struct n256 b, u64 *out) {
  struct n256 r; u64 carry = 0;
  for (int i = 0; i < 4; i++) { u64 t, c1 = __builtin_add_overflow(a.w[i], b.w[i], &t); u64 c2 = __builtin_add_overflow(t, carry, &r.w[i]); carry = c1 | c2; }
  *out = carry;
  return r;
}

int main(u64 device_tree) {
  u128 a = ((u128)0x0123456789abcdefUL << 64) | 0xfedcba9876543210UL, b = ((u128)0x11 << 64) | 0x8000000000000001UL;
  for (int i = 0; i < 6; i++) {
    show("a", a); show("b", b); show("+", a + b); show("-", a - b); show("*", a * b); show("/", a / b); show("%", a % b);
    show("s/", (u128)((s128)a / -(s128)b)); show("s%", (u128)(-(s128)a % (s128)b)); show("<<", a << (i * 21)); show(">>", a >> (i * 21)); show("s>>", (u128)((s128)~a >> (i * 17)));
    print("%d %d %d\n", a < b, (s128)a < (s128)b, a == b);
    a = a * 6364136223846793005UL + b; b = (b << 3 ^ a) | 1;
    if (i == 3) b >>= 64;
  }
  for (u32 i = 1; i <= 100; i++) multiply(i);
  print("100! = %u", big[used - 1]);
  for (u32 i = used - 1; i-- > 0;) print("%09u", big[i]);
  print("\n");
  u32 primes = 0;
  for (u64 n = 0; n < 600; n++) primes += (u32)is_prime(n);
  print("%u primes, %d %d %d\n", primes, is_prime(18446744073709551557UL), is_prime(18446744073709551555UL), is_prime(3215031751UL));
  struct n256 x = { { 1, 2, 3, 4 } }, y = { { ~0UL, ~0UL, ~0UL, 5 } };
  u64 carry = 0;
  for (int i = 0; i < 10; i++) { x = add256(x, y, &carry); y = add256(y, x, &carry); print("%016lx%016lx%016lx%016lx %lu\n", y.w[3], y.w[2], y.w[1], y.w[0], carry); }
  s64 s; s32 t, v;
  print("%d %d", __builtin_mul_overflow(1L << 40, (s64)used << 20, &s), __builtin_sub_overflow(-2147483647, (s32)used, &t));
  print(" %d", __builtin_mul_overflow(46341 - 18 + (s32)used, 46341, &v));
  print(" %ld %d %d\n", s, t, v);
  return 0;
}
