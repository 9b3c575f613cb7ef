import type { Fields, Operand, Row } from "./row.ts";
import { parseInteger } from "./operands.ts";
import { ROUNDING } from "./fp_common.ts";
import {
  ELEMENTS,
  type Elements,
  type Kind,
  register,
  shape,
  shapeDerived,
  simdFloatRow,
} from "./simd_fp_common.ts";

/**
 * Advanced SIMD shift by immediate and its scalar form: conversions between fixed-point and
 * floating-point (Arm ARM C4.1.96).
 */

/** The bits of fraction, which `immh:immb` holds subtracted from twice the element's bits. */
function fbitsOf({ size }: Elements): (fields: Fields) => number {
  return ({ imm }) => (8 << size) - imm;
}

function fbitsOperand(type: Elements): Operand {
  const fbits = fbitsOf(type), bits = 8 << type.size;
  return {
    format: (f) => `#${fbits(f)}`,
    parse(text) {
      const value = Number(parseInteger(text) ?? 0n);
      return value >= 1 && value <= bits ? { imm: bits - value } : undefined;
    },
  };
}

function conversion(
  kind: Kind,
  name: string,
  [U, opcode]: readonly [U: 0 | 1, opcode: string],
  [helper, rounding]: readonly [helper: string, rounding: number],
): readonly Row[] {
  return ELEMENTS.map((type) => {
    const { size } = type;
    const amount = `${"1".padStart(4 - size, "0")} imm:${3 + size}`;
    const first = kind === "scalar" ? `01 ${U} 111110` : `0 ${size === 3 ? 1 : "Q"} ${U} 011110`;
    return simdFloatRow(
      `${name} (vector, fixed-point)`,
      `${first} ${amount} ${opcode} 1 Rn Rd`,
      type,
      {
        derive: { ...shapeDerived(type, kind), fbits: fbitsOf(type) },
        assembly: [{
          mnemonic: name.toLowerCase(),
          operands: [
            register(type, kind, "Rd"),
            register(type, kind, "Rn"),
            fbitsOperand(type),
          ],
        }],
        execute(o) {
          const how = [o.immediate("fbits"), o.c32(U), o.c32(rounding), shape(o, type, kind)];
          o.setV("Rd", o.cumulative(helper, "v128", o.v("Rn"), ...how));
        },
      },
    );
  });
}

function allRows(kind: Kind): readonly Row[] {
  return ([0, 1] as const).flatMap((U) => [
    ...conversion(kind, `${"SU"[U]}CVTF`, [U, "11100"], ["FixedToFP", ROUNDING.fpcr]),
    ...conversion(kind, `FCVTZ${"SU"[U]}`, [U, "11111"], ["FPToFixed", ROUNDING.zero]),
  ]);
}

/** Advanced SIMD scalar shift by immediate. */
export const SIMD_FP_SCALAR_SHIFT: readonly Row[] = allRows("scalar");

/** Advanced SIMD shift by immediate. */
export const SIMD_FP_SHIFT: readonly Row[] = allRows("vector");
