export {
  buildKernel,
  type BuiltKernel,
  KERNEL_BUGS,
  type KernelBug,
  type KernelOptions,
} from "./build.ts";
export type { LinkedSection, LinkedSymbol } from "./codegen/linker.ts";
export { KERNEL_SELF_TESTS, type KernelSelfTest } from "./self_tests.ts";
