import { type Transfer, transferRegisters } from "./addressing.ts";
import { addressOperands } from "./addressing_operands.ts";
import { w, x } from "./operands.ts";
import type { Access, Ops, Value } from "./ops.ts";
import { type Fields, type Operand, type Row, row, type Syntax } from "./row.ts";

/**
 * Atomic memory operations, compare and swap, and the acquire loads of Armv8.1 to 8.4 (Arm ARM
 * C4.1.94): FEAT_LSE, FEAT_LOR, FEAT_LRCPC, FEAT_LRCPC2.
 *
 * One processor executes at a time, so an operation is atomic and acquire and release (A, R, L, o0)
 * order nothing that is not in order. The access needs permission to read and to write, whatever it
 * finds; a compare and swap that finds something else stores nothing.
 */

const BYTES = [1, 2, 4, 8] as const;
const SUFFIXES = ["b", "h", "", ""];
const BASE: readonly Operand[] = addressOperands("base");

const LSE = { feature: "FEAT_LSE" } as const;

/** `a`, `l` and `al` for acquire and release. */
const ORDERS = [["", 0, 0], ["a", 1, 0], ["l", 0, 1], ["al", 1, 1]] as const;

function register(size: number, field: string): Operand {
  return size === 3 ? x(field) : w(field);
}

/** The low `size` of a register, as i64. */
function lowPart(o: Ops, size: number, field: string): Value {
  const value = o.x(field);
  return size === 3 ? value : o.and(value, o.c64((1n << BigInt(8 * BYTES[size])) - 1n));
}

/** Loads from [Rn] with permission to write, and gives what a store there needs. */
function loadForUpdate(o: Ops, size: number): { address: Value; access: Access; old: Value } {
  const address = o.base("Rn");
  const access: Access = { size: BYTES[size], alignment: "natural" };
  return { address, access, old: o.load(address, { ...access, type: "i64", asWrite: true }) };
}

const OPERATIONS = ["add", "clr", "eor", "set", "smax", "smin", "umax", "umin"] as const;

function operate(o: Ops, operation: number, size: number, old: Value, operand: Value): Value {
  // For signed comparisons the elements stand at the top of 64 bits.
  const up = (value: Value) => size === 3 ? value : o.shl(value, o.c64(64 - 8 * BYTES[size]));
  switch (OPERATIONS[operation]) {
    case "add":
      return o.add(old, operand);
    case "clr":
      return o.and(old, o.not(operand));
    case "eor":
      return o.xor(old, operand);
    case "set":
      return o.or(old, operand);
    case "smax":
      return o.select(o.ltS(up(old), up(operand)), operand, old);
    case "smin":
      return o.select(o.ltS(up(operand), up(old)), operand, old);
    case "umax":
      return o.select(o.ltU(old, operand), operand, old);
    case "umin":
      return o.select(o.ltU(operand, old), operand, old);
  }
}

/** Syntaxes of all sizes and orders, with the alias that drops what was loaded, if there is one. */
function updateSyntaxes(mnemonic: string, set: Fields, store?: string): readonly Syntax[] {
  return [3, 2, 1, 0].flatMap((size) => {
    const is = (f: Fields, A: number, R: number) =>
      f.size === size && f.A === A && f.R === R &&
      Object.entries(set).every(([field, value]) => f[field] === value);
    const aliases: readonly Syntax[] = store === undefined ? [] : [0, 1].map((R) => ({
      mnemonic: `${store}${R ? "l" : ""}${SUFFIXES[size]}`,
      operands: [register(size, "Rs"), ...BASE],
      set: { ...set, size, A: 0, R, Rt: 31 },
      when: (f: Fields) => is(f, 0, R) && f.Rt === 31,
    }));
    return [
      ...aliases,
      ...ORDERS.map(([order, A, R]): Syntax => ({
        mnemonic: `${mnemonic}${order}${SUFFIXES[size]}`,
        operands: [register(size, "Rs"), register(size, "Rt"), ...BASE],
        set: { ...set, size, A, R },
        when: (f) => is(f, A, R),
      })),
    ];
  });
}

const LOAD_OPERATE = row("LD<op>, ST<op>", "size:2 111000 A R 1 Rs 0 opc:3 00 Rn Rt", {
  ...LSE,
  static: ["size", "opc"],
  assembly: OPERATIONS.flatMap((name, opc) => updateSyntaxes(`ld${name}`, { opc }, `st${name}`)),
  execute(o, { size, opc }) {
    const operand = lowPart(o, size, "Rs");
    const { address, access, old } = loadForUpdate(o, size);
    o.store(address, operate(o, opc, size, old, operand), access);
    o.setX("Rt", old);
  },
});

const SWAP = row("SWP", "size:2 111000 A R 1 Rs 1 000 00 Rn Rt", {
  ...LSE,
  static: ["size"],
  assembly: updateSyntaxes("swp", {}),
  execute(o, { size }) {
    const operand = lowPart(o, size, "Rs");
    const { address, access, old } = loadForUpdate(o, size);
    o.store(address, operand, access);
    o.setX("Rt", old);
  },
});

const COMPARE_AND_SWAP = row("CAS", "size:2 0010001 L 1 Rs o0 11111 Rn Rt", {
  ...LSE,
  static: ["size"],
  assembly: [3, 2, 1, 0].flatMap((size) =>
    ORDERS.map(([order, L, o0]) => ({
      mnemonic: `cas${order}${SUFFIXES[size]}`,
      operands: [register(size, "Rs"), register(size, "Rt"), ...BASE],
      set: { size, L, o0 },
      when: (f: Fields) => f.size === size && f.L === L && f.o0 === o0,
    }))
  ),
  execute(o, { size }) {
    const expected = lowPart(o, size, "Rs"), desired = o.x("Rt");
    const { address, access, old } = loadForUpdate(o, size);
    o.when(o.eq(old, expected), () => o.store(address, desired, access));
    o.setX("Rs", old);
  },
});

/** The register behind the one that a field of a pair names, which must be even. */
function nextRegister(sz: number, field: string): Operand {
  const next = sz ? x(`${field}2`) : w(`${field}2`);
  return {
    format: (fields, pc) => next.format({ ...fields, [`${field}2`]: fields[field] + 1 }, pc),
    parse(text, pc, fields) {
      const found = next.parse(text, pc, fields);
      return found?.[`${field}2`] === fields[field] + 1 ? {} : undefined;
    },
  };
}

const COMPARE_AND_SWAP_PAIR = row("CASP", "0 sz 0010000 L 1 Rs o0 11111 Rn Rt", {
  ...LSE,
  static: ["sz"],
  when: ({ Rs, Rt }) => (Rs === undefined || Rs % 2 === 0) && (Rt === undefined || Rt % 2 === 0),
  derive: { Rs2: ({ Rs }) => Rs + 1, Rt2: ({ Rt }) => Rt + 1 },
  assembly: [1, 0].flatMap((sz) =>
    ORDERS.map(([order, L, o0]) => ({
      mnemonic: `casp${order}`,
      operands: [
        register(2 + sz, "Rs"),
        nextRegister(sz, "Rs"),
        register(2 + sz, "Rt"),
        nextRegister(sz, "Rt"),
        ...BASE,
      ],
      set: { sz, L, o0 },
      when: (f: Fields) => f.sz === sz && f.L === L && f.o0 === o0,
    }))
  ),
  execute(o, { sz }) {
    const size = sz ? 3 : 2;
    const expected = [lowPart(o, size, "Rs"), lowPart(o, size, "Rs2")];
    const desired = [o.x("Rt"), o.x("Rt2")];
    const address = o.base("Rn");
    const access: Access = { size: BYTES[size], alignment: "natural" };
    const old = o.loadAll(address, { ...access, count: 2, type: "i64", asWrite: true });
    const same = o.and(o.eq(old[0], expected[0]), o.eq(old[1], expected[1]));
    o.when(same, () => o.store(address, desired, access));
    o.setX("Rs", old[0]);
    o.setX("Rs2", old[1]);
  },
});

/**
 * Loads and stores with acquire and release and no offset. The reference does not check the
 * alignment of LDAPR.
 */
function ordered(
  name: string,
  pattern: string,
  mnemonic: string,
  kind: "load" | "store",
  feature: string,
): Row {
  return row(name, pattern, {
    feature,
    static: ["size"],
    assembly: BYTES.map((_, size) => ({
      mnemonic: mnemonic + SUFFIXES[size],
      operands: [register(size, "Rt"), ...BASE],
      set: { size },
      when: (f) => f.size === size,
    })),
    execute(o, { size }) {
      const transfer: Transfer = { register: size === 3 ? "x" : "w", bytes: BYTES[size] };
      const how = mnemonic === "ldapr" ? {} : { alignment: "ordered" } as const;
      transferRegisters(o, kind, o.base("Rn"), transfer, ["Rt"], how);
    },
  });
}

/** LDAPUR and STLUR by `size` and `opc`; those left out are not allocated. */
const UNSCALED: Readonly<Record<string, { mnemonic: string; transfer: Transfer } | undefined>> =
  Object.fromEntries([
    ...BYTES.flatMap((bytes, size): [string, { mnemonic: string; transfer: Transfer }][] => {
      const register = size === 3 ? "x" : "w";
      const suffix = SUFFIXES[size];
      return [
        [`${size} 0`, { mnemonic: `stlur${suffix}`, transfer: { register, bytes } }],
        [`${size} 1`, { mnemonic: `ldapur${suffix}`, transfer: { register, bytes } }],
      ];
    }),
    ...[["0 2", "b", 1, "x"], ["0 3", "b", 1, "w"], ["1 2", "h", 2, "x"], ["1 3", "h", 2, "w"], [
      "2 2",
      "w",
      4,
      "x",
    ]].map(([key, suffix, bytes, register]) => [key, {
      mnemonic: `ldapurs${suffix}`,
      transfer: { register, bytes, signed: true },
    }]),
  ]);

const LOAD_STORE_UNSCALED = row(
  "LDAPR, STLR (unscaled immediate)",
  "size:2 011001 opc:2 0 imm9:9 00 Rn Rt",
  {
    feature: "FEAT_LRCPC2",
    static: ["size", "opc"],
    when: ({ size, opc }) => UNSCALED[`${size} ${opc}`] !== undefined,
    derive: { offset: ({ imm9 }) => imm9 << 23 >> 23 },
    assembly: Object.entries(UNSCALED).map(([key, choice]) => {
      const [size, opc] = key.split(" ").map(Number);
      const { mnemonic, transfer } = choice!;
      return {
        mnemonic,
        operands: [
          transfer.register === "x" ? x("Rt") : w("Rt"),
          ...addressOperands("offset", { field: "imm9", width: 9, signed: true, scale: 1 }),
        ],
        set: { size, opc },
        when: (f: Fields) => f.size === size && f.opc === opc,
      };
    }),
    execute(o, { size, opc }) {
      const { transfer } = UNSCALED[`${size} ${opc}`]!;
      const address = o.add(o.base("Rn"), o.extendS(o.immediate("offset")));
      const kind = opc === 0 ? "store" : "load";
      transferRegisters(o, kind, address, transfer, ["Rt"], { alignment: "ordered" });
    },
  },
);

/** All of them, in the manual's order. */
export const ATOMICS: readonly Row[] = [
  COMPARE_AND_SWAP_PAIR,
  ordered("STLLR", "size:2 001000 100 (11111) 0 (11111) Rn Rt", "stllr", "store", "FEAT_LOR"),
  ordered("LDLAR", "size:2 001000 110 (11111) 0 (11111) Rn Rt", "ldlar", "load", "FEAT_LOR"),
  COMPARE_AND_SWAP,
  LOAD_STORE_UNSCALED,
  LOAD_OPERATE,
  SWAP,
  ordered("LDAPR", "size:2 111000 101 11111 1 100 00 Rn Rt", "ldapr", "load", "FEAT_LRCPC"),
];
