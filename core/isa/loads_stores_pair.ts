import { type Fields, type Row, row } from "./row.ts";
import { signed } from "./operands.ts";
import {
  type Transfer,
  transferOperand,
  transferRegisters,
  VECTOR_REGISTERS,
} from "./addressing.ts";
import { addressOperands } from "./addressing_operands.ts";

/**
 * Loads and stores of register pairs (Arm ARM C4.1.88), general-purpose and SIMD&FP.
 *
 * Invariant: both elements are one access, so a pair that faults anywhere has stored and loaded
 * nothing.
 */

/** The register transferred by `opc`; LDPSW has no store and no non-temporal form. */
const GENERAL: readonly Transfer[] = [
  { register: "w", bytes: 4 },
  { register: "x", bytes: 4, signed: true },
  { register: "x", bytes: 8 },
];
const VECTOR = VECTOR_REGISTERS.slice(2);

type Mode = "non-temporal" | "post" | "offset" | "pre";
const MODE_BITS: Readonly<Record<Mode, string>> = {
  "non-temporal": "000",
  post: "001",
  offset: "010",
  pre: "011",
};

function isAllocated(V: number, opc: number, L: number, mode: Mode): boolean {
  if (V) return opc !== 3;
  return opc === 0 || opc === 2 || (opc === 1 && L === 1 && mode !== "non-temporal");
}

function pairRow(name: string, mode: Mode, V: 0 | 1): Row {
  const transfers = V ? VECTOR : GENERAL;
  return row(name, `opc:2 101 ${V} ${MODE_BITS[mode]} L imm7:7 Rt2 Rn Rt`, {
    static: ["opc", "L"],
    when: (f) => isAllocated(V, f.opc, f.L, mode),
    ...(V ? { fp: true } : {}),
    derive: { offset: (f) => signed(f.imm7, 7) * transfers[f.opc].bytes },
    assembly: transfers.flatMap((transfer, opc) =>
      [0, 1].filter((L) => isAllocated(V, opc, L, mode)).map((L) => ({
        mnemonic: `${L ? "ld" : "st"}${mode === "non-temporal" ? "np" : "p"}` +
          (transfer.signed ? "sw" : ""),
        operands: [
          transferOperand("Rt", transfer.register),
          transferOperand("Rt2", transfer.register),
          ...addressOperands(mode === "non-temporal" ? "offset" : mode, {
            field: "imm7",
            width: 7,
            signed: true,
            scale: transfer.bytes,
          }),
        ],
        set: { opc, L },
        when: (f: Fields) => f.opc === opc && f.L === L,
      }))
    ),
    execute(o, s) {
      const base = o.base("Rn");
      const moved = o.add(base, o.extendS(o.immediate("offset")));
      const address = mode === "post" ? base : moved;
      transferRegisters(o, s.L ? "load" : "store", address, transfers[s.opc], ["Rt", "Rt2"]);
      if (mode === "post" || mode === "pre") o.setXsp("Rn", moved);
    },
  });
}

function pairRows(name: string, mode: Mode): readonly Row[] {
  return [
    pairRow(`Load/store ${name}`, mode, 0),
    pairRow(`Load/store SIMD&FP ${name}`, mode, 1),
  ];
}

/** LDP, STP, LDPSW, LDNP, STNP. */
export const LOADS_STORES_PAIR: readonly Row[] = [
  ...pairRows("no-allocate pair (offset)", "non-temporal"),
  ...pairRows("register pair (post-indexed)", "post"),
  ...pairRows("register pair (offset)", "offset"),
  ...pairRows("register pair (pre-indexed)", "pre"),
];
