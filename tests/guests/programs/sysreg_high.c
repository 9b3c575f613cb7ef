/*
 * Reads every MRS encoding at EL2, or at EL3 with EL3 defined, writes ones and zeros where that
 * cannot stop the program, and prints what is there and what sticks. The MMU stays off.
 */
#include "levels.h"

static u32 code[2] __attribute__((aligned(64)));

__asm__(
  "  .text\n  .balign 2048\nscan_vectors:\n  .rept 16\n"
  "  mrs x17, esr_" HIGH_LEVEL "\n  mrs x16, elr_" HIGH_LEVEL "\n  add x16, x16, #4\n  msr elr_" HIGH_LEVEL ", x16\n"
  "  eret\n  .balign 128\n  .endr\n");
extern char scan_vectors[];

/* Executes MRS (read) or MSR of an encoding; gives the syndrome of what it raised, or 0. */
static u64 access(u32 e, int read, u64 *value) {
  code[0] = (read ? 0xd5300000 : 0xd5100000) | (e & 0x7fff) << 5;
  code[1] = 0xd65f03c0;
  __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(code) : "memory");
  register u64 x0 __asm__("x0") = *value;
  register u64 x17 __asm__("x17") = 0;
  __asm__ volatile("blr %2\n isb" : "+r"(x0), "+r"(x17) : "r"(code) : "x16", "x30", "memory");
  *value = x0;
  return x17;
}

#define REG(op0, op1, crn, crm, op2) (op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)

/* Time, counters, and what the program itself changes. */
static int is_volatile(u32 e) {
  if ((e & 0xffe0) == REG(3, 3, 14, 8, 0)) return 1; /* PMEVCNTRn */
  switch (e) {
    case REG(3, 3, 14, 0, 1): case REG(3, 3, 14, 0, 2): case REG(3, 3, 14, 0, 5): case REG(3, 3, 14, 0, 6):
    case REG(3, 3, 14, 2, 0): case REG(3, 3, 14, 2, 2): case REG(3, 3, 14, 3, 0): case REG(3, 3, 14, 3, 2):
    case REG(3, 4, 14, 2, 0): case REG(3, 4, 14, 2, 2): case REG(3, 4, 14, 3, 0): case REG(3, 4, 14, 3, 2):
    case REG(3, 7, 14, 2, 0): case REG(3, 7, 14, 2, 2):
    case REG(3, 3, 9, 13, 0): case REG(3, 3, 9, 13, 2): case REG(3, 3, 9, 12, 3): case REG(3, 3, 9, 14, 3): case REG(3, 3, 2, 4, 0): case REG(3, 3, 2, 4, 1):
    case REG(3, 6, 4, 0, 0): case REG(3, 6, 4, 0, 1): case REG(3, 6, 5, 2, 0): case REG(3, 6, 6, 0, 0):
    case REG(3, 4, 4, 0, 0): case REG(3, 4, 4, 0, 1): case REG(3, 4, 5, 2, 0): case REG(3, 4, 6, 0, 0):
      return 1;
  }
  return 0;
}

/* The level's own controls, its stack, and what would be taken at once. */
static int is_writable(u32 e) {
  switch (e) {
    case REG(3, 6, 1, 0, 0): case REG(3, 4, 1, 0, 0): case REG(3, 6, 12, 0, 0): case REG(3, 4, 12, 0, 0):
    case REG(3, 0, 1, 0, 0): case REG(3, 0, 4, 2, 0): case REG(3, 3, 4, 2, 1): case REG(3, 6, 12, 0, 2): case REG(3, 4, 12, 0, 2):
      return 0;
    case REG(3, 4, 1, 1, 0): case REG(3, 4, 1, 1, 1): /* HCR_EL2, MDCR_EL2 */
#ifndef EL3
      return 0;
#endif
      return 1;
  }
  return 1;
}

int main(u64 device_tree) {
  __asm__ volatile("msr vbar_" HIGH_LEVEL ", %0\n isb" ::"r"(scan_vectors));
  u32 there = 0;
  for (u32 e = 0x8000; e < 0x10000; e++) {
    u64 value = 0, ones = ~0UL, zero = 0, again = 0;
    u64 syndrome = access(e, 1, &value);
    if (syndrome == 0x02000000) continue;
    print("S%u_%u_C%u_C%u_%u", e >> 14, e >> 11 & 7, e >> 7 & 15, e >> 3 & 15, e & 7);
    if (syndrome) { print(": %lx\n", syndrome); continue; }
    there++;
    if (!is_volatile(e)) print(" %lx", value);
    if (is_writable(e)) {
      syndrome = access(e, 0, &ones);
      if (syndrome) print(syndrome == 0x02000000 ? " read-only" : " %lx", syndrome);
      else {
        access(e, 1, &again);
        if (!is_volatile(e)) print(" %lx", again);
        access(e, 0, &zero);
        access(e, 1, &again);
        if (!is_volatile(e)) print(" %lx", again);
        access(e, 0, &value);
      }
    }
    print("\n");
  }
  print("%u registers\n", there);
#ifdef EL3
  /* Output 0 of the Secure GPIO. */
  *(volatile u32 *)0x090b0400 = 1;
  *(volatile u32 *)0x090b0004 = 1;
#endif
  end_high();
  return 0;
}
