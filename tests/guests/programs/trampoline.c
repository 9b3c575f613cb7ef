/* Kernel and user tables apart: the low half is switched with the ASID of TTBR1 (TCR.A1), small pages with nG at both ends. */
#include "guest.h"

static struct space high, spaces[4];
static u64 frames[8][512] __attribute__((aligned(4096)));

static void use(u32 i) {
  WRITE(ttbr0_el1, (u64)spaces[i].root);
  WRITE(ttbr1_el1, (u64)high.root | (u64)(i * 3 + 1) << 48);
  ISB();
}

int main(u64 device_tree) {
  for (u32 i = 0; i < 8; i++) for (u32 k = 0; k < 512; k++) frames[i][k] = i * 1000 + k;
  identity_map(12, 39);
  space_init(&high, 12, 39);
  for (u32 i = 0; i < 4; i++) {
    space_init(&spaces[i], 12, 39);
    for (u32 k = 0; k < 4; k++) spaces[i].root[k] = identity.root[k];
    map_at(&spaces[i], 0x1000000000UL, (u64)frames[i], 3, P_KERNEL_DATA | P_NG);
    map_at(&spaces[i], 0x1000001000UL, (u64)frames[7 - i], 3, P_KERNEL_DATA | P_NG | (i & 1 ? P_RO : 0));
  }
  map_at(&high, 0xffffff8000000000UL, (u64)frames[4], 3, P_KERNEL_DATA);
  map_at(&high, 0xffffff8000001000UL, (u64)frames[5], 3, P_KERNEL_DATA | P_NG);
  mmu_on((u64)spaces[0].root, (u64)high.root, tcr_of(&identity, &high) | 1 << 22 | 1UL << 36, 0x1005);
  u64 sum = 0;
  for (u32 round = 0; round < 40; round++) {
    u32 i = (round * 7 + round / 5) % 4;
    use(i);
    sum = sum * 31 + *(volatile u64 *)(0x1000000000UL + round * 8) + *(volatile u64 *)(0x1000001000UL + round * 16) + *(volatile u64 *)(0xffffff8000000000UL + round * 8) + *(volatile u64 *)0xffffff8000001000UL;
    if (round % 10 == 0) print("space %u: %lu %lu, write %lx\n", i, *(volatile u64 *)0x1000000000UL, *(volatile u64 *)0x1000001000UL, probe_write(0x1000001000UL, 8, 5000 + i));
  }
  print("sum %lx\n", sum);
  return 0;
}
