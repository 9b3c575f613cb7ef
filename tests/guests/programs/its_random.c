/* GICv3 ITS: random commands, messages, changes of tables and of the interface; everything readable goes into a checksum. */
#include "gic3.h"

#define QUEUE 0x44000000UL
#define DEVICES 0x44010000UL
#define COLLECTIONS 0x44020000UL
#define CONFIGURATION 0x44030000UL
#define PENDING 0x44040000UL
#define EVENTS 0x44060000UL
#define PAGES 0x44080000UL
static u32 hash = 0x811c9dc5, reads;
static u64 state = SEED, at;

static u32 next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return (u32)(state >> 16); }
static void note(u64 value) { for (u32 i = 0; i < 8; i++) hash = (hash ^ (u8)(value >> 8 * i)) * 0x01000193; reads++; }
static void note_memory(u64 from, u32 bytes) { for (u32 i = 0; i < bytes; i += 8) note(*(volatile u64 *)(from + i)); }

static void command(u64 a, u64 b, u64 c, u64 d) {
  volatile u64 *q = (volatile u64 *)(QUEUE + at);
  q[0] = a; q[1] = b; q[2] = c; q[3] = d;
  at = (at + 32) % 0x1000;
  GITS64(0x88) = at;
}

static void setup(u32 indirect) {
  GITS(0) = 0;
  memset((void *)QUEUE, 0, 0x100000);
  for (u32 i = 0; i < 8; i++) ((u64 *)PAGES)[i] = i == 5 ? 0 : (DEVICES + 0x1000 * i) | 1UL << 63;
  GITS64(0x100) = (indirect ? PAGES | 1UL << 62 : DEVICES) | 1UL << 63;
  GITS64(0x108) = COLLECTIONS | 1UL << 63;
  GITS64(0x80) = QUEUE | 1UL << 63;
  GITS64(0x88) = at = 0;
  GITS(0) = 1;
  GICR(0) = 0; GICR64(0x70) = CONFIGURATION | 13; GICR64(0x78) = PENDING; GICR(0) = 1;
}

int main(u64 device_tree) {
  GICR(0x14) = 0; GICD(0) = 2; ICC_WRITE(ICC_PMR, 0xff); ICC_WRITE(ICC_IGRPEN1, 1);
  for (u32 n = 0; n < ROUNDS; n++) {
    if (n % 2000 == 0) setup(n / 2000 & 1);
    u32 r = next(), operation = r % 32, device = r >> 5 & 3, event = r >> 7 & 15, more = next();
    if ((more & 0x3f) == 0) device = more >> 6 & 0x1ffff;
    u64 lpi = 8192 + (more >> 23 & 31), collection = more >> 28 & 3;
    if ((more >> 17 & 0x3f) == 1) lpi = more & 0x1ffff;
    if ((more >> 17 & 0x3f) == 2) collection = more & 0xffff;
    u64 first = (u64)device << 32;
    if (operation < 4) command(8 | first, more & 0x40 ? 3 : more >> 7 & 31, (EVENTS + device % 4 * 0x1000) | (u64)((more & 0xf00) != 0) << 63, 0);
    else if (operation < 7) command(9, 0, collection | (u64)(more >> 8 & 7 ? 0 : 1) << 16 | (u64)((more & 0x7000) != 0) << 63, 0);
    else if (operation < 12) command(10 | first, event | lpi << 32, collection, 0);
    else if (operation == 12) command(11 | first, more & 0x80 ? lpi : event, collection, 0);
    else if (operation < 17) command(3 | first, event, 0, 0);
    else if (operation == 17) command(4 | first, event, 0, 0);
    else if (operation == 18) command(15 | first, event, 0, 0);
    else if (operation == 19) command(12 | first, event, 0, 0);
    else if (operation == 20) command(13, 0, collection, 0);
    else if (operation == 21) command(1 | first, event, collection, 0);
    else if (operation == 22) command(more & 0x80 ? 14 : more & 0x3f, more, more & 1 ? 0 : next(), more & 2 ? 0x10000 : 0);
    else if (operation == 23) GITS(0x10040) = event;
    else if (operation == 24) { ((volatile u8 *)CONFIGURATION)[more & 31] = (u8)(more >> 8) | 1; }
    else if (operation == 25) { GICR(0) = more & 7 ? 1 : 0; }
    else if (operation == 26) { ICC_WRITE(ICC_PMR, more); }
    else if (operation == 27) { note(GITS64(0x90)); note(READ(isr_el1)); note(ICC_READ(ICC_HPPIR1)); note_memory(PENDING + 1024, 8); }
    else if (operation == 28) { note_memory(EVENTS + device % 4 * 0x1000, 192); note_memory(DEVICES, 32); note_memory(COLLECTIONS, 32); }
    else {
      u64 taken = ICC_READ(ICC_IAR1);
      note(taken); note(ICC_READ(ICC_RPR));
      if (taken < 1020 || taken > 1023) { ICC_WRITE(ICC_EOIR1, taken); note(ICC_READ(ICC_RPR)); }
    }
    if (n % 1000 == 999) print("%u: %u values, %08x\n", n + 1, reads, hash);
  }
  return 0;
}
