/* CRC-32 and CRC-32C by instruction, by table and bit by bit. */
#include "guest.h"

static u8 data[5000];
static u32 table[256];

static u32 bitwise(u32 polynomial, u32 crc, const u8 *p, size_t n) {
  while (n--) {
    crc ^= *p++;
    for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
  }
  return crc;
}

static u32 by_table(u32 crc, const u8 *p, size_t n) {
  while (n--) crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
  return crc;
}

static u32 by_instruction(u32 crc, const u8 *p, size_t n, int castagnoli) {
  for (; n && (u64)p & 7; n--, p++) {
    if (castagnoli) __asm__("crc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(*p));
    else __asm__("crc32b %w0, %w0, %w1" : "+r"(crc) : "r"(*p));
  }
  for (; n >= 8; n -= 8, p += 8) {
    if (castagnoli) __asm__("crc32cx %w0, %w0, %1" : "+r"(crc) : "r"(*(const u64 *)p));
    else __asm__("crc32x %w0, %w0, %1" : "+r"(crc) : "r"(*(const u64 *)p));
  }
  if (n & 4) {
    if (castagnoli) __asm__("crc32cw %w0, %w0, %w1" : "+r"(crc) : "r"(*(const u32 *)p));
    else __asm__("crc32w %w0, %w0, %w1" : "+r"(crc) : "r"(*(const u32 *)p));
    p += 4;
  }
  if (n & 2) {
    if (castagnoli) __asm__("crc32ch %w0, %w0, %w1" : "+r"(crc) : "r"(*(const u16 *)p));
    else __asm__("crc32h %w0, %w0, %w1" : "+r"(crc) : "r"(*(const u16 *)p));
    p += 2;
  }
  if (n & 1) {
    if (castagnoli) __asm__("crc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(*p));
    else __asm__("crc32b %w0, %w0, %w1" : "+r"(crc) : "r"(*p));
  }
  return crc;
}

int main(u64 device_tree) {
  for (u32 i = 0; i < sizeof data; i++) data[i] = (u8)random64();
  for (u32 i = 0; i < 256; i++) { u8 b = (u8)i; table[i] = bitwise(0xedb88320, 0, &b, 1); }
  print("check %08x\n", ~by_instruction(~0U, (const u8 *)"123456789", 9, 0));
  print("check %08x\n", ~by_instruction(~0U, (const u8 *)"123456789", 9, 1));
  for (u32 start = 0; start < 9; start++)
    for (u32 n = 0; n < 4900; n += 1 + n) {
      u32 a = bitwise(0xedb88320, ~0U, data + start, n), b = by_table(~0U, data + start, n), c = by_instruction(~0U, data + start, n, 0);
      u32 d = bitwise(0x82f63b78, ~0U, data + start, n), e = by_instruction(~0U, data + start, n, 1);
      if (a != b || b != c || d != e) print("mismatch ");
      print("%u+%u %08x %08x\n", start, n, ~c, ~e);
    }
  return 0;
}
