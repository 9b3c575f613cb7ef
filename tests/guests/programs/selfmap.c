/* A recursive entry in the root table: tables are edited through the addresses that it gives. */
#include "guest.h"

#define SLOT 510UL
static u64 *entry_of(u64 va, int level) {
  u64 index[4] = { va >> 39 & 511, va >> 30 & 511, va >> 21 & 511, va >> 12 & 511 };
  u64 path[5];
  int recursions = 4 - (level + 1);
  for (int i = 0; i < 4; i++) path[i] = i <= recursions - 1 + 0 ? SLOT : index[i - recursions];
  u64 address = path[0] << 39 | path[1] << 30 | path[2] << 21 | path[3] << 12 | index[level] << 3;
  return (u64 *)address;
}

static u64 next_frame = 0x46000000;
static void map(u64 va, u64 pa, u64 attributes) {
  for (int level = 0; level < 3; level++) {
    volatile u64 *e = entry_of(va, level);
    if (*e & 1) continue;
    u64 frame = next_frame;
    next_frame += 4096;
    *e = frame | P_AF | P_NORMAL | 3;
    DSB();
    ISB();
    u64 *table = (u64 *)((u64)entry_of(va, level + 1) & ~0xfffUL);
    for (int i = 0; i < 512; i++) table[i] = 0;
  }
  *entry_of(va, 3) = pa | attributes | 3;
  DSB();
  ISB();
}

static void unmap(u64 va) { *entry_of(va, 3) = 0; tlbi_va(va, 0); }

int main(u64 device_tree) {
  identity_map(12, 48);
  identity.root[SLOT] = (u64)identity.root | P_AF | P_NORMAL | 3;
  identity_on();
  print("root entry %s\n", *entry_of(0x40000000, 0) == identity.root[0] ? "seen" : "not seen");
  print("level 1 %lx, level 2 %lx\n", *entry_of(0x40000000, 1) & 3, *entry_of(0x40000000, 2) & 0xfff);
  for (u64 i = 0; i < 12; i++) {
    u64 va = 0x10000000000UL + i * 0x8040201000UL % 0x600000000000UL, pa = 0x45000000 + i * 4096;
    map(va, pa, P_KERNEL_DATA);
    *(volatile u64 *)va = i * 0x1111;
    print("%lx: %lx through %lx, entry %lx\n", va, *(volatile u64 *)pa, *(volatile u64 *)va, *entry_of(va, 3) & 0xfffffffff000UL);
  }
  for (u64 i = 0; i < 12; i += 3) {
    u64 va = 0x10000000000UL + i * 0x8040201000UL % 0x600000000000UL;
    unmap(va);
    print("unmapped: %lx\n", probe_read(va, 8));
    map(va, 0x45010000, P_KERNEL_DATA | P_RO);
    print("again: %lx, write %lx\n", probe_read(va, 8), probe_write(va, 8, 1));
  }
  print("not mapped at level 3: %lx far %lx\n", probe_read((u64)entry_of(0x700000000000UL, 3), 8), probe.far);
  return 0;
}
