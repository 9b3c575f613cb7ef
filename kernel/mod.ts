export { KERNEL_BUGS, type KernelBug } from "./bugs.ts";
export { buildKernel, type BuiltKernel, type KernelOptions } from "./build.ts";
export type { LinkedSection, LinkedSymbol } from "./codegen/linker.ts";
export { KERNEL_SELF_TESTS, type KernelSelfTest } from "./self_tests.ts";
