/* Random accesses of all sizes, aligned or not, to one of the board's devices; every answer and abort goes into a checksum. */
#include "guest.h"

enum { RTC, GPIO, FW_CFG, ECAM, FLASH, VIRTIO, DISK, DEVICES };
#define R32(a) (*(volatile u32 *)(a))
#ifndef ROUNDS
#define ROUNDS 10000
#endif
static const struct { const char *name; u64 base; u32 size; u32 registers[32]; } WINDOWS[DEVICES] = {
  [RTC] = { "rtc", 0x09010000, 0x1000, { 0, 4, 8, 0xc, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0xfe0, 0xfe4, 0xff0, 0xffc, 1, 2, 3, 5, 0x11 } },
  [GPIO] = { "gpio", 0x09030000, 0x1000, { 0, 4, 0x3fc, 0x3c, 0x200, 0x400, 0x404, 0x408, 0x40c, 0x410, 0x414, 0x418, 0x41c, 0x420, 0x424, 0x500, 0x504, 0x508, 0x50c, 0x510, 0x514, 0x518, 0x51c, 0x520, 0x524, 0x528, 0xfd0, 0xfe0, 0xffc, 0x401, 0x402, 0x40e } },
  [FW_CFG] = { "fw_cfg", 0x09020000, 0x18, { 0, 0, 0, 0, 1, 2, 3, 4, 6, 7, 8, 8, 8, 8, 8, 9, 0xa, 0xc, 0xe, 0xf, 0x10, 0x10, 0x12, 0x13, 0x14, 0x14, 0x15, 0x16, 0x17, 0x18 } },
  [ECAM] = { "ecam", 0x4010000000, 0x10000000, { 0, 4, 6, 8, 0xc, 0xd, 0x10, 0x14, 0x2c, 0x30, 0x34, 0x3c, 0x3d, 0x3e, 0x40, 0x7c, 0xfc, 0x100, 0x104, 0xffc, 0x1000, 0x8000, 0x8004, 0xf8000, 0xff000, 0x100000, 0x100004, 0xffff000, 0xffffffc, 5, 7, 0x3f } },
  [FLASH] = { "flash", 0x04000000, 0x400, { 0, 1, 2, 3, 4, 6, 8, 0x40, 0x44, 0x48, 0x4c, 0x54, 0x55, 0x56, 0x80, 0x9c, 0xa0, 0xb4, 0xc4, 0xfc, 0x100, 0x154, 0x3f8, 0x3fc } },
  [VIRTIO] = { "virtio", 0x0a000000, 0x400, { 0, 4, 8, 0xc, 0x10, 0x14, 0x20, 0x24, 0x28, 0x30, 0x34, 0x38, 0x3c, 0x40, 0x50, 0x60, 0x64, 0x70, 0xfc, 0x100, 0x104, 0x1fc, 0x200, 0x202, 1, 2, 5 } },
  /* The last transport: that of the first device. */
  [DISK] = { "disk", 0x0a003e00, 0x200, { 0, 4, 8, 0xc, 0x10, 0x10, 0x14, 0x20, 0x24, 0x28, 0x30, 0x34, 0x38, 0x3c, 0x40, 0x60, 0x64, 0x70, 0x70, 0x100, 0x104, 0x10c, 0x110, 0x114, 0x120, 0x121, 0x124, 0x128, 0x134, 0x138, 0x13c, 0x140 } },
};
static u64 state = 0x9e3779b97f4a7c15;
static u32 hash = 0x811c9dc5;
static u64 next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return state >> 11; }
static void note(u64 value) { for (u32 i = 0; i < 8; i++) hash = (hash ^ (u8)(value >> 8 * i)) * 0x01000193; }
static u32 swap(u32 v) { return __builtin_bswap32(v); }

static u8 buffer[0x3000] __attribute__((aligned(4096)));
static volatile u32 dma[8] __attribute__((aligned(16)));

/* What fw_cfg has, by its directory. */
static void directory(void) {
#define FW 0x09020000UL
  *(volatile u16 *)(FW + 8) = 0x1900;
  u32 count = swap(R32(FW)); print("%u files\n", count);
  static struct { u32 size; u16 key, reserved; char name[56]; } files[32];
  for (u32 i = 0; i < count && i < COUNT(files); i++) for (u32 k = 0; k < sizeof *files; k++) ((u8 *)&files[i])[k] = *(volatile u8 *)FW;
  for (u32 i = 0; i < count && i < COUNT(files); i++) {
    *(volatile u16 *)(FW + 8) = files[i].key; hash = 0;
    for (u32 k = swap(files[i].size) + 4; k--;) note(*(volatile u8 *)FW);
    print("%x %x %s: %x %x\n", __builtin_bswap16(files[i].key), files[i].reserved, files[i].name, swap(files[i].size), hash);
  }
}

/* A transfer that makes some sense. */
static void transfer(void) {
  static const u32 CONTROLS[] = { 0x2, 0x4, 0x8, 0xa, 0xc, 0xe, 0x10, 0x18, 0x1a, 0, 1, 3, 0x12, 6, 0x20, 0xffff };
  static const u16 KEYS[] = { 0, 1, 4, 5, 0x19, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x2f, 0x4000, 0x8000, 0xffff, 0xe };
  u32 control = CONTROLS[next() % COUNT(CONTROLS)] | (u32)KEYS[next() % COUNT(KEYS)] << 16;
  static const u32 LENGTHS[] = { 0, 1, 4, 7, 64, 300, 0x1000, 0x1234, 0x2800 };
  u32 length = LENGTHS[next() % COUNT(LENGTHS)];
  u64 target = next() % 8 ? (u64)buffer + next() % 0x800 : next() % 2 ? 0x0c000000 : 0x48000000 - next() % 64;
  memset(buffer, 0x5a, sizeof buffer);
  dma[0] = swap(control); dma[1] = swap(length); dma[2] = swap((u32)(target >> 32)); dma[3] = swap((u32)target); DSB();
  u64 at = (u64)dma + (next() % 16 == 0 ? 0x20000000 : 0);
  if (next() % 2) *(volatile u64 *)(FW + 0x10) = __builtin_bswap64(at);
  else { if (next() % 4) R32(FW + 0x10) = swap((u32)(at >> 32)); R32(FW + 0x14) = swap((u32)at); }
  DSB();
  note(swap(dma[0])); note(dma[1]); note(dma[3]); note(checksum(buffer, sizeof buffer));
#ifdef LOG
  print("dma %x %x %lx: %x %x\n", control, length, target, swap(dma[0]), checksum(buffer, sizeof buffer));
#endif
}

int main(u64 device_tree) {
  u64 base = WINDOWS[DEVICE].base; u32 listed = 0;
  print("%s\n", WINDOWS[DEVICE].name);
  for (u32 i = 0; i < 32; i++) if (WINDOWS[DEVICE].registers[i]) listed = i + 1;
  if (DEVICE == FW_CFG) directory();
  for (u32 n = 0; n < ROUNDS; n++) {
    u64 r = next(); u32 size = 1 << (r % 8 < 5 ? 2 : r % 4);
    u64 offset = r >> 8 & 3 ? WINDOWS[DEVICE].registers[next() % listed] : next() % WINDOWS[DEVICE].size;
    if (r >> 10 & 3) offset -= offset % size;
    u64 value = next() & next(), esr;
    if (r >> 12 & 1) value |= next();
    if (r >> 14 & 1) value &= 0xff;
    if (DEVICE == RTC && r >> 16 & 1) value = R32(base) + value % 4;
    if (DEVICE == FLASH && r >> 17 & 3) { static const u8 COMMANDS[] = { 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xe8, 0xff, 0xff, 0xd0, 0, 1, 2, 3 }; value = COMMANDS[value % sizeof COMMANDS] * 0x0001000100010001; }
    if (DEVICE == FW_CFG && offset == 8 && r >> 18 & 3) value = (value & 0x3f) << 8;
    if (DEVICE == FW_CFG && r % 64 == 63) { transfer(); continue; }
    u32 write = r >> 20 & 1;
    /* Nothing is to be transferred from where chance says. */
    if (DEVICE == FW_CFG && write && offset + size > 0x10) write = 0;
    /* A queue would lead anywhere. */
    if (DEVICE == DISK && write && offset + size > 0x40 && offset < 0x54) write = 0;
    /* A buffer of the flash may take thousands of words: none of them lets it answer this. */
    if (DEVICE == FLASH && n % 256 == 0) for (u32 i = 0; i < 70000; i++) { R32(base) = 0x00ff00ff; R32(base) = 0x00900090; if (R32(base) == 0x00890089) break; }
    probe_value = 0;
    if (write) esr = probe_write(base + offset, size, value); else esr = probe_read(base + offset, size), value = probe_value;
    note(esr); note(write ? 0 : value);
#ifdef LOG
    print("%u %s%u %lx %lx: %lx\n", n, write ? "w" : "r", size, offset, value, esr);
#else
    if (n % 64 == 63) print("%x ", hash);
#endif
  }
  print("\n%x\n", hash);
  return 0;
}
