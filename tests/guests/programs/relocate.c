/* Starts like a boot loader: static PIE that fixes itself up, copies itself to the top of RAM, fixes the copy up and goes on there. */
#include "guest.h"

static const char *const WORDS[] = { "pointers", "in", "data", "need", "relocation" };
static int (*table[])(const char *, ...) = { print, print };
static u64 *self_pointer = (u64 *)&self_pointer;
static int generation;
extern char rela_start[], rela_end[], bss_start[], bss_end[];
struct rela { u64 offset, info, addend; };

static void banner(void) {
  print("generation %d: main at %s, ", generation, (u64)&main > 0x46000000 ? "the top" : "the bottom");
  for (u32 i = 0; i < COUNT(WORDS); i++) table[i & 1]("%s ", WORDS[i]);
  print("%s\n", self_pointer == (u64 *)&self_pointer ? "right" : "WRONG");
}

int main(u64 device_tree) {
  banner();
  if (generation++ == 2) return 0;
  u64 size = (u64)image_end - (u64)image_start, offset = generation == 1 ? 0x47000000 - (u64)image_start : 0x44000000 - (u64)image_start;
  memcpy(image_start + offset, image_start, size);
  u32 fixed = 0;
  for (struct rela *r = (struct rela *)rela_start; r < (struct rela *)rela_end; r++)
    if ((u32)r->info == 1027) { *(u64 *)(image_start + offset + r->offset) = (u64)image_start + offset + r->addend; fixed++; }
  print("%s relocations applied\n", fixed > 5 ? "some" : "few");
  memset(image_start + offset - 4096, 0, 64);
  DSB();
  __asm__ volatile("ic iallu\n dsb sy\n isb");
  WRITE(vbar_el1, (u64)vectors + offset);
  u64 next = (u64)main + offset;
  __asm__ volatile("add sp, sp, %0\n mov x0, %2\n mov x29, xzr\n blr %1\n bl power_off" ::"r"(offset), "r"(next), "r"(device_tree) : "x0", "x30", "memory");
  power_off();
}
