/* Exclusives, acquire and release, spin locks, pairs, status results, monitors cleared by CLREX, ERET and faults. */
#include "guest.h"

static u64 word __attribute__((aligned(16))), pair[2] __attribute__((aligned(16)));
static u32 small;
static u8 tiny;
static u16 half;

void on_exception(struct frame *f, u32 kind) {
  if (f->esr >> 26 == 0x15) return;
  describe(f, kind);
  power_off();
}

#define STATUS(text, code, in) ({ u32 s_ = 9; u64 t_ = 0; \
    __asm__ volatile(code : "+&r"(s_), "+&r"(t_) : "r"(in), "r"(0x1122334455667788UL), "r"(&pair) : "x9", "memory"); \
    print("%-40s %u (%lx)\n", text, s_, t_); s_; })

static void lock(u32 *l) {
  u32 t;
  __asm__ volatile("1: ldaxr %w0, [%1]\n cbnz %w0, 1b\n stxr %w0, %w2, [%1]\n cbnz %w0, 1b" : "=&r"(t) : "r"(l), "r"(1) : "memory");
}
static void unlock(u32 *l) { __asm__ volatile("stlr wzr, [%0]" ::"r"(l) : "memory"); }

int main(u64 device_tree) {
  STATUS("store without load", "stxr %w0, %3, [%2]", &word);
  STATUS("load and store", "ldxr %1, [%2]\n stxr %w0, %3, [%2]", &word);
  STATUS("store twice", "ldxr %1, [%2]\n stxr %w0, %3, [%2]\n stxr %w0, xzr, [%2]", &word);
  STATUS("clrex", "ldxr %1, [%2]\n clrex\n stxr %w0, xzr, [%2]", &word);
  STATUS("svc between", "ldxr %1, [%2]\n svc #1\n stxr %w0, xzr, [%2]", &word);
  STATUS("plain store of same value between", "ldxr %1, [%2]\n str %1, [%2]\n stxr %w0, %3, [%2]", &word);
  STATUS("plain store of other value between", "ldxr %1, [%2]\n str xzr, [%2]\n stxr %w0, %3, [%2]", &word);
  STATUS("other address", "ldxr %1, [%2]\n stxr %w0, %3, [%4]", &word);
  STATUS("narrower store", "ldxr %1, [%2]\n stxr %w0, %w3, [%2]", &word);
  STATUS("wider store", "ldxr %w1, [%2]\n stxr %w0, %3, [%2]", &word);
  STATUS("byte", "ldxrb %w1, [%2]\n stxrb %w0, %w3, [%2]", &tiny);
  STATUS("half", "ldaxrh %w1, [%2]\n stlxrh %w0, %w3, [%2]", &half);
  STATUS("word", "ldaxr %w1, [%2]\n stlxr %w0, %w3, [%2]", &small);
  STATUS("second load wins", "ldxr %1, [%2]\n ldxr %1, [%4]\n stxr %w0, %3, [%2]", &word);
  STATUS("pair", "ldxp %1, xzr, [%2]\n stxp %w0, %3, %1, [%2]", &pair);
  STATUS("pair of words", "ldaxp w9, %w1, [%2]\n stlxp %w0, %w3, %w1, [%2]", &pair);
  STATUS("pair then single", "ldxp %1, xzr, [%2]\n stxr %w0, %3, [%2]", &pair);
  STATUS("pair changed high", "ldxp %1, xzr, [%2]\n str xzr, [%2, #8]\n stxp %w0, %3, %1, [%2]", &pair);
  STATUS("status register as base", "ldxr %1, [%2]\n mov x9, %2\n .inst 0xc8097d29 // stxr w9, x9, [x9]", &word);
  print("memory %lx %lx %lx %x %x %x\n", word, pair[0], pair[1], small, tiny, half);
  u64 counter = 0;
  u32 flag = 0, old32;
  for (int i = 0; i < 500; i++) {
    __atomic_fetch_add(&counter, 3, __ATOMIC_SEQ_CST);
    __atomic_fetch_xor(&flag, (u32)i, __ATOMIC_RELAXED);
    u64 expected = counter;
    if (!__atomic_compare_exchange_n(&counter, &expected, expected * 3 + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) print("lost\n");
    expected ^= 1;
    if (__atomic_compare_exchange_n(&counter, &expected, 0, 1, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) print("won\n");
    old32 = __atomic_exchange_n(&flag, flag + 1, __ATOMIC_ACQUIRE);
    __atomic_store_n(&small, old32, __ATOMIC_RELEASE);
    __atomic_and_fetch(&half, (u16)~i, __ATOMIC_SEQ_CST);
    __atomic_or_fetch(&tiny, (u8)i, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&half, 7, __ATOMIC_SEQ_CST);
  }
  print("counter %lx flag %x small %x half %x tiny %x\n", counter, flag, __atomic_load_n(&small, __ATOMIC_ACQUIRE), half, tiny);
  u32 spin = 0, total = 0;
  for (int i = 0; i < 100; i++) { lock(&spin); total += spin; unlock(&spin); }
  print("spin %u %u\n", spin, total);
  return 0;
}
