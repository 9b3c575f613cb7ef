/** The kernel's historic bugs; apart from the kernel, for who only names them. */
export const KERNEL_BUGS = ["pxn", "late-vectors", "block-encoding"] as const;

/** One of the kernel's historic bugs. */
export type KernelBug = typeof KERNEL_BUGS[number];
