/* malloc, free, realloc with boundary tags and bins, under a random load that is checked. */
#include "guest.h"

struct chunk { u64 size, before; struct chunk *next, *previous; }; /* size: bit 0 = in use; before: size of the chunk before */

static u8 arena[1 << 20] __attribute__((aligned(16)));
static struct chunk bins[32];
static u64 live, peak;

static int bin_of(u64 size) { return 63 - __builtin_clzl(size) < 32 ? 63 - __builtin_clzl(size) : 31; }
static struct chunk *after(struct chunk *c) { return (struct chunk *)((u8 *)c + (c->size & ~1UL)); }

static void link_in(struct chunk *c) {
  struct chunk *bin = &bins[bin_of(c->size)];
  c->next = bin->next;
  c->previous = bin;
  bin->next->previous = c;
  bin->next = c;
}

static void unlink_chunk(struct chunk *c) {
  c->next->previous = c->previous;
  c->previous->next = c->next;
}

static void heap_init(void) {
  for (u32 i = 0; i < COUNT(bins); i++) bins[i].next = bins[i].previous = &bins[i];
  struct chunk *all = (struct chunk *)arena;
  all->size = sizeof arena - 32;
  all->before = 0;
  struct chunk *end = after(all);
  end->size = 1;
  end->before = all->size;
  link_in(all);
}

static void *allocate(u64 bytes) {
  u64 need = (bytes + 16 + 15) & ~15UL;
  if (need < 32) need = 32;
  for (int bin = bin_of(need); bin < 32; bin++)
    for (struct chunk *c = bins[bin].next; c != &bins[bin]; c = c->next) {
      if (c->size < need) continue;
      unlink_chunk(c);
      if (c->size - need >= 32) {
        struct chunk *rest = (struct chunk *)((u8 *)c + need);
        rest->size = c->size - need;
        rest->before = need;
        after(rest)->before = rest->size;
        c->size = need;
        link_in(rest);
      }
      live += c->size;
      if (live > peak) peak = live;
      c->size |= 1;
      return (u8 *)c + 16;
    }
  return NULL;
}

static void release(void *p) {
  if (!p) return;
  struct chunk *c = (struct chunk *)((u8 *)p - 16);
  if (!(c->size & 1)) { print("double free\n"); return; }
  c->size &= ~1UL;
  live -= c->size;
  struct chunk *next = after(c);
  if (!(next->size & 1)) { unlink_chunk(next); c->size += next->size; after(c)->before = c->size; }
  if (c->before) {
    struct chunk *previous = (struct chunk *)((u8 *)c - c->before);
    if (!(previous->size & 1)) { unlink_chunk(previous); previous->size += c->size; after(previous)->before = previous->size; c = previous; }
  }
  link_in(c);
}

static void *resize(void *p, u64 bytes) {
  if (!p) return allocate(bytes);
  u64 old = (((struct chunk *)((u8 *)p - 16))->size & ~1UL) - 16;
  void *fresh = allocate(bytes);
  if (!fresh) return NULL;
  memcpy(fresh, p, old < bytes ? old : bytes);
  release(p);
  return fresh;
}

static struct { u8 *p; u32 size, sum; } slots[200];

int main(u64 device_tree) {
  heap_init();
  u32 failed = 0, bad = 0;
  for (u32 i = 0; i < 2500; i++) {
    u64 r = random64();
    u32 s = r % COUNT(slots);
    u32 bytes = 1 + (r >> 32) % (r & 0x100000 ? 60 : 4000);
    if (slots[s].p && checksum(slots[s].p, slots[s].size) != slots[s].sum) bad++;
    if (slots[s].p && r & 0x200000) { release(slots[s].p); slots[s].p = NULL; continue; }
    if (slots[s].p) {
      u8 *p = resize(slots[s].p, bytes);
      if (!p) { failed++; continue; }
      if (bytes >= slots[s].size && checksum(p, slots[s].size) != slots[s].sum) bad++;
      slots[s].p = p;
    } else slots[s].p = allocate(bytes);
    if (!slots[s].p) { failed++; continue; }
    for (u32 at = 0; at < bytes; at += 1 + at / 2) slots[s].p[at] = (u8)(r >> at % 56);
    slots[s].size = bytes;
    slots[s].sum = checksum(slots[s].p, bytes);
  }
  for (u32 s = 0; s < COUNT(slots); s++) release(slots[s].p);
  release(allocate(1));
  print("peak %lu live %lu failed %u bad %u\n", peak, live, failed, bad);
  void *once = allocate(100);
  release(once);
  release(once);
  print("largest again: %s\n", allocate(sizeof arena - 64) ? "yes" : "no");
  return 0;
}
