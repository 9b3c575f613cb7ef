/* A corrupted return address: execution continues in text, then in zeroes. */
#include "guest.h"
static u64 data[64] = { 0x6f6c6c6548UL };
static NOINLINE void smash(u64 n) { u64 *frame = __builtin_frame_address(0); frame[1] = (u64)data; print("returning %lu\n", n); }
int main(u64 device_tree) { smash(3); print("?\n"); return 0; }
