/* What the benchmark guests share: fixed-width types and a line on the console. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

static inline void put_char(char c) { *(volatile u32 *)0x09000000 = (u8)c; }

static inline void report(const char *name, u64 value) {
  while (*name) put_char(*name++);
  put_char(' ');
  for (int shift = 60; shift >= 0; shift -= 4) put_char("0123456789abcdef"[(value >> shift) & 15]);
  put_char('\n');
}
