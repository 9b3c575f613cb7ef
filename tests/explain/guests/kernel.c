/* A kernel with mistakes: -DBUG_... chooses one. Everything is its own: start, vectors, page tables. */
typedef unsigned long u64;
typedef unsigned char u8;
#define NOINLINE __attribute__((noinline))
#define WRITE(reg, v) __asm__ volatile("msr " #reg ", %0\n isb" ::"r"((u64)(v)) : "memory")
#define READ(reg) ({ u64 v_; __asm__ volatile("mrs %0, " #reg : "=r"(v_)); v_; })
#define PXN (1UL << 53)
#define UXN (1UL << 54)
#define AF (1UL << 10)
#define RO (1UL << 7)
#define USER (1UL << 6)
#define NORMAL (0x304UL | AF)
#define DEVICE (AF | UXN | PXN)
#define PAGE 4096UL
#define MEGABYTES_2 0x200000UL
#define ADDRESS 0xfffffffff000UL
#define RAM 0x40000000UL
#define HIGH 0xffff000000000000UL
#ifndef T0SZ
#define T0SZ 16UL
#endif

extern u8 image_start[], text_end[], image_end[], stack_top[], vectors[];
void fault_handler(void);

__asm__(".section .text.start, \"ax\"\n.global _start\n_start:\n"
        " adrp x1, stack_top\n add x1, x1, :lo12:stack_top\n mov sp, x1\n"
        " bl main\n ldr w0, =0x84000008\n hvc #0\n b .\n"
        ".section .bss.stack, \"aw\", %nobits\n.balign 4096\n.skip 0x10000\n.global stack_top\nstack_top:\n"
        ".text\n.balign 2048\n.global vectors\nvectors:\n"
        ".rept 16\n.balign 128\n sub sp, sp, #160\n stp x29, x30, [sp]\n stp x0, x1, [sp, #16]\n"
        " stp x2, x3, [sp, #32]\n stp x4, x5, [sp, #48]\n stp x6, x7, [sp, #64]\n stp x8, x9, [sp, #80]\n"
        " bl fault_handler\n b restore\n.endr\n"
        "restore: ldp x8, x9, [sp, #80]\n ldp x6, x7, [sp, #64]\n ldp x4, x5, [sp, #48]\n ldp x2, x3, [sp, #32]\n"
        " ldp x0, x1, [sp, #16]\n ldp x29, x30, [sp]\n add sp, sp, #160\n eret\n");

/* A pool of tables far behind the image, aligned so that a table can look like a block's address. */
static u64 pool = 0x40800000UL;

NOINLINE u64 *new_table(void) {
  u64 *table = (u64 *)pool;
  pool += PAGE;
  for (int i = 0; i < 512; i++) table[i] = 0;
  return table;
}

static u64 *root;

/* The descriptor that maps `va` at `level`; makes the tables on the way. */
NOINLINE u64 *find_entry(u64 *table, u64 va, int level) {
  for (int at = 0;; at++) {
    u64 *entry = &table[va >> (39 - 9 * at) & 511];
    if (at == level) return entry;
    if (!(*entry & 1)) *entry = (u64)new_table() | 3
#ifdef BUG_TABLE_ATTRIBUTES
      | (at == 2 && va < RAM + MEGABYTES_2 ? 1UL << 59 : 0)
#endif
      ;
#ifdef BUG_TABLE_AS_BLOCK
    if (at == 2 && va >= RAM && va < RAM + MEGABYTES_2) *entry &= ~2UL;
#endif
    table = (u64 *)(*entry & ADDRESS);
  }
}

NOINLINE void page_map(u64 va, u64 pa, int level, u64 attributes) {
  u64 type = level == 3 ? 3 : 1;
#ifdef BUG_BLOCK_ENCODING
  type = 3;
#endif
#ifdef BUG_PAGE_ENCODING
  type = 1;
#endif
  *find_entry(root, va, level) = pa | attributes | type;
}

NOINLINE void map_kernel(void) {
  u64 code = NORMAL | UXN;
#if defined(BUG_PXN) || defined(BUG_LATE_VECTORS)
  code |= PXN;
#endif
#ifdef BUG_EL0_WRITABLE
  code |= USER;
#endif
#ifdef BUG_ACCESS_FLAG
  code &= ~AF;
#endif
#ifdef BUG_ADDRESS_SIZE
  code |= 1UL << 46;
#endif
  for (u64 at = RAM; at < RAM + MEGABYTES_2; at += PAGE) page_map(at, at, 3, code);
  for (u64 at = RAM + MEGABYTES_2; at < RAM + 8 * MEGABYTES_2; at += MEGABYTES_2) page_map(at, at, 2, NORMAL | UXN);
  page_map(0x09000000, 0x09000000, 2, DEVICE);
}

NOINLINE void copy_bytes(u8 *to, const u8 *from, u64 n) {
  for (u64 i = 0; i < n; i++) {
    to[i] = from[i];
    __asm__ volatile("" ::: "memory");
  }
}

/* The whole level 3 table of an 8 KiB area at 0x40e00000 as data, put there by whoever loads the image. */
#if defined(BUG_DATA_TABLE) || defined(BUG_MEMCPY)
u64 prepared[512] __attribute__((aligned(4096), section(".data"))) = {
  [0] = 0x40c00000UL | NORMAL | UXN | PXN | 3,
  [1] = 0x40c01000UL | NORMAL | UXN | PXN | RO | 3,
};
#endif

static volatile u64 sink;

NOINLINE void enable_mmu(u64 table) {
  WRITE(mair_el1, 0x44ff00UL | 0xff00);
  WRITE(tcr_el1, T0SZ | T0SZ << 16 | 0x3500UL | 0x35000000UL | 2UL << 30 | 4UL << 32
#ifdef BUG_EPD
    | 1UL << 7
#endif
  );
  WRITE(ttbr0_el1, table);
  WRITE(ttbr1_el1, (u64)root);
  __asm__ volatile("tlbi vmalle1\n dsb sy\n isb");
  u64 sctlr = READ(sctlr_el1) | 0x1005;
#ifdef BUG_WXN
  sctlr |= 1UL << 19;
#endif
#ifdef BUG_ALIGNMENT
  sctlr |= 2;
#endif
  WRITE(sctlr_el1, sctlr);
}

/* A table of the area at 0x40e00000 in pages. */
NOINLINE u64 *area_table(void) {
  u64 *table = new_table();
  *find_entry(root, 0x40e00000UL, 2) = (u64)table | 3;
  return table;
}

NOINLINE void zero_block(void *at) { __asm__ volatile("dc zva, %0" ::"r"(at) : "memory"); }

NOINLINE void store_pair(u64 *at, u64 a, u64 b) { __asm__ volatile("stp %1, %2, [%0]" ::"r"(at), "r"(a), "r"(b) : "memory"); }

NOINLINE void protect(u64 *entry) { *(volatile u64 *)entry |= RO; }

NOINLINE void wipe(volatile u8 *at, u64 bytes) {
  while (bytes--) *at++ = 0;
}

NOINLINE void touch(u64 at) { *(volatile u64 *)at = 1; }

NOINLINE u64 fetch(u64 at) { return *(volatile u64 *)at; }

static int faults;

NOINLINE void power_off(void) {
  register u64 x0 __asm__("x0") = 0x84000008;
  __asm__ volatile("hvc #0" : "+r"(x0));
  for (;;) {}
}

void fault_handler(void) {
  faults++;
#if defined(BUG_AFTER_HANDLED) || defined(BUG_ONLY_HANDLED)
  if (faults == 1) {
    WRITE(elr_el1, READ(elr_el1) + 4);
    return;
  }
#endif
#ifdef BUG_STORM
  if (faults < 200) touch(0x100000000UL + 64 * (u64)faults);
#endif
#ifdef BUG_HANDLER_FAULTS
  *(volatile u64 *)(0x100000000UL + 8 * (u64)faults) = 1;
#endif
  power_off();
}

static u64 misuse(void) {
#if defined(BUG_DATA_TABLE)
  *find_entry(root, 0x40e00000UL, 2) = (u64)prepared | 3;
  touch(0x40e01000UL);
#elif defined(BUG_MEMCPY)
  copy_bytes((u8 *)area_table(), (const u8 *)prepared, 64);
  touch(0x40e01000UL);
#elif defined(BUG_STP)
  store_pair(area_table(), 0x40c00000UL | NORMAL | 3, 0x40c01000UL | NORMAL | RO | 3);
  touch(0x40e01000UL);
#elif defined(BUG_DC_ZVA)
  u64 *table = area_table();
  for (u64 i = 0; i < 16; i++) table[i] = (0x40c00000UL + i * PAGE) | NORMAL | 3;
  zero_block(&table[8]);
  touch(0x40e09000UL);
#elif defined(BUG_HIGH_ALIAS)
  u64 *table = area_table();
  table[0] = 0x40c00000UL | NORMAL | 3;
  protect((u64 *)((u64)table + HIGH));
  touch(0x40e00000UL);
#elif defined(BUG_STALE_CODE)
  u64 *table = area_table();
  table[0] = 0x40c00000UL | NORMAL | 3;
  sink = fetch(0x40e00000UL);
  table[0] = ((u64)image_start & ADDRESS) | NORMAL | 3;
  __asm__ volatile("dsb sy\n isb");
  ((void (*)(void))0x40e00000UL)();
#elif defined(BUG_STALE_POINTER)
  u64 *table = area_table();
  *(volatile u64 *)0x40c00000UL = 0x7700000000UL;
  *(volatile u64 *)0x40c01000UL = 0x40c00100UL;
  table[0] = 0x40c00000UL | NORMAL | 3;
  sink = fetch(0x40e00000UL);
  table[0] = 0x40c01000UL | NORMAL | 3;
  __asm__ volatile("dsb sy\n isb");
  touch(fetch(0x40e00000UL));
#elif defined(BUG_RECURSIVE)
  /* Entry 511 of the root, which is aligned like a block, is the root, with a page's attributes. */
  root[511] = (u64)root | NORMAL | UXN | PXN | 3;
  __asm__ volatile("dsb sy\n isb");
  sink = fetch(HIGH | 511UL << 39 | 511UL << 30 | 511UL << 21 | 511UL << 12);
  touch(HIGH | 511UL << 39 | 511UL << 30 | 511UL << 21 | 300UL << 12);
  touch(HIGH | 511UL << 39 | 300UL << 30);
#elif defined(BUG_HANDLER_FAULTS) || defined(BUG_READ_ONLY)
  u64 *table = area_table();
  table[1] = 0x40c01000UL | NORMAL | RO | 3;
  touch(0x40e01010UL);
#elif defined(BUG_UNMAPPED)
  touch(0x5000000000UL);
#elif defined(BUG_NO_PAGE)
  u64 *table = area_table();
  table[0] = 0x40c00000UL | NORMAL | 3;
  touch(0x40e01000UL);
#elif defined(BUG_HOLE)
  touch(0x0001000000000000UL);
#elif defined(BUG_EXTERNAL)
  u64 *table = area_table();
  table[0] = 0x7f00000000UL | NORMAL | 3;
  touch(0x40e00000UL);
#elif defined(BUG_DEVICE_ALIGNMENT)
  touch(0x09000101UL);
#elif defined(BUG_SP_ALIGNMENT)
  __asm__ volatile("sub sp, sp, #8\n ldr x9, [sp]" ::: "x9");
#elif defined(BUG_STALE_PERMISSION)
  u64 *table = area_table();
  table[0] = 0x40c00000UL | NORMAL | RO | 3;
  sink = fetch(0x40e00000UL);
  table[0] = 0x40c00000UL | NORMAL | 3;
  __asm__ volatile("dsb sy\n isb");
  touch(0x40e00000UL);
#elif defined(BUG_STORM)
  *find_entry(root, 0x40e00000UL, 2) = 0;
  touch(0x40e01000UL);
#elif defined(BUG_ONLY_HANDLED)
  touch(0x5000000000UL);
#elif defined(BUG_AFTER_HANDLED)
  u64 *table = area_table();
  touch(0x5000000000UL);
  table[1] = 0x40c01000UL | NORMAL | RO | 3;
  touch(0x40e01010UL);
#elif defined(BUG_UNPRIVILEGED)
  __asm__ volatile("ldtr x9, [%0]" ::"r"(0x40600000UL) : "x9");
#elif defined(BUG_FP)
  __asm__ volatile(".arch armv8-a+fp\n fmov d0, x0");
#elif defined(BUG_UNDEFINED)
  __asm__ volatile("udf #0");
#elif defined(BUG_PC_ALIGNMENT)
  ((void (*)(void))((u64)touch + 2))();
#elif defined(BUG_ALIGNMENT)
  touch(0x40600001UL);
#elif defined(BUG_EL0_EXECUTE)
  u64 *table = area_table();
  table[0] = 0x40c00000UL | NORMAL | UXN | PXN | USER | RO | 3;
  *(volatile u64 *)0x40c00000UL = 0xd503201fd503201fUL;
  WRITE(elr_el1, 0x40e00000UL);
  WRITE(spsr_el1, 0);
  __asm__ volatile("eret");
#elif defined(BUG_EL0_READ)
  u64 *table = area_table();
  table[0] = 0x40c00000UL | NORMAL | USER | RO | 3;
  *(volatile u64 *)0x40c00000UL = 0xf9400000f9400000UL; /* ldr x0, [x0] */
  WRITE(elr_el1, 0x40e00000UL);
  WRITE(spsr_el1, 0);
  __asm__ volatile("mov x0, %0\n eret" ::"r"(0x40600000UL));
#endif
  return sink;
}

int main(void) {
#ifndef BUG_LATE_VECTORS
  WRITE(vbar_el1, vectors);
#endif
  root = new_table();
  map_kernel();
#ifdef BUG_TABLE_WIPED
  wipe((volatile u8 *)root, PAGE);
#endif
#if defined(BUG_TTBR_LOWER)
  enable_mmu(root[0] & ADDRESS);
#elif defined(BUG_TTBR_UNALIGNED)
  u64 *odd = new_table() + 256;
  copy_bytes((u8 *)odd, (const u8 *)root, PAGE / 2);
  enable_mmu((u64)odd);
#elif defined(BUG_TTBR_EMPTY)
  enable_mmu((u64)new_table());
#elif defined(BUG_TTBR_VARIABLE)
  enable_mmu((u64)&root);
#elif defined(BUG_TTBR_HIGH)
  enable_mmu((u64)root | HIGH >> 4);
#else
  enable_mmu((u64)root);
#endif
  WRITE(vbar_el1, vectors);
  if (misuse() == 99) sink = 1;
#ifdef BUG_BLOCK_ENCODING
  touch(RAM + 3 * MEGABYTES_2 + 0x5000);
#endif
  power_off();
  return 0;
}
