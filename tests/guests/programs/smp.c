/* CPUS processors: started by PSCI, locks, barriers, SGIs, broadcast TLB maintenance, timers, SPIs, CPU_SUSPEND, CPU_OFF. GIC3: with GICv3. DROP: from EL2, with EL3 from EL3, to EL1. */
#include "guest.h"
#ifdef DROP
#include "drop.h"
#endif
#ifdef GIC3
#include "gic3.h"
#else
#define GICD(o) (*(volatile u32 *)(0x08000000UL + (o)))
#define GICC(o) (*(volatile u32 *)(0x08010000UL + (o)))
#endif
#define CPU_OFF 0x84000002UL
#define CPU_SUSPEND 0xc4000001UL
#define MIGRATE_INFO_TYPE 0x84000006UL
#define CPU_ON 0xc4000003UL
#define AFFINITY_INFO 0xc4000004UL
#define TIMER 27
#define SPI 100
#define WINDOW 0x60000000UL
#define load(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

__asm__(
    ".text\n.global secondary\nsecondary:\n"
    "ldr x1, [x0]\n mov sp, x1\n"
#if defined(DROP) && !defined(EL3)
    "bl to_el1\n"
#endif
    "adrp x1, vectors\n add x1, x1, :lo12:vectors\n msr vbar_el1, x1\n isb\n"
    "mov x29, xzr\n mov x30, xzr\n b second_main\n");
extern char secondary[];

struct start { u64 sp, cpu, context; } starts[CPUS];
static char stacks[CPUS][0x4000] __attribute__((aligned(16)));
static u32 alive[CPUS], sgis[CPUS][16], ticks[CPUS], seen[CPUS][4], spis, slept[CPUS];
static u64 mpidr[CPUS], contexts[CPUS];
static volatile u64 lock, counter, ticketed, serving;
static u32 tickets, order[CPUS * 64], ordered;
static u32 arrived, sense, sums[CPUS];
static int generation;

static u32 me(void) { return READ(mpidr_el1) & 0xff; }

void on_exception(struct frame *frame, u32 kind) {
  if (kind != 5) { describe(frame, kind); power_off(); }
#ifdef GIC3
  u32 iar = (u32)ICC_READ(ICC_IAR1), id = iar;
#else
  u32 iar = GICC(0x0c), id = iar & 0x3ff;
#endif
  if (id < 16) __atomic_fetch_add(&sgis[me()][id], 1, __ATOMIC_RELAXED);
  if (id == TIMER) { WRITE(cntv_ctl_el0, 0); ticks[me()]++; }
  if (id == SPI) __atomic_fetch_add(&spis, 1, __ATOMIC_RELAXED);
#ifdef GIC3
  if (id < 1020) ICC_WRITE(ICC_EOIR1, iar);
#else
  if (id < 1020) GICC(0x10) = iar;
#endif
}

static void take_lock(void) {
  u64 value, failed;
  __asm__ volatile(
      "sevl\n1: wfe\n2: ldaxr %0, [%2]\n cbnz %0, 1b\n mov %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 2b"
      : "=&r"(value), "=&r"(failed) : "r"(&lock) : "memory");
}

static void drop_lock(void) {
  store(&lock, 0);
  __asm__ volatile("dsb ish\n sev" ::: "memory");
}

static void barrier(void) {
  u32 mine = load(&sense);
  if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == CPUS) {
    arrived = 0;
    store(&sense, mine + 1);
    __asm__ volatile("dsb ish\n sev" ::: "memory");
  } else while (load(&sense) == mine) __asm__ volatile("wfe" ::: "memory");
}

#ifdef GIC3
static void gic_on(void) {
  u64 own = me() * 0x20000;
  if (me() == 0) GICD(0) = 0x12;
  GICR(own + 0x14) = 0;
  while (GICR(own + 0x14) & 4) {}
  GICR(own + SGI_FRAME + 0x80) = ~0U;
  GICR(own + SGI_FRAME + 0x100) = 0xffff | 1 << TIMER;
  if (me() == 0) { GICD(0x80 + SPI / 32 * 4) = ~0U; GICD(0x100 + SPI / 32 * 4) = 1U << SPI % 32; }
  ICC_WRITE(ICC_SRE, 7);
  ICC_WRITE(ICC_PMR, 0xff);
  ICC_WRITE(ICC_IGRPEN1, 1);
  __asm__ volatile("msr daifclr, #2" ::: "memory");
}
static void sgi_to(u32 cpu, u64 id) { ICC_WRITE(ICC_SGI1R, id << 24 | 1UL << cpu); }
static void sgi_to_others(u64 id) { ICC_WRITE(ICC_SGI1R, 1UL << 40 | id << 24); }
/* One CPU at a time is sent it. */
static void spi_to(u32 cpu) { GICD64(0x6000 + 8 * SPI) = cpu; }
#else
static void gic_on(void) {
  if (me() == 0) {
    GICD(0) = 1;
    GICD(0x100 + SPI / 32 * 4) = 1U << SPI % 32;
  }
  GICD(0x100) = 0xffff | 1 << TIMER;
  GICC(4) = 0xff;
  GICC(0) = 1;
  __asm__ volatile("msr daifclr, #2" ::: "memory");
}
static void sgi_to(u32 cpu, u64 id) { GICD(0xf00) = 1U << (cpu + 16) | (u32)id; }
static void sgi_to_others(u64 id) { GICD(0xf00) = 1 << 24 | (u32)id; }
/* 1 of N: any of the CPUs up to this one takes it. */
static void spi_to(u32 cpu) { *(volatile u8 *)(0x08000800UL + SPI) = (u8)((2U << cpu) - 1); }
#endif
static void spi_raise(void) { GICD(0x200 + SPI / 32 * 4) = 1U << SPI % 32; }

static u64 page_a[512] __attribute__((aligned(4096))), page_b[512] __attribute__((aligned(4096)));
static u32 code[16] __attribute__((aligned(64)));

static void set_window(u64 *page) {
  u64 *entry = space_entry(&identity, WINDOW, 3, 1);
  *entry = 0;
  DSB();
  tlbi_va(WINDOW, 0);
  *entry = (u64)page | P_KERNEL_DATA | 3;
  DSB();
  ISB();
}

static void set_code(u32 value) {
  code[0] = 0x52800000 | value << 5; /* mov w0, #value */
  code[1] = 0xd65f03c0;              /* ret */
  __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(code) : "memory");
}

/* What every CPU does. */
static void work(void) {
  u32 cpu = me();
  gic_on();
  barrier();
  for (int i = 0; i < 500; i++) { take_lock(); counter = counter + 1; drop_lock(); }
  barrier();
  for (int i = 0; i < 64; i++) {
    u32 mine = __atomic_fetch_add(&tickets, 1, __ATOMIC_RELAXED);
    while (load(&serving) != mine) __asm__ volatile("yield");
    order[ordered++] = cpu;
    ticketed = ticketed + mine;
    store(&serving, mine + 1);
  }
  for (int round = 0; round < 40; round++) {
    barrier();
    sums[cpu] = sums[(cpu + 1) % CPUS] * 31 + round + cpu;
    barrier();
  }
  /* SGIs: to the next CPU, to all others. */
  sgi_to((cpu + 1) % CPUS, 3);
  sgi_to_others(5);
  while (load(&sgis[cpu][3]) < 1 || load(&sgis[cpu][5]) == 0) __asm__ volatile("wfi");
  barrier();
  /* TLBI …IS and IC IVAU reach every CPU. */
  for (int i = 0; i < 2; i++) {
    if (cpu == 0) { set_window(i ? page_b : page_a); set_code(100 + i); }
    barrier();
    ISB();
    seen[cpu][i] = *(volatile u64 *)WINDOW;
    seen[cpu][2 + i] = ((u32 (*)(void))(void *)code)();
    barrier();
  }
  /* A timer of each. */
  WRITE(cntv_tval_el0, 1000 * (CPUS - cpu));
  WRITE(cntv_ctl_el0, 1);
  while (load(&ticks[cpu]) == 0) __asm__ volatile("wfi");
  barrier();
  /* An SPI to each CPU after the other, raised by the next one; it is taken once. */
  for (u32 to = 0; to < CPUS; to++) {
    u32 before = load(&spis);
    barrier();
    if (cpu == (to + 1) % CPUS) { spi_to(to); spi_raise(); }
    while (load(&spis) == before) __asm__ volatile("yield");
    barrier();
  }
  /* CPU_SUSPEND ends with a timer; masked, so that the timer cannot come before it. */
  __asm__ volatile("msr daifset, #2" ::: "memory");
  WRITE(cntv_tval_el0, 500 * (cpu + 1));
  WRITE(cntv_ctl_el0, 1);
  slept[cpu] = psci(CPU_SUSPEND, 0, (u64)secondary, 0) == 0;
  __asm__ volatile("msr daifclr, #2\n isb" ::: "memory");
  while (load(&ticks[cpu]) == 1) __asm__ volatile("yield");
  barrier();
}

void second_main(struct start *start) {
  mmu_on((u64)identity.root, 0, tcr_of(&identity, NULL), 0x1005);
  mpidr[start->cpu] = READ(mpidr_el1);
  contexts[start->cpu] = start->context;
  store(&alive[start->cpu], 1);
  __asm__ volatile("dsb ish\n sev" ::: "memory");
  if (generation == 0) work();
  psci(CPU_OFF, 0, 0, 0);
  for (;;) {}
}

static s64 turn_on(u32 cpu, u64 context) {
  starts[cpu] = (struct start){(u64)stacks[cpu] + sizeof stacks[cpu], cpu, context};
  DSB();
  return psci(CPU_ON, cpu, (u64)secondary, (u64)&starts[cpu]);
}

static void turn_all_on(u64 context) {
  for (u32 cpu = 1; cpu < CPUS; cpu++) {
    u64 off = psci(AFFINITY_INFO, cpu, 0, 0);
    s64 answer = turn_on(cpu, context + cpu);
    while (!load(&alive[cpu])) __asm__ volatile("wfe");
    print("cpu %u was %lu, on %ld, mpidr %lx, context %lx\n", cpu, off, answer, mpidr[cpu], contexts[cpu]);
  }
}

static void wait_for_off(void) {
  for (u32 cpu = 1; cpu < CPUS; cpu++)
    while (psci(AFFINITY_INFO, cpu, 0, 0) != 1) __asm__ volatile("yield");
}

int main(u64 device_tree) {
  print("cpu 0 mpidr %lx\n", READ(mpidr_el1));
  page_a[0] = 0xa; page_b[0] = 0xb;
  identity_on();
  turn_all_on(0x1000);
  print("again %ld, none %ld, self %ld, info none %ld\n", (s64)turn_on(1, 0), (s64)psci(CPU_ON, CPUS, (u64)secondary, 0),
        (s64)psci(CPU_ON, 0, (u64)secondary, 0), (s64)psci(AFFINITY_INFO, CPUS, 0, 0));
  work();
  u32 each[CPUS] = {0}, total = 0, sum = 0;
  for (u32 i = 0; i < ordered; i++) each[order[i]]++;
  print("locked %lu, ticketed %lu of %u\n", counter, ticketed, ordered);
  for (u32 cpu = 0; cpu < CPUS; cpu++) {
    total += sgis[cpu][5];
    sum = sum * 33 + sums[cpu];
    print("cpu %u: order %u, sgi %u, pages %x %x, code %u %u, ticks %u, slept %u\n", cpu, each[cpu], sgis[cpu][3],
          seen[cpu][0], seen[cpu][1], seen[cpu][2], seen[cpu][3], ticks[cpu], slept[cpu]);
  }
  print("sgis to all %s, sums %s, spis %u, migrate %ld\n", total ? "came" : "lost", sum ? "made" : "none", spis, (s64)psci(MIGRATE_INFO_TYPE, 0, 0, 0));
  wait_for_off();
  generation = 1;
  for (u32 cpu = 1; cpu < CPUS; cpu++) alive[cpu] = 0;
  turn_all_on(0x2000);
  wait_for_off();
  print("all off\n");
  return 0;
}
