import { type FunctionReference, load64, type Program } from "./codegen/mod.ts";
import { type Collections, ELEMENTS, LENGTH, VECTOR_SIZE } from "./collections.ts";
import type { Console } from "./console.ts";
import type { Heap } from "./heap.ts";
import { HEAP_SIZE } from "./memory_layout.ts";
import type { Power } from "./power.ts";

/** The third phase of the boot: dynamic memory. */
export interface HeapCheck {
  /** `heap_start()`: initialises the heap and prints its size. */
  readonly start: FunctionReference;
  /** `heap_check()`: uses a box and a vector and sees that all memory comes back. */
  readonly check: FunctionReference;
}

const BOXED = "Hello from Box on the heap!";
const WORDS = ["Hello", "World", "from Vec!"];

/** Defines the heap's start and self test. */
export function defineHeapCheck(
  program: Program,
  parts: { console: Console; power: Power; heap: Heap; collections: Collections },
): HeapCheck {
  const { power, heap, collections } = parts;
  const { print } = parts.console;

  const start = program.function("heap_start", (f) => {
    f.call(print, "[memory] Initializing kernel heap...\n");
    f.call(heap.init);
    f.call(print, "  Heap size: %d KB (%d bytes free)\n\n", HEAP_SIZE >> 10, heap.freeBytes);
  });

  const check = program.function("heap_check", (f) => {
    f.call(print, "[test] Testing heap allocator with Box and Vec...\n");
    const before = f.let(heap.freeBytes);
    const box = f.let(collections.boxNew.call(BOXED, BOXED.length));
    f.call(print, "  ✓ Box allocation: %s\n", load64(box));

    const vector = f.let(f.buffer(VECTOR_SIZE));
    for (let i = 0; i < VECTOR_SIZE; i += 8) f.store64(vector, 0, i);
    for (const word of WORDS) f.call(collections.vecPush, vector, word, word.length);
    f.call(print, "  ✓ Vec allocation:");
    const element = f.let(load64(vector, ELEMENTS));
    const end = f.let(element.plus(load64(vector, LENGTH).shiftedLeft(4)));
    f.while(element.below(end), () => {
      f.call(print, " %s", load64(element));
      f.set(element, element.plus(16));
    });
    f.call(
      print,
      "\n  Heap after allocations: %d bytes free (consumed %d bytes)\n\n",
      heap.freeBytes,
      before.minus(heap.freeBytes),
    );

    f.call(collections.boxDrop, box);
    f.call(collections.vecDrop, vector);
    f.if(
      heap.firstHoleSize.differs(before),
      () => f.call(power.panic, "the heap did not become one hole again"),
    );
  });
  return { start, check };
}
