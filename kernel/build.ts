import { defineAddressSpace } from "./address_space.ts";
import { defineEntry } from "./boot.ts";
import type { KernelBug } from "./bugs.ts";
import { link, type LinkedSymbol, Program } from "./codegen/mod.ts";
import { defineCollections } from "./collections.ts";
import { defineConsole } from "./console.ts";
import { writeElf } from "./elf_writer.ts";
import { defineExceptionVectors } from "./exception_vectors.ts";
import { defineFrameAllocator } from "./frame_allocator.ts";
import { defineHeap } from "./heap.ts";
import { defineHeapCheck } from "./heap_check.ts";
import { defineKernelMain } from "./kernel_main.ts";
import { defineMemoryInit } from "./memory_init.ts";
import { KERNEL_END, KERNEL_START } from "./memory_layout.ts";
import { defineMmu } from "./mmu_enable.ts";
import { definePageMapper } from "./page_mapper.ts";
import { definePower } from "./power.ts";
import { defineSelfTest, type KernelSelfTest } from "./self_tests.ts";

/** What to build. */
export interface KernelOptions {
  /**
   * `pxn`: the kernel is mapped with KERNEL_DATA, which EL1 must not execute. `late-vectors`: the
   * same, and the vectors are installed after the MMU is on. `block-encoding`: 2 MiB blocks keep
   * bit 1 and thereby read as tables.
   */
  readonly bug?: KernelBug;
  /** Bytes of unused instructions behind the entry point, to move all other code; a multiple of 4. */
  readonly padding?: number;
  /** Something more to do before the end; for tests. */
  readonly selfTest?: KernelSelfTest;
}

/** A kernel, ready to be booted. */
export interface BuiltKernel {
  /** The ELF executable. */
  readonly elf: Uint8Array;
  /** Its symbols by address. */
  readonly symbols: readonly LinkedSymbol[];
}

/**
 * Builds the kernel. The same options give the same bytes.
 *
 * @throws {Error} if the padding is not a multiple of 4, or so large that the kernel exceeds
 * `_kernel_end`.
 */
export function buildKernel(options: KernelOptions = {}): BuiltKernel {
  const { bug, padding = 0, selfTest } = options;
  if (padding < 0 || padding % 4 !== 0) {
    throw new Error(`Cannot pad the kernel with ${padding} bytes: expected a multiple of 4`);
  }
  const program = new Program();
  defineEntry(program);
  const console = defineConsole(program);
  const power = definePower(program, console);
  const frames = defineFrameAllocator(program);
  const memory = defineMemoryInit(program, { console, power, frames });
  const mapper = definePageMapper(program, {
    frames,
    console,
    options: { keepTableBitInBlocks: bug === "block-encoding" },
  });
  const exceptionInit = defineExceptionVectors(program, { console, power });
  const mmu = defineMmu(program);
  const addressSpace = defineAddressSpace(program, {
    console,
    power,
    frames,
    mapper,
    mmu,
    options: { mapKernelAsData: bug === "pxn" || bug === "late-vectors" },
  });
  const heap = defineHeap(program);
  const collections = defineCollections(program, heap, power);
  defineKernelMain(program, {
    console,
    memory,
    addressSpace,
    exceptionInit,
    heap: defineHeapCheck(program, { console, power, heap, collections }),
    selfTest: selfTest &&
      defineSelfTest(program, selfTest, { console, power, frames, mapper, heap }),
    power,
    installVectorsLate: bug === "late-vectors",
  });
  const image = link(program, { start: KERNEL_START, end: KERNEL_END, padding });
  return { elf: writeElf(image), symbols: image.symbols };
}
