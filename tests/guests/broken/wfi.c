/* Waits for an interrupt that nobody enabled. */
#include "guest.h"
int main(u64 device_tree) { print("idle\n"); for (;;) __asm__ volatile(HOW); }
