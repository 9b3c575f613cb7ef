import {
  both,
  type Expression,
  expression,
  type FunctionReference,
  load64,
  type Program,
  systemRegister,
} from "./codegen/mod.ts";
import type { Console } from "./console.ts";
import type { FrameAllocator } from "./frame_allocator.ts";
import { BLOCK_1GB, BLOCK_2MB, PAGE_SIZE } from "./memory_layout.ts";
import { defineDebugWalk } from "./debug_walk.ts";
import { ADDRESS_MASK, TABLE, TABLE_OR_PAGE, VALID } from "./page_table.ts";

/** The address space: four levels of tables under `page_root`. */
export interface PageMapper {
  /** `page_init()`: makes the empty root table; returns its address, 0 if there is no frame. */
  readonly init: FunctionReference;
  /** `page_map(va, pa, size, flags)`: size is 4 KiB, 2 MiB or 1 GiB; returns a {@linkcode MapResult}. */
  readonly map: FunctionReference;
  /** `page_unmap(va)`: returns the size of what was mapped there, 0 if nothing was. */
  readonly unmap: FunctionReference;
  /** `page_translate(va)`: the physical address, or {@linkcode NOT_MAPPED}. */
  readonly translate: FunctionReference;
  /** `debug_walk(va)`: prints every descriptor on the way. */
  readonly debugWalk: FunctionReference;
  /** `identity_map_region(start, end, flags)`: 2 MiB blocks where they fit; returns a MapResult. */
  readonly identityMapRegion: FunctionReference;
  /** `zero_frame(address)`: clears 4 KiB. */
  readonly zeroFrame: FunctionReference;
}

/** What `page_map` returns. */
export enum MapResult {
  Ok = 0,
  /** An address is not a multiple of the size, or there is no such size. */
  Misaligned = 1,
  /** No frame is left for a table. */
  OutOfFrames = 2,
  /** Something is mapped there. */
  AlreadyMapped = 3,
}

/** What `page_translate` returns for an address without translation. */
export const NOT_MAPPED = (1n << 64n) - 1n;

/** How the mapper is built. */
export interface PageMapperOptions {
  /** The historic mistake: blocks keep the bit that makes them tables. */
  readonly keepTableBitInBlocks: boolean;
}

/** Defines the page mapper. */
export function definePageMapper(
  program: Program,
  parts: { frames: FrameAllocator; console: Console; options: PageMapperOptions },
): PageMapper {
  const { frames, console, options } = parts;
  const root = program.variable("page_root", 0);

  const zeroFrame = program.function("zero_frame", (f, frame) => {
    const end = f.let(frame.plus(PAGE_SIZE));
    f.while(frame.below(end), () => {
      f.instruction("stp xzr, xzr, [{0}]", frame);
      f.set(frame, frame.plus(16));
    });
  });

  const newTable = program.function("page_new_table", (f) => {
    const frame = f.let(frames.alloc.call());
    f.if(frame.differs(0), () => f.call(zeroFrame, frame));
    f.return(frame);
  });

  const init = program.function("page_init", (f) => {
    f.store64(root, newTable.call());
    f.return(load64(root));
  });

  const map = defineMap(program, root, newTable, options);

  return {
    init,
    map,
    ...defineLookups(program, root),
    zeroFrame,
    debugWalk: defineDebugWalk(program, console, { root, entryOffset }),
    identityMapRegion: defineIdentityMapRegion(program, map),
  };
}

/**
 * The functions that start from an existing entry. `page_find(va, level)` returns the address of
 * the entry that maps `va`, or 0, and stores its level.
 */
function defineLookups(
  program: Program,
  root: Expression,
): Pick<PageMapper, "unmap" | "translate"> {
  const find = program.function("page_find", (f, va, levelAddress) => {
    const table = f.let(load64(root));
    const level = f.let(0);
    f.forever(() => {
      const entry = f.let(table.plus(entryOffset(va, level)));
      const descriptor = f.let(load64(entry));
      f.if(descriptor.and(VALID).equals(0), () => f.return(0));
      f.store64(levelAddress, level);
      f.if(level.equals(3), () => f.return(entry));
      f.if(descriptor.and(TABLE_OR_PAGE).equals(0), () => f.return(entry));
      f.set(table, descriptor.and(ADDRESS_MASK));
      f.set(level, level.plus(1));
    });
  });

  const unmap = program.function("page_unmap", (f, va) => {
    const level = f.buffer(8);
    const entry = f.let(find.call(va, level));
    f.if(entry.equals(0), () => f.return(0));
    f.store64(entry, 0);
    // The walker must see the empty entry before the TLB forgets the old one.
    f.instruction("dsb ishst");
    f.instruction("tlbi vaae1is, {0}", va.shiftedRight(12).and((1n << 44n) - 1n));
    f.instruction("dsb ish");
    f.instruction("isb");
    f.return(expression(1).shiftedLeft(levelShift(load64(level))));
  });

  const translate = program.function("page_translate", (f, va) => {
    const level = f.buffer(8);
    const entry = f.let(find.call(va, level));
    f.if(entry.equals(0), () => f.return(NOT_MAPPED));
    const offset = f.let(
      va.and(expression(1).shiftedLeft(levelShift(load64(level))).minus(1)),
    );
    f.return(load64(entry).and(ADDRESS_MASK).plus(offset));
  });
  return { unmap, translate };
}

function defineMap(
  program: Program,
  root: Expression,
  newTable: FunctionReference,
  options: PageMapperOptions,
): FunctionReference {
  return program.function("page_map", (f, va, pa, size, flags) => {
    const last = f.let(3);
    f.if(size.equals(BLOCK_2MB), () => f.set(last, 2), () => {
      f.if(size.equals(BLOCK_1GB), () => f.set(last, 1), () => {
        f.if(size.differs(PAGE_SIZE), () => f.return(MapResult.Misaligned));
      });
    });
    f.if(va.or(pa).and(size.minus(1)).differs(0), () => f.return(MapResult.Misaligned));

    const table = f.let(load64(root));
    const level = f.let(0);
    const entry = f.let(table.plus(entryOffset(va, level)));
    f.while(level.below(last), () => {
      const descriptor = f.let(load64(entry));
      f.if(descriptor.and(VALID).equals(0), () => {
        f.set(table, newTable.call());
        f.if(table.equals(0), () => f.return(MapResult.OutOfFrames));
        f.store64(entry, table.or(TABLE));
      }, () => {
        f.if(descriptor.and(TABLE_OR_PAGE).equals(0), () => f.return(MapResult.AlreadyMapped));
        f.set(table, descriptor.and(ADDRESS_MASK));
      });
      f.set(level, level.plus(1));
      f.set(entry, table.plus(entryOffset(va, level)));
    });
    f.if(load64(entry).and(VALID).differs(0), () => f.return(MapResult.AlreadyMapped));

    if (!options.keepTableBitInBlocks) {
      // Bit 1 tells a page at level 3 from nothing, but a table at levels 1 and 2 from a block.
      f.if(level.differs(3), () => f.set(flags, flags.and(~TABLE_OR_PAGE & NOT_MAPPED)));
    }
    f.store64(entry, pa.or(flags));
    // With the MMU on the walker must see the entry before the first access that needs it.
    f.if(systemRegister("sctlr_el1").and(1).differs(0), () => {
      f.instruction("dsb ishst");
      f.instruction("isb");
    });
    f.return(MapResult.Ok);
  });
}

function defineIdentityMapRegion(program: Program, map: FunctionReference): FunctionReference {
  return program.function("identity_map_region", (f, start, end, flags) => {
    f.while(start.below(end), () => {
      const size = f.let(PAGE_SIZE);
      f.if(
        both(
          start.and(BLOCK_2MB - 1).equals(0),
          end.minus(start).atLeast(BLOCK_2MB),
        ),
        () => f.set(size, BLOCK_2MB),
      );
      const result = f.let(map.call(start, start, size, flags));
      f.if(result.differs(MapResult.Ok), () => f.return(result));
      f.set(start, start.plus(size));
    });
    f.return(MapResult.Ok);
  });
}

/** Bits of the address below the index of `level`: 39, 30, 21, 12. */
function levelShift(level: Expression): Expression {
  return expression(39).minus(level.times(9));
}

function entryOffset(va: Expression, level: Expression): Expression {
  return va.shiftedRight(levelShift(level)).and(511).shiftedLeft(3);
}
