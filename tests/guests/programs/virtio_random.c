/* Random use and misuse of a virtio device's registers and queues: chains, tables, loops, holes, event indices. A checksum of what the device answers is printed. */
#include "guest.h"

#ifndef ROUNDS
#define ROUNDS 200
#endif
#define R32(a) (*(volatile u32 *)(a))
#define R16(a) (*(volatile u16 *)(a))
#define R8(a) (*(volatile u8 *)(a))
#define SLOT (0x0a000000UL + SLOT_NUMBER * 0x200UL)
#define HOLE 0x0c000000UL
enum { NEXT = 1, WRITABLE = 2, INDIRECT = 4 };
struct descriptor { u64 address; u32 length; u16 flags, next; };
struct queue { u32 number, size, align; u8 *base; u16 offered; };
static u64 state = SEED;
static u8 memory[4][0x3000] __attribute__((aligned(4096))), data[0x1000];
static struct descriptor tables[16][16] __attribute__((aligned(16)));

static u32 next(void) { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return (u32)(state >> 16); }
static u32 below(u32 n) { return next() % n; }
static u32 rarely(void) { return below(FAULTS) == 0; }
static volatile u16 *available_ring(struct queue *q) { return (volatile u16 *)(q->base + 16 * q->size); }
static u8 *used_ring(struct queue *q) { u64 end = (u64)(available_ring(q) + 2 + q->size), a = q->align; return (u8 *)((end + a - 1) / a * a); }

/* The host's threads get their time while the guest sleeps. A request to a disk takes longer; a broken disk is waited for once. */
static u32 vain __attribute__((unused));
static void settle(struct queue *q) {
#ifdef SLEEP
  u32 limit = FAULTS > 100000 ? 1000 : 100, most = DEVICE == 2 && q->size && !vain ? limit : 1, i = 0;
  for (; i < most && (most == 1 || R16(used_ring(q) + 2) != q->offered); i++) {
  __asm__ volatile("msr cntp_tval_el0, %0\n msr cntp_ctl_el0, %1\n isb" ::"r"(62500UL * SLEEP), "r"(1UL));
  while (!(READ(cntp_ctl_el0) & 4)) __asm__ volatile("wfi");
  WRITE(cntp_ctl_el0, 0);
  }
  vain |= i == limit;
#endif
}

static u64 place(u32 length) { return rarely() ? HOLE + below(0x1000) : (u64)data + below(sizeof data - length); }

/* The host drops what a terminal has no room for, so what there is to say is counted only. */
static u32 hash;
#ifdef LOG
#define say print
#else
#define say(...) do { char line_[128]; int n_ = format_into(line_, sizeof line_, __VA_ARGS__); hash = (hash ^ checksum(line_, (size_t)n_)) * 16777619u; } while (0)
#endif

/* A request or message at the beginning of a chain. */
static u64 header(u32 *length);
#if DEVICE == 2
static u64 header(u32 *length) {
  static const u32 TYPES[] = { 0, 0, 0, 1, 1, 1, 4, 8, 8, 11, 13, 0x80000000, 0x80000001, 2, 3, 5, 9, 16, 255 };
  u32 *h = (u32 *)(data + 64 * below(64)); h[0] = TYPES[below(COUNT(TYPES))]; h[1] = 0; h[2] = rarely() ? next() : below(40); h[3] = rarely();
  *length = rarely() ? below(20) + 1 : 16; return (u64)h;
}
/* Data: whole sectors mostly, or ranges of DISCARD and WRITE_ZEROES. */
static u32 amount(void) { return rarely() ? 1 + below(600) : below(4) ? 512 * (1 + below(3)) : 16; }
static void fill(void) { for (u32 i = 0; i < sizeof data; i += 16) { u32 *r = (u32 *)(data + i); r[0] = below(32); r[1] = rarely(); r[2] = rarely() ? next() : below(6); r[3] = rarely() ? next() & 3 : 0; } }
#else
static u64 header(u32 *length) {
  u8 *h = data + 64 * below(64); *(u32 *)h = below(3) == 0; *(u16 *)(h + 4) = (u16)below(9); *(u16 *)(h + 6) = (u16)below(2);
  *length = rarely() ? 1 + below(12) : 8; return (u64)h;
}
static u32 amount(void) { return 1 + below(below(4) ? 12 : 60); }
static void fill(void) { for (u32 i = 0; i < sizeof data; i++) data[i] = (u8)('a' + below(26)); }
#endif

static void queue_init(struct queue *q, u32 number, u8 *base) {
  static const u32 SIZES[] = { 8, 8, 8, 16, 4, 2, 1, 32, 5 }, ALIGNS[] = { 4096, 4096, 4096, 256, 64, 4, 48 }, PAGES[] = { 4096, 4096, 4096, 1024, 12288 };
  *q = (struct queue){ number, SIZES[below(COUNT(SIZES))], 4096, base, 0 };
  memset(base, 0, 0x3000);
  R32(SLOT + 0x30) = number; if (!R32(SLOT + 0x34)) { q->size = 0; return; }
  R32(SLOT + 0x38) = q->size;
  if (below(4)) R32(SLOT + 0x3c) = q->align = ALIGNS[below(COUNT(ALIGNS))]; else R32(SLOT + 0x3c) = 4096;
  u32 page = PAGES[below(COUNT(PAGES))]; R32(SLOT + 0x28) = page;
  u32 unit = page & -page; R32(SLOT + 0x40) = (u32)((u64)base / unit);
  if (rarely()) R32(SLOT + 0x28) = 512;
  if (rarely()) { R32(SLOT + 0x38) = q->size = 3; }
  say(" [%u:%u/%u %d]", number, q->size, q->align, R32(SLOT + 0x40) == (u64)base / unit);
}

/* One chain from descriptor `first` on; gives how many it took. */
static u32 chain(struct queue *q, u32 first, u32 room) {
  struct descriptor *table = (struct descriptor *)q->base, *d;
  u32 outs = below(3), ins = below(3), base = first, limit = q->size;
  if (q->number % 2 == 0 && DEVICE != 2) outs = rarely(), ins = 1 + below(2);
  if (DEVICE == 2) outs++, ins++;
  if (outs + ins == 0) outs = 1;
  u32 indirect = !below(3), count = outs + ins;
  if (!indirect && count > room) return 0;
  if (indirect) {
    struct descriptor *inner = tables[first % 16];
    table[first] = (struct descriptor){ (u64)inner, 16 * count, INDIRECT | (rarely() ? NEXT : 0) | (rarely() ? WRITABLE : 0), 0 };
    if (rarely()) table[first].length += below(2) ? 8 : -16 * count;
    if (rarely()) table[first].address = HOLE;
    table = inner; base = 0; limit = count;
  }
  for (u32 i = 0; i < count; i++) {
    u32 n = (base + i) % limit; d = &table[n];
    u32 length = amount(); if (rarely()) length = 0;
    u64 address = place(length);
    if (i == 0 && outs && (q->number != 1 || DEVICE == 2)) address = header(&length);
    if (DEVICE == 2 && i == count - 1 && ins) length = 1;
    u16 flags = (u16)(((i < outs) ^ rarely() ? 0 : WRITABLE) | (i < count - 1 ? NEXT : 0) | (rarely() ? INDIRECT : 0));
    *d = (struct descriptor){ address, length, flags, (u16)((base + i + 1) % limit) };
    if (rarely()) d->next = (u16)below(limit + 2), d->flags |= below(2);
  }
  return indirect ? 1 : count;
}

static void offer(struct queue *q) {
  if (!q->size) return;
  /* Which of several requests to a disk is done first is up to the host. */
  u32 chains = DEVICE == 2 ? 1 : 1 + below(3), first = 0; volatile u16 *ring = available_ring(q);
  fill();
  for (u32 i = 0; i < chains && first < q->size; i++) {
    u32 took = chain(q, first, q->size - first); if (!took) break;
    ring[2 + q->offered++ % q->size] = (u16)(rarely() ? below(q->size + 3) : first);
    first += took;
  }
  ring[0] = (u16)!below(4); ring[2 + q->size] = (u16)(q->offered - below(4));
  DSB(); q->offered += rarely() ? (u16)below(3) : 0; ring[1] = q->offered; DSB();
}

static void look(struct queue *q) {
  if (!q->size) return;
  u8 *used = used_ring(q);
  say(" q%u used %u/%u", q->number, R16(used + 2), q->offered);
  for (u32 i = 0; i < 4 && i < q->size; i++) say(" %u:%u", R32(used + 4 + 8 * i), R32(used + 8 + 8 * i));
  say(" flags %u event %u", R16(used), R16(used + 4 + 8 * q->size));
}

int main(u64 device_tree) {
#ifdef SLEEP
  R32(0x08000000UL) = 1; R32(0x08000100UL) = 1 << 30; R32(0x08010004UL) = 0xff; R32(0x08010000UL) = 1;
#endif
  static struct queue queues[4];
  for (u32 round = 0; round < ROUNDS; round++) {
    print("%u: ", round);
    R32(SLOT + 0x30) = below(70); R32(SLOT + 0x70) = 0; say(" %x %x %x", R32(SLOT + 0x60), R32(SLOT + 0x34), R32(SLOT + 0x40)); if (rarely()) R32(SLOT + 0x70) = 0x80;
    R32(SLOT + 0x70) = 1; R32(SLOT + 0x70) = 3; R32(SLOT + 0x24) = rarely(); R32(SLOT + 0x20) = (below(2) << 28 | below(2) << 29 | (!below(3)) << 24 | below(2) << 1) | (rarely() ? next() : 0);
    if (R32(SLOT + 0x70) != 3) say("?");
    u32 count = DEVICE == 3 ? 4 : 1;
    for (u32 i = 0; i < count; i++) queue_init(&queues[i], DEVICE == 3 && i == 3 && rarely() ? 5 : i, memory[i]);
    if (below(4)) R32(SLOT + 0x70) = 7;
    u32 batches = 1 + below(4); vain = 0;
    for (u32 batch = 0; batch < batches; batch++) {
      struct queue *q = &queues[count == 4 ? (below(4) ? 1 + 2 * below(2) : 2 * below(2)) : 0];
      offer(q); if (below(8) || DEVICE == 2) R32(SLOT + 0x50) = q->number; if (rarely()) R32(SLOT + 0x50) = below(100);
      settle(q);
      if (rarely()) R32(SLOT + 0x70) = 7, settle(q);
      say("\n "); for (u32 i = 0; i < count; i++) look(&queues[i]);
      say(" status %x interrupts %x", R32(SLOT + 0x70), R32(SLOT + 0x60)); if (below(2)) R32(SLOT + 0x64) = below(4);
      say(" data %x", DEVICE == 4 ? 0 : checksum(data, sizeof data));
    }
    print(" %x\n", hash);
  }
  R32(SLOT + 0x70) = 0;
  return 0;
}
