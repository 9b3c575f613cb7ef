import type { Operand } from "./row.ts";
import { memory, optional, parseInteger, parseModifier, reg, scaled, xsp } from "./operands.ts";

/** Addresses of loads and stores, and the operation of a prefetch. */

/** An immediate offset: `field` has `width` bits and counts multiples of `scale` bytes. */
export interface OffsetField {
  readonly field: string;
  readonly width: number;
  readonly signed: boolean;
  readonly scale: number;
}

/** The ways to write an address with an immediate offset, by addressing mode. */
export function addressOperands(
  mode: "base" | "offset" | "pre" | "post",
  offset?: OffsetField,
): readonly Operand[] {
  const base = xsp("Rn");
  if (mode === "base" || !offset) return [memory([base])];
  const immediate = scaled(offset.field, offset.scale, offset.signed ? offset.width : 0);
  if (mode === "pre") return [memory([base, immediate], "!")];
  if (mode === "post") return [memory([base]), immediate];
  return [memory([base, optional(immediate, { [offset.field]: 0 })])];
}

/**
 * `[x0, w1, sxtw #3]`: base Rn, index Rm whose width `wide` tells, extended as `sign` tells, and
 * shifted by `amount` if S is set.
 */
export function registerOffsetAddress(wide: 0 | 1, amount: number): Operand {
  return memory([xsp("Rn"), indexRegister(wide), indexExtend(wide, amount)]);
}

function indexRegister(wide: 0 | 1): Operand {
  const register = reg("Rm", "wide");
  return {
    format: (fields, pc) => register.format({ ...fields, wide }, pc),
    parse(text, pc, fields) {
      const found = register.parse(text, pc, fields);
      return found?.wide === wide ? { Rm: found.Rm } : undefined;
    },
  };
}

function indexExtend(wide: 0 | 1, amount: number): Operand {
  const names = wide ? ["lsl", "sxtx"] : ["uxtw", "sxtw"];
  return {
    format({ sign, S }) {
      if (S) return `${names[sign]} #${amount}`;
      return names[sign] === "lsl" ? undefined : names[sign];
    },
    parse(text) {
      if (text === undefined) return wide ? { sign: 0, S: 0 } : undefined;
      const found = parseModifier(text);
      const sign = names.indexOf(found?.name ?? "");
      if (!found || sign < 0) return undefined;
      if (found.amount === undefined) return { sign, S: 0 };
      // For a byte `lsl #0` is S = 1, for larger accesses S = 0.
      if (found.amount === amount) return { sign, S: 1 };
      return found.amount === 0 ? { sign, S: 0 } : undefined;
    },
  };
}

const PREFETCH_TYPES = ["pld", "pli", "pst"];
const PREFETCH_POLICIES = ["keep", "strm"];

/** The operation of PRFM in the field Rt: `pldl1keep`, or a number where it has no name. */
export function prefetchOperation(): Operand {
  const named = Array.from({ length: 32 }, (_, code) => prefetchName(code));
  return {
    format: ({ Rt }) => named[Rt] ?? `#0x${Rt.toString(16).padStart(2, "0")}`,
    parse(text) {
      const code = named.indexOf(text ?? "#");
      if (code >= 0) return { Rt: code };
      const number = parseInteger(text);
      return number === undefined || number < 0n || number > 31n
        ? undefined
        : { Rt: Number(number) };
    },
  };
}

function prefetchName(code: number): string | undefined {
  const type = PREFETCH_TYPES[code >> 3], level = (code >> 1 & 3) + 1;
  if (type === undefined || level === 4) return undefined;
  return `${type}l${level}${PREFETCH_POLICIES[code & 1]}`;
}
