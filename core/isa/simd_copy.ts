import type { Operand, Row } from "./row.ts";
import { scalar, w, x } from "./operands.ts";
import { KEEP, setVector, simdRow } from "./simd_common.ts";
import { elementAt, indexField, vectorAs } from "./simd_operands.ts";

/**
 * Advanced SIMD copy and scalar copy (Arm ARM C4.1.96).
 *
 * `imm5` is the element's index above a one that tells the size, so every size is a row of its own.
 */

const LETTERS = ["b", "h", "s", "d"] as const;
const SIZES = [0, 1, 2, 3];
const BITS = ["8", "16", "32", "64"];
const STORES = ["i64.store8", "i64.store16", "i64.store32", "i64.store"];

/** imm5 with the index in `field`, or with the index ignored. */
function imm5(size: number, field?: string): string {
  const index = field === undefined ? `(${"0".repeat(4 - size)})` : `${field}:${4 - size}`;
  return `${index} 1${"0".repeat(size)}`;
}

function elementOf(register: string, size: number, field = "index"): Operand {
  return elementAt(register, LETTERS[size], indexField(field, 4 - size));
}

/** The byte of the register at which an element begins. */
function byteOf(field: string, size: number): (f: Readonly<Record<string, number>>) => number {
  return (f) => f[field] << size;
}

const SCALAR_COPY: readonly Row[] = SIZES.map((size) =>
  simdRow("DUP (element)", `01 0 11110000 ${imm5(size, "index")} 0 0000 1 Rn Rd`, {
    derive: { offset: byteOf("index", size) },
    assembly: ["mov", "dup"].map((mnemonic, i) => ({
      mnemonic,
      operands: [scalar("Rd", LETTERS[size]), elementOf("Rn", size)],
      when: () => i === 0,
    })),
    execute(o) {
      const load = size === 3 ? "i64.load" : `i64.load${BITS[size]}_u`;
      o.setV("Rd", o.vPart(load, "Rn", "offset"));
    },
  })
);

const DUPLICATE_ELEMENT: readonly Row[] = SIZES.map((size) =>
  simdRow("DUP (element)", `0 Q 0 01110000 ${imm5(size, "index")} 0 0000 1 Rn Rd`, {
    when: ({ Q }) => size < 3 || Q === 1,
    derive: { ...KEEP, offset: byteOf("index", size) },
    assembly: [{ mnemonic: "dup", operands: [vectorAs("Rd", { size }), elementOf("Rn", size)] }],
    execute: (o) => setVector(o, o.vPart(`v128.load${BITS[size]}_splat`, "Rn", "offset")),
  })
);

const DUPLICATE_GENERAL: readonly Row[] = SIZES.map((size) =>
  simdRow("DUP (general)", `0 Q 0 01110000 ${imm5(size)} 0 0001 1 Rn Rd`, {
    when: ({ Q }) => size < 3 || Q === 1,
    derive: KEEP,
    assembly: [{
      mnemonic: "dup",
      operands: [vectorAs("Rd", { size }), size < 3 ? w("Rn") : x("Rn")],
    }],
    execute(o) {
      const splat = ["i8x16.splat", "i16x8.splat", "i32x4.splat", "i64x2.splat"][size];
      setVector(o, o.plain(splat, o.x("Rn", size < 3 ? 0 : 1)));
    },
  })
);

const SIGNED_MOVE: readonly Row[] = [[0, 0], [1, 0], [0, 1], [1, 1], [2, 1]].map(([size, Q]) =>
  simdRow("SMOV", `0 ${Q} 0 01110000 ${imm5(size, "index")} 0 0101 1 Rn Rd`, {
    derive: { offset: byteOf("index", size) },
    assembly: [{ mnemonic: "smov", operands: [Q ? x("Rd") : w("Rd"), elementOf("Rn", size)] }],
    execute: (o) =>
      o.setX("Rd", o.vPart(`${Q ? "i64" : "i32"}.load${BITS[size]}_s`, "Rn", "offset")),
  })
);

const UNSIGNED_MOVE: readonly Row[] = SIZES.map((size) => {
  const mnemonics = size < 2 ? ["umov"] : ["mov", "umov"];
  return simdRow(
    "UMOV",
    `0 ${size === 3 ? 1 : 0} 0 01110000 ${imm5(size, "index")} 0 0111 1 Rn Rd`,
    {
      derive: { offset: byteOf("index", size) },
      assembly: mnemonics.map((mnemonic, i) => ({
        mnemonic,
        operands: [size === 3 ? x("Rd") : w("Rd"), elementOf("Rn", size)],
        when: () => i === 0,
      })),
      execute(o) {
        const load = size === 3 ? "i64.load" : `i64.load${BITS[size]}_u`;
        o.setX("Rd", o.vPart(load, "Rn", "offset"));
      },
    },
  );
});

const INSERT_GENERAL: readonly Row[] = SIZES.map((size) =>
  simdRow("INS (general)", `0 1 0 01110000 ${imm5(size, "index")} 0 0011 1 Rn Rd`, {
    derive: { offset: byteOf("index", size) },
    assembly: ["mov", "ins"].map((mnemonic, i) => ({
      mnemonic,
      operands: [elementOf("Rd", size), size < 3 ? w("Rn") : x("Rn")],
      when: () => i === 0,
    })),
    execute: (o) => o.setPart(STORES[size], "Rd", "offset", o.x("Rn")),
  })
);

const INSERT_ELEMENT: readonly Row[] = SIZES.map((size) => {
  const imm4 = `from:${4 - size} ${size > 0 ? `(${"0".repeat(size)})` : ""}`;
  return simdRow("INS (element)", `0 1 1 01110000 ${imm5(size, "index")} 0 ${imm4} 1 Rn Rd`, {
    derive: { offset: byteOf("index", size), source: byteOf("from", size) },
    assembly: ["mov", "ins"].map((mnemonic, i) => ({
      mnemonic,
      operands: [elementOf("Rd", size), elementOf("Rn", size, "from")],
      when: () => i === 0,
    })),
    execute(o) {
      const load = size === 3 ? "i64.load" : `i64.load${BITS[size]}_u`;
      o.setPart(STORES[size], "Rd", "offset", o.vPart(load, "Rn", "source"));
    },
  });
});

/** Advanced SIMD scalar copy. */
export const SIMD_SCALAR_COPY: readonly Row[] = SCALAR_COPY;

/** Advanced SIMD copy. */
export const SIMD_COPY: readonly Row[] = [
  ...DUPLICATE_ELEMENT,
  ...DUPLICATE_GENERAL,
  ...SIGNED_MOVE,
  ...UNSIGNED_MOVE,
  ...INSERT_GENERAL,
  ...INSERT_ELEMENT,
];
