import { CALL_LANDING, jumpLanding } from "./branches_system.ts";
import { memory, optional, parseInteger, x, xsp } from "./operands.ts";
import type { Ops, Value } from "./ops.ts";
import { type Fields, type Operand, type Row, row, type RowSpecification } from "./row.ts";
import type { BlockEnd } from "./row.ts";

/**
 * Pointer authentication (FEAT_PAuth, Arm ARM D8.8): signing, authenticating and stripping of
 * pointers, and the branches and loads that authenticate first.
 *
 * The machine does the work (`core/system/pointer_authentication.ts`): it knows the keys and which bits of
 * a pointer are code. Its argument is the operation and the register of the modifier.
 */

/** What is done, by number: the low two bits of the first eight name the key. */
export const POINTER_OPERATIONS: readonly string[] = [
  ...["PACIA", "PACIB", "PACDA", "PACDB", "AUTIA", "AUTIB", "AUTDA", "AUTDB"],
  ...["XPACI", "XPACD", "PACGA"],
];
/** Registers of a modifier beside X0 to X30. */
export const MODIFIER = { sp: 31, zero: 32 } as const;

const PAUTH = { feature: "FEAT_PAuth" } as const;

function argumentOf(operation: string, modifier: number): number {
  return POINTER_OPERATIONS.indexOf(operation) | modifier << 8;
}

/** The result of an operation on a pointer with a modifier that is always the same. */
function done(o: Ops, operation: string, pointer: Value, modifier: number): Value {
  return o.callOut("pointer", o.c32(argumentOf(operation, modifier)), pointer);
}

/** The same with a modifier from a register, which 31 means SP in. */
function modifiedBy(operation: string, field: string): Required<RowSpecification>["derive"] {
  return { argument: (f: Fields) => argumentOf(operation, f[field]) };
}

function doneWith(o: Ops, pointer: Value): Value {
  return o.callOut("pointer", o.immediate("argument"), pointer);
}

// ---- data processing ----

const KEYED = POINTER_OPERATIONS.slice(0, 8);
const ONE_SOURCE = "1 1 0 11010110 00001";

const SIGNING: readonly Row[] = KEYED.flatMap((name, opcode) => {
  const code = opcode.toString(2).padStart(3, "0");
  const zero = `${name.slice(0, 3)}${name[3]}Z${name[4]}`;
  return [
    row(name, `${ONE_SOURCE} 000 ${code} Rn Rd`, {
      ...PAUTH,
      derive: modifiedBy(name, "Rn"),
      assembly: [{ mnemonic: name.toLowerCase(), operands: [x("Rd"), xsp("Rn")] }],
      execute: (o) => o.setX("Rd", doneWith(o, o.x("Rd"))),
    }),
    row(zero, `${ONE_SOURCE} 001 ${code} 11111 Rd`, {
      ...PAUTH,
      assembly: [{ mnemonic: zero.toLowerCase(), operands: [x("Rd")] }],
      execute: (o) => o.setX("Rd", done(o, name, o.x("Rd"), MODIFIER.zero)),
    }),
  ];
});

const STRIPPING: readonly Row[] = ["XPACI", "XPACD"].map((name, D) =>
  row(name, `${ONE_SOURCE} 01000 ${D} 11111 Rd`, {
    ...PAUTH,
    assembly: [{ mnemonic: name.toLowerCase(), operands: [x("Rd")] }],
    execute: (o) => o.setX("Rd", done(o, name, o.x("Rd"), MODIFIER.zero)),
  })
);

const GENERIC = row("PACGA", "1 0 0 11010110 Rm 001100 Rn Rd", {
  ...PAUTH,
  derive: modifiedBy("PACGA", "Rm"),
  assembly: [{ mnemonic: "pacga", operands: [x("Rd"), x("Rn"), xsp("Rm")] }],
  execute: (o) => o.setX("Rd", doneWith(o, o.x("Rn"))),
});

// ---- hints: nothing happens on a processor without pointer authentication ----

/** Of X30 or X17, by CRm:op2. */
const HINTS: readonly (readonly [name: string, number: number, modifier: number])[] = [
  ["XPACLRI", 7, MODIFIER.zero],
  ["PACIA1716", 8, 16],
  ["PACIB1716", 10, 16],
  ["AUTIA1716", 12, 16],
  ["AUTIB1716", 14, 16],
  ["PACIAZ", 24, MODIFIER.zero],
  ["PACIASP", 25, MODIFIER.sp],
  ["PACIBZ", 26, MODIFIER.zero],
  ["PACIBSP", 27, MODIFIER.sp],
  ["AUTIAZ", 28, MODIFIER.zero],
  ["AUTIASP", 29, MODIFIER.sp],
  ["AUTIBZ", 30, MODIFIER.zero],
  ["AUTIBSP", 31, MODIFIER.sp],
];

const HINT_ROWS: readonly Row[] = HINTS.map(([name, number, modifier]) => {
  const operation = name === "XPACLRI" ? "XPACI" : name.slice(0, 5);
  const bits = number.toString(2).padStart(7, "0");
  return row(name, `11010101000000110010 ${bits} 11111`, {
    ...PAUTH,
    hint: true,
    derive: { pointer: () => name.endsWith("1716") ? 17 : 30 },
    assembly: [{ mnemonic: name.toLowerCase(), operands: [] }],
    execute: (o) => o.setX("pointer", done(o, operation, o.x("pointer"), modifier)),
  });
});

// ---- branches ----

/** BRAA and its like: to Rn, by key A (0) or B, with a modifier or (Z) without. */
function branch(name: string, op: string, M: number, Z: number): Row {
  const isCall = op === "001";
  const operation = M ? "AUTIB" : "AUTIA";
  const ends: BlockEnd = isCall ? "indirect-call" : "indirect";
  const target = (o: Ops) =>
    Z ? doneWith(o, o.x("Rn")) : done(o, operation, o.x("Rn"), MODIFIER.zero);
  return row(name, `1101011 ${Z} ${op} 11111 00001 ${M} Rn ${Z ? "Rm" : "11111"}`, {
    ...PAUTH,
    ends,
    derive: {
      ...(Z ? modifiedBy(operation, "Rm") : {}),
      ...(isCall ? {} : { landing: jumpLanding }),
    },
    assembly: [{ mnemonic: name.toLowerCase(), operands: Z ? [x("Rn"), xsp("Rm")] : [x("Rn")] }],
    execute(o) {
      const address = target(o);
      if (isCall) o.setLink(o.add(o.pc(), o.c64(4)));
      o.branchTo(address, isCall ? o.c32(CALL_LANDING) : o.immediate("landing"));
    },
  });
}

const BRANCHES: readonly Row[] = [0, 1].flatMap((M) => {
  const key = "AB"[M], operation = M ? "AUTIB" : "AUTIA";
  return [
    branch(`BRA${key}Z`, "000", M, 0),
    branch(`BRA${key}`, "000", M, 1),
    branch(`BLRA${key}Z`, "001", M, 0),
    branch(`BLRA${key}`, "001", M, 1),
    row(`RETA${key}`, `1101011 0 010 11111 00001 ${M} 11111 11111`, {
      ...PAUTH,
      ends: "return",
      derive: { pointer: () => 30 },
      assembly: [{ mnemonic: `reta${key.toLowerCase()}`, operands: [] }],
      execute: (o) => o.branchTo(done(o, operation, o.x("pointer"), MODIFIER.sp)),
    }),
    row(`ERETA${key}`, `1101011 0 100 11111 00001 ${M} 11111 11111`, {
      ...PAUTH,
      ends: "exception",
      assembly: [{ mnemonic: `ereta${key.toLowerCase()}`, operands: [] }],
      execute(o) {
        o.callOut("return-address", o.c32(argumentOf(operation, MODIFIER.sp)));
        o.exceptionReturn();
      },
    }),
  ];
});

// ---- loads ----

/** `S:imm9`, counting doublewords. */
const OFFSET: Operand = {
  format: ({ S, imm9 }) => `#${((S << 9 | imm9) << 22 >> 22) * 8}`,
  parse(text) {
    const value = Number(parseInteger(text) ?? NaN) / 8;
    if (!Number.isInteger(value) || value < -512 || value > 511) return undefined;
    return { S: value < 0 ? 1 : 0, imm9: value & 511 };
  },
};

const LOADS: readonly Row[] = [0, 1].map((M) => {
  const mnemonic = `ldra${"ab"[M]}`;
  return row(mnemonic.toUpperCase(), `11111000 ${M} S 1 imm9:9 W 1 Rn Rt`, {
    ...PAUTH,
    static: ["W"],
    derive: { offset: ({ S, imm9 }) => ((S << 9 | imm9) << 22 >> 22) * 8 },
    assembly: [{
      mnemonic,
      operands: [x("Rt"), memory([xsp("Rn"), optional(OFFSET, { S: 0, imm9: 0 })])],
      set: { W: 0 },
      when: ({ W }) => W === 0,
    }, {
      mnemonic,
      operands: [x("Rt"), memory([xsp("Rn"), optional(OFFSET, { S: 0, imm9: 0 })], "!")],
      set: { W: 1 },
    }],
    execute(o, { W }) {
      const base = done(o, M ? "AUTDB" : "AUTDA", o.base("Rn"), MODIFIER.zero);
      const address = o.add(base, o.extendS(o.immediate("offset")));
      o.setX("Rt", o.load(address, { size: 8 }));
      if (W) o.setXsp("Rn", address);
    },
  });
});

/** All of them. */
export const POINTER_AUTHENTICATION: readonly Row[] = [
  ...SIGNING,
  ...STRIPPING,
  GENERIC,
  ...HINT_ROWS,
  ...BRANCHES,
  ...LOADS,
];
/** `special > general` by name. */
export const POINTER_AUTHENTICATION_SPECIAL_CASES: readonly string[] = HINTS.map(([name]) =>
  `${name} > HINT`
);
