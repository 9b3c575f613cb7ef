import { type Expression, type FunctionReference, load64, type Program } from "./codegen/mod.ts";
import type { Console } from "./console.ts";
import { type FrameAllocator, FreeResult } from "./frame_allocator.ts";
import {
  DTB_END,
  KERNEL_START,
  PAGE_SIZE,
  PROBE_FRAME,
  RAM_END,
  RAM_START,
  UART,
} from "./memory_layout.ts";
import type { Mmu } from "./mmu_enable.ts";
import { MapResult, type PageMapper } from "./page_mapper.ts";
import { KERNEL_DATA, KERNEL_DEVICE, KERNEL_RWX } from "./page_table.ts";
import type { Power } from "./power.ts";

/** The second phase of the boot: from physical to virtual memory. */
export interface AddressSpace {
  /** `address_space_init()`: builds the tables, everything mapped to its own address. */
  readonly init: FunctionReference;
  /** `address_space_enable()`: turns the MMU on and sees that memory is there. */
  readonly enable: FunctionReference;
}

/** How the address space is built. */
export interface AddressSpaceOptions {
  /** The historic mistake: the kernel's own pages are not executable. */
  readonly mapKernelAsData: boolean;
}

/** What the address space is made with. */
export interface AddressSpaceParts {
  readonly console: Console;
  readonly power: Power;
  readonly frames: FrameAllocator;
  readonly mapper: PageMapper;
  readonly mmu: Mmu;
  readonly options: AddressSpaceOptions;
}

/** Defines the kernel's address space. */
export function defineAddressSpace(
  program: Program,
  parts: AddressSpaceParts,
): AddressSpace {
  const { power, mapper, options } = parts;
  const { print } = parts.console;
  const root = program.variable("address_space_root", 0);

  const mapOrPanic = program.function("identity_map_or_panic", (f, start, end, flags) => {
    f.if(
      mapper.identityMapRegion.call(start, end, flags).differs(MapResult.Ok),
      () => f.call(power.panic, "a region could not be mapped"),
    );
  });

  const init = program.function("address_space_init", (f) => {
    f.call(print, "[memory] Setting up page tables and MMU...\n");
    const end = f.let(program.external("_kernel_end"));
    f.store64(root, mapper.init.call());
    f.if(load64(root).equals(0), () => f.call(power.panic, "out of frames"));

    f.call(print, "  Mapping DTB: %x - %x\n", RAM_START, DTB_END);
    f.call(mapOrPanic, RAM_START, DTB_END, KERNEL_DATA);
    f.call(print, "  Mapping kernel: %x - %x\n", KERNEL_START, end);
    f.call(mapOrPanic, KERNEL_START, end, options.mapKernelAsData ? KERNEL_DATA : KERNEL_RWX);
    f.call(print, "  Mapping stack/heap region: %x - %x\n", end, RAM_END);
    f.call(mapOrPanic, end, RAM_END, KERNEL_DATA);
    f.call(print, "  Mapping UART device: %x\n", UART);
    f.call(mapOrPanic, UART, UART + PAGE_SIZE, KERNEL_DEVICE);
    f.call(print, "  Root page table at: %x\n\n", load64(root));
  });

  const enable = defineEnable(program, root, parts);
  return { init, enable };
}

/** `probe_block()`: clears a frame that a 2 MiB block maps and reads it back. */
function defineProbe(
  program: Program,
  { frames, mapper, power }: AddressSpaceParts,
): FunctionReference {
  return program.function("probe_block", (f) => {
    f.call(frames.reserve, PROBE_FRAME, PROBE_FRAME + PAGE_SIZE);
    f.call(mapper.zeroFrame, PROBE_FRAME);
    const word = f.let(PROBE_FRAME);
    f.while(word.below(PROBE_FRAME + PAGE_SIZE), () => {
      f.if(load64(word).differs(0), () => f.call(power.panic, "memory lost a value"));
      f.set(word, word.plus(8));
    });
    f.if(
      frames.free.call(PROBE_FRAME).differs(FreeResult.Ok),
      () => f.call(power.panic, "a frame could not be freed"),
    );
  });
}

function defineEnable(
  program: Program,
  root: Expression,
  parts: AddressSpaceParts,
): FunctionReference {
  const { mmu } = parts;
  const { print } = parts.console;
  const probe = defineProbe(program, parts);
  return program.function("address_space_enable", (f) => {
    f.call(print, "  Enabling MMU...\n");
    f.call(mmu.enable, load64(root));
    const answer = f.let(program.string("false"));
    f.if(mmu.isEnabled.call().differs(0), () => f.set(answer, program.string("true")));
    f.call(print, "  MMU enabled: %s\n", answer);
    f.call(probe);
    f.call(print, "  ✓ MMU enabled successfully with virtual memory!\n\n");
  });
}
