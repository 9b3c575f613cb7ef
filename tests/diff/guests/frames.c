/* Frames from a bitmap behind the image, RAM's size from the device tree, a recursive mapper. */
#include "boot.h"

#define RAM 0x40000000UL
struct prot { u64 bits; };
static const struct prot CODE = {1UL << 54 | 1UL << 7}, RODATA = {3UL << 53 | 1UL << 7}, DATA = {3UL << 53},
                         IO = {3UL << 53 | 1UL << 63 >> 62 << 2};
u64 ram_size, ram_end, frame_count, frames_free;
u64 *bitmap;
static u64 first_frame;
u64 *kernel_root;
static struct { u64 magic; u32 maps, frames; u64 *root; } state = {0x4b45524e454c, 0, 0, 0};

static u32 big32(const u8 *p) { return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

/* The second half of /memory's reg. */
NOINLINE static u64 find_memory(const u8 *tree) {
  if (big32(tree) != 0xd00dfeed) return 64UL << 20;
  const u8 *at = tree + big32(tree + 8), *strings = tree + big32(tree + 12);
  int inside = 0;
  for (;;) {
    u32 token = big32(at);
    at += 4;
    if (token == 1) {
      const char *name = (const char *)at;
      inside = name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[6] == '@';
      while (*at) at++;
      at = (const u8 *)(((u64)at + 4) & ~3UL);
    } else if (token == 3) {
      u32 length = big32(at);
      const char *name = (const char *)strings + big32(at + 4);
      if (inside && same(name, "reg")) return (u64)big32(at + 16) << 32 | big32(at + 20);
      at += 8 + ((length + 3) & ~3U);
    } else if (token == 9) return 64UL << 20;
  }
}

NOINLINE static void frames_init(void) {
  bitmap = (u64 *)(((u64)image_end + PAGE - 1) & ~(PAGE - 1));
  frame_count = ram_size / PAGE;
  for (u64 i = 0; i < frame_count / 64; i++) bitmap[i] = 0;
  first_frame = ((u64)bitmap + frame_count / 8 + PAGE - 1 - RAM) / PAGE;
  frames_free = frame_count;
  for (u64 i = 0; i < first_frame; i++) {
    bitmap[i / 64] |= 1UL << i % 64;
    frames_free--;
  }
}

NOINLINE static u64 frame_alloc(void) {
  for (u64 i = first_frame; i < frame_count; i++) {
    if (bitmap[i / 64] >> i % 64 & 1) continue;
    bitmap[i / 64] |= 1UL << i % 64;
    frames_free--;
    state.frames++;
    u64 *frame = (u64 *)(RAM + i * PAGE);
    for (int n = 0; n < 512; n++) frame[n] = 0;
    return (u64)frame;
  }
  say("no frames\n");
  power_off();
  return 0;
}

NOINLINE static void walk_and_map(u64 *table, int level, int leaf, u64 va, u64 descriptor) {
  u64 *entry = &table[va >> (12 + 9 * (3 - level)) & 511];
  if (level == leaf) {
    *entry = descriptor;
    state.maps++;
    return;
  }
  if ((*entry & 1) == 0) *entry = frame_alloc() | 3;
  walk_and_map((u64 *)(*entry & ADDRESS), level + 1, leaf, va, descriptor);
}

NOINLINE void vm_map(u64 va, u64 pa, u64 size, struct prot prot, int leaf) {
  u64 step = leaf == 3 ? PAGE : BLOCK;
  u64 kind = leaf == 3 ? 3 : 1;
#ifdef BUG_BLOCK
  kind = 3;
#endif
  u64 common = prot.bits | 1UL << 10 | 3UL << 8;
#ifdef BUG_PXN
  if (prot.bits == CODE.bits) common |= 1UL << 53;
#endif
#ifdef BUG_AP
  common |= 1UL << 6;
#endif
  u64 end = va + size;
#ifdef BUG_SHORT
  if (leaf == 3) end -= PAGE;
#endif
  for (; va < end; va += step, pa += step) walk_and_map(kernel_root, 0, leaf, va, pa | common | kind);
}

NOINLINE static void traps_init(void) { WRITE(vbar_el1, vectors); }

NOINLINE static void vm_init(void) {
  kernel_root = (u64 *)frame_alloc();
  state.root = kernel_root;
  u64 from = (u64)image_start & ~(BLOCK - 1), to = ((u64)image_end + BLOCK - 1) & ~(BLOCK - 1);
  vm_map(from, from, (u64)image_start - from, DATA, 3);
  vm_map((u64)image_start, (u64)image_start, (((u64)text_end + PAGE - 1) & ~(PAGE - 1)) - (u64)image_start, CODE, 3);
  u64 data = ((u64)text_end + PAGE - 1) & ~(PAGE - 1);
  vm_map(data, data, to - data, DATA, 3);
  vm_map(to, to, ram_end - to, DATA, 2);
  vm_map(0x09000000, 0x09000000, PAGE, IO, 3);
}

NOINLINE static void vm_on(void) {
  WRITE(mair_el1, 0x00000000000000ffUL);
  WRITE(tcr_el1, 16UL | 16UL << 16 | 0x3500UL | 0xb5000000UL | 4UL << 32);
  WRITE(ttbr0_el1, kernel_root);
  WRITE(ttbr1_el1, 0);
#ifdef BUG_NO_TLBI
  __asm__ volatile("dsb sy\n isb");
#else
  __asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb");
#endif
  u64 sctlr = READ(sctlr_el1);
  WRITE(sctlr_el1, sctlr | 1 << 0 | 1 << 2 | 1 << 12);
  ISB();
}

u64 main(u64 tree) {
  ram_size = find_memory((const u8 *)0x40000000UL);
  ram_end = RAM + ram_size;
  say("RAM to ");
  say_hex(ram_end);
  say("\n");
  frames_init();
  vm_init();
#ifndef BUG_LATE
  traps_init();
#endif
  vm_on();
#ifdef BUG_LATE
  traps_init();
#endif
  u64 page = frame_alloc();
  vm_map(0x8000000000UL, page, PAGE, DATA, 3);
  *(volatile u64 *)0x8000000000UL = (u64)&state;
  say("frames free ");
  say_hex(frames_free);
  say("\n");
  return 0;
}
