/* panic() asserts, the assertion panics. */
#include "guest.h"
static u32 depth;
static NOINLINE void panic(const char *why);
static NOINLINE void check(int ok, const char *what) { if (!ok) panic(what); __asm__ volatile(""); }
static NOINLINE void panic(const char *why) { volatile char line[64]; line[0] = *why; if (depth % 100 == 0) print("PANIC %u: %s\n", depth, why); depth++; check(line[0] == 0, "the panic lock is free"); __asm__ volatile("" ::"r"(line)); }
int main(u64 device_tree) { panic("cannot mount root"); return 0; }
