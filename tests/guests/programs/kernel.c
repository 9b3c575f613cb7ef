/*
 * A small operating system in the upper half: frames, processes with ASIDs, fork with copy on
 * write, demand-zero heap and stack, system calls, faults that kill; PREEMPT: round robin by timer.
 */
#include "guest.h"

#define V(pa) ((void *)((u64)(pa) + HIGH))
#define P(va) ((u64)(va) - HIGH)
#define PAGE (1UL << MMU_PAGE)
#define ENTRIES (PAGE / 8)
#define CODE_VA 0x400000UL
#define HEAP_VA 0x10000000UL
#define STACK_TOP 0x7fff0000UL
#define STACK_SIZE 0x40000UL
#define COW (1UL << 55)
#define USER __attribute__((section(".user.text"), noinline, optimize("no-tree-loop-distribute-patterns")))

enum { EXIT = 1, REPORT, FORK, YIELD, WAIT, SBRK, GETPID };
enum state { UNUSED, READY, WAITING, ZOMBIE };
struct process { enum state state; u32 pid, parent, asid; u64 *root, heap_end; s64 code; struct frame frame; u32 pages, faults; };
static struct process table[16], *current;
static u8 shares[0x8000];
static u64 free_list, free_count, switches, ticks;
extern char user_start[], user_end[];
extern u64 high_root;

static u64 frame_get(void) {
  u64 pa = free_list;
  if (!pa) { print("out of memory\n"); power_off(); }
  free_list = *(u64 *)V(pa);
  free_count--;
  memset(V(pa), 0, PAGE);
  shares[(pa - 0x40000000) >> MMU_PAGE] = 1;
  return pa;
}

static void frame_put(u64 pa) {
  if (--shares[(pa - 0x40000000) >> MMU_PAGE]) return;
  *(u64 *)V(pa) = free_list;
  free_list = pa;
  free_count++;
}

static int levels(void) { struct space s = { .page = MMU_PAGE, .bits = MMU_BITS }; return first_level(&s); }
static int shift_of(int level) { return MMU_PAGE + (3 - level) * (MMU_PAGE - 3); }

static u64 *leaf_of(u64 *root, u64 va, int create) {
  for (int level = levels();; level++) {
    u64 *entry = &root[va >> shift_of(level) & (ENTRIES - 1)];
    if (level == 3) return entry;
    if (!*entry) { if (!create) return NULL; *entry = frame_get() | 3; }
    root = V(*entry & 0xfffffffff000UL & -PAGE);
  }
}

static void map_user(struct process *p, u64 va, u64 pa, u64 attributes) {
  *leaf_of(p->root, va, 1) = pa | P_NORMAL | P_SHARED | P_AF | P_NG | P_USER | P_PXN | attributes | 3;
  p->pages++;
  DSB();
}

static void each_leaf(u64 *root, int level, u64 va, void (*f)(u64 *, u64, void *), void *argument) {
  for (u64 i = 0; i < (level == levels() ? 1UL << (MMU_BITS - shift_of(level)) : ENTRIES); i++) {
    if (!root[i]) continue;
    u64 here = va | i << shift_of(level);
    if (level == 3) f(&root[i], here, argument);
    else each_leaf(V(root[i] & 0xfffffffff000UL & -PAGE), level + 1, here, f, argument);
  }
}

static void share(u64 *leaf, u64 va, void *argument) {
  struct process *child = argument;
  u64 pa = *leaf & 0xfffffffff000UL & -PAGE;
  if (!(*leaf & P_RO)) *leaf |= P_RO | COW;
  *leaf_of(child->root, va, 1) = *leaf;
  child->pages++;
  shares[(pa - 0x40000000) >> MMU_PAGE]++;
}

static void drop(u64 *leaf, u64 va, void *argument) { frame_put(*leaf & 0xfffffffff000UL & -PAGE); *leaf = 0; }
static void drop_tables(u64 *root, int level) {
  if (level < 3)
    for (u64 i = 0; i < ENTRIES; i++) if (root[i]) drop_tables(V(root[i] & 0xfffffffff000UL & -PAGE), level + 1);
  frame_put(P(root));
}

static struct process *spawn(void) {
  for (u32 i = 0; i < COUNT(table); i++) {
    struct process *p = &table[i];
    if (p->state != UNUSED) continue;
    static u32 next_pid = 1;
    memset(p, 0, sizeof *p);
    p->pid = next_pid++;
    p->asid = p->pid & 0xff;
    p->root = V(frame_get());
    p->heap_end = HEAP_VA;
    p->state = READY;
    return p;
  }
  return NULL;
}

static void install(struct process *p) { WRITE(ttbr0_el1, P(p->root) | (u64)p->asid << 48); ISB(); }

static void start(void (*program)(u64), u64 argument) {
  struct process *p = spawn();
  for (u64 at = 0; at < (u64)(user_end - user_start); at += PAGE) {
    u64 pa = frame_get();
    memcpy(V(pa), user_start + at, PAGE);
    map_user(p, CODE_VA + at, pa, P_RO);
  }
  p->frame.elr = CODE_VA + ((u64)program - (u64)user_start);
  p->frame.sp_el0 = STACK_TOP;
  p->frame.x[0] = argument;
  p->frame.spsr = 0;
}

static void destroy(struct process *p, s64 code) {
  print("[%u] %s %ld, %s\n", p->pid, code < 0 ? "killed" : "exit", code, p->pages > 2 ? "had pages" : "small");
  each_leaf(p->root, levels(), 0, drop, NULL);
  WRITE(ttbr0_el1, P(high_root + HIGH)); /* Anything with the low part empty. */
  ISB();
  __asm__ volatile("tlbi aside1is, %0\n dsb ish\n isb" ::"r"((u64)p->asid << 48) : "memory");
  drop_tables(p->root, levels());
  p->state = ZOMBIE;
  p->code = code;
  for (u32 i = 0; i < COUNT(table); i++)
    if (table[i].pid == p->parent && table[i].state == WAITING) { table[i].state = READY; table[i].frame.x[0] = p->pid; p->state = UNUSED; return; }
  if (!p->parent) p->state = UNUSED;
}

static void schedule(struct frame *f) {
  u32 from = current ? (u32)(current - table) : 0;
  if (current && current->state != UNUSED && current->state != ZOMBIE) current->frame = *f;
  for (u32 i = 1; i <= COUNT(table); i++) {
    struct process *p = &table[(from + i) % COUNT(table)];
    if (p->state != READY) continue;
    if (p != current) switches++;
    current = p;
    *f = p->frame;
    install(p);
    return;
  }
  print("all done, %s switches, %lu frames free%s\n", switches > 20 ? "many" : "few", free_count, ticks > 5 ? ", ticked" : "");
  power_off();
}

static int page_fault(u64 va, u64 esr) {
  u64 status = esr & 0x3c;
  int heap = va >= HEAP_VA && va < current->heap_end, stack = va < STACK_TOP && va >= STACK_TOP - STACK_SIZE;
  current->faults++;
  if (status == 4 && (heap || stack)) { map_user(current, va & -PAGE, frame_get(), P_UXN); return 1; }
  u64 *leaf = leaf_of(current->root, va, 0);
  if (status == 0xc && esr & 0x40 && leaf && *leaf & COW) {
    u64 pa = *leaf & 0xfffffffff000UL & -PAGE;
    if (shares[(pa - 0x40000000) >> MMU_PAGE] > 1) {
      u64 copy = frame_get();
      memcpy(V(copy), V(pa), PAGE);
      frame_put(pa);
      *leaf = (*leaf & ~(0xfffffffff000UL & -PAGE)) | copy;
    }
    *leaf &= ~(P_RO | COW);
    tlbi_va(va, (int)current->asid);
    return 1;
  }
  return 0;
}

static void system_call(struct frame *f) {
  switch (f->x[8]) {
    case EXIT: destroy(current, (s64)f->x[0]); schedule(f); return;
    case REPORT: print("[%u] %c %lx\n", current->pid, (char)f->x[0], f->x[1]); return;
    case FORK: {
      struct process *child = spawn();
      if (!child) { f->x[0] = ~0UL; return; }
      each_leaf(current->root, levels(), 0, share, child);
      __asm__ volatile("dsb ishst\n tlbi aside1, %0\n dsb ish\n isb" ::"r"((u64)current->asid << 48) : "memory");
      child->frame = *f;
      child->frame.x[0] = 0;
      child->parent = current->pid;
      child->heap_end = current->heap_end;
      f->x[0] = child->pid;
      return;
    }
    case YIELD: schedule(f); return;
    case WAIT:
      for (u32 i = 0; i < COUNT(table); i++)
        if (table[i].parent == current->pid && table[i].state == ZOMBIE) { f->x[0] = table[i].pid; table[i].state = UNUSED; return; }
      for (u32 i = 0; i < COUNT(table); i++)
        if (table[i].parent == current->pid && table[i].state != UNUSED) { current->state = WAITING; schedule(f); return; }
      f->x[0] = ~0UL;
      return;
    case SBRK: f->x[0] = current->heap_end; current->heap_end += f->x[1]; return;
    case GETPID: f->x[0] = current->pid; return;
    default: print("[%u] unknown call %lu\n", current->pid, f->x[8]); f->x[0] = ~0UL;
  }
}

#define GICD(o) (*(volatile u32 *)V(0x08000000 + (o)))
#define GICC(o) (*(volatile u32 *)V(0x08010000 + (o)))

void on_exception(struct frame *f, u32 kind) {
  if (kind == 9) {
    u32 irq = GICC(0xc);
    if ((irq & 0x3ff) == 27) { ticks++; WRITE(cntv_tval_el0, 2000); }
    GICC(0x10) = irq;
    schedule(f);
    return;
  }
  if (kind != 8) { describe(f, kind); power_off(); }
  switch (f->esr >> 26) {
    case 0x15: system_call(f); return;
    case 0x24: case 0x20:
      if (page_fault(f->far, f->esr)) return;
      print("[%u] fault esr %lx far %lx\n", current->pid, f->esr, f->far);
      destroy(current, -11);
      schedule(f);
      return;
    default:
      print("[%u] exception esr %lx\n", current->pid, f->esr);
      destroy(current, -4);
      schedule(f);
  }
}

/* ---- user programs: nothing of the kernel is reachable but system calls ---- */

static inline __attribute__((always_inline)) u64 call(u64 number, u64 a, u64 b) {
  register u64 x0 __asm__("x0") = a;
  register u64 x1 __asm__("x1") = b;
  register u64 x8 __asm__("x8") = number;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x8) : "memory");
  return x0;
}
#define report(tag, value) call(REPORT, tag, value)

USER static u64 user_fibonacci(u64 n) { return n < 2 ? n : user_fibonacci(n - 1) + user_fibonacci(n - 2); }
USER static void program_compute(u64 n) {
  for (u64 i = 0; i < 3; i++) { u64 r = user_fibonacci(n + i); report('f', r); call(YIELD, 0, 0); }
  call(EXIT, n, 0);
}
USER static void program_memory(u64 pages) {
  volatile u64 *heap = (volatile u64 *)call(SBRK, 0, 0);
  call(SBRK, 0, pages * 4096);
  u64 sum = 0;
  for (u64 i = 0; i < pages; i++) heap[i * 512 + i] = i * i;
  for (u64 i = 0; i < pages; i++) sum += heap[i * 512 + i] + heap[i * 512 + (i ^ 1)];
  report('m', sum);
  volatile u8 big[60000];
  for (u64 i = 0; i < sizeof big; i += 1000) big[i] = (u8)i;
  for (u64 i = 0; i < sizeof big; i += 1000) sum += big[i];
  report('s', sum);
  call(EXIT, 0, 0);
}
USER static void program_fork(u64 depth) {
  volatile u64 *heap = (volatile u64 *)call(SBRK, 0, 0);
  call(SBRK, 0, 8192);
  heap[0] = 100;
  heap[1000] = 5;
  for (u64 i = 0; i < depth; i++) {
    u64 child = call(FORK, 0, 0);
    if (child == 0) { heap[0] += i + 1; heap[1000] *= 2; report('c', heap[0]); } else { heap[0]--; call(YIELD, 0, 0); report('p', heap[0]); }
  }
  while (call(WAIT, 0, 0) != ~0UL) report('w', heap[1000]);
  call(EXIT, heap[0], 0);
}
USER static void program_bad(u64 what) {
  switch (what) {
    case 0: *(volatile u64 *)0x30 = 1; break;
    case 1: *(volatile u64 *)0xffff000040000000UL = 1; break;
    case 2: *(volatile u64 *)CODE_VA = 1; break;
    case 3: ((void (*)(void))0x50000000)(); break;
    case 4: __asm__ volatile("msr ttbr0_el1, xzr"); break;
    case 5: __asm__ volatile("udf #1"); break;
    case 6: ((void (*)(void))(STACK_TOP - 0x100))(); break;
    case 7: program_bad(8); break;
    case 8: { volatile u64 hole[256]; hole[0] = what; if (hole[0] == 8) program_bad(hole[0]); hole[1] = 1; break; }
    case 9: ((void (*)(void))(CODE_VA + 2))(); break;
  }
  call(99, 0, 0);
  call(EXIT, 1, 0);
}
USER static void program_spin(u64 n) {
  volatile u64 sum = 0;
  for (u64 i = 0; i < n; i++) sum += i * 3;
  report('x', sum);
  call(EXIT, 0, 0);
}

int main(u64 device_tree) {
  print("kernel at %s, EL%lu\n", (u64)main >> 63 ? "the upper half" : "the lower half", READ(currentel) >> 2);
  u64 end = P(image_end) + 0x100000;
  for (u64 pa = 0x46000000; pa > ((end + PAGE - 1) & -PAGE); pa -= PAGE) { *(u64 *)V(pa) = free_list; free_list = pa; free_count++; }
  print("%lu frames\n", free_count);
  start(program_compute, 8);
  start(program_memory, 20);
  start(program_fork, 3);
#ifdef PREEMPT
  /* An instruction that is UNDEFINED takes time on the reference, none on a machine that counts what retires. */
  const u64 left_out = 1 << 4 | 1 << 5 | 1 << 9;
#else
  const u64 left_out = 0;
#endif
  for (u64 i = 0; i < 10; i++) if (i != 7 && !(left_out >> i & 1)) start(program_bad, i);
  start(program_spin, 3000);
  start(program_spin, 5000);
#ifdef PREEMPT
  GICD(0) = 1;
  GICD(0x100) = 1 << 27;
  GICC(4) = 0xff;
  GICC(0) = 1;
  WRITE(cntv_tval_el0, 2000);
  WRITE(cntv_ctl_el0, 1);
#endif
  static struct frame first;
  schedule(&first);
  memcpy((void *)((u64)stack_top - sizeof first - 4096), &first, sizeof first);
  __asm__ volatile("mov sp, %0\n b frame_return" ::"r"((u64)stack_top - sizeof first - 4096));
  __builtin_unreachable();
}
