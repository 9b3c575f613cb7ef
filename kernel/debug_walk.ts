import {
  both,
  type Expression,
  expression,
  type FunctionReference,
  load64,
  type Program,
} from "./codegen/mod.ts";
import type { Console } from "./console.ts";
import {
  ACCESSED,
  ADDRESS_MASK,
  PRIVILEGED_EXECUTE_NEVER,
  TABLE_OR_PAGE,
  USER_EXECUTE_NEVER,
  VALID,
} from "./page_table.ts";

/**
 * Defines `debug_walk(va)`, which prints each descriptor that the translation of `va` goes through.
 * It reads the tables at their physical addresses: with the MMU on they must be identity-mapped.
 */
export function defineDebugWalk(
  program: Program,
  console: Console,
  parts: {
    root: Expression;
    entryOffset: (va: Expression, level: Expression) => Expression;
  },
): FunctionReference {
  const { root, entryOffset } = parts;
  const { print } = console;
  const printLeaf = definePrintLeaf(program, print);
  return program.function("debug_walk", (f, va) => {
    f.call(print, "[walk] Translating %x:\n", va);
    const table = f.let(load64(root));
    const level = f.let(0);
    f.forever(() => {
      const offset = f.let(entryOffset(va, level));
      const descriptor = f.let(load64(table.plus(offset)));
      f.call(print, "  L%d [%d]: %p\n", level, offset.shiftedRight(3), descriptor);
      f.if(descriptor.and(VALID).equals(0), () => {
        f.call(print, "    -> INVALID\n");
        f.call(print, "    -> Translation fault at level %d: the descriptor is invalid\n", level);
        f.return();
      });
      // TABLE is the name of bit 1, which is set in pages too.
      const kind = f.let(program.string("BLOCK"));
      f.if(descriptor.and(TABLE_OR_PAGE).differs(0), () => f.set(kind, program.string("TABLE")));
      f.call(
        print,
        "    -> VALID | %s | AF=%d | UXN=%d | PXN=%d\n",
        kind,
        bit(descriptor, ACCESSED),
        bit(descriptor, USER_EXECUTE_NEVER),
        bit(descriptor, PRIVILEGED_EXECUTE_NEVER),
      );
      f.set(table, descriptor.and(ADDRESS_MASK));
      f.if(
        both(descriptor.and(TABLE_OR_PAGE).differs(0), level.differs(3)),
        () => f.call(print, "    -> Next table at %x\n", table),
        () => {
          f.call(printLeaf, va, table, level);
          f.return();
        },
      );
      f.set(level, level.plus(1));
    });
  });
}

/** `debug_walk_leaf(va, base, level)`: the line on what the page or block translates `va` to. */
function definePrintLeaf(program: Program, print: FunctionReference): FunctionReference {
  return program.function("debug_walk_leaf", (f, va, base, level) => {
    const size = f.let(expression(1).shiftedLeft(expression(39).minus(level.times(9))));
    const inside = f.let(va.and(size.minus(1)));
    const kind = f.let(program.string("page"));
    f.if(level.equals(2), () => f.set(kind, program.string("2 MB block")));
    f.if(level.equals(1), () => f.set(kind, program.string("1 GB block")));
    f.call(
      print,
      "    -> Translates to %x (%s @ %x + offset %x)\n",
      base.plus(inside),
      kind,
      base,
      inside,
    );
  });
}

function bit(value: Expression, mask: bigint): Expression {
  return value.shiftedRight(mask.toString(2).length - 1).and(1);
}
