/* Heap churn: a first-fit free list with coalescing under random allocation and release. */
#include "guest.h"

#ifndef ROUNDS
#define ROUNDS 900000
#endif

struct block { u64 size; struct block *next; };

static u8 arena[16 << 20] __attribute__((aligned(16)));
static struct block *free_list;

static void *allocate(u64 bytes) {
  u64 need = ((bytes + 15) & ~15UL) + 16;
  for (struct block **at = &free_list; *at; at = &(*at)->next) {
    struct block *b = *at;
    if (b->size < need) continue;
    if (b->size - need >= 48) {
      struct block *rest = (struct block *)((u8 *)b + need);
      rest->size = b->size - need;
      rest->next = b->next;
      *at = rest;
      b->size = need;
    } else {
      *at = b->next;
    }
    return (u8 *)b + 16;
  }
  return 0;
}

static void release(void *p) {
  struct block *b = (struct block *)((u8 *)p - 16), *before = 0, *after = free_list;
  while (after && after < b) { before = after; after = after->next; }
  b->next = after;
  if (after && (u8 *)b + b->size == (u8 *)after) { b->size += after->size; b->next = after->next; }
  if (!before) { free_list = b; return; }
  before->next = b;
  if ((u8 *)before + before->size == (u8 *)b) { before->size += b->size; before->next = b->next; }
}

static void *slots[512];

int main(void) {
  u64 random = 88172645463325252UL, sum = 0;
  free_list = (struct block *)arena;
  free_list->size = sizeof arena;
  free_list->next = 0;
  for (u32 i = 0; i < ROUNDS; i++) {
    random ^= random << 13; random ^= random >> 7; random ^= random << 17;
    u32 slot = random & 511;
    if (slots[slot]) { sum += *(u64 *)slots[slot]; release(slots[slot]); slots[slot] = 0; continue; }
    u64 bytes = 16 + ((random >> 20) & 1023);
    u64 *p = allocate(bytes);
    if (!p) continue;
    for (u64 n = 0; n < bytes / 8; n++) p[n] = random + n;
    slots[slot] = p;
  }
  report("heap", sum);
  return 0;
}
