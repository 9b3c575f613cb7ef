/* Kernel threads with their own stacks on SP_EL0, preempted by the timer; spin locks, semaphores, producers and consumers. */
#include "guest.h"

#define GICD(o) (*(volatile u32 *)(0x08000000UL + (o)))
#define GICC(o) (*(volatile u32 *)(0x08010000UL + (o)))

struct thread { struct frame frame; int done; u64 runs; u8 stack[4096] __attribute__((aligned(16))); };
static struct thread threads[6];
static u32 current, finished;
static u64 ticks;
static u32 lock;
static u64 shared, queue[8], put, got, total;

static void acquire(u32 *l) {
  u32 t;
  __asm__ volatile("sevl\n1: wfe\n2: ldaxr %w0, [%1]\n cbnz %w0, 1b\n stxr %w0, %w2, [%1]\n cbnz %w0, 2b" : "=&r"(t) : "r"(l), "r"(1) : "memory");
}
static void release(u32 *l) { __asm__ volatile("stlr wzr, [%0]\n sev" ::"r"(l) : "memory"); }

static void next(struct frame *f) {
  threads[current].frame = *f;
  do current = (current + 1) % COUNT(threads); while (threads[current].done);
  threads[current].runs++;
  *f = threads[current].frame;
}

void on_exception(struct frame *f, u32 kind) {
  if (kind == 1) {
    u32 irq = GICC(0xc);
    if (irq == TIMER_IRQ) {
      ticks++;
#if TIMER_IRQ == 30
      WRITE(cntp_tval_el0, QUANTUM);
#else
      WRITE(cntv_cval_el0, READ(cntvct_el0) + QUANTUM);
#endif
    } else print("unexpected interrupt %u\n", irq);
    GICC(0x10) = irq;
    next(f);
    return;
  }
  if (kind == 0 && f->esr >> 26 == 0x15) {
    if ((f->esr & 0xffff) == 1) {
      threads[current].done = 1;
      if (++finished == COUNT(threads)) {
        WRITE(cntv_ctl_el0, 0);
        print("shared %lu total %lu ticks %s\n", shared, total, ticks > 20 ? "many" : "few");
        for (u32 i = 0; i < COUNT(threads); i++) if (threads[i].runs < 2) print("thread %u was starved\n", i);
        power_off();
      }
    }
    next(f);
    return;
  }
  describe(f, kind);
  power_off();
}

static void counter(u64 n) {
  for (u64 i = 0; i < n; i++) { acquire(&lock); u64 t = shared; for (volatile int k = 0; k < 5; k++) {} shared = t + 1; release(&lock); }
  __asm__ volatile("svc #1");
}
static void producer(u64 n) {
  for (u64 i = 1; i <= n;) {
    acquire(&lock);
    if (put - got < COUNT(queue)) { queue[put++ % COUNT(queue)] = i * i; i++; release(&lock); } else { release(&lock); __asm__ volatile("svc #0" ::: "memory"); }
  }
  __asm__ volatile("svc #1");
}
static void consumer(u64 n) {
  for (u64 i = 0; i < n;) {
    acquire(&lock);
    if (got < put) { total += queue[got++ % COUNT(queue)]; i++; release(&lock); } else { release(&lock); __asm__ volatile("svc #0" ::: "memory"); }
  }
  __asm__ volatile("svc #1");
}
static void atomic_counter(u64 n) {
  for (u64 i = 0; i < n; i++) __atomic_fetch_add(&total, 3, __ATOMIC_RELAXED);
  __asm__ volatile("svc #1");
}

static void start(u32 i, void (*f)(u64), u64 argument) {
  threads[i].frame.elr = (u64)f;
  threads[i].frame.x[0] = argument;
  threads[i].frame.sp_el0 = (u64)threads[i].stack + sizeof threads[i].stack;
  threads[i].frame.spsr = 4; /* EL1t, interrupts enabled */
}

int main(u64 device_tree) {
  start(0, counter, 2000);
  start(1, counter, 3000);
  start(2, producer, 1000);
  start(3, consumer, 1000);
  start(4, atomic_counter, 5000);
  start(5, counter, 1);
  GICD(0) = 1;
  GICD(0x100) = 1 << TIMER_IRQ;
  GICC(4) = 0xf0;
  GICC(0) = 1;
#if TIMER_IRQ == 30
  WRITE(cntp_tval_el0, QUANTUM);
  WRITE(cntp_ctl_el0, 1);
#else
  WRITE(cntv_cval_el0, READ(cntvct_el0) + QUANTUM);
  WRITE(cntv_ctl_el0, 1);
#endif
  static struct frame first;
  first = threads[0].frame;
  memcpy((void *)((u64)stack_top - sizeof first - 8192), &first, sizeof first);
  __asm__ volatile("mov sp, %0\n b frame_return" ::"r"((u64)stack_top - sizeof first - 8192));
  __builtin_unreachable();
}
