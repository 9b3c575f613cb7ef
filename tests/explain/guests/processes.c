/*
 * A kernel in the upper half of 39 bits with processes at EL0 that have ASIDs. BUG_… chooses a
 * mistake.
 */
typedef unsigned long u64; typedef unsigned int u32;
#define KOFF 0xffffff8000000000UL
#define V(p) ((u64 *)((u64)(p) + KOFF))
#define MSR(r, v) __asm__ volatile("msr " #r ", %0; isb" :: "r"((u64)(v)))
#define MRS(r) ({ u64 v_; __asm__ volatile("mrs %0, " #r : "=r"(v_)); v_; })
__asm__(".section .start,\"ax\"\n.global _start\n_start: adr x20, boot_tables\n"
" adr x1, .\n and x1, x1, #0xffffffffc0000000\n mov x2, #0x701\n orr x1, x1, x2\n str x1, [x20, #8]\n"
" add x21, x20, #4096\n mov x3, #0x605\n movk x3, #0x0060, lsl #48\n str x3, [x21]\n str x1, [x21, #8]\n"
" msr ttbr0_el1, x20\n msr ttbr1_el1, x21\n ldr x4, =0x2b5193519\n"
#ifdef BUG_T1SZ
" ldr x4, =0x2b5103519\n"
#endif
" msr tcr_el1, x4\n mov x4, #0x00ff\n msr mair_el1, x4\n isb\n tlbi vmalle1\n dsb sy\n isb\n mrs x5, sctlr_el1\n orr x5, x5, #1\n msr sctlr_el1, x5\n isb\n"
" ldr x6, =high\n br x6\n.ltorg\n.balign 4096\nboot_tables: .space 8192\n.text\nhigh: ldr x1, =kstack_top\n mov sp, x1\n ldr x1, =kvecs\n msr vbar_el1, x1\n bl kmain\n1: b 1b\n.ltorg\n"
".balign 2048\nkvecs: .space 0x200\n b entry\n .balign 128\n .space 0x180\n b entry\n .space 0x1fc\n"
"entry: sub sp, sp, #272\n stp x0,x1,[sp]\n stp x2,x3,[sp,#16]\n stp x4,x5,[sp,#32]\n stp x6,x7,[sp,#48]\n stp x8,x9,[sp,#64]\n stp x10,x11,[sp,#80]\n stp x12,x13,[sp,#96]\n stp x14,x15,[sp,#112]\n stp x16,x17,[sp,#128]\n stp x18,x19,[sp,#144]\n stp x29,x30,[sp,#160]\n mov x0, sp\n bl trap\n ldp x29,x30,[sp,#160]\n ldp x18,x19,[sp,#144]\n ldp x16,x17,[sp,#128]\n ldp x14,x15,[sp,#112]\n ldp x12,x13,[sp,#96]\n ldp x10,x11,[sp,#80]\n ldp x8,x9,[sp,#64]\n ldp x6,x7,[sp,#48]\n ldp x4,x5,[sp,#32]\n ldp x2,x3,[sp,#16]\n ldp x0,x1,[sp]\n add sp,sp,#272\n eret\n"
/* The process, at 0x10000: x0 is 0 for the second one, which calls what the data page says. */
".balign 4096\nuser_begin: cbz x0, 1f\n"
" mov x5, #0x20000\n ldr x6, [x5]\n"
#ifdef BUG_USER_KERNEL_READ
" movz x7, #0xffff, lsl #48\n movk x7, #0xff80, lsl #32\n movk x7, #0x4008, lsl #16\n ldr x8, [x7]\n"
#endif
#ifdef BUG_USER_WRITE_RO
" adr x7, user_begin\n str x6, [x7]\n"
#endif
#ifdef BUG_USER_EXEC_DATA
" br x5\n"
#endif
" mov x0, x6\n svc #1\n1: mov x5, #0x20000\n ldr x6, [x5]\n br x6\n"
"user_back: mov x0, #7\n svc #2\n b .\nuser_end:\n.text\n");
extern char user_begin[], user_end[], user_back[];
static void puts_(const char *s) { while (*s) *(volatile u32 *)(KOFF + 0x09000000) = *s++; }
static void hex(u64 v) { for (int i = 60; i >= 0; i -= 4) *(volatile u32 *)(KOFF + 0x09000000) = "0123456789abcdef"[v >> i & 15]; puts_("\n"); }
static u64 next = 0x42000000;
static u64 page(void) { u64 p = next; next += 4096; for (int i = 0; i < 512; i++) V(p)[i] = 0; return p; }
struct proc { u64 root; u64 asid; u64 data; };
static struct proc procs[3];
__attribute__((noinline)) static void set_entry(u64 *e, u64 v) { *(volatile u64 *)e = v; }
__attribute__((noinline)) static u64 *lookup(struct proc *p, u64 va) {
  u64 t = p->root;
  for (int sh = 30; sh > 12; sh -= 9) { u64 *e = &V(t)[va >> sh & 511]; if (!(*e & 1)) set_entry(e, page() | 3); t = *e & 0xfffffffff000UL; }
  return &V(t)[va >> 12 & 511]; }
__attribute__((noinline)) static void umap(struct proc *p, u64 va, u64 pa, u64 attrs) { set_entry(lookup(p, va), pa | attrs | 0xf03); }
#define U_RX (3UL << 6 | 1UL << 53)
#define U_RW (1UL << 6 | 1UL << 53 | 1UL << 54)
static int phase; static u64 ctx_sp;
__attribute__((noinline)) static void switch_to(struct proc *p) { MSR(ttbr0_el1, p->root | p->asid << 48); }
__attribute__((noinline)) static void spawn(struct proc *p, u64 asid) {
  p->asid = asid; p->root = page(); p->data = page();
  u64 code = page(); for (u64 *s = (u64 *)user_begin, *d = V(code); s < (u64 *)user_end; ) *d++ = *s++;
  umap(p, 0x10000, code, U_RX); umap(p, 0x20000, p->data, U_RW);
  V(p->data)[0] = 0x10000 + (user_back - user_begin); }
__attribute__((noinline)) static void enter_user(u64 pc, u64 mode) {
   MSR(elr_el1, pc); MSR(spsr_el1, 0);
  register u64 x0 __asm__("x0") = mode; __asm__ volatile("eret" :: "r"(x0) : "memory"); }
u64 count;
void trap(u64 *f) {
  u64 esr = MRS(esr_el1); u32 ec = esr >> 26;
  if (ec == 0x15) {
    puts_("svc "); hex(f[0]); count++; phase++;
    if (phase == 1) { /* the first process is done */
#ifdef BUG_ASID_REUSE
      spawn(&procs[1], 5); V(procs[1].data)[0] = 0x10000 + (user_back - user_begin);
      V(procs[0].data)[0] = 0xdead0000; /* its memory is used again */
#elif defined(BUG_UNMAP_NO_TLBI)
      set_entry(lookup(&procs[0], 0x20000), 0); V(procs[0].data)[0] = 0x30303030; procs[1] = procs[0];
#elif defined(BUG_REMAP_NO_TLBI)
      procs[1] = procs[0]; { u64 np = page(); V(np)[0] = 0x10000 + (user_back - user_begin); set_entry(lookup(&procs[1], 0x20000), np | U_RW | 0xf03); V(procs[0].data)[0] = 0xbad0; }
#else
      spawn(&procs[1], 6);
#endif
      switch_to(&procs[1]); MSR(elr_el1, 0x10000); f[0] = 0; return; }
    puts_("done\n"); __asm__ volatile("ldr x0, =0x84000008\n hvc #0"); }
  puts_("TRAP "); hex(esr); hex(MRS(far_el1)); hex(MRS(elr_el1));
  for (;;) __asm__ volatile("wfi"); }
void kmain(void) {
  puts_("high\n");
  spawn(&procs[0], 5); switch_to(&procs[0]);
#ifdef BUG_UXN
  set_entry(lookup(&procs[0], 0x10000), *lookup(&procs[0], 0x10000) | 1UL << 54);
#endif
#ifdef BUG_KERNEL_RUNS_USER
  ((void (*)(int))0x10000)(1);
#endif
#ifdef BUG_KERNEL_USER_WRITABLE
  umap(&procs[0], 0x50000, page(), 1UL << 6); ((void (*)(void))0x50000)();
#endif
#ifdef BUG_FREED_TABLE
  { u64 *e = lookup(&procs[0], 0x20000); u64 t = (u64)e & 0xfffff000UL; for (int i = 0; i < 512; i++) V(t)[i] = 0x5555555555555554UL; }
#endif
  enter_user(0x10000, 1); }
