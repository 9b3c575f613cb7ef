/* A large flat code footprint: 4,096 functions of about 300 bytes, called in a pseudo-random order. */
#include "guest.h"

#define STEP(n, k) \
  x ^= (x << (7 + ((n) + (k)) % 13)) + 0x9e3779b97f4a7c15UL * ((n) * 8 + (k) + 1); \
  if (x & (1UL << (((n) + 3 * (k)) % 61))) x += y >> ((k) + 1); else y ^= x >> 9;
#define FUNCTION(n) \
  static __attribute__((noinline)) u64 f##n(u64 x, u64 y) { \
    STEP(0x##n, 0) STEP(0x##n, 1) STEP(0x##n, 2) STEP(0x##n, 3) return x ^ y; \
  }
#define EACH(M, p) \
  M(p##0) M(p##1) M(p##2) M(p##3) M(p##4) M(p##5) M(p##6) M(p##7) \
  M(p##8) M(p##9) M(p##a) M(p##b) M(p##c) M(p##d) M(p##e) M(p##f)
#define DEFINE_16(p) EACH(FUNCTION, p)
#define DEFINE_256(p) \
  DEFINE_16(p##0) DEFINE_16(p##1) DEFINE_16(p##2) DEFINE_16(p##3) DEFINE_16(p##4) DEFINE_16(p##5) \
  DEFINE_16(p##6) DEFINE_16(p##7) DEFINE_16(p##8) DEFINE_16(p##9) DEFINE_16(p##a) DEFINE_16(p##b) \
  DEFINE_16(p##c) DEFINE_16(p##d) DEFINE_16(p##e) DEFINE_16(p##f)
DEFINE_256(0) DEFINE_256(1) DEFINE_256(2) DEFINE_256(3) DEFINE_256(4) DEFINE_256(5) DEFINE_256(6) DEFINE_256(7)
DEFINE_256(8) DEFINE_256(9) DEFINE_256(a) DEFINE_256(b) DEFINE_256(c) DEFINE_256(d) DEFINE_256(e) DEFINE_256(f)

#define NAME(n) f##n,
#define NAMES_16(p) EACH(NAME, p)
#define NAMES_256(p) \
  NAMES_16(p##0) NAMES_16(p##1) NAMES_16(p##2) NAMES_16(p##3) NAMES_16(p##4) NAMES_16(p##5) \
  NAMES_16(p##6) NAMES_16(p##7) NAMES_16(p##8) NAMES_16(p##9) NAMES_16(p##a) NAMES_16(p##b) \
  NAMES_16(p##c) NAMES_16(p##d) NAMES_16(p##e) NAMES_16(p##f)
static u64 (*const functions[4096])(u64, u64) = {
  NAMES_256(0) NAMES_256(1) NAMES_256(2) NAMES_256(3) NAMES_256(4) NAMES_256(5) NAMES_256(6) NAMES_256(7)
  NAMES_256(8) NAMES_256(9) NAMES_256(a) NAMES_256(b) NAMES_256(c) NAMES_256(d) NAMES_256(e) NAMES_256(f)
};

int main(void) {
  u64 x = 88172645463325252UL, sum = 0;
  for (u32 i = 0; i < 2500000; i++) {
    x ^= x << 13; x ^= x >> 7; x ^= x << 17;
    sum += functions[x & 4095](x, sum);
  }
  report("flat", sum);
  return 0;
}
