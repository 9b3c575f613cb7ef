/* Recursion without end and without the MMU: the stack eats data, code and the rest of RAM down to flash. */
#include "guest.h"
static NOINLINE u64 deeper(u64 n) { volatile u64 frame[128]; for (int i = 0; i < 128; i++) frame[i] = n * 0x0101010101010101UL; if (n % 4000 == 0) print("%lu ", n); return deeper(n + 1) + frame[n & 127]; }
int main(u64 device_tree) { print("recursing\n"); return (int)deeper(1); }
