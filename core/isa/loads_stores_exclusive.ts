import type { Access, Ops, Value } from "./ops.ts";
import { type Fields, type Operand, type Row, row, type Syntax } from "./row.ts";
import { w, x } from "./operands.ts";
import { type Transfer, transferRegisters } from "./addressing.ts";
import { addressOperands } from "./addressing_operands.ts";

/**
 * Load-exclusive and store-exclusive, load-acquire and store-release (Arm ARM C4.1.88).
 *
 * The local monitor is the address, the value loaded and whether it is closed. As in the reference
 * a store-exclusive succeeds if the monitor is closed for its address and memory still holds that
 * value; the sizes of the two need not agree. (After a longer load-exclusive the reference may store
 * a shorter value and yet report failure; here nothing is stored.) A store-exclusive to another
 * address accesses nothing. With one processor at a time, acquire and release order nothing that is not in order.
 */

const BYTES = [1, 2, 4, 8] as const;
const SUFFIXES = ["b", "h", "", ""];

const BASE: readonly Operand[] = addressOperands("base");

/** Syntaxes by `size` and whether o0 (acquire, release) is set. */
function syntaxes(
  sizes: readonly number[],
  mnemonics: readonly [plain: string, ordered: string],
  registers: readonly string[],
  status: boolean,
): readonly Syntax[] {
  return sizes.flatMap((size) =>
    mnemonics.map((mnemonic, o0) => ({
      mnemonic: mnemonic + SUFFIXES[size],
      operands: [
        ...(status ? [w("Rs")] : []),
        ...registers.map((field) => size === 3 ? x(field) : w(field)),
        ...BASE,
      ],
      set: { size, o0 },
      when: (f: Fields) => f.size === size && f.o0 === o0,
    }))
  );
}

/** The pair rows' `sz` as a `size`. */
function pairSyntaxes(mnemonics: readonly [string, string], status: boolean): readonly Syntax[] {
  return syntaxes([2, 3], mnemonics, ["Rt", "Rt2"], status).map((syntax) => {
    const { size, o0 } = syntax.set!;
    const sz = size - 2;
    return { ...syntax, set: { sz, o0 }, when: (f) => f.sz === sz && f.o0 === o0 };
  });
}

/** AArch64.SetExclusiveMonitors(). */
function closeMonitor(o: Ops, address: Value, bytes: number, low: Value, high?: Value): void {
  o.setState("exclusive-address", address);
  o.setState("exclusive-size", o.c64(bytes));
  o.setState("exclusive-low", low);
  if (high) o.setState("exclusive-high", high);
}

/**
 * The store of a store-exclusive: `values` are stored if memory still holds `expected`. Writes the
 * status to Rs and opens the monitor.
 */
function storeExclusive(
  o: Ops,
  access: Access,
  values: readonly Value[],
  expected: readonly Value[],
): void {
  const address = o.base("Rn");
  const status = o.variable(o.c32(1));
  const mine = o.and(
    o.ne(o.state("exclusive-size"), o.c64(0)),
    o.eq(o.state("exclusive-address"), address),
  );
  o.when(mine, () => {
    const found = o.loadAll(address, {
      ...access,
      count: values.length,
      type: "i64",
      // The reference writes a single element back where it differs, but not a pair.
      asWrite: values.length === 1,
      comparison: true,
    });
    const same = found.map((value, i) => o.eq(value, expected[i])).reduce((a, b) => o.and(a, b));
    o.when(same, () => {
      o.store(address, values, access);
      o.assign(status, o.c32(0));
    });
  });
  o.setX("Rs", status);
  o.setState("exclusive-size", o.c64(0));
}

const STORE_EXCLUSIVE = row("Store exclusive register", "size:2 001000 000 Rs o0 (11111) Rn Rt", {
  static: ["size"],
  assembly: syntaxes([0, 1, 2, 3], ["stxr", "stlxr"], ["Rt"], true),
  execute(o, s) {
    const access: Access = { size: BYTES[s.size], alignment: "natural" };
    const value = o.x("Rt", s.size === 3 ? 1 : 0);
    storeExclusive(o, access, [value], [o.state("exclusive-low")]);
  },
});

const STORE_EXCLUSIVE_PAIR = row("Store exclusive pair", "1 sz 001000 001 Rs o0 Rt2 Rn Rt", {
  static: ["sz"],
  assembly: pairSyntaxes(["stxp", "stlxp"], true),
  execute(o, s) {
    const access: Access = { size: 8, alignment: "natural", words: !s.sz };
    const low = o.state("exclusive-low");
    if (s.sz) {
      const expected = [low, o.state("exclusive-high")];
      return storeExclusive(o, access, [o.x("Rt"), o.x("Rt2")], expected);
    }
    const upper = o.shl(o.extendU(o.x("Rt2", 0)), o.c64(32));
    storeExclusive(o, access, [o.or(o.extendU(o.x("Rt", 0)), upper)], [low]);
  },
});

const LOAD_EXCLUSIVE = row(
  "Load exclusive register",
  "size:2 001000 010 (11111) o0 (11111) Rn Rt",
  {
    static: ["size"],
    assembly: syntaxes([0, 1, 2, 3], ["ldxr", "ldaxr"], ["Rt"], false),
    execute(o, s) {
      const address = o.base("Rn");
      const bytes = BYTES[s.size];
      const value = o.load(address, { size: bytes, type: "i64", alignment: "natural" });
      o.setX("Rt", value);
      closeMonitor(o, address, bytes, value);
    },
  },
);

const LOAD_EXCLUSIVE_PAIR = row("Load exclusive pair", "1 sz 001000 011 (11111) o0 Rt2 Rn Rt", {
  static: ["sz"],
  assembly: pairSyntaxes(["ldxp", "ldaxp"], false),
  execute(o, s) {
    const address = o.base("Rn");
    const count = s.sz ? 2 : 1;
    const access: Access = { size: 8, alignment: "natural", words: !s.sz };
    const values = o.loadAll(address, { ...access, count, type: "i64" });
    closeMonitor(o, address, 8 * count, values[0], values[1]);
    o.setX("Rt", s.sz ? values[0] : o.wrap(values[0]));
    o.setX("Rt2", s.sz ? values[1] : o.shrU(values[0], o.c64(32)));
  },
});

function ordered(name: string, pattern: string, mnemonic: string, kind: "load" | "store"): Row {
  return row(name, pattern, {
    static: ["size"],
    assembly: BYTES.map((_, size) => ({
      mnemonic: mnemonic + SUFFIXES[size],
      operands: [size === 3 ? x("Rt") : w("Rt"), ...BASE],
      set: { size },
      when: (f) => f.size === size,
    })),
    execute(o, s) {
      const transfer: Transfer = { register: s.size === 3 ? "x" : "w", bytes: BYTES[s.size] };
      transferRegisters(o, kind, o.base("Rn"), transfer, ["Rt"], { alignment: "ordered" });
    },
  });
}

/** LDXR, STXR, LDXP, STXP with and without acquire and release; LDAR, STLR. */
export const LOADS_STORES_EXCLUSIVE: readonly Row[] = [
  STORE_EXCLUSIVE,
  STORE_EXCLUSIVE_PAIR,
  LOAD_EXCLUSIVE,
  LOAD_EXCLUSIVE_PAIR,
  ordered("Store-release", "size:2 001000 100 (11111) 1 (11111) Rn Rt", "stlr", "store"),
  ordered("Load-acquire", "size:2 001000 110 (11111) 1 (11111) Rn Rt", "ldar", "load"),
];
