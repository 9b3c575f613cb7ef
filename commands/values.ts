/** Parsers of option values: each takes the text and returns the value or throws `Expected`. */
import { Expected, type ValueParser } from "./options.ts";

const BINARY: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
const DECIMAL: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, G: 1e9 };

/** Any text. */
export const text: ValueParser<string> = (value) => value;

/** Bytes, with a binary suffix: `128M`, `1G`, `0x8000`. */
export const size: ValueParser<number> = (value) =>
  scaled(value, BINARY, "a size such as 128M or 1G");

/** A number of things, with a decimal suffix: `1000`, `1_000_000`, `200M`. */
export const count: ValueParser<number> = (value) =>
  scaled(value, DECIMAL, "a number such as 1000 or 200M");

/** A count of at least 1. */
export const positive: ValueParser<number> = (value) => {
  const number = count(value);
  if (number < 1) throw new Expected("a number from 1");
  return number;
};

/** An unsigned 64-bit number, decimal or `0x…`. */
export const word64: ValueParser<bigint> = (value) => {
  const digits = value.replaceAll("_", "");
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(digits)) throw new Expected("a number such as 42 or 0x2a");
  const number = BigInt(digits);
  if (number >= 1n << 64n) throw new Expected("a number below 2^64");
  return number;
};

/** A time in seconds since 1970, from such a number or ISO 8601; UTC where no zone is given. */
export const time: ValueParser<number> = (value) => {
  const MOST = 2 ** 32 - 1;
  const zoned = /T.*(Z|[+-]\d\d:?\d\d)$/i.test(value) ? value : `${value}Z`;
  const seconds = /^\d+$/.test(value) ? Number(value) : Date.parse(zoned) / 1000;
  if (!(Number.isInteger(seconds) && seconds >= 0 && seconds <= MOST)) {
    throw new Expected("a time such as 2000-01-01T00:00:00Z");
  }
  return seconds;
};

/** One of the given words. */
export function oneOf<T extends string>(...words: readonly T[]): ValueParser<T> {
  return (value) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw new Expected(`one of ${words.join(", ")}`);
    return found;
  };
}

/** Several of the given words, with commas between them. */
export function someOf<T extends string>(...words: readonly T[]): ValueParser<T[]> {
  const one = oneOf(...words);
  return (value) => value.split(",").map((word) => one(word.trim()));
}

function scaled(value: string, units: Readonly<Record<string, number>>, wanted: string): number {
  const [, digits, unit] = /^(0x[0-9a-f_]+|[\d_]*\d)([kmg]?)$/i.exec(value) ?? [];
  if (digits === undefined) throw new Expected(wanted);
  const number = Number(digits.replaceAll("_", "")) * units[unit.toUpperCase()];
  if (!Number.isSafeInteger(number)) throw new Expected("a number below 2^53");
  return number;
}
