import type { Fields, Operand } from "./row.ts";
import { parseInteger } from "./operands.ts";

/** Operands of Advanced SIMD instructions: vectors by arrangement, elements, lists, shifts. */

const LETTERS = "bhsd";

/**
 * log2 of the bytes of an instruction's elements: its field `size`, or the highest bit of `immh`.
 * While text is read, an operand that tells it sets `size`, whether that is a field or not.
 */
export function elementSize({ size, immh }: Fields): number {
  return size ?? 31 - Math.clz32(immh);
}

/** How a vector's arrangement follows from the fields. */
export interface Arrangement {
  /** The elements have 2^up times the instruction's size. */
  readonly up?: 0 | 1;
  /** All 128 bits, whatever Q is. */
  readonly full?: true;
  /** The size where it is no field. */
  readonly size?: number;
  /** Q where it is no field. */
  readonly Q?: number;
}

function parseVector(text: string | undefined): { n: number; size: number; Q: number } | undefined {
  const match = /^v(\d|[12]\d|3[01])\.(\d+)([bhsdq])$/.exec(text ?? "");
  if (!match) return undefined;
  const size = "bhsdq".indexOf(match[3]);
  const bytes = Number(match[2]) << size;
  if (bytes !== 8 && bytes !== 16) return undefined;
  return { n: Number(match[1]), size, Q: bytes === 16 ? 1 : 0 };
}

function suffix(size: number, Q: number): string {
  return `${(8 << Q) >> size}${"bhsdq"[size]}`;
}

/** A vector whose arrangement `size` and Q give, for example `v0.8h`. */
export function vectorAs(field: string, how: Arrangement = {}): Operand {
  const { up = 0, full } = how;
  return {
    format: (f) => {
      const size = (how.size ?? elementSize(f)) + up;
      return `v${f[field]}.${suffix(size, full ? 1 : how.Q ?? f.Q)}`;
    },
    parse(text, _pc, fields) {
      const found = parseVector(text);
      if (!found) return undefined;
      const size = found.size - up;
      if (size < 0 || (how.size ?? fields.size ?? size) !== size) return undefined;
      if (full) return found.Q === 1 ? { [field]: found.n, size } : undefined;
      if (how.Q !== undefined && how.Q !== found.Q) return undefined;
      return { [field]: found.n, size, Q: found.Q };
    },
  };
}

/** A vector with one arrangement, for example `v0.16b`. */
export function vectorFixed(field: string, arrangement: string): Operand {
  return {
    format: (f) => `v${f[field]}.${arrangement}`,
    parse(text) {
      const found = /^v(\d|[12]\d|3[01])\.(\w+)$/.exec(text ?? "");
      return found && found[2] === arrangement ? { [field]: Number(found[1]) } : undefined;
    },
  };
}

/** A vector of bytes, `v0.8b` or `v0.16b`. */
export function bytes(field: string): Operand {
  return vectorAs(field, { size: 0 });
}

/** A scalar of 2^up times the instruction's element size, for example `h3`. */
export function scalarAs(field: string, up = 0): Operand {
  return {
    format: (f) => `${LETTERS[elementSize(f) + up]}${f[field]}`,
    parse(text) {
      const match = /^([bhsd])(\d|[12]\d|3[01])$/.exec(text ?? "");
      const size = match ? LETTERS.indexOf(match[1]) - up : -1;
      return size >= 0 ? { [field]: Number(match![2]), size } : undefined;
    },
  };
}

/** How an element's index stands in the fields. */
export interface IndexFields {
  format(fields: Fields): number;
  /** Undefined where it is too large. */
  parse(index: number): Record<string, number> | undefined;
}

/** An index that is a field. */
export function indexField(field: string, width: number): IndexFields {
  return {
    format: (f) => f[field],
    parse: (index) => index < 1 << width ? { [field]: index } : undefined,
  };
}

/** One element, for example `v1.h[3]`. */
export function elementAt(field: string, letter: string, index: IndexFields): Operand {
  return {
    format: (f) => `v${f[field]}.${letter}[${index.format(f)}]`,
    parse(text) {
      const match = /^v(\d|[12]\d|3[01])\.([bhsd])\[(\d+)\]$/.exec(text ?? "");
      if (!match || match[2] !== letter) return undefined;
      const fields = index.parse(Number(match[3]));
      return fields && { [field]: Number(match[1]), ...fields };
    },
  };
}

/**
 * The amount of a shift in `immh:immb`, which hold it added to the element's bits (`left`) or
 * subtracted from twice them (`right`).
 */
export function shiftAmount(direction: "left" | "right"): Operand {
  return {
    format: (f) => `#${shiftOf(direction, f)}`,
    parse(text, _pc, { size }) {
      const value = parseInteger(text);
      if (value === undefined || size === undefined) return undefined;
      const bits = 8 << size, amount = Number(value);
      const inRange = direction === "left"
        ? amount >= 0 && amount < bits
        : amount >= 1 && amount <= bits;
      if (!inRange) return undefined;
      const code = direction === "left" ? bits + amount : 2 * bits - amount;
      return { immh: code >> 3, immb: code & 7 };
    },
  };
}

/** The amount of a shift by an immediate, see {@linkcode shiftAmount}. */
export function shiftOf(direction: "left" | "right", f: Fields): number {
  const code = f.immh << 3 | f.immb, bits = 8 << elementSize(f);
  return direction === "left" ? code - bits : 2 * bits - code;
}

/**
 * A list of `count` consecutive registers with the arrangement that `suffixOf` gives, for example
 * `{v0.16b, v1.16b}` or `{v0.4s-v2.4s}`; `after` is what follows the brace, such as an index.
 */
export function registerList(
  field: string,
  count: number,
  suffixOf: (fields: Fields) => string,
  parseSuffix: (suffix: string, fields: Fields) => Record<string, number> | undefined,
  after?: IndexFields,
): Operand {
  const name = (n: number, f: Fields) => `v${(f[field] + n) % 32}.${suffixOf(f)}`;
  return {
    format(f) {
      const index = after ? `[${after.format(f)}]` : "";
      const isRange = count > 2 && f[field] + count <= 32;
      const names = Array.from({ length: count }, (_, n) => name(n, f));
      return isRange
        ? `{${names[0]}-${names[count - 1]}}${index}`
        : `{${names.join(", ")}}${index}`;
    },
    parse(text, _pc, fields) {
      const list = parseList(text, count);
      if (!list || (list.index === undefined) !== (after === undefined)) return undefined;
      const found = parseSuffix(list.suffix, fields);
      const index = after ? after.parse(list.index!) : {};
      return found && index && { [field]: list.first, ...found, ...index };
    },
  };
}

/** Reads a list of `count` registers that follow each other, with commas or as a range. */
function parseList(
  text: string | undefined,
  count: number,
): { first: number; suffix: string; index: number | undefined } | undefined {
  const match = /^\{\s*([^}]*?)\s*\}(?:\[(\d+)\])?$/.exec(text ?? "");
  if (!match) return undefined;
  const isRange = match[1].includes("-");
  const names = match[1].split(isRange ? "-" : ",")
    .map((part) => /^\s*v(\d|[12]\d|3[01])\.(\w+)\s*$/.exec(part));
  const first = Number(names[0]?.[1]), suffix = names[0]?.[2];
  if (suffix === undefined || names.length !== (isRange ? 2 : count)) return undefined;
  const follows = names.every((name, i) => {
    const distance = isRange && i === 1 ? count - 1 : i;
    return name && name[2] === suffix && Number(name[1]) === (first + distance) % 32;
  });
  if (!follows) return undefined;
  return { first, suffix, index: match[2] === undefined ? undefined : Number(match[2]) };
}

/** {@linkcode registerList} of whole vectors, arranged by `size` and Q. */
export function vectorList(field: string, count: number): Operand {
  return registerList(
    field,
    count,
    (f) => suffix(f.size, f.Q),
    (text) => {
      const found = parseVector(`v0.${text}`);
      return found && found.size < 4 ? { size: found.size, Q: found.Q } : undefined;
    },
  );
}
