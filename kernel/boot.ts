import type { FunctionReference, Program } from "./codegen/mod.ts";
import { BOOT_STACK_SIZE } from "./memory_layout.ts";

/**
 * Defines the entry point: masks interrupts, clears `.bss`, sets up the boot stack and calls
 * `kernel_main`, which is defined elsewhere. Must be the first function of the program.
 */
export function defineEntry(program: Program): FunctionReference {
  program.reserve("boot_stack", BOOT_STACK_SIZE, 16);
  return program.naked("_start", 4, (assembly) => {
    const { emit } = assembly;
    const clear = assembly.label();
    emit("msr daifset, #0xf");
    emit("adrp x9, {page:_bss_start}");
    emit("add x9, x9, {low:_bss_start}");
    emit("adrp x10, {page:_kernel_end}");
    emit("add x10, x10, {low:_kernel_end}");
    assembly.place(clear);
    emit("stp xzr, xzr, [x9], #16");
    emit("cmp x9, x10");
    emit(`b.lo {${clear}}`);
    emit("adrp x9, {page:boot_stack}");
    emit("add x9, x9, {low:boot_stack}");
    emit(`add x9, x9, #0x${BOOT_STACK_SIZE.toString(16)}`);
    emit("mov sp, x9");
    // The end of the chain of frame records.
    emit("mov x29, xzr");
    emit("mov x30, xzr");
    emit("bl {kernel_main}");
    emit("b {halt}");
  });
}
