import { type Fields, type Operand, type Row, row, type Syntax } from "./row.ts";
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

/** Loads relative to PC, and prefetches (Arm ARM C4.1.88). */

/** The literal loads' transfers by `opc`; the fourth of the general-purpose ones is PRFM. */
const GENERAL: readonly Transfer[] = [
  { register: "w", bytes: 4 },
  { register: "x", bytes: 8 },
  { register: "x", bytes: 4, signed: true },
];
const VECTOR = VECTOR_REGISTERS.slice(2);

const TARGET = label("imm19", 19);

function literalRow(name: string, V: 0 | 1, transfers: readonly Transfer[]): Row {
  const prefetch: Syntax = {
    mnemonic: "prfm",
    operands: [prefetchOperation(), TARGET],
    set: { opc: 3 },
  };
  return row(name, `opc:2 011 ${V} 00 imm19:19 Rt`, {
    static: ["opc"],
    ...(V ? { fp: true, when: (f) => f.opc !== 3 } : {}),
    derive: { offset: (f) => signed(f.imm19, 19) * 4 },
    assembly: [
      ...transfers.map(({ register, signed }, opc) => ({
        mnemonic: signed ? "ldrsw" : "ldr",
        operands: [transferOperand("Rt", register), TARGET],
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

/** A prefetch does nothing here, not even look at its address. The first mnemonic is preferred. */
function prefetchRow(
  name: string,
  pattern: string,
  mnemonics: readonly string[],
  address: readonly Operand[],
): Row {
  return row(name, `11 111 0 ${pattern} Rn Rt`, {
    assembly: mnemonics.map((mnemonic, i) => ({
      mnemonic,
      operands: [prefetchOperation(), ...address],
      when: () => i === 0,
    })),
    execute() {},
  });
}

const SCALED: OffsetField = { field: "imm12", width: 12, signed: false, scale: 8 };
const BYTE_OFFSET: OffsetField = { field: "imm9", width: 9, signed: true, scale: 1 };

/** LDR (literal), LDRSW (literal), PRFM (literal). */
export const LOADS_LITERAL: readonly Row[] = [
  literalRow("Load register (literal)", 0, GENERAL),
  literalRow("Load SIMD&FP register (literal)", 1, VECTOR),
];

/** PRFM and PRFUM: `size` 11 and `opc` 10 of the loads and stores of one register. */
export const PREFETCHES: readonly Row[] = [
  prefetchRow(
    "PRFUM",
    "00 10 0 imm9:9 00",
    ["prfum", "prfm"],
    addressOperands("offset", BYTE_OFFSET),
  ),
  prefetchRow(
    "PRFM (register), word index",
    "00 10 1 Rm sign 1 0 S 10",
    ["prfm"],
    [registerOffsetAddress(0, 3)],
  ),
  prefetchRow(
    "PRFM (register), doubleword index",
    "00 10 1 Rm sign 1 1 S 10",
    ["prfm"],
    [registerOffsetAddress(1, 3)],
  ),
  prefetchRow("PRFM (immediate)", "01 10 imm12:12", ["prfm"], addressOperands("offset", SCALED)),
];

/** `special > general` by name. */
export const PREFETCH_SPECIAL_CASES: readonly string[] = [
  "PRFUM > Load/store register (unscaled immediate)",
  "PRFM (register), word index > Load/store register (register offset, word index)",
  "PRFM (register), doubleword index > Load/store register (register offset, doubleword index)",
  "PRFM (immediate) > Load/store register (unsigned immediate)",
];
