import {
  both,
  type Expression,
  type FunctionReference,
  load64,
  type Program,
} from "./codegen/mod.ts";
import { FreeResult } from "./frame_allocator.ts";
import { HEAP_SIZE } from "./memory_layout.ts";

/** The kernel's heap. Blocks are multiples of 16 bytes, aligned to 16. */
export interface Heap {
  /** `heap_init()`: makes the whole heap one hole. */
  readonly init: FunctionReference;
  /** `heap_alloc(size)`: the address of `size` bytes, or 0 if no hole is large enough. */
  readonly alloc: FunctionReference;
  /** `heap_free(address, size)`: `size` as it was asked for; returns a {@linkcode FreeResult}. */
  readonly free: FunctionReference;
  /** The number of free bytes. */
  readonly freeBytes: Expression;
  /** The number of bytes in the first hole; equal to `freeBytes` if there is just one. */
  readonly firstHoleSize: Expression;
}

const UNIT = 16;
const ROUND = (1n << 64n) - BigInt(UNIT);

// A hole holds its size and the address of the next one.
const SIZE = 0;
const NEXT = 8;

/**
 * Defines the heap: a list of holes in the order of their addresses, kept in the holes themselves.
 * Allocated blocks have no header; whoever frees one tells its size.
 *
 * Invariant: two holes never touch. Freeing joins a block with the holes on both sides.
 */
export function defineHeap(program: Program): Heap {
  const memory = program.reserve("heap_memory", HEAP_SIZE, UNIT);
  // A hole of no size in front of all others, so that every hole has one before it.
  const head = program.reserve("heap_head", 16, UNIT);
  const freeBytes = program.variable("heap_free_bytes", 0);

  const init = program.function("heap_init", (f) => {
    const hole = f.let(memory);
    f.store64(hole, HEAP_SIZE, SIZE);
    f.store64(hole, 0, NEXT);
    f.store64(head, 0, SIZE);
    f.store64(head, hole, NEXT);
    f.store64(freeBytes, HEAP_SIZE);
  });

  const alloc = program.function("heap_alloc", (f, size) => {
    f.if(size.equals(0), () => f.return(0));
    f.if(size.above(HEAP_SIZE), () => f.return(0));
    f.set(size, size.plus(UNIT - 1).and(ROUND));
    const before = f.let(head);
    const hole = f.let(load64(before, NEXT));
    f.while(hole.differs(0), () => {
      const rest = f.let(load64(hole, SIZE).minus(size));
      f.if(load64(hole, SIZE).atLeast(size), () => {
        const next = f.let(load64(hole, NEXT));
        f.if(rest.differs(0), () => {
          const smaller = f.let(hole.plus(size));
          f.store64(smaller, rest, SIZE);
          f.store64(smaller, next, NEXT);
          f.set(next, smaller);
        });
        f.store64(before, next, NEXT);
        f.store64(freeBytes, load64(freeBytes).minus(size));
        f.return(hole);
      });
      f.set(before, hole);
      f.set(hole, load64(hole, NEXT));
    });
    f.return(0);
  });

  const free = defineFree(program, { memory, head, freeBytes });
  return {
    init,
    alloc,
    free,
    freeBytes: load64(freeBytes),
    firstHoleSize: load64(load64(head, NEXT), SIZE),
  };
}

function defineFree(
  program: Program,
  parts: Record<"memory" | "head" | "freeBytes", Expression>,
): FunctionReference {
  const { memory, head, freeBytes } = parts;
  return program.function("heap_free", (f, address, size) => {
    f.set(size, size.plus(UNIT - 1).and(ROUND));
    const end = f.let(address.plus(size));
    f.if(address.and(UNIT - 1).differs(0), () => f.return(FreeResult.Invalid));
    f.if(address.below(memory), () => f.return(FreeResult.Invalid));
    f.if(end.above(memory.plus(HEAP_SIZE)), () => f.return(FreeResult.Invalid));
    f.if(end.atMost(address), () => f.return(FreeResult.Invalid));

    const before = f.let(head);
    const after = f.let(load64(head, NEXT));
    f.while(both(after.differs(0), after.below(address)), () => {
      f.set(before, after);
      f.set(after, load64(after, NEXT));
    });
    // The head is no neighbour: it lies outside the heap and has no size.
    const beforeEnd = f.let(before.plus(load64(before, SIZE)));
    f.if(both(before.differs(head), beforeEnd.above(address)), () => {
      f.return(FreeResult.DoubleFree);
    });
    f.if(both(after.differs(0), end.above(after)), () => f.return(FreeResult.DoubleFree));

    f.store64(freeBytes, load64(freeBytes).plus(size));
    f.if(both(after.differs(0), after.equals(end)), () => {
      f.set(size, size.plus(load64(after, SIZE)));
      f.set(after, load64(after, NEXT));
    });
    f.if(both(before.differs(head), beforeEnd.equals(address)), () => {
      f.store64(before, load64(before, SIZE).plus(size), SIZE);
      f.store64(before, after, NEXT);
    }, () => {
      f.store64(address, size, SIZE);
      f.store64(address, after, NEXT);
      f.store64(before, address, NEXT);
    });
    f.return(FreeResult.Ok);
  });
}
