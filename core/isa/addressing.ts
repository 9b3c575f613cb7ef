import type { Access, Ops, Value } from "./ops.ts";
import { type Operand } from "./row.ts";
import { scalar, w, x } from "./operands.ts";

/**
 * What the rows of loads and stores share: which register an encoding transfers, how it is read
 * and written, and its name in assembly.
 */

/** A register that a load or store transfers: general-purpose as 32 or 64 bits, or SIMD&FP. */
export type TransferRegister = "w" | "x" | "b" | "h" | "s" | "d" | "q";

/** One register's worth of a load or store. */
export interface Transfer {
  readonly register: TransferRegister;
  /** Bytes in memory. */
  readonly bytes: 1 | 2 | 4 | 8 | 16;
  /** Sign-extended to the register when loaded. */
  readonly signed?: true;
}

/** The bytes of a SIMD&FP register by the manual's `opc<1>:size`. */
export const VECTOR_REGISTERS: readonly Transfer[] = [
  { register: "b", bytes: 1 },
  { register: "h", bytes: 2 },
  { register: "s", bytes: 4 },
  { register: "d", bytes: 8 },
  { register: "q", bytes: 16 },
];

/** Loads or stores the registers that `fields` name, one after the other in memory. */
export function transferRegisters(
  o: Ops,
  kind: "load" | "store",
  address: Value,
  { register, bytes, signed }: Transfer,
  fields: readonly string[],
  how: Pick<Access, "unprivileged" | "alignment"> = {},
): void {
  if (kind === "store") {
    const values = fields.map((field) => registerValue(o, register, field));
    return o.store(address, values, { size: bytes, ...how });
  }
  const type = register === "q" ? "v128" : isWide(register) ? "i64" : "i32";
  const count = fields.length;
  const values = o.loadAll(address, { size: bytes, count, type, signed: signed === true, ...how });
  const pairs = fields.map((field, i) => [field, values[i]] as const);
  // LDP of one register twice is CONSTRAINED UNPREDICTABLE: the reference keeps the first of two
  // general-purpose registers and the second of two SIMD&FP registers.
  if (isGeneral(register)) { for (const [field, value] of pairs.reverse()) o.setX(field, value); }
  else for (const [field, value] of pairs) o.setV(field, value);
}

/** The operand that names the register transferred. */
export function transferOperand(field: string, register: TransferRegister): Operand {
  if (register === "w") return w(field);
  return register === "x" ? x(field) : scalar(field, register);
}

function isGeneral(register: TransferRegister): boolean {
  return register === "w" || register === "x";
}

function isWide(register: TransferRegister): boolean {
  return register === "x" || register === "d";
}

function registerValue(o: Ops, register: TransferRegister, field: string): Value {
  if (register === "q") return o.v(field);
  const sf = isWide(register) ? 1 : 0;
  return isGeneral(register) ? o.x(field, sf) : o.vLow(field, sf);
}
