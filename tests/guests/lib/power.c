#include "guest.h"

#ifdef PSCI_SMC
#define CONDUIT "smc #0"
#else
#define CONDUIT "hvc #0"
#endif

u64 psci(u64 function, u64 a, u64 b, u64 c) {
  register u64 x0 __asm__("x0") = function;
  register u64 x1 __asm__("x1") = a;
  register u64 x2 __asm__("x2") = b;
  register u64 x3 __asm__("x3") = c;
  __asm__ volatile(CONDUIT : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}

void power_off(void) {
  psci(0x84000008, 0, 0, 0);
  for (;;) {}
}

void reset(void) {
  psci(0x84000009, 0, 0, 0);
  for (;;) {}
}
