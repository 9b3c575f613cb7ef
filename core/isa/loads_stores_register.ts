import type { Access, Ops, Value } from "./ops.ts";
import { type Fields, type Operand, type Row, row, type RowSpecification } from "./row.ts";
import { signed } from "./operands.ts";
import {
  type Transfer,
  transferOperand,
  transferRegisters,
  VECTOR_REGISTERS,
} from "./addressing.ts";
import { addressOperands, type OffsetField, registerOffsetAddress } from "./addressing_operands.ts";

/** Loads and stores of one register by a base register (Arm ARM C4.1.88), general-purpose and SIMD&FP. */

/** What a choice of `size` and `opc` does. */
interface Choice {
  readonly size: number;
  readonly opc: number;
  readonly kind: "load" | "store";
  /** The mnemonic is `ld` or `st`, the letters of the addressing mode, and this. */
  readonly suffix: string;
  readonly transfer: Transfer;
}

const BYTES = [1, 2, 4, 8] as const;

/** `opc` 0 stores, 1 loads, 2 and 3 load sign-extended to X and W. */
const GENERAL: readonly Choice[] = [
  ...["b", "h", "", ""].flatMap((suffix, size): Choice[] => {
    const transfer: Transfer = { register: size === 3 ? "x" : "w", bytes: BYTES[size] };
    return [
      { size, opc: 0, kind: "store", suffix, transfer },
      { size, opc: 1, kind: "load", suffix, transfer },
    ];
  }),
  ...["sb", "sh", "sw"].map((suffix, size): Choice => {
    const transfer: Transfer = { register: "x", bytes: BYTES[size], signed: true };
    return { size, opc: 2, kind: "load", suffix, transfer };
  }),
  ...["sb", "sh"].map((suffix, size): Choice => {
    const transfer: Transfer = { register: "w", bytes: BYTES[size], signed: true };
    return { size, opc: 3, kind: "load", suffix, transfer };
  }),
];

/** `opc<1>:size` is log2 of the bytes, `opc<0>` is set for loads. */
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

/** An addressing mode. */
interface Mode {
  readonly name: string;
  /** What stands between `size 111 V` and `Rn Rt`. */
  readonly pattern: string;
  /** Letters between `ld` or `st` and the suffix. */
  readonly letters: string;
  /** Letters of another mnemonic that the assembler reads. */
  readonly synonym?: string;
  operands(choice: Choice): readonly Operand[];
  derive(choices: readonly Choice[]): Required<RowSpecification>["derive"];
  /** Static fields besides `size` and `opc`. */
  readonly static?: readonly string[];
  /** The address; `after` writes the base back. */
  address(o: Ops, s: Fields): { address: Value; after?: () => void };
  readonly access?: Pick<Access, "unprivileged">;
}

/** The row of an addressing mode for one kind of register. */
function registerRow(mode: Mode, choices: readonly Choice[]): Row {
  const V = choices === VECTOR ? 1 : 0;
  const syntaxes = (letters: string) => choices.map((choice) => syntax(mode, choice, letters));
  const synonyms = mode.synonym === undefined ? [] : syntaxes(mode.synonym);
  return row(
    `Load/store ${V ? "SIMD&FP " : ""}register (${mode.name})`,
    `size:2 111 ${V} ${mode.pattern} Rn Rt`,
    {
      static: ["size", "opc", ...mode.static ?? []],
      when: (f) => choose(choices, f) !== undefined,
      ...(V ? { fp: true } : {}),
      derive: mode.derive(choices),
      assembly: [...syntaxes(mode.letters), ...synonyms.map((s) => ({ ...s, when: () => false }))],
      execute(o, s) {
        const { kind, transfer } = choose(choices, s)!;
        const { address, after } = mode.address(o, s);
        transferRegisters(o, kind, address, transfer, ["Rt"], mode.access);
        // Written back last: where the base is loaded, too, the reference keeps the address.
        after?.();
      },
    },
  );
}

function syntax(mode: Mode, choice: Choice, letters: string) {
  const { size, opc, kind, suffix, transfer } = choice;
  return {
    mnemonic: (kind === "load" ? "ld" : "st") + letters + suffix,
    operands: [transferOperand("Rt", transfer.register), ...mode.operands(choice)],
    set: { size, opc },
    when: (f: Fields) => f.size === size && f.opc === opc,
  };
}

function baseAndOffset(o: Ops): Value {
  return o.add(o.base("Rn"), o.extendS(o.immediate("offset")));
}

const BYTE_OFFSET: OffsetField = { field: "imm9", width: 9, signed: true, scale: 1 };

/** The modes with `imm9`, save for the address. */
function byteOffset(syntax: "offset" | "post" | "pre") {
  return {
    operands: () => addressOperands(syntax, BYTE_OFFSET),
    derive: () => ({ offset: (f: Fields) => signed(f.imm9, 9) }),
  };
}

const UNSCALED: Mode = {
  ...byteOffset("offset"),
  name: "unscaled immediate",
  pattern: "00 opc:2 0 imm9:9 00",
  letters: "ur",
  synonym: "r",
  address: (o) => ({ address: baseAndOffset(o) }),
};

const POST_INDEXED: Mode = {
  ...byteOffset("post"),
  name: "immediate post-indexed",
  pattern: "00 opc:2 0 imm9:9 01",
  letters: "r",
  address: (o) => ({
    address: o.base("Rn"),
    after: () => o.setXsp("Rn", baseAndOffset(o)),
  }),
};

const UNPRIVILEGED: Mode = {
  ...byteOffset("offset"),
  name: "unprivileged",
  pattern: "00 opc:2 0 imm9:9 10",
  letters: "tr",
  address: (o) => ({ address: baseAndOffset(o) }),
  access: { unprivileged: true },
};

const PRE_INDEXED: Mode = {
  ...byteOffset("pre"),
  name: "immediate pre-indexed",
  pattern: "00 opc:2 0 imm9:9 11",
  letters: "r",
  address(o) {
    const address = baseAndOffset(o);
    return { address, after: () => o.setXsp("Rn", address) };
  },
};

/** The manual's `option` is `sign:1:wide`. A doubleword index is the same whatever its sign. */
function registerOffset(wide: 0 | 1): Mode {
  return {
    name: `register offset, ${wide ? "doubleword" : "word"} index`,
    pattern: `00 opc:2 1 Rm sign 1 ${wide} S 10`,
    letters: "r",
    static: wide ? [] : ["sign"],
    operands: ({ transfer }) => [registerOffsetAddress(wide, Math.log2(transfer.bytes))],
    derive: (choices) => ({
      shift: (f) => f.S ? Math.log2(choose(choices, f)!.transfer.bytes) : 0,
    }),
    address(o, s) {
      const index = wide ? o.x("Rm") : s.sign ? o.extendS(o.x("Rm", 0)) : o.extendU(o.x("Rm", 0));
      const offset = o.shl(index, o.extendU(o.immediate("shift")));
      return { address: o.add(o.base("Rn"), offset) };
    },
  };
}

const UNSIGNED_OFFSET: Mode = {
  name: "unsigned immediate",
  pattern: "01 opc:2 imm12:12",
  letters: "r",
  operands: ({ transfer }) =>
    addressOperands("offset", {
      field: "imm12",
      width: 12,
      signed: false,
      scale: transfer.bytes,
    }),
  derive: (choices) => ({ offset: (f) => f.imm12 * choose(choices, f)!.transfer.bytes }),
  address: (o) => ({ address: baseAndOffset(o) }),
};

/** LDR, STR, LDUR, STUR, LDTR, STTR and their kin. */
export const LOADS_STORES_REGISTER: readonly Row[] = [
  registerRow(UNSCALED, GENERAL),
  registerRow(UNSCALED, VECTOR),
  registerRow(POST_INDEXED, GENERAL),
  registerRow(POST_INDEXED, VECTOR),
  registerRow(UNPRIVILEGED, GENERAL),
  registerRow(PRE_INDEXED, GENERAL),
  registerRow(PRE_INDEXED, VECTOR),
  registerRow(registerOffset(0), GENERAL),
  registerRow(registerOffset(0), VECTOR),
  registerRow(registerOffset(1), GENERAL),
  registerRow(registerOffset(1), VECTOR),
  registerRow(UNSIGNED_OFFSET, GENERAL),
  registerRow(UNSIGNED_OFFSET, VECTOR),
];
