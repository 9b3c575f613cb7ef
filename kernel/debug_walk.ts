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
  const choose = program.function("choose", (f, condition, yes, no) => {
    f.if(condition.differs(0), () => f.return(yes));
    f.return(no);
  });
  return program.function("debug_walk", (f, va) => {
    f.call(print, "[walk] Translating %x:\n", va);
    const table = f.let(load64(root));
    const level = f.let(0);
    f.forever(() => {
      const offset = f.let(entryOffset(va, level));
      const descriptor = f.let(load64(table.plus(offset)));
      f.call(print, "  L%d [%d]: %p\n", level, offset.shiftedRight(3), descriptor);
      // TABLE is the name of bit 1, which is set in pages too.
      f.call(
        print,
        "    -> %s | %s | AF=%d | UXN=%d | PXN=%d\n",
        choose.call(descriptor.and(VALID), "VALID", "INVALID"),
        choose.call(descriptor.and(TABLE_OR_PAGE), "TABLE", "BLOCK"),
        bit(descriptor, ACCESSED),
        bit(descriptor, USER_EXECUTE_NEVER),
        bit(descriptor, PRIVILEGED_EXECUTE_NEVER),
      );
      f.if(descriptor.and(VALID).equals(0), () => {
        f.call(print, "    -> Translation fault at level %d: the descriptor is invalid\n", level);
        f.return();
      });
      f.set(table, descriptor.and(ADDRESS_MASK));
      f.if(
        both(descriptor.and(TABLE_OR_PAGE).differs(0), level.differs(3)),
        () => f.call(print, "    -> Next table at %x\n", table),
        () => {
          const size = f.let(expression(1).shiftedLeft(expression(39).minus(level.times(9))));
          const inside = f.let(va.and(size.minus(1)));
          const kind = f.let(program.string("page"));
          f.if(level.equals(2), () => f.set(kind, program.string("2 MB block")));
          f.if(level.equals(1), () => f.set(kind, program.string("1 GB block")));
          f.call(
            print,
            "    -> Translates to %x (%s @ %x + offset %x)\n",
            table.plus(inside),
            kind,
            table,
            inside,
          );
          f.return();
        },
      );
      f.set(level, level.plus(1));
    });
  });
}

function bit(value: Expression, mask: bigint): Expression {
  return value.shiftedRight(mask.toString(2).length - 1).and(1);
}
