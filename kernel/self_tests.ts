import {
  both,
  type Condition,
  type FunctionBuilder,
  type FunctionReference,
  load64,
  type Operand,
  type Program,
} from "./codegen/mod.ts";
import type { Console } from "./console.ts";
import { type FrameAllocator, FreeResult } from "./frame_allocator.ts";
import type { Heap } from "./heap.ts";
import {
  BLOCK_1GB,
  BLOCK_2MB,
  HEAP_SIZE,
  KERNEL_START,
  PAGE_SIZE,
  PROBE_FRAME,
  RAM_START,
} from "./memory_layout.ts";
import { MapResult, NOT_MAPPED, type PageMapper } from "./page_mapper.ts";
import { KERNEL_DATA } from "./page_table.ts";
import type { Power } from "./power.ts";

/** What a kernel built for a test does behind the heap's check; the shipped one has none of it. */
export const KERNEL_SELF_TESTS = [
  "frames",
  "mapper",
  "heap",
  "undefined",
  "brk",
  "svc",
  "unmapped-stack",
  "unaligned-pc",
  "panic",
] as const;

/** One of the self tests. */
export type KernelSelfTest = typeof KERNEL_SELF_TESTS[number];

/** What self tests use. */
export interface SelfTestParts {
  readonly console: Console;
  readonly power: Power;
  readonly frames: FrameAllocator;
  readonly mapper: PageMapper;
  readonly heap: Heap;
}

/** An address whose level 0 entry nothing else uses. */
const ELSEWHERE = 0x80_0000_0000;
const MAGIC = 0x0123_4567_89ab_cdefn;

/** Defines `self_test()` for `test`. */
export function defineSelfTest(
  program: Program,
  test: KernelSelfTest,
  parts: SelfTestParts,
): FunctionReference {
  return program.function("self_test", (f) => {
    const { print } = parts.console;
    const check = (name: string, condition: Condition) => {
      f.if(
        condition,
        () => f.call(print, `  ✓ ${name}\n`),
        () => f.call(parts.power.panic, name),
      );
    };
    f.call(print, `[test] Self test: ${test}\n`);
    if (test === "frames") testFrames(f, parts, check);
    else if (test === "mapper") testMapper(f, parts, check);
    else if (test === "heap") testHeap(f, parts, check);
    else causeException(f, test, parts.power);
    f.call(print, "\n");
  });
}

type Check = (name: string, condition: Condition) => void;

function testFrames(f: FunctionBuilder, { frames }: SelfTestParts, check: Check): void {
  const before = f.let(frames.freeCount);
  const first = f.let(frames.alloc.call());
  const last = f.let(first);
  const count = f.let(1);
  f.forever(() => {
    const next = f.let(frames.alloc.call());
    f.if(next.equals(0), () => f.break());
    f.set(count, count.plus(1));
    f.set(last, next);
  });
  check("every free frame can be had", count.equals(before));
  check("the last one ends RAM", last.equals(0x47ff_f000));
  check("none is left", frames.freeCount.equals(0));
  check("one comes back", frames.free.call(last).equals(FreeResult.Ok));
  check("but not twice", frames.free.call(last).equals(FreeResult.DoubleFree));
  check("it is the next one given out", frames.alloc.call().equals(last));
  f.while(first.atMost(last), () => {
    f.call(frames.free, first);
    f.set(first, first.plus(PAGE_SIZE));
  });
  check("all are free again", frames.freeCount.equals(before));
  check("a frame outside RAM is refused", frames.free.call(0).equals(FreeResult.Invalid));
}

function testMapper(f: FunctionBuilder, { mapper }: SelfTestParts, check: Check): void {
  const map = (va: Operand, pa: Operand, size: Operand) =>
    mapper.map.call(va, pa, size, KERNEL_DATA);
  for (const va of [KERNEL_START, PROBE_FRAME, 0x200]) f.call(mapper.debugWalk, va);
  f.store64(PROBE_FRAME, MAGIC);
  for (const [i, size] of [PAGE_SIZE, BLOCK_2MB, BLOCK_1GB].entries()) {
    // Unmapping leaves tables in place, so each size gets an entry of the root table.
    const va = ELSEWHERE * (i + 1);
    const pa = size === BLOCK_1GB ? RAM_START : PROBE_FRAME;
    const alias = va + PROBE_FRAME - pa;
    check(`mapped 0x${size.toString(16)} bytes`, map(va, pa, size).equals(MapResult.Ok));
    check("an alias reads the same", load64(alias).equals(MAGIC));
    check("translated", mapper.translate.call(alias + 8).equals(PROBE_FRAME + 8));
    check("not twice", map(va, pa, size).equals(MapResult.AlreadyMapped));
    if (size === BLOCK_1GB) f.call(mapper.debugWalk, alias);
    check("unmapped", mapper.unmap.call(va).equals(size));
    check("gone", mapper.translate.call(alias).equals(NOT_MAPPED));
    check("nothing to unmap", mapper.unmap.call(va).equals(0));
  }
  check("tables stay", map(ELSEWHERE, 0, BLOCK_2MB).equals(MapResult.AlreadyMapped));
  check("misaligned", map(ELSEWHERE, PAGE_SIZE, BLOCK_2MB).equals(MapResult.Misaligned));
  check("no such size", map(ELSEWHERE, 0, 0x4000).equals(MapResult.Misaligned));
}

function testHeap(f: FunctionBuilder, { heap }: SelfTestParts, check: Check): void {
  const a = f.let(heap.alloc.call(1));
  const b = f.let(heap.alloc.call(100));
  const c = f.let(heap.alloc.call(4096));
  check("sizes are rounded up to 16", both(b.equals(a.plus(16)), c.equals(b.plus(112))));
  check("free in the middle", heap.free.call(b, 100).equals(FreeResult.Ok));
  check("but not twice", heap.free.call(b, 100).equals(FreeResult.DoubleFree));
  check("nor a part of it", heap.free.call(b.plus(16), 16).equals(FreeResult.DoubleFree));
  check("nor a block over a hole", heap.free.call(a, 32).equals(FreeResult.DoubleFree));
  check("the first hole is used", heap.alloc.call(48).equals(b));
  check("joined with the hole behind", heap.free.call(b, 48).equals(FreeResult.Ok));
  check("it is one hole", heap.firstHoleSize.equals(112));
  check("joined with the hole before", heap.free.call(c, 4096).equals(FreeResult.Ok));
  check("all but 16 bytes", heap.firstHoleSize.equals(HEAP_SIZE - 16));
  check("the rest", heap.free.call(a, 1).equals(FreeResult.Ok));
  check("one hole again", heap.firstHoleSize.equals(HEAP_SIZE));
  check("too much", heap.alloc.call(HEAP_SIZE + 1).equals(0));
  check("all of it", heap.alloc.call(HEAP_SIZE).equals(a));
  check("nothing is left", heap.alloc.call(1).equals(0));
  check("all back", heap.free.call(a, HEAP_SIZE).equals(FreeResult.Ok));
  check("outside", heap.free.call(a.minus(16), 16).equals(FreeResult.Invalid));
}

function causeException(f: FunctionBuilder, test: KernelSelfTest, power: Power): void {
  if (test === "undefined") f.instruction(".inst 0x00000000");
  else if (test === "brk") f.instruction("brk #0x2a");
  else if (test === "svc") f.instruction("svc #0x7");
  else if (test === "unaligned-pc") f.instruction("br {0}", KERNEL_START + 2);
  else if (test === "panic") f.call(power.panic, "on purpose");
  else {
    f.instruction("mov sp, {0}", ELSEWHERE);
    f.instruction("str xzr, [sp, #0x8]");
  }
}
