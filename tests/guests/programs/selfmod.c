/* A small JIT, patched instructions, code copied and run elsewhere; with maintenance, and without where NO_MAINTENANCE. */
#include "guest.h"

static u32 buffer[1024] __attribute__((aligned(4096)));
static u32 *at;

static void sync_code(void *start, size_t n) {
#ifndef NO_MAINTENANCE
  u64 line = 4UL << (READ(ctr_el0) & 15);
  for (u64 a = (u64)start & -line; a < (u64)start + n; a += line) __asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
  DSB();
  for (u64 a = (u64)start & -line; a < (u64)start + n; a += line) __asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
  DSB();
  ISB();
#endif
}

static void emit(u32 word) { *at++ = word; }
static void move(u32 rd, u64 v) { for (u32 i = 0; i < 4; i++) emit((i ? 0xf2800000 : 0xd2800000) | i << 21 | (u32)(v >> 16 * i & 0xffff) << 5 | rd); }

/* Reverse Polish to machine code: operands in x0 upwards. */
static u64 compile(const char *text, u64 x, u64 y) {
  at = buffer;
  emit(0xaa0003ea); /* mov x10, x0 */
  emit(0xaa0103eb); /* mov x11, x1 */
  u32 depth = 0;
  for (; *text; text++) {
    u32 b = depth - 1, a = depth - 2;
    switch (*text) {
      case 'x': emit(0xaa0a03e0 | depth++); break;
      case 'y': emit(0xaa0b03e0 | depth++); break;
      case '0' ... '9': move(depth++, (u64)(*text - '0')); break;
      case '+': emit(0x8b000000 | b << 16 | a << 5 | a); depth--; break;
      case '-': emit(0xcb000000 | b << 16 | a << 5 | a); depth--; break;
      case '*': emit(0x9b007c00 | b << 16 | a << 5 | a); depth--; break;
      case '/': emit(0x9ac00800 | b << 16 | a << 5 | a); depth--; break;
      case '&': emit(0x8a000000 | b << 16 | a << 5 | a); depth--; break;
      case '^': emit(0xca000000 | b << 16 | a << 5 | a); depth--; break;
      case '~': emit(0xaa2003e0 | b << 16 | b); break;
    }
  }
  emit(0xd65f03c0);
  sync_code(buffer, sizeof buffer);
  return ((u64 (*)(u64, u64))buffer)(x, y);
}

static NOINLINE u64 victim(u64 n) { u64 r = 1; for (u64 i = 1; i <= n; i++) r = r * 31 + i; return r; }
extern u32 patch_here[], patched_function[], moved_start[], moved_end[];
__asm__(".text\n.balign 4\npatched_function:\n mov x0, #0\npatch_here:\n add x0, x0, #1\n ret\n"
        "moved_start:\n cbz x0, 1f\n adr x1, 2f\n ldr x2, [x1]\n add x0, x0, x2\n b 3f\n1: mov x0, #77\n3: ret\n.balign 8\n2: .quad 1000\nmoved_end:\n");

int main(u64 device_tree) {
  static const char *const PROGRAMS[] = { "xy+", "xy*7-", "x9*y/", "xy^x&~", "12+34+*xy-*", "xx*yy*+", "x0/" };
  for (u32 i = 0; i < COUNT(PROGRAMS); i++) print("%s = %lx\n", PROGRAMS[i], compile(PROGRAMS[i], 1000003 * (i + 1), 17 + i));
  u64 sum = 0;
  for (u32 i = 0; i < 500; i++) {
    char text[] = "x?y+";
    text[1] = (char)('0' + i % 10);
    text[3] = "+-*^"[i & 3];
    sum = sum * 7 + compile(text, i, sum);
  }
  print("compiled 500: %lx\n", sum);
  for (u32 i = 0; i < 20; i++) {
    *patch_here = 0x91000000 | i << 10;
    sync_code(patch_here, 4);
    sum += ((u64 (*)(void))patched_function)();
  }
  print("patched %lx\n", sum);
#ifndef NO_MAINTENANCE
  /* A loop that changes the immediate of its own next instruction. */
  at = buffer;
  emit(0xd2800001);                   /* mov x1, #0 */
  emit(0);                            /* adr x2, the add below */
  emit(0xb9400043);                   /* loop: ldr w3, [x2] */
  emit(0x11100063 | 0);               /* add w3, w3, #0x400 */
  emit(0xb9000043);                   /* str w3, [x2] */
  emit(0xd50b7b22); emit(0xd5033b9f); emit(0xd50b7522); emit(0xd5033b9f); emit(0xd5033fdf);
  buffer[1] = 0x10000002 | 9 << 5;
  emit(0x91000021);                   /* add x1, x1, #0 */
  emit(0xd1000400);                   /* sub x0, x0, #1 */
  u32 back = (u32)(&buffer[2] - at) & 0x7ffff;
  emit(0xb5000000 | back << 5);       /* cbnz x0, loop */
  emit(0xaa0103e0);
  emit(0xd65f03c0);
  sync_code(buffer, sizeof buffer);
  print("self-changing loop %lu\n", ((u64 (*)(u64))buffer)(50));
#endif
  for (u32 offset = 0; offset < 4; offset++) {
    u32 *to = buffer + 100 + offset * 2;
    memcpy(to, moved_start, (size_t)((u8 *)moved_end - (u8 *)moved_start));
    sync_code(to, 64);
    print("moved %lu %lu\n", ((u64 (*)(u64))to)(0), ((u64 (*)(u64))to)(5));
  }
  /* Code and data in one cache line, data written while the code runs. */
  for (u32 i = 0; i < 300; i++) { buffer[200] = i; sum += compile("x1+", i, 0) + buffer[200]; }
  print("mixed %lx victim %lx\n", sum, victim(50));
  return 0;
}
