import type { Ops, Value } from "./ops.ts";
import type { Fields, Wide } from "./row.ts";

/** Functions of the manual's pseudocode that several rows share (Arm ARM J1, shared/functions). */

/** What an addition gives beside its result, for `Ops.setFlags`. */
export interface FlagValues {
  readonly n: Value;
  readonly z: Value;
  readonly c: Value;
  readonly v: Value;
}

/** `x + y` with its flags. */
export function addFlags(o: Ops, x: Value, y: Value): { result: Value; nzcv: FlagValues } {
  const result = o.add(x, y);
  return { result, nzcv: flagsOfSum(o, result, o.ltU(result, x), overflowOfSum(o, x, y, result)) };
}

/** `x - y` with its flags: `AddWithCarry(x, NOT(y), '1')`. */
export function subtractFlags(o: Ops, x: Value, y: Value): { result: Value; nzcv: FlagValues } {
  const result = o.sub(x, y);
  const overflow = o.and(o.xor(x, y), o.xor(x, result));
  return { result, nzcv: flagsOfSum(o, result, o.geU(x, y), overflow) };
}

/** AddWithCarry() with a carry of 0 or 1 (i32). */
export function addWithCarry(
  o: Ops,
  x: Value,
  y: Value,
  carry: Value,
): { result: Value; nzcv: FlagValues } {
  const sum = o.add(x, y);
  const result = o.add(sum, x.type === "i64" ? o.extendU(carry) : carry);
  const carryOut = o.or(o.ltU(sum, x), o.ltU(result, sum));
  return { result, nzcv: flagsOfSum(o, result, carryOut, overflowOfSum(o, x, y, result)) };
}

function overflowOfSum(o: Ops, x: Value, y: Value, result: Value): Value {
  return o.and(o.xor(x, result), o.xor(y, result));
}

function flagsOfSum(o: Ops, result: Value, c: Value, overflow: Value): FlagValues {
  const n = o.extendS(result);
  return { n, z: n, c, v: o.extendS(overflow) };
}

/** The flags of a logical operation: N and Z by the result, C and V zero. */
export function logicalFlags(o: Ops, result: Value): FlagValues {
  const n = o.extendS(result);
  return { n, z: n, c: o.c32(0), v: o.c64(0) };
}

/** A decoded amount for shifting `like`: the i32 value in the shifted type. */
export function amount(o: Ops, like: Value, name: string): Value {
  return like.type === "i64" ? o.extendU(o.immediate(name)) : o.immediate(name);
}

/** ShiftReg(): the value shifted by a decoded amount; `type` is 0 LSL, 1 LSR, 2 ASR, 3 ROR. */
export function shiftRegister(o: Ops, value: Value, type: number, by: string): Value {
  const count = amount(o, value, by);
  switch (type) {
    case 0:
      return o.shl(value, count);
    case 1:
      return o.shrU(value, count);
    case 2:
      return o.shrS(value, count);
    default:
      return o.rotr(value, count);
  }
}

/**
 * ExtendReg() as two shifts: to the left by `extendLeft`, then to the right by `extendRight`,
 * arithmetic if the extension is signed. Both are derived by {@linkcode extendShifts}, so one
 * handler serves all lengths and amounts.
 */
export function extendRegister(o: Ops, value: Value, isSigned: boolean): Value {
  const left = o.shl(value, amount(o, value, "extendLeft"));
  const right = amount(o, value, "extendRight");
  return isSigned ? o.shrS(left, right) : o.shrU(left, right);
}

/**
 * The shifts of {@linkcode extendRegister} on a register of `datasize` bits: `length` is the lower
 * two bits of the option (0 byte … 3 doubleword), `by` the left shift afterwards (0 to 4).
 */
export function extendShifts(
  datasize: number,
  length: number,
  by: number,
): { left: number; right: number } {
  const unused = Math.max(datasize - (8 << length), 0);
  return unused >= by ? { left: unused, right: unused - by } : { left: by, right: 0 };
}

/** DecodeBitMasks() for an immediate, or undefined if it is reserved (J1.3.4). */
export function decodeBitMask(f: Fields): Wide | undefined {
  if (f.sf === 0 && f.N === 1) return undefined;
  const length = 31 - Math.clz32((f.N << 6) | (~f.imms & 0x3f));
  if (length < 1) return undefined;
  const levels = (1 << length) - 1;
  const s = f.imms & levels, r = f.immr & levels;
  if (s === levels) return undefined;
  const esize = 1 << length;
  const ones = (1n << BigInt(s + 1)) - 1n;
  let mask = ((ones >> BigInt(r)) | (ones << BigInt(esize - r))) & ((1n << BigInt(esize)) - 1n);
  for (let width = esize; width < 64; width *= 2) mask |= mask << BigInt(width);
  if (f.sf === 0) mask &= 0xffff_ffffn;
  return [Number(mask & 0xffff_ffffn), Number(mask >> 32n)];
}

/** The inverse of {@linkcode decodeBitMask}: N, imms, immr of a 64-bit (sf 1) or 32-bit value. */
export function encodeBitMask(
  value: bigint,
  sf: number,
): { N: number; imms: number; immr: number } | undefined {
  const datasize = sf ? 64 : 32;
  const bits = BigInt.asUintN(datasize, value);
  let esize = datasize;
  while (esize > 2) {
    const half = BigInt(esize / 2);
    if (BigInt.asUintN(esize / 2, bits) !== BigInt.asUintN(esize / 2, bits >> half)) break;
    esize /= 2;
  }
  const element = BigInt.asUintN(esize, bits);
  for (let r = 0; r < esize; r++) {
    // Rotating left by r undoes the encoding's rotation to the right.
    const rotated = BigInt.asUintN(esize, (element << BigInt(r)) | (element >> BigInt(esize - r)));
    const length = rotated.toString(2).length;
    if (rotated === 0n || length === esize || rotated !== (1n << BigInt(length)) - 1n) continue;
    const imms = (~(2 * esize - 1) & 0x3f) | (length - 1);
    return { N: esize === 64 ? 1 : 0, imms, immr: r };
  }
  return undefined;
}

/**
 * MoveWidePreferred(): whether MOVZ or MOVN can make the value of a logical immediate. GNU's tools
 * ask exactly that; the manual's function misses a few values with a run of zeros.
 */
export function moveWidePreferred(f: Fields): boolean {
  const width = f.sf ? 64 : 32;
  if (f.sf && !f.N) return false;
  if (!f.sf && (f.N || (f.imms & 0x20))) return false;
  // The run of ones, or of zeros, must not span a boundary of 16 bits.
  if (f.imms < 16) return (-f.immr & 15) <= 15 - f.imms;
  return (f.immr & 15) <= f.imms - (width - 17);
}
