/* A watchdog that resets. */
#include "guest.h"
int main(u64 device_tree) { print("booting\n"); *(volatile u64 *)0x40100000 += 1; print("resetting\n"); reset(); }
