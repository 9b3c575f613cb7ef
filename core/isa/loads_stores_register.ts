import type { Access, Ops, Value } from "./ops.ts";
import { type Fields, type Operand, type Row, row, type RowSpecification } from "./row.ts";
import { label, signed } from "./operands.ts";
import {
  type Transfer,
  transferOperand,
  transferRegisters,
  VECTOR_REGISTERS,
} from "./addressing.ts";
import {
  addressOperands,
  type OffsetField,
  prefetchOperation,
  registerOffsetAddress,
} from "./addressing_operands.ts";

/** Loads and stores of a single register (Arm ARM C4.1.88), general-purpose and SIMD&FP. */

/** What a choice of `size` and `opc` does. */
interface Choice {
  readonly size: number;
  readonly opc: number;
  readonly kind: "load" | "store" | "prefetch";
  /** The mnemonic is `ld` or `st`, a letter of the addressing mode, and this. */
  readonly suffix: string;
  readonly transfer: Transfer;
}

const PREFETCH: Choice = {
  size: 3,
  opc: 2,
  kind: "prefetch",
  suffix: "",
  transfer: { register: "x", bytes: 8 },
};

const GENERAL: readonly Choice[] = [
  ...(["b", "h", "", ""] as const).flatMap((suffix, size): Choice[] => {
    const transfer: Transfer = {
      register: size === 3 ? "x" : "w",
      bytes: (1 << size) as Transfer["bytes"],
    };
    return [
      { size, opc: 0, kind: "store", suffix, transfer },
      { size, opc: 1, kind: "load", suffix, transfer },
    ];
  }),
  ...(["sb", "sh", "sw"] as const).map((suffix, size): Choice => {
    const bytes = (1 << size) as Transfer["bytes"];
    return { size, opc: 2, kind: "load", suffix, transfer: { register: "x", bytes, signed: true } };
  }),
  ...(["sb", "sh"] as const).map((suffix, size): Choice => {
    const bytes = (1 << size) as Transfer["bytes"];
    return { size, opc: 3, kind: "load", suffix, transfer: { register: "w", bytes, signed: true } };
  }),
];

const VECTOR: readonly Choice[] = VECTOR_REGISTERS.flatMap((transfer, log2): Choice[] => {
  const size = log2 & 3, quad = log2 & 4 ? 2 : 0;
  return [
    { size, opc: quad, kind: "store", suffix: "", transfer },
    { size, opc: quad | 1, kind: "load", suffix: "", transfer },
  ];
});

function choose(choices: readonly Choice[], { size, opc }: Fields): Choice | undefined {
  return choices.find((choice) => choice.size === size && choice.opc === opc);
}

/** How a group of encodings finds its address. */
interface Mode {
  /** Letters between `ld` or `st` and the suffix. */
  readonly letters: string;
  operands(choice: Choice): readonly Operand[];
  readonly derive: Required<RowSpecification>["derive"];
  /** The address; `after` writes the base back. */
  address(o: Ops, s: Fields): { address: Value; after?: () => void };
  readonly access?: Pick<Access, "unprivileged">;
  /** Another mnemonic that the assembler reads. */
  readonly synonym?: string;
}

/** The rows of one addressing mode: `V` and what follows it stand between `size 111` and `Rn Rt`. */
function group(name: string, pattern: string, mode: Mode, choices: readonly Choice[]): Row {
  const vector = choices === VECTOR;
  const bits = `size:2 111 ${vector ? 1 : 0} ${pattern} Rn Rt`;
  const fields = ["size", "opc"];
  if (/\bsign\b/.test(pattern) && / 1 0 S /.test(pattern)) fields.push("sign");
  return row(`Load/store ${vector ? "SIMD&FP " : ""}register (${name})`, bits, {
    static: fields,
    when: (f) => choose(choices, f) !== undefined,
    ...(vector ? { fp: true } : {}),
    derive: mode.derive,
    assembly: [
      ...choices.map((choice) => syntax(mode, choice, mode.letters)),
      ...(mode.synonym === undefined ? [] : choices).map((choice) => ({
        ...syntax(mode, choice, mode.synonym!),
        when: () => false,
      })),
    ],
    execute(o, s) {
      const { kind, transfer } = choose(choices, s)!;
      if (kind === "prefetch") return;
      const { address, after } = mode.address(o, s);
      transferRegisters(o, kind, address, transfer, ["Rt"], mode.access);
      after?.();
    },
  });
}

function syntax(mode: Mode, choice: Choice, letters: string) {
  const { size, opc, kind, suffix, transfer } = choice;
  const prefetch = kind === "prefetch";
  const stem = prefetch ? "prf" : kind === "load" ? "ld" : "st";
  const register = prefetch ? prefetchOperation() : transferOperand("Rt", transfer.register);
  return {
    mnemonic: stem + (prefetch ? letters.replace("r", "m") : letters) + suffix,
    operands: [register, ...mode.operands(choice)],
    set: { size, opc },
    when: (f: Fields) => f.size === size && f.opc === opc,
  };
}

function scaledOffset({ transfer }: Choice): OffsetField {
  return { field: "imm12", width: 12, signed: false, scale: transfer.bytes };
}

const BYTE_OFFSET: OffsetField = { field: "imm9", width: 9, signed: true, scale: 1 };

const byteOffset = { offset: (f: Fields) => signed(f.imm9, 9) };

function baseAndOffset(o: Ops): Value {
  return o.add(o.base("Rn"), o.extendS(o.immediate("offset")));
}

const UNSIGNED: (choices: readonly Choice[]) => Mode = (choices) => ({
  letters: "r",
  operands: (choice) => addressOperands("offset", scaledOffset(choice)),
  derive: { offset: (f) => f.imm12 * choose(choices, f)!.transfer.bytes },
  address: (o) => ({ address: baseAndOffset(o) }),
});

const UNSCALED: Mode = {
  letters: "ur",
  operands: () => addressOperands("offset", BYTE_OFFSET),
  derive: byteOffset,
  address: (o) => ({ address: baseAndOffset(o) }),
  synonym: "r",
};

const UNPRIVILEGED: Mode = {
  letters: "tr",
  operands: () => addressOperands("offset", BYTE_OFFSET),
  derive: byteOffset,
  address: (o) => ({ address: baseAndOffset(o) }),
  access: { unprivileged: true },
};

const POST_INDEX: Mode = {
  letters: "r",
  operands: () => addressOperands("post", BYTE_OFFSET),
  derive: byteOffset,
  address: (o) => ({
    address: o.base("Rn"),
    after: () => o.setXsp("Rn", baseAndOffset(o)),
  }),
};

const PRE_INDEX: Mode = {
  letters: "r",
  operands: () => addressOperands("pre", BYTE_OFFSET),
  derive: byteOffset,
  address(o) {
    const address = baseAndOffset(o);
    return { address, after: () => o.setXsp("Rn", address) };
  },
};

function registerOffset(choices: readonly Choice[], wide: 0 | 1): Mode {
  return {
    letters: "r",
    operands: ({ transfer }) => [registerOffsetAddress(wide, Math.log2(transfer.bytes))],
    derive: { shift: (f) => f.S ? Math.log2(choose(choices, f)!.transfer.bytes) : 0 },
    address(o, s) {
      const index = wide ? o.x("Rm") : s.sign ? o.extendS(o.x("Rm", 0)) : o.extendU(o.x("Rm", 0));
      const shifted = o.shl(index, o.extendU(o.immediate("shift")));
      return { address: o.add(o.base("Rn"), shifted) };
    },
  };
}

const GENERAL_AND_PREFETCH: readonly Choice[] = [...GENERAL, PREFETCH];

/** The literal loads' transfers by `opc`; the fourth of the general-purpose ones is PRFM. */
const LITERAL: readonly Transfer[] = [
  { register: "w", bytes: 4 },
  { register: "x", bytes: 8 },
  { register: "x", bytes: 4, signed: true },
];
const VECTOR_LITERAL = VECTOR_REGISTERS.slice(2);

function literalRow(name: string, V: 0 | 1, transfers: readonly Transfer[]): Row {
  const target = label("imm19", 19);
  const prefetch = { mnemonic: "prfm", operands: [prefetchOperation(), target], set: { opc: 3 } };
  return row(name, `opc:2 011 ${V} 00 imm19:19 Rt`, {
    static: ["opc"],
    ...(V ? { fp: true, when: (f) => f.opc !== 3 } : {}),
    derive: { offset: (f) => signed(f.imm19, 19) * 4 },
    assembly: [
      ...transfers.map(({ register, signed }, opc) => ({
        mnemonic: signed ? "ldrsw" : "ldr",
        operands: [transferOperand("Rt", register), target],
        set: { opc },
        when: (f: Fields) => f.opc === opc,
      })),
      ...(V ? [] : [prefetch]),
    ],
    execute(o, s) {
      if (s.opc === 3) return;
      const address = o.add(o.pc(), o.extendS(o.immediate("offset")));
      transferRegisters(o, "load", address, transfers[s.opc], ["Rt"]);
    },
  });
}

/** LDR (literal), LDRSW (literal), PRFM (literal). */
export const LOADS_LITERAL: readonly Row[] = [
  literalRow("Load register (literal)", 0, LITERAL),
  literalRow("Load SIMD&FP register (literal)", 1, VECTOR_LITERAL),
];

/** LDR, STR and their kin with one register. */
export const LOADS_STORES_REGISTER: readonly Row[] = [
  group("unscaled immediate", "00 opc:2 0 imm9:9 00", UNSCALED, GENERAL_AND_PREFETCH),
  group("unscaled immediate", "00 opc:2 0 imm9:9 00", UNSCALED, VECTOR),
  group("immediate post-indexed", "00 opc:2 0 imm9:9 01", POST_INDEX, GENERAL),
  group("immediate post-indexed", "00 opc:2 0 imm9:9 01", POST_INDEX, VECTOR),
  group("unprivileged", "00 opc:2 0 imm9:9 10", UNPRIVILEGED, GENERAL),
  group("immediate pre-indexed", "00 opc:2 0 imm9:9 11", PRE_INDEX, GENERAL),
  group("immediate pre-indexed", "00 opc:2 0 imm9:9 11", PRE_INDEX, VECTOR),
  ...[GENERAL_AND_PREFETCH, VECTOR].flatMap((choices) => [
    group(
      "register offset, word index",
      "00 opc:2 1 Rm sign 1 0 S 10",
      registerOffset(choices, 0),
      choices,
    ),
    group(
      "register offset, doubleword index",
      "00 opc:2 1 Rm sign 1 1 S 10",
      registerOffset(choices, 1),
      choices,
    ),
  ]),
  group(
    "unsigned immediate",
    "01 opc:2 imm12:12",
    UNSIGNED(GENERAL_AND_PREFETCH),
    GENERAL_AND_PREFETCH,
  ),
  group("unsigned immediate", "01 opc:2 imm12:12", UNSIGNED(VECTOR), VECTOR),
];
