/* What the firmware answers. */
#include "guest.h"

int main(u64 device_tree) {
  static const u64 FUNCTIONS[] = { 0x84000000, 0x84000001, 0x84000002, 0x84000003, 0x84000004, 0x84000005, 0x84000006, 0x84000007, 0x84000008, 0x84000009, 0x8400000a, 0x8400000b, 0x8400000c, 0x84000012, 0xc4000001, 0xc4000003, 0xc4000004, 0xc4000005, 0xc400000e, 0x95c1ba5e, 0x95c1ba60, 0x80000000, 0x80000001, 0x84000050, 0xbf00ff01, 0, ~0UL, 0x84000000UL | 1UL << 32 };
  print("version %lx\n", psci(0x84000000, 0, 0, 0));
  for (u32 i = 0; i < COUNT(FUNCTIONS); i++) print("features %lx: %lx\n", FUNCTIONS[i], psci(0x8400000a, FUNCTIONS[i], 0, 0));
  print("migrate info %lx\n", psci(0x84000006, 0, 0, 0));
  static const u64 CPUS[] = { 0, 1, 2, 0x100, 0x80000000, ~0UL };
  for (u32 i = 0; i < COUNT(CPUS); i++) {
    print("cpu %lx: info %lx %lx %lx", CPUS[i], psci(0x84000004, CPUS[i], 0, 0), psci(0xc4000004, CPUS[i], 0, 0), psci(0xc4000004, CPUS[i], 1, 0));
    print(" on %lx %lx %lx\n", psci(0x84000003, CPUS[i], 0x40200000, 7), psci(0xc4000003, CPUS[i], 0x40200000, 7), psci(0xc4000003, CPUS[i], 0x40200002, 7));
  }
  print("unknown %lx %lx %lx %lx\n", psci(0x84000099, 1, 2, 3), psci(0xc4000099, 1, 2, 3), psci(0, 0, 0, 0), psci(0x12345678, 1, 2, 3));
  print("set suspend mode %lx, mem protect %lx, stat %lx, system suspend %lx\n", psci(0x8400000f, 0, 0, 0), psci(0x84000013, 0, 0, 0), psci(0x84000010, 0, 0, 0), psci(0xc400000e, 0x40200000, 0, 0));
  print("suspend with a bad state %lx\n", psci(0x84000001, 0x1000000, 0, 0));
  u64 registers[8];
  __asm__ volatile("mov x0, #0x84000000\n mov x1, #1\n mov x2, #2\n mov x3, #3\n mov x4, #4\n mov x17, #17\n hvc #0x1234\n stp x0, x1, [%0]\n stp x2, x3, [%0, #16]\n stp x4, x17, [%0, #32]" ::"r"(registers) : "x0", "x1", "x2", "x3", "x4", "x17", "memory");
  print("registers %lx %lx %lx %lx %lx %lx\n", registers[0], registers[1], registers[2], registers[3], registers[4], registers[5]);
#ifdef RESET
  reset();
#endif
#ifdef CPU_OFF
  print("off\n");
  psci(0x84000002, 0, 0, 0);
  print("back?\n");
#endif
  return 0;
}
