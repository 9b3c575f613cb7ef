/** First byte of RAM on the `virt` board. */
export const RAM_START = 0x4000_0000;
/** First byte behind the 128 MiB of RAM that the kernel manages. */
export const RAM_END = 0x4800_0000;
/** Where the device tree's 2 MiB region ends; it starts with RAM. */
export const DTB_END = 0x4020_0000;
/** Address of the kernel's first instruction. */
export const KERNEL_START = 0x4040_0000;
/** First byte behind the kernel's `.bss`. */
export const KERNEL_END = 0x4051_5000;
/** Register page of the PL011 UART. */
export const UART = 0x0900_0000;

/** Bytes of a page and of a frame. */
export const PAGE_SIZE = 0x1000;
/** Bytes mapped by a block at level 2. */
export const BLOCK_2MB = 0x20_0000;
/** Bytes mapped by a block at level 1. */
export const BLOCK_1GB = 0x4000_0000;
/** Frames of RAM. */
export const FRAME_COUNT = (RAM_END - RAM_START) / PAGE_SIZE;

/** Bytes of the boot stack. */
export const BOOT_STACK_SIZE = 0x1_0000;
/** Bytes of the stack that the fatal handler runs on. */
export const EXCEPTION_STACK_SIZE = 0x400;
/** Bytes of the kernel's heap. */
export const HEAP_SIZE = 0x10_0000;

/** A frame in the first 2 MiB block of free memory; the boot touches it to see that blocks work. */
export const PROBE_FRAME = 0x4060_0000;
