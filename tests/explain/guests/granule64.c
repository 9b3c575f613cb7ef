/*
 * A kernel with 64 KB granules and 42 bits, whose mapper recurses over descriptors that are bit
 * fields. BUG_… chooses a mistake. Its handler prints what it was entered for last.
 */
typedef unsigned long u64; typedef unsigned int u32;
typedef union { u64 raw; struct { u64 valid:1, type:1, attr:3, ns:1, ap:2, sh:2, af:1, ng:1, r0:4, pfn:32, r1:4, cont:1, pxn:1, uxn:1, sw:4, pxnt:1, uxnt:1, apt:2, nst:1; } f; } pte;
extern char vecs[], stack_top[];
static u64 pool = 0x41000000;
static void putc_(int c) { *(volatile u32 *)0x09000000 = c; }
static void puts_(const char *s) { while (*s) putc_(*s++); }
static void hex(u64 v) { for (int i = 60; i >= 0; i -= 4) putc_("0123456789abcdef"[v >> i & 15]); putc_('\n'); }
static void *alloc_table(void) { u64 *t = (u64 *)pool; pool += 65536;
  for (int i = 0; i < 8192; i++) t[i] = 0;
  return t; }
enum { RO = 1, NX = 2, USER = 4, DEV = 8 };
__attribute__((noinline)) static pte make_leaf(u64 pa, int flags, int level) {
  pte e = { 0 };
  e.f.valid = 1; e.f.type = level == 3; e.f.pfn = pa >> 16; e.f.af = 1; e.f.sh = flags & DEV ? 0 : 3; e.f.attr = flags & DEV ? 1 : 0;
  e.f.ap = (flags & RO ? 2 : 0) | (flags & USER ? 1 : 0); e.f.uxn = !(flags & USER) || (flags & NX); e.f.pxn = !!(flags & NX) || (flags & USER);
  return e; }
__attribute__((noinline)) static void map_rec(pte *table, int level, u64 va, u64 pa, int flags, int leaf) {
  pte *e = &table[va >> (level == 2 ? 29 : 16) & 8191];
  if (level == leaf) { *e = make_leaf(pa, flags, level); return; }
  if (!e->f.valid) { pte *t = alloc_table(); e->raw = (u64)t | 3; }
  map_rec((pte *)(e->raw & 0xffffffff0000UL), level + 1, va, pa, flags, leaf); }
static pte *root;
#define MSR(r, v) __asm__ volatile("msr " #r ", %0; isb" :: "r"((u64)(v)))
#define MRS(r) ({ u64 v_; __asm__ volatile("mrs %0, " #r : "=r"(v_)); v_; })
#define IPS 2UL
__attribute__((noinline)) static void mmu_on(void) {
  MSR(mair_el1, 0x00ff); MSR(tcr_el1, 22 | 1UL << 14 | 3 << 12 | 1 << 10 | 1 << 8 | 1UL << 23 | IPS << 32);
#ifdef BUG_WRONG_GRANULE
  MSR(tcr_el1, 22 | 0UL << 14 | 3 << 12 | 1 << 10 | 1 << 8 | 1UL << 23 | 2UL << 32);
#endif
  MSR(ttbr0_el1, root);
  __asm__ volatile("dsb sy; tlbi vmalle1; dsb sy; isb");
  MSR(sctlr_el1, 0x30d00801
#ifdef BUG_WXN
 | 1 << 19
#endif
  ); }
int depth;
void handler(u64 esr, u64 far, u64 elr) {
#ifdef BUG_NESTED
  /* Writes a record of each level that is not mapped: aborts within aborts. */
  depth++;
  if (depth < 4000) *(volatile u64 *)(0x50000000UL + 65536UL * depth) = esr;
#endif
#ifdef BUG_HANDLER
  *(volatile u64 *)(0x60000000UL) = esr;
#endif
  puts_("PANIC "); hex(esr); hex(far); hex(elr); for (;;) __asm__ volatile("wfi"); }
__asm__(".section .start,\"ax\"\n.global _start\n_start: ldr x1, =stack_top\n mov sp, x1\n ldr x1, =vecs\n"
" msr vbar_el1, x1\n"
" bl kmain\n 1: b 1b\n .balign 2048\nvecs: .space 0x200\n"
" sub sp, sp, #96\n stp x0, x1, [sp]\n stp x2, x3, [sp, #16]\n stp x4, x5, [sp, #32]\n stp x6,x7,[sp,#48]\n stp x8, x9,[sp,#64]\n str x30, [sp, #80]\n mrs x0, esr_el1\n mrs x1, far_el1\n mrs x2, elr_el1\n bl handler\n ldr x30, [sp, #80]\n ldp x8,x9,[sp,#64]\n ldp x6,x7,[sp,#48]\n ldp x4,x5,[sp,#32]\n ldp x2,x3,[sp,#16]\n ldp x0,x1,[sp]\n add sp, sp, #96\n eret\n .space 0x600\n.text\n");
__attribute__((noinline, aligned(65536))) int work(int a) { return a * 3 + 1; }
static char ro_data[65536] __attribute__((aligned(65536)));
static char rw_data[65536] __attribute__((aligned(65536))) = { 1 };
extern char image_end[];
void kmain(void) {
  root = alloc_table();
  for (u64 a = 0x40000000; a < 0x42000000; a += 65536) {
    int fl = 0;
    if (a == (u64)work) {
#ifdef BUG_PXN
      fl = NX;
#endif
    }
    if (a == (u64)ro_data) fl = RO;
    map_rec(root, 2, a, a, fl, 3);
#ifdef BUG_ELW
    if (a == (u64)work) { pte *t = (pte *)(root[2].raw & 0xffffffff0000UL); t[a >> 16 & 8191].f.ap = 1; t[a >> 16 & 8191].f.pxn = 0; }
#endif
  }
#ifdef BUG_APTABLE
  root[2].f.apt = 2;
#endif
#ifdef BUG_PXNTABLE
  root[2].f.pxnt = 1;
#endif
  map_rec(root, 2, 0, 0, DEV | NX, 2);
#ifdef BUG_BLOCK2
  map_rec(root, 2, 0x80000000UL, 0x40000000UL, 0, 2); root[4].f.type = 1;
#endif
  mmu_on();
  puts_("on\n");
  int r = work(3);
  ((volatile char *)rw_data)[5] = r;
#ifdef BUG_BLOCK2
  r += *(volatile int *)0x80012340UL;
#endif
#ifdef BUG_NESTED
  r += *(volatile int *)(0x48000000UL);
#endif
#ifdef BUG_HANDLER
  r += *(volatile int *)(0x48000000UL);
#endif
#ifdef BUG_STALE_UNMAP
  /* Moves the page without TLBI, and calls through a pointer in it. */
  { typedef int (*fn)(int); fn *slot = (fn *)rw_data; *(volatile fn *)slot = 0; pte *t = (pte *)(root[2].raw & 0xffffffff0000UL);
    fn *other = (fn *)0x41f00000UL; *(volatile fn *)other = work; map_rec(root, 2, (u64)rw_data, 0x41f00000UL, 0, 3); (void)t; __asm__ volatile("dsb sy; isb" ::: "memory");
    r += (*(volatile fn *)slot)(2); }
#endif
#ifdef BUG_OVERWRITE
  { static u64 code; (void)code; *(volatile u32 *)(u64)work = 0xdeadbeef; __asm__ volatile("dsb sy; ic iallu; dsb sy; isb"); r += work(4); }
#endif
  puts_("fine\n"); hex(r);
  __asm__ volatile("ldr x0, =0x84000008\n hvc #0"); }
