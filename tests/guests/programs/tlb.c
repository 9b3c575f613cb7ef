/* Remapping with every form of TLBI, ASIDs and global pages, contiguous hints, table changes, and AT after each. */
#include "guest.h"

static u64 frames[8][512] __attribute__((aligned(4096)));
#define BASE_VA 0x100000000UL

static u64 at(u64 va) { __asm__ volatile("at s1e1r, %0\n isb" ::"r"(va) : "memory"); return READ(par_el1); }
static void map(struct space *s, u64 va, u32 frame, u64 attributes) { map_at(s, va, (u64)frames[frame], 3, P_KERNEL_DATA | attributes); DSB(); }
static u64 look(u64 va) { return probe_read(va, 8) ? probe.esr : probe_value; }
static void use(struct space *s) { WRITE(ttbr0_el1, (u64)s->root | (u64)s->asid << 48); ISB(); }

int main(u64 device_tree) {
  for (u32 i = 0; i < COUNT(frames); i++) frames[i][0] = 0xf0 + i;
  identity_map(12, 39);
  map(&identity, BASE_VA, 0, 0);
  identity_on();
  print("first %lx\n", look(BASE_VA));
  static const char *const NAMES[] = { "vae1", "vae1is", "vale1", "vaae1", "vaale1is", "vmalle1", "vmalle1is", "aside1", "two pages" };
  for (u32 i = 0; i < COUNT(NAMES); i++) {
    map(&identity, BASE_VA, 1 + i % 7, 0);
    u64 operand = BASE_VA >> 12;
    switch (i) {
      case 0: __asm__ volatile("tlbi vae1, %0" ::"r"(operand)); break;
      case 1: __asm__ volatile("tlbi vae1is, %0" ::"r"(operand)); break;
      case 2: __asm__ volatile("tlbi vale1, %0" ::"r"(operand)); break;
      case 3: __asm__ volatile("tlbi vaae1, %0" ::"r"(operand)); break;
      case 4: __asm__ volatile("tlbi vaale1is, %0" ::"r"(operand)); break;
      case 5: __asm__ volatile("tlbi vmalle1"); break;
      case 6: __asm__ volatile("tlbi vmalle1is"); break;
      case 7: __asm__ volatile("tlbi vmalle1\n tlbi aside1, %0" ::"r"(0UL)); break;
      case 8: __asm__ volatile("tlbi vae1, %0\n tlbi vae1, %1" ::"r"(operand), "r"(operand + 1)); break;
    }
    DSB(); ISB();
    print("%s: %lx par %lx\n", NAMES[i], look(BASE_VA), at(BASE_VA));
  }
  /* Two spaces of different ASIDs share the identity map; a page of each is not global, one is. */
  struct space spaces[3];
  for (u32 i = 0; i < 3; i++) {
    space_init(&spaces[i], 12, 39);
    spaces[i].asid = (int)(i * 5 + 1);
    for (u32 k = 0; k < 4; k++) spaces[i].root[k] = identity.root[k];
    spaces[i].root[4] = 0;
    map(&spaces[i], BASE_VA, i, P_NG);
    map(&spaces[i], BASE_VA + 0x1000, i + 3, P_NG);
    map(&spaces[i], BASE_VA + 0x2000, 7, 0);
  }
  for (u32 round = 0; round < 3; round++)
    for (u32 i = 0; i < 3; i++) { use(&spaces[i]); print("space %u: %lx %lx %lx\n", i, look(BASE_VA), look(BASE_VA + 0x1000), look(BASE_VA + 0x2000)); }
  for (u32 i = 0; i < 3; i++) {
    map(&spaces[i], BASE_VA, 7 - i, P_NG);
    use(&spaces[i]);
    __asm__ volatile("tlbi aside1, %0" ::"r"((u64)spaces[i].asid << 48)); DSB(); ISB();
    print("after aside1: %lx\n", look(BASE_VA));
  }
  for (u32 i = 0; i < 3; i++) {
    map(&spaces[i], BASE_VA + 0x1000, i, P_NG);
    use(&spaces[i]);
    tlbi_va(BASE_VA + 0x1000, spaces[i].asid);
    print("after vae1is: %lx\n", look(BASE_VA + 0x1000));
  }
  use(&identity);
  tlbi_all();
  /* Blocks broken up into pages, and made again. */
  u64 va = BASE_VA + 0x40000000, pa = 0x40000000;
  for (u32 round = 0; round < 3; round++) {
    u64 *entry = space_entry(&identity, va, 2, 1);
    *entry = pa | P_KERNEL_DATA | 1;
    tlbi_all();
    u64 offset = (u64)frames & 0x1fffff, block = ((u64)frames & ~0x1fffffUL);
    *entry = block | P_KERNEL_DATA | 1;
    tlbi_va(va, 0);
    print("block %lx", look(va + offset));
    u64 *table = page_alloc(12);
    for (u64 i = 0; i < 512; i++) table[i] = (block + i * 4096) | P_KERNEL_DATA | 3 | (round == 2 ? 1UL << 52 : 0);
    *entry = 0;
    tlbi_va(va, 0);
    print(", gone %lx", look(va + offset));
    *entry = (u64)table | 3;
    DSB();
    print(", pages %lx", look(va + offset));
    table[offset >> 12] = (u64)frames[6] | P_KERNEL_DATA | P_RO | 3;
    tlbi_va(va + offset, 0);
    print(", one changed %lx %lx, write %lx\n", look(va + offset), look(va + offset + 0x1000), probe_write(va + offset, 8, 0));
  }
  /* A valid entry made where there was none needs no TLBI: faults are not cached. */
  for (u32 i = 0; i < 5; i++) {
    u64 fresh = BASE_VA + 0x100000 + i * 0x1000;
    u64 before = look(fresh);
    map(&identity, fresh, i, 0);
    print("fresh %lx then %lx\n", before, look(fresh));
  }
  /* Access flag and permission faults are not cached either. */
  u64 *leaf = space_entry(&identity, BASE_VA + 0x100000, 3, 0);
  *leaf &= ~P_AF;
  tlbi_va(BASE_VA + 0x100000, 0);
  u64 before = look(BASE_VA + 0x100000);
  *leaf |= P_AF;
  DSB();
  print("access flag %lx then %lx\n", before, look(BASE_VA + 0x100000));
  /* Many pages of one set, round and round. */
  u64 sum = 0;
  for (u32 i = 0; i < 3000; i++) map(&identity, BASE_VA + 0x10000000 + i * 0x1000UL, i % 8, 0);
  for (u32 round = 0; round < 3; round++) for (u32 i = 0; i < 3000; i++) sum = sum * 3 + *(volatile u64 *)(BASE_VA + 0x10000000 + (i * 7 % 3000) * 0x1000UL);
  print("many %lx\n", sum);
  return 0;
}
