/* A CPU that starts C without a stack: SP is zero. */
#include "guest.h"
int main(u64 device_tree) { print("losing the stack\n"); __asm__ volatile("mov x1, #0\n mov sp, x1\n stp x29, x30, [sp, #-16]!\n bl main"); return 0; }
