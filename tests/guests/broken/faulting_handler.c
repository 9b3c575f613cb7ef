/* The handler itself reads through a bad pointer. */
#include "guest.h"
static volatile u64 *registers = (volatile u64 *)0xdead000000000000UL;
void on_exception(struct frame *f, u32 kind) { describe(f, kind); f->x[0] = *registers; }
int main(u64 device_tree) { print("reading\n"); return (int)*registers; }
