/* A panic that prints for ever. */
#include "guest.h"
int main(u64 device_tree) { for (u64 n = 0;; n++) print("panic: %lu attempts to kill init (%08lx)\n", n, n * 2654435761UL); }
