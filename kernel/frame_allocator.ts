import {
  type Expression,
  expression,
  type FunctionReference,
  load64,
  type Program,
} from "./codegen/mod.ts";
import { FRAME_COUNT, PAGE_SIZE, RAM_END, RAM_START } from "./memory_layout.ts";

/** The physical frames of RAM. Frames are named by their address. */
export interface FrameAllocator {
  /** `frame_reserve(start, end)`: takes the frames of a region; the bounds are multiples of 4 KiB. */
  readonly reserve: FunctionReference;
  /** `frame_alloc()`: the lowest free frame, or 0 if there is none. Its contents are undefined. */
  readonly alloc: FunctionReference;
  /** `frame_free(frame)`: gives it back; returns one of {@linkcode FreeResult}. */
  readonly free: FunctionReference;
  /** The number of free frames. */
  readonly freeCount: Expression;
}

/** What `frame_free` and `heap_free` return. */
export enum FreeResult {
  Ok = 0,
  /** Not something that can be given back: unaligned or outside. */
  Invalid = 1,
  /** It is free already. */
  DoubleFree = 2,
}

const WORD_BITS = 64;
const WORD_COUNT = FRAME_COUNT / WORD_BITS;
const ALL_USED = (1n << 64n) - 1n;

/**
 * Defines the frame allocator: one bit per frame, set while the frame is in use.
 *
 * Invariant: no word below `first` has a clear bit. Allocation starts there and moves on over full
 * words, so its cost is constant amortised over the frees that move `first` back.
 */
export function defineFrameAllocator(program: Program): FrameAllocator {
  const bitmap = program.reserve("frame_bitmap", FRAME_COUNT / 8);
  const first = program.variable("frame_first_word", 0);
  const freeCount = program.variable("frame_free_count", FRAME_COUNT);

  const reserve = program.function("frame_reserve", (f, start, end) => {
    const frame = f.let(start.minus(RAM_START).shiftedRight(12));
    const last = f.let(end.minus(RAM_START).shiftedRight(12));
    f.while(frame.below(last), () => {
      const word = f.let(bitmap.plus(frame.shiftedRight(6).shiftedLeft(3)));
      const bits = f.let(load64(word));
      const bit = f.let(expression(1).shiftedLeft(frame.and(63)));
      f.if(bits.and(bit).equals(0), () => {
        f.store64(word, bits.or(bit));
        f.store64(freeCount, load64(freeCount).minus(1));
      });
      f.set(frame, frame.plus(1));
    });
  });

  const alloc = program.function("frame_alloc", (f) => {
    const index = f.let(load64(first));
    f.while(index.below(WORD_COUNT), () => {
      const word = f.let(bitmap.plus(index.shiftedLeft(3)));
      const bits = f.let(load64(word));
      f.if(bits.differs(ALL_USED), () => {
        const bit = f.let(bits.xor(ALL_USED).trailingZeros());
        f.store64(word, bits.or(expression(1).shiftedLeft(bit)));
        f.store64(first, index);
        f.store64(freeCount, load64(freeCount).minus(1));
        f.return(index.shiftedLeft(6).plus(bit).shiftedLeft(12).plus(RAM_START));
      });
      f.set(index, index.plus(1));
    });
    f.store64(first, index);
    f.return(0);
  });

  const free = defineFree(program, { bitmap, first, freeCount });
  return { reserve, alloc, free, freeCount: load64(freeCount) };
}

function defineFree(
  program: Program,
  { bitmap, first, freeCount }: Record<"bitmap" | "first" | "freeCount", Expression>,
): FunctionReference {
  return program.function("frame_free", (f, frame) => {
    f.if(frame.below(RAM_START), () => f.return(FreeResult.Invalid));
    f.if(frame.atLeast(RAM_END), () => f.return(FreeResult.Invalid));
    f.if(frame.and(PAGE_SIZE - 1).differs(0), () => f.return(FreeResult.Invalid));
    const number = f.let(frame.minus(RAM_START).shiftedRight(12));
    const index = f.let(number.shiftedRight(6));
    const word = f.let(bitmap.plus(index.shiftedLeft(3)));
    const bits = f.let(load64(word));
    const bit = f.let(expression(1).shiftedLeft(number.and(63)));
    f.if(bits.and(bit).equals(0), () => f.return(FreeResult.DoubleFree));
    f.store64(word, bits.xor(bit));
    f.if(index.below(load64(first)), () => f.store64(first, index));
    f.store64(freeCount, load64(freeCount).plus(1));
    f.return(FreeResult.Ok);
  });
}
