/* Page tables of any granule (log2 `page` 12, 14 or 16) and address size (`bits`). */
#include "guest.h"

static u64 pool_at, pool_end;
struct space identity;

void page_pool(u64 start, u64 end) { pool_at = start; pool_end = end; }

void *page_alloc(int log2) {
  u64 size = 1UL << log2;
  u64 at = (pool_at + size - 1) & -size;
  if (at + size > pool_end) { print("out of table memory\n"); power_off(); }
  pool_at = at + size;
  for (u64 *word = (u64 *)at; word < (u64 *)(at + size); word++) *word = 0;
  return (void *)at;
}

void space_init(struct space *s, int page, int bits) {
  s->page = page;
  s->bits = bits;
  s->asid = 0;
  s->root = page_alloc(page);
}

int block_log2(const struct space *s, int level) { return s->page + (3 - level) * (s->page - 3); }

int first_level(const struct space *s) {
  int level = 3;
  while (block_log2(s, level) + s->page - 3 < s->bits) level--;
  return level;
}

u64 *space_entry(struct space *s, u64 va, int level, int create) {
  u64 *table = s->root;
  for (int at = first_level(s);; at++) {
    int shift = block_log2(s, at);
    u64 offset = va & (s->bits == 64 ? -1UL : (1UL << s->bits) - 1);
    u64 *entry = &table[offset >> shift & ((1UL << (s->page - 3)) - 1)];
    if (at == level) return entry;
    if (!(*entry & 1)) {
      if (!create) return NULL;
      *entry = (u64)page_alloc(s->page) | 3;
    }
    table = (u64 *)(*entry & 0xfffffffff000UL & -(1UL << s->page));
  }
}

void map_at(struct space *s, u64 va, u64 pa, int level, u64 attributes) {
  *space_entry(s, va, level, 1) = pa | attributes | (level == 3 ? 3 : 1);
}

/* The largest blocks that fit. */
void map_range(struct space *s, u64 va, u64 pa, u64 size, u64 attributes) {
  int top = s->page == 12 ? 1 : 2;
  if (first_level(s) > top) top = first_level(s);
  while (size) {
    int level = 3;
    for (int at = 3; at >= top; at--) {
      u64 block = 1UL << block_log2(s, at);
      if (((va | pa) & (block - 1)) == 0 && size >= block) level = at;
    }
    map_at(s, va, pa, level, attributes);
    u64 block = 1UL << block_log2(s, level);
    va += block;
    pa += block;
    size = size > block ? size - block : 0;
  }
}

u64 tcr_of(const struct space *low, const struct space *high) {
  u64 tcr = 4UL << 32; /* 44-bit output */
  if (low) tcr |= (u64)(64 - low->bits) | 0x3500 | (u64)(low->page == 12 ? 0 : low->page == 14 ? 2 : 1) << 14;
  else tcr |= 1 << 7 | 25;
  if (high) tcr |= (u64)(64 - high->bits) << 16 | 0x35000000 | (u64)(high->page == 12 ? 2 : high->page == 14 ? 1 : 3) << 30;
  else tcr |= 1 << 23 | 25 << 16;
  return tcr;
}

void mmu_on(u64 ttbr0, u64 ttbr1, u64 tcr, u64 sctlr_set) {
  WRITE(mair_el1, MAIR_DEFAULT);
  WRITE(tcr_el1, tcr);
  WRITE(ttbr0_el1, ttbr0);
  WRITE(ttbr1_el1, ttbr1);
  DSB();
  ISB();
  __asm__ volatile("tlbi vmalle1\n dsb nsh\n isb" ::: "memory");
  WRITE(sctlr_el1, READ(sctlr_el1) | sctlr_set);
  ISB();
}

void tlbi_all(void) { __asm__ volatile("dsb ishst\n tlbi vmalle1is\n dsb ish\n isb" ::: "memory"); }

void tlbi_va(u64 va, int asid) {
  u64 operand = (va >> 12 & 0xfffffffffffUL) | (u64)asid << 48;
  __asm__ volatile("dsb ishst\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(operand) : "memory");
}

/* RAM and devices one to one; tables from the last 8 MiB of 128. */
void identity_map(int page, int bits) {
  page_pool(0x47800000, 0x48000000);
  space_init(&identity, page, bits);
  map_range(&identity, 0x08000000, 0x08000000, 0x04000000, P_IO);
  map_range(&identity, 0x40000000, 0x40000000, 0x08000000, P_KERNEL);
}

void identity_on(void) { mmu_on((u64)identity.root, 0, tcr_of(&identity, NULL), 0x1005); }

/* For kernels in the upper half: RAM and devices at HIGH + their physical addresses, too. Runs before. */
#ifdef HIGH
u64 high_root;
void high_map(void) {
  struct space high;
  identity_map(MMU_PAGE, MMU_BITS);
  space_init(&high, MMU_PAGE, MMU_BITS);
  map_range(&high, HIGH + 0x08000000, 0x08000000, 0x04000000, P_IO);
  map_range(&high, HIGH + 0x40000000, 0x40000000, 0x08000000, P_KERNEL);
  high_root = (u64)high.root;
  uart_base += HIGH;
  mmu_on((u64)identity.root, (u64)high.root, tcr_of(&identity, &high), 0x1005);
}
#endif
