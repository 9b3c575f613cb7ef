import { type FunctionReference, load64, type Program } from "./codegen/mod.ts";
import type { Heap } from "./heap.ts";
import type { Power } from "./power.ts";

/**
 * Owned values on the heap. An element is a string slice: address and length, 16 bytes.
 * A vector is 24 bytes of its owner: address of the elements, capacity, length.
 */
export interface Collections {
  /** `box_new(address, length)`: the address of a box that holds the slice. */
  readonly boxNew: FunctionReference;
  /** `box_drop(box)`. */
  readonly boxDrop: FunctionReference;
  /** `vec_push(vector, address, length)`: appends a slice; grows by doubling, from 4. */
  readonly vecPush: FunctionReference;
  /** `vec_drop(vector)`. */
  readonly vecDrop: FunctionReference;
}

/** Bytes of an element. */
export const SLICE_SIZE = 16;
/** Bytes of a vector. */
export const VECTOR_SIZE = 24;
/** Offset of the elements' address in a vector. */
export const ELEMENTS = 0;
/** Offset of the length in a vector. */
export const LENGTH = 16;

const CAPACITY = 8;
const FIRST_CAPACITY = 4;

/** Defines boxes and vectors. Running out of memory is a panic. */
export function defineCollections(program: Program, heap: Heap, power: Power): Collections {
  const allocate = program.function("alloc_or_panic", (f, size) => {
    const address = f.let(heap.alloc.call(size));
    f.if(address.equals(0), () => f.call(power.panic, "out of heap memory"));
    f.return(address);
  });

  const release = program.function("free_or_panic", (f, address, size) => {
    f.if(
      heap.free.call(address, size).differs(0),
      () => f.call(power.panic, "a heap block was freed twice or never allocated"),
    );
  });

  return {
    ...defineBox(program, allocate, release),
    ...defineVector(program, allocate, release),
  };
}

function defineBox(
  program: Program,
  allocate: FunctionReference,
  release: FunctionReference,
): Pick<Collections, "boxNew" | "boxDrop"> {
  const boxNew = program.function("box_new", (f, text, length) => {
    const box = f.let(allocate.call(SLICE_SIZE));
    f.store64(box, text);
    f.store64(box, length, 8);
    f.return(box);
  });

  const boxDrop = program.function("box_drop", (f, box) => f.call(release, box, SLICE_SIZE));
  return { boxNew, boxDrop };
}

function defineVector(
  program: Program,
  allocate: FunctionReference,
  release: FunctionReference,
): Pick<Collections, "vecPush" | "vecDrop"> {
  const vecPush = program.function("vec_push", (f, vector, text, length) => {
    const count = f.let(load64(vector, LENGTH));
    const elements = f.let(load64(vector, ELEMENTS));
    const capacity = f.let(load64(vector, CAPACITY));
    f.if(count.equals(capacity), () => {
      const larger = f.let(capacity.shiftedLeft(1));
      f.if(larger.equals(0), () => f.set(larger, FIRST_CAPACITY));
      const moved = f.let(allocate.call(larger.times(SLICE_SIZE)));
      const offset = f.let(0);
      f.while(offset.below(count.times(SLICE_SIZE)), () => {
        f.store64(moved.plus(offset), load64(elements.plus(offset)));
        f.set(offset, offset.plus(8));
      });
      f.if(capacity.differs(0), () => {
        f.call(release, elements, capacity.times(SLICE_SIZE));
      });
      f.set(elements, moved);
      f.store64(vector, elements, ELEMENTS);
      f.store64(vector, larger, CAPACITY);
    });
    const element = f.let(elements.plus(count.times(SLICE_SIZE)));
    f.store64(element, text);
    f.store64(element, length, 8);
    f.store64(vector, count.plus(1), LENGTH);
  });

  const vecDrop = program.function("vec_drop", (f, vector) => {
    const capacity = f.let(load64(vector, CAPACITY));
    f.if(capacity.differs(0), () => {
      f.call(release, load64(vector, ELEMENTS), capacity.times(SLICE_SIZE));
      f.store64(vector, 0, CAPACITY);
      f.store64(vector, 0, LENGTH);
    });
  });
  return { vecPush, vecDrop };
}
