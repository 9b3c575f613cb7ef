import type { FunctionReference, Program } from "./codegen/mod.ts";
import type { AddressSpace } from "./address_space.ts";
import type { Console } from "./console.ts";
import type { HeapCheck } from "./heap_check.ts";
import type { MemoryInit } from "./memory_init.ts";
import type { Power } from "./power.ts";

/** Everything the boot calls, in the order of the calls. */
export interface KernelParts {
  readonly console: Console;
  readonly memory: MemoryInit;
  readonly addressSpace: AddressSpace;
  readonly exceptionInit: FunctionReference;
  readonly heap: HeapCheck;
  /** What runs between the heap's check and the end; nothing in the kernel as it is shipped. */
  readonly selfTest: FunctionReference | undefined;
  readonly power: Power;
  /** The historic mistake: the vectors are installed when the MMU is on already. */
  readonly installVectorsLate: boolean;
}

const RULE = "═".repeat(59);

/** Defines `kernel_main()`, which does the whole boot and powers off. */
export function defineKernelMain(program: Program, parts: KernelParts): FunctionReference {
  const { console, memory, addressSpace, exceptionInit, heap, selfTest, power } = parts;
  return program.function("kernel_main", (f) => {
    f.call(console.init);
    f.call(console.print, `${RULE}\n  Chapter 2: Memory Management\n${RULE}\n\n`);
    f.call(memory.init);
    f.call(memory.test);
    f.call(addressSpace.init);
    if (parts.installVectorsLate) {
      f.call(addressSpace.enable);
      f.call(exceptionInit);
    } else {
      f.call(exceptionInit);
      f.call(addressSpace.enable);
    }
    f.call(heap.start);
    f.call(heap.check);
    if (selfTest) f.call(selfTest);
    f.call(console.print, `${RULE}\n  Chapter 2: COMPLETE ✓\n${RULE}\n`);
    f.call(power.powerOff);
  });
}
