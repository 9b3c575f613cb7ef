/* Random commands, data and reads on both flash banks: what the chips answer, and what they hold. */
#include "guest.h"

#define R32(a) (*(volatile u32 *)(a))
#define R16(a) (*(volatile u16 *)(a))
#define R8(a) (*(volatile u8 *)(a))
static const u8 COMMANDS[] = { 0x10, 0x20, 0x28, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xe8, 0xff, 0xf0, 0x00, 0xd0, 0x01, 0x03, 0x2f, 0xb0, 0x55 };
static u32 hash;
static void note(u32 v) { hash = (hash ^ v) * 16777619u; }
static u32 look(u64 a, u32 size) { return size == 1 ? R8(a) : size == 2 ? R16(a) : R32(a); }
static void put(u64 a, u32 size, u32 v) { if (size == 1) R8(a) = (u8)v; else if (size == 2) R16(a) = (u16)v; else R32(a) = v; }
static u32 size_of(void) { u32 r = random64() % 8; return r < 6 ? 4 : r == 6 ? 2 : 1; }
static u64 place(u64 base, u32 size) { static const u32 SECTORS[] = { 0, 1, 2, 255 }; return base + SECTORS[random64() % 4] * 0x40000UL + (random64() % 512) / size * size; }

int main(u64 device_tree) {
  for (u32 round = 0; round < 1000; round++) {
    u64 base = random64() % 3 ? 0x04000000UL : 0; hash = 2166136261u;
    print("%u %lx:", round, base);
    u32 steps = 1 + random64() % 6;
    for (u32 i = 0; i < steps; i++) {
      u32 size = size_of(), c = COMMANDS[random64() % COUNT(COMMANDS)]; u64 a = place(base, size);
      put(a, size, c * (size == 4 ? 0x10001 : 1)); print(" %u%x", size, c);
      if (c == 0xe8 && random64() % 4) { u32 n = random64() % 12; put(a, size, n * (size == 4 ? 0x10001 : 1)); print("/%u", n); u64 s = a & ~0xfffUL; for (u32 k = 0; k <= n; k++) put(s + 4 * k, 4, (u32)random64()); if (random64() % 4) put(a, size, 0xd000d0), print("!"); }
      else if (random64() % 2) { u32 v = random64() % 2 ? 0xd000d0 : (u32)random64(); put(random64() % 4 ? a : place(base, size), size, v); print("=%x", v); }
      if (random64() % 2) { u32 z = size_of(); u32 v = look(place(base, z), z); print("?%x", v); note(v); }
    }
    print(" query"); for (u32 k = 0; k < 4; k++) { u32 z = size_of(); print(" %x", look(base + (k < 2 ? k * 4 : (random64() % 0x140) / z * z), z)); }
    R32(base) = 0x00f000f0; R32(base) = 0x00ff00ff; R32(base) = 0x00500050; R32(base) = 0x00ff00ff;
    for (u32 k = 0; k < 512; k += 4) { note(R32(base + k)); note(R32(base + 0x40000 + k)); note(R32(base + 0x80000 + k)); note(R32(base + 255 * 0x40000UL + k)); }
    print(" %x\n", hash);
  }
  return 0;
}
