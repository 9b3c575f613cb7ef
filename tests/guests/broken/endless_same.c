/* Prints the same line for ever: a loop that can be proved. */
#include "guest.h"
int main(u64 device_tree) { for (;;) print("kernel panic - not syncing\n"); }
