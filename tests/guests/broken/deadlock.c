/* Takes a spin lock twice, waiting by WFE. */
#include "guest.h"
static u32 lock;
static NOINLINE void take(u32 *l) {
  u32 t;
  __asm__ volatile("sevl\n1: wfe\n ldaxr %w0, [%1]\n cbnz %w0, 1b\n stxr %w0, %w2, [%1]\n cbnz %w0, 1b" : "=&r"(t) : "r"(l), "r"(1) : "memory");
}
int main(u64 device_tree) { take(&lock); print("once\n"); take(&lock); print("twice\n"); return 0; }
