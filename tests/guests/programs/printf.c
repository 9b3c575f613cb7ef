/* Formatting: every conversion, flag, width and precision. */
#include "guest.h"

int main(u64 device_tree) {
  static const char *const FORMATS[] = { "[%d]", "[%5d]", "[%-5d]", "[%05d]", "[%+d]", "[% d]", "[%.3d]", "[%8.3d]", "[%-8.3d]", "[%x]", "[%#x]", "[%#010x]", "[%X]", "[%o]", "[%#o]", "[%u]", "[%hhd]", "[%hd]", "[%.0d]" };
  static const int VALUES[] = { 0, 1, -1, 42, -42, 32767, -32768, 65535, 2147483647, -2147483647 - 1 };
  for (u32 f = 0; f < COUNT(FORMATS); f++) {
    for (u32 v = 0; v < COUNT(VALUES); v++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
      print(FORMATS[f], VALUES[v]);
#pragma GCC diagnostic pop
    }
    print("\n");
  }
  print("%ld %lu %lx %lX %lo\n", -9223372036854775807L - 1, ~0UL, ~0UL, 0xdeadbeefcafef00dUL, 01234567UL);
  print("[%s] [%10s] [%-10s] [%.2s] [%c] [%3c] [%-3c] %%\n", "text", "right", "left", "cut", 'c', 'r', 'l');
  print("[%*d] [%-*d] [%.*d] [%*s]\n", 6, 42, 6, 42, 4, 42, -8, "star");
  print("%d%d%d%d%d%d%d%d%d%d%d\n", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
  print("%lu %d %lu %d %lu %d %lu %d\n", 1UL << 40, -1, 1UL << 41, -2, 1UL << 42, -3, 1UL << 43, -4);
  char buffer[16];
  int length = format_into(buffer, sizeof buffer, "%s-%08x-%s", "truncated", 0xabcdu, "here");
  print("%d '%s'\n", length, buffer);
  for (int i = 0; i < 64; i++) print("%lu ", (1UL << i) - (i & 1));
  print("\n");
  return 0;
}
