import { type FunctionReference, type Program } from "./codegen/mod.ts";
import type { Console } from "./console.ts";
import { type FrameAllocator, FreeResult } from "./frame_allocator.ts";
import { FRAME_COUNT, KERNEL_START, PAGE_SIZE, RAM_END, RAM_START } from "./memory_layout.ts";
import type { Power } from "./power.ts";

/** The first phase of the boot: who owns which frame of RAM. */
export interface MemoryInit {
  /** `memory_init()`: reserves everything up to the kernel's end and prints the figures. */
  readonly init: FunctionReference;
  /** `frame_test()`: allocates two frames and gives them back. */
  readonly test: FunctionReference;
}

const MIB_SHIFT = 20;
const KIB_SHIFT = 10;
const FRAME_SHIFT = 12;

/** Defines the set-up of physical memory. */
export function defineMemoryInit(
  program: Program,
  parts: { console: Console; power: Power; frames: FrameAllocator },
): MemoryInit {
  const { frames } = parts;
  const { print } = parts.console;
  const kernelEnd = program.external("_kernel_end");

  const init = program.function("memory_init", (f) => {
    const end = f.let(kernelEnd);
    f.call(print, "[memory] Initializing memory subsystem\n");
    f.call(
      print,
      "  RAM:    %x - %x (%dMB)\n",
      RAM_START,
      RAM_END,
      (RAM_END - RAM_START) >> MIB_SHIFT,
    );
    f.call(
      print,
      "  Kernel: %x - %x (%dKB)\n",
      KERNEL_START,
      end,
      end.minus(KERNEL_START).shiftedRight(KIB_SHIFT),
    );
    // The device tree and whatever a loader left below the kernel stay untouched.
    f.call(frames.reserve, RAM_START, end);
    f.call(
      print,
      "  Frames: %d/%d free (%dMB usable)\n\n",
      frames.freeCount,
      FRAME_COUNT,
      frames.freeCount.shiftedRight(MIB_SHIFT - FRAME_SHIFT),
    );
  });

  return { init, test: defineFrameTest(program, parts) };
}

function defineFrameTest(
  program: Program,
  parts: { console: Console; power: Power; frames: FrameAllocator },
): FunctionReference {
  const { frames, power } = parts;
  const { print } = parts.console;
  const allocate = program.function("frame_alloc_or_panic", (f) => {
    const frame = f.let(frames.alloc.call());
    f.if(frame.equals(0), () => f.call(power.panic, "out of frames"));
    f.call(print, "  Allocated frame: PFN(%d) @ %x\n", frame.shiftedRight(FRAME_SHIFT), frame);
    f.return(frame);
  });

  return program.function("frame_test", (f) => {
    f.call(print, "[test] Testing frame allocator...\n");
    const first = f.let(allocate.call());
    const second = f.let(allocate.call());
    const before = f.let(frames.freeCount);
    f.if(
      frames.free.call(first).or(frames.free.call(second)).differs(FreeResult.Ok),
      () => f.call(power.panic, "a frame could not be freed"),
    );
    f.call(print, "  Deallocated both frames\n");
    f.if(
      frames.free.call(first).differs(FreeResult.DoubleFree),
      () => f.call(power.panic, "a frame was freed twice"),
    );
    f.if(
      frames.free.call(first.plus(PAGE_SIZE / 2)).differs(FreeResult.Invalid),
      () => f.call(power.panic, "half a frame was freed"),
    );
    f.if(
      frames.freeCount.differs(before.plus(2)),
      () => f.call(power.panic, "frames got lost"),
    );
    f.call(print, "  Final stats: %d/%d frames free\n\n", frames.freeCount, FRAME_COUNT);
  });
}
