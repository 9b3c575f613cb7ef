/* As C++ compiles: constructors from a table, objects with tables of functions, a heap. */
#include "boot.h"
struct device;
struct device_ops {
  void (*start)(struct device *);
  void (*map)(struct device *, u64 *table);
  u64 (*poll)(struct device *);
};
struct device { const struct device_ops *ops; u64 base; u32 flags; u32 started; struct device *next; };

static u64 tables[3][512] __attribute__((aligned(4096)));
static u8 heap[8192] __attribute__((aligned(16)));
static u64 heap_used;
static struct device *devices;
u64 last_poll;
extern void (*constructors_start[])(void);
extern void (*constructors_end[])(void);

NOINLINE void *allocate(u64 size) {
  void *at = heap + heap_used;
  heap_used += (size + 15) & ~15UL;
  return at;
}

NOINLINE void *clear(void *at, u64 size) {
  for (u64 i = 0; i < size; i++) ((volatile u8 *)at)[i] = 0;
  return at;
}

NOINLINE static void uart_start(struct device *d) { d->started = 1; }
NOINLINE static void ram_start(struct device *d) { d->started = 2; }
NOINLINE static void uart_map(struct device *d, u64 *table) {
  table[d->base >> 21 & 511] = (d->base & ~(BLOCK - 1)) | 1UL << 54 | 1UL << 53 | 1 << 10 | 1;
}
NOINLINE static void ram_map(struct device *d, u64 *table) {
  u64 attributes = 1 << 10 | 3 << 8 | 1 << 2 | 1;
#ifdef BUG_AP
  attributes |= 1 << 7;
#endif
#ifdef BUG_SH
  attributes &= ~(3 << 8);
#endif
#ifdef BUG_NG
  attributes |= 1 << 11;
#endif
  u64 pa = d->base;
#ifdef BUG_PA
  pa += BLOCK;
#endif
  for (u64 i = 0; i < d->flags; i++) table[(d->base >> 21 & 511) + i] = (pa + i * BLOCK) | attributes;
}
NOINLINE static u64 uart_poll(struct device *d) { return *(volatile u32 *)(d->base + 0x18); }
NOINLINE static u64 ram_poll(struct device *d) { return d->flags; }

static const struct device_ops uart_ops = {uart_start, uart_map, uart_poll};
static const struct device_ops ram_ops = {ram_start, ram_map, ram_poll};

NOINLINE static void add(const struct device_ops *ops, u64 base, u32 flags) {
  struct device *d = allocate(sizeof *d);
#ifdef BUG_LENGTH
  clear(d, sizeof *d + 64);
#else
  clear(d, sizeof *d);
#endif
  d->ops = ops;
  d->base = base;
  d->flags = flags;
  d->next = devices;
  devices = d;
}

#ifdef REORDER
__attribute__((constructor(200))) static void make_ram(void) { add(&ram_ops, 0x40200000, 4); }
__attribute__((constructor(101))) static void make_uart(void) { add(&uart_ops, 0x09000000, 0); }
#else
__attribute__((constructor(101))) static void make_uart(void) { add(&uart_ops, 0x09000000, 0); }
__attribute__((constructor(200))) static void make_ram(void) { add(&ram_ops, 0x40200000, 4); }
#endif

NOINLINE static void enable(void) {
  tables[0][0] = (u64)tables[1] | 3;
  tables[0][1] = (u64)tables[2] | 3;
#ifdef BUG_MAIR
  WRITE(mair_el1, 0x44);
#else
  WRITE(mair_el1, 0xff00);
#endif
#ifdef BUG_IPS
  WRITE(tcr_el1, 25UL | 0x3500UL | 1UL << 23);
#else
  WRITE(tcr_el1, 25UL | 0x3500UL | 1UL << 23 | 2UL << 32);
#endif
#ifdef BUG_TTBR
  WRITE(ttbr0_el1, tables[1]);
#else
  WRITE(ttbr0_el1, tables[0]);
#endif
  DSB();
#ifndef BUG_TLBI
  __asm__ volatile("tlbi vmalle1");
#endif
  DSB();
#ifndef BUG_ISB
  ISB();
#endif
  WRITE(sctlr_el1, READ(sctlr_el1) | 5);
  ISB();
}

u64 main(u64 tree) {
#ifdef BUG_VECTOR
  WRITE(vbar_el1, vectors + 0x800);
#else
  WRITE(vbar_el1, vectors);
#endif
  ISB();
#ifdef BUG_IRQ
  __asm__ volatile("msr daifclr, #2");
#endif
  for (void (**make)(void) = constructors_start; make < constructors_end; make++) (*make)();
  for (struct device *d = devices; d; d = d->next) d->ops->start(d);
  for (struct device *d = devices; d; d = d->next)
    d->ops->map(d, d->base >> 30 ? tables[2] : tables[1]);
  enable();
  for (struct device *d = devices; d; d = d->next) last_poll += d->ops->poll(d);
#ifdef BUG_POINTER
  devices->next->next->started = 5;
#endif
  say("done\n");
  return 0;
}
