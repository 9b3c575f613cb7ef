/* memcpy, memmove, memset, strchr in several hand-written forms, at every alignment, overlapping, with DC ZVA. */
#include "guest.h"

static u8 a[4096] __attribute__((aligned(64))), b[4096] __attribute__((aligned(64))), c[4096] __attribute__((aligned(64)));

typedef void *copy_function(void *, const void *, size_t);

static void *copy_bytes(void *to, const void *from, size_t n) {
  u8 *d = to;
  const u8 *s = from;
  for (size_t i = 0; i < n; i++) ((volatile u8 *)d)[i] = s[i];
  return to;
}

struct __attribute__((packed)) word8 { u64 v; };
struct __attribute__((packed)) word4 { u32 v; };
struct __attribute__((packed)) word2 { u16 v; };

static void *copy_unaligned(void *to, const void *from, size_t n) {
  u8 *d = to;
  const u8 *s = from;
  for (; n >= 8; n -= 8, d += 8, s += 8) ((struct word8 *)d)->v = ((const struct word8 *)s)->v;
  if (n & 4) { ((struct word4 *)d)->v = ((const struct word4 *)s)->v; d += 4; s += 4; }
  if (n & 2) { ((struct word2 *)d)->v = ((const struct word2 *)s)->v; d += 2; s += 2; }
  if (n & 1) *d = *s;
  return to;
}

/* Pairs of general registers, as libraries without SIMD copy. */
static void *copy_pairs(void *to, const void *from, size_t n) {
  u8 *d = to;
  const u8 *s = from;
  while (n >= 64) {
    u64 t[8];
    __asm__ volatile(
        "ldp %0, %1, [%8]\n ldp %2, %3, [%8, #16]\n ldp %4, %5, [%8, #32]\n ldp %6, %7, [%8, #48]"
        : "=&r"(t[0]), "=&r"(t[1]), "=&r"(t[2]), "=&r"(t[3]), "=&r"(t[4]), "=&r"(t[5]), "=&r"(t[6]), "=&r"(t[7])
        : "r"(s) : "memory");
    __asm__ volatile(
        "stp %1, %2, [%0], #16\n stp %3, %4, [%0], #16\n stnp %5, %6, [%0]\n stp %7, %8, [%0, #16]\n add %0, %0, #32"
        : "+r"(d) : "r"(t[0]), "r"(t[1]), "r"(t[2]), "r"(t[3]), "r"(t[4]), "r"(t[5]), "r"(t[6]), "r"(t[7]) : "memory");
    s += 64;
    n -= 64;
  }
  copy_unaligned(d, s, n);
  return to;
}

/* Vector registers only as a vehicle. */
static void *copy_vectors(void *to, const void *from, size_t n) {
  u8 *d = to;
  const u8 *s = from;
  for (; n >= 64; n -= 64)
    __asm__ volatile("ldp q0, q1, [%1], #32\n ldr q2, [%1], #16\n ldr q3, [%1], #16\n stp q0, q1, [%0]\n stp q2, q3, [%0, #32]\n add %0, %0, #64"
                     : "+r"(d), "+r"(s)::"memory");
  for (; n >= 8; n -= 8) __asm__ volatile("ldr d4, [%1], #8\n str d4, [%0], #8" : "+r"(d), "+r"(s)::"memory");
  for (; n >= 4; n -= 4) __asm__ volatile("ldr s5, [%1], #4\n str s5, [%0], #4" : "+r"(d), "+r"(s)::"memory");
  for (; n >= 2; n -= 2) __asm__ volatile("ldr h6, [%1], #2\n str h6, [%0], #2" : "+r"(d), "+r"(s)::"memory");
  for (; n >= 1; n -= 1) __asm__ volatile("ldr b7, [%1], #1\n str b7, [%0], #1" : "+r"(d), "+r"(s)::"memory");
  return to;
}

static void *copy_backwards(void *to, const void *from, size_t n) {
  u8 *d = (u8 *)to + n;
  const u8 *s = (const u8 *)from + n;
  while (n >= 8) {
    u64 t;
    __asm__ volatile("ldr %2, [%1, #-8]!\n str %2, [%0, #-8]!" : "+r"(d), "+r"(s), "=&r"(t)::"memory");
    n -= 8;
  }
  while (n--) *--d = *--s;
  return to;
}

static void zero_blocks(u8 *at, size_t n) {
  size_t block = 4UL << (READ(dczid_el0) & 15);
  for (; n && (u64)at & (block - 1); n--) *at++ = 0;
  for (; n >= block; n -= block, at += block) __asm__ volatile("dc zva, %0" ::"r"(at + (n & 7)) : "memory");
  while (n--) *(volatile u8 *)at++ = 0;
}

static const struct { const char *name; copy_function *f; } COPIES[] = {
  { "library", memcpy }, { "bytes", copy_bytes }, { "unaligned", copy_unaligned }, { "pairs", copy_pairs },
  { "vectors", copy_vectors }, { "backwards", copy_backwards }, { "move", memmove },
};

static size_t find_zero(const char *s) { /* eight bytes at a time */
  const char *at = s;
  while ((u64)at & 7) { if (!*at) return (size_t)(at - s); at++; }
  for (;; at += 8) {
    u64 w = *(const u64 *)at;
    u64 zero = (w - 0x0101010101010101UL) & ~w & 0x8080808080808080UL;
    if (zero) return (size_t)(at - s) + (size_t)(__builtin_ctzl(zero) >> 3);
  }
}

int main(u64 device_tree) {
  WRITE(cpacr_el1, 3 << 20);
  ISB();
  for (u32 i = 0; i < sizeof a; i++) a[i] = (u8)random64();
  for (u32 k = 0; k < COUNT(COPIES); k++) {
    u32 sum = 0, wrong = 0;
    for (u32 from = 0; from < 17; from++)
      for (u32 to = 0; to < 17; to++)
        for (u32 n = 0; n < 200; n += 1 + n / 3) {
          memset(b, 0xee, 256);
          COPIES[k].f(b + to, a + from, n);
          if (memcmp(b + to, a + from, n) || (to && b[to - 1] != 0xee) || b[to + n] != 0xee) wrong++;
          sum = sum * 31 + checksum(b, 240);
        }
    print("copy %-10s %08x %u wrong\n", COPIES[k].name, sum, wrong);
  }
  u32 sum = 0;
  for (u32 to = 0; to < 40; to += 3)
    for (u32 from = 0; from < 40; from++) {
      memcpy(c, a, 512);
      memmove(c + to, c + from, 300);
      sum = sum * 33 ^ checksum(c, 512);
    }
  print("overlapping %08x\n", sum);
  for (u32 at = 0; at < 130; at += 13) {
    memset(c, 0x55, 1024);
    zero_blocks(c + at, 700);
    sum = sum * 33 ^ checksum(c, 1024);
  }
  print("zero blocks %08x\n", sum);
  for (u32 i = 0; i < 200; i++) {
    memset(c, 'x', 256);
    c[i] = 0;
    if (strlen((char *)c) != i || find_zero((char *)c) != i) print("length %u is wrong\n", i);
    if (find_zero((char *)c + (i & 15)) != (i & ~15U) * (i >= (i & 15U)) && i < 16) sum++;
  }
  print("lengths %08x\n", sum);
  u64 words[8], total = 0;
  memcpy(words, a, 64);
  for (int i = 0; i < 8; i++) {
    total += __builtin_bswap64(words[i]) ^ (u64)__builtin_clzl(words[i] | 1) ^ (u64)__builtin_ctzl(words[i] | 1UL << 63);
    total = total << 9 | total >> 55;
  }
  print("swapped %016lx\n", total);
  return 0;
}
