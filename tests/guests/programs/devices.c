/* The board's other devices as a firmware meets them (of PCI only the host bridge): fw_cfg, RTC, GPIO, flash with its query mode, virtio slots, PCI. */
#include "guest.h"

#define R32(a) (*(volatile u32 *)(a))
#define R16(a) (*(volatile u16 *)(a))
#define R8(a) (*(volatile u8 *)(a))
#define FW 0x09020000UL
#define RTC 0x09010000UL
#define GPIO 0x09030000UL

static void select(u16 key) { R16(FW + 8) = (u16)(key << 8 | key >> 8); }
static u32 be(int n) { u32 v = 0; while (n--) v = v << 8 | R8(FW); return v; }

int main(u64 device_tree) {
  select(0);
  print("fw_cfg ");
  for (int i = 0; i < 6; i++) print("%02x", R8(FW));
  select(1); print(" id %08x", R32(FW)); print(" %016lx\n", *(volatile u64 *)FW);
  print("dma %08x%08x\n", R32(FW + 16), R32(FW + 20));
  static const u16 KEYS[] = { 2, 3, 5, 7, 8, 9, 0xb, 0xe, 0xf, 0x10, 0x11, 0x14, 0x17, 0x18, 0x8000, 0x1234 };
  for (u32 i = 0; i < COUNT(KEYS); i++) { select(KEYS[i]); print("key %x: %08x\n", KEYS[i], be(4)); }
  u32 half; select(0); half = R16(FW); print("half %x word %x byte %x\n", half, R32(FW), R8(FW));
  R8(FW) = 1; print("after write %x\n", R8(FW));
  print("rtc ids"); for (u32 o = 0xfe0; o < 0x1000; o += 4) print(" %x", R32(RTC + o));
  print("\n"); for (u32 o = 0; o < 0x20; o += 4) print("%x=%x ", o, R32(RTC + o)); print("\n");
  u32 now = R32(RTC); R32(RTC + 8) = now + 1000; print("set %x, load %x\n", R32(RTC) - now, R32(RTC + 8) - now); R32(RTC + 4) = R32(RTC); print("match %x raw %x\n", R32(RTC + 4) - now, R32(RTC + 0x14)); R32(RTC + 0x10) = 1; print("mask %x masked %x\n", R32(RTC + 0x10), R32(RTC + 0x18)); R32(RTC + 0x1c) = 1; print("raw %x\n", R32(RTC + 0x14));
  print("gpio ids"); for (u32 o = 0xfe0; o < 0x1000; o += 4) print(" %x", R32(GPIO + o));
  print("\n"); for (u32 o = 0x400; o < 0x530; o += 4) { u32 v = R32(GPIO + o); if (v) print("%x=%x ", o, v); }
  R32(GPIO + 0x400) = 0xff; R32(GPIO + 0x3fc) = 0xa5; print("\ndata %x low nibble %x dir %x\n", R32(GPIO + 0x3fc), R32(GPIO + 0x3c), R32(GPIO + 0x400)); R32(GPIO + 0x3c) = 0xff; print("data %x\n", R32(GPIO + 0x3fc));
  for (u32 o = 0x404; o < 0x424; o += 4) { R32(GPIO + o) = 0xff; print("%x=%x ", o, R32(GPIO + o)); } print("\n");
  for (u64 base = 0; base <= 0x4000000; base += 0x4000000) {
    print("flash %lx: %08x", base, R32(base));
    R32(base) = 0x00700070; print(" status %08x", R32(base));
    R32(base) = 0x00500050; R32(base) = 0x00900090; print(" id %08x %08x", R32(base), R32(base + 4));
    R32(base) = 0x00980098; print(" query"); for (u32 i = 0x10; i < 0x40; i++) print(" %x", R32(base + i * 4));
    R32(base) = 0x00ff00ff; print(" array %08x\n", R32(base + 0x100));
  }
  for (u32 i = 0; i < 32; i += 7) { u64 v = 0x0a000000UL + i * 0x200; print("virtio %u: %x %x %x %x %x %x %x\n", i, R32(v), R32(v + 4), R32(v + 8), R32(v + 12), R32(v + 0x10), R32(v + 0x70), R32(v + 0x100)); R32(v + 0x70) = 1; print("status %x\n", R32(v + 0x70)); }
  u64 esr = probe_read(0x4010000000UL, 4);
  print("ecam %lx %lx\n", esr, probe_value);
  if (!esr) for (u32 device = 0; device < 1; device++) { u64 a = 0x4010000000UL + ((u64)device << 15); u32 id = R32(a); if (id != 0xffffffff) { print("pci %u: %08x", device, id); for (u32 o = 4; o < 0x40; o += 4) print(" %x", R32(a + o)); print("\n"); } }
  print("pio %lx %lx mmio %lx %lx\n", probe_read(0x3eff0000, 4), probe_value, probe_read(0x10000000, 4), probe_value);
  return 0;
}
