/* The plain versions; the compiler calls them, too. */
#include "guest.h"

void *memcpy(void *to, const void *from, size_t n) {
  u8 *d = to;
  const u8 *s = from;
  if ((((u64)d | (u64)s) & 7) == 0) {
    for (; n >= 8; n -= 8, d += 8, s += 8) *(u64 *)d = *(const u64 *)s;
  }
  while (n--) *d++ = *s++;
  return to;
}

void *memmove(void *to, const void *from, size_t n) {
  u8 *d = to;
  const u8 *s = from;
  if (d < s) while (n--) *d++ = *s++;
  else while (n--) d[n] = s[n];
  return to;
}

void *memset(void *to, int c, size_t n) {
  u8 *d = to;
  while (n && ((u64)d & 7)) { *d++ = (u8)c; n--; }
  for (u64 wide = (u8)c * 0x0101010101010101UL; n >= 8; n -= 8, d += 8) *(u64 *)d = wide;
  while (n--) *d++ = (u8)c;
  return to;
}

int memcmp(const void *a, const void *b, size_t n) {
  const u8 *x = a, *y = b;
  for (; n--; x++, y++) if (*x != *y) return *x - *y;
  return 0;
}

size_t strlen(const char *s) {
  const char *end = s;
  while (*end) end++;
  return (size_t)(end - s);
}

int strcmp(const char *a, const char *b) {
  while (*a && *a == *b) { a++; b++; }
  return (u8)*a - (u8)*b;
}

char *strcpy(char *to, const char *from) {
  char *at = to;
  while ((*at++ = *from++)) {}
  return to;
}

u32 checksum(const void *data, size_t n) {
  const u8 *at = data;
  u32 hash = 2166136261;
  while (n--) hash = (hash ^ *at++) * 16777619;
  return hash;
}

static u64 random_state = 88172645463325252UL;

u64 random64(void) {
  u64 x = random_state;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return random_state = x;
}
