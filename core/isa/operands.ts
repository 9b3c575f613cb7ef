import type { Fields, Operand } from "./row.ts";

/**
 * The operands that assembly syntaxes are put together from.
 *
 * Text is GNU's: what an operand prints is what `aarch64-linux-gnu-objdump` prints, what it reads
 * is lower case and already split at commas (see {@linkcode splitOperands}).
 */

/** Which registers a name may stand for: 31 is the zero register or the stack pointer. */
type Kind = "zero" | "sp";

const ALIASES: Readonly<Record<string, string>> = { lr: "x30", fp: "x29", ip0: "x16", ip1: "x17" };

/** The name of a general-purpose register. */
function registerName(n: number, wide: boolean, kind: Kind): string {
  if (n < 31) return `${wide ? "x" : "w"}${n}`;
  if (kind === "sp") return wide ? "sp" : "wsp";
  return wide ? "xzr" : "wzr";
}

/** The register's number and width, or undefined if it is none of this kind. */
function parseRegister(
  text: string | undefined,
  kind: Kind,
): { n: number; wide: boolean } | undefined {
  if (text === undefined) return undefined;
  if (kind === "sp" && (text === "sp" || text === "wsp")) return { n: 31, wide: text === "sp" };
  if (kind === "zero" && (text === "xzr" || text === "wzr")) return { n: 31, wide: text === "xzr" };
  const match = /^([xw])(\d|[12]\d|30)$/.exec(ALIASES[text] ?? text);
  return match ? { n: Number(match[2]), wide: match[1] === "x" } : undefined;
}

function fixedRegister(field: string, wide: boolean, kind: Kind): Operand {
  return {
    format: (fields) => registerName(fields[field], wide, kind),
    parse(text) {
      const found = parseRegister(text, kind);
      return found && found.wide === wide ? { [field]: found.n } : undefined;
    },
  };
}

function sizedRegister(field: string, size: string, kind: Kind): Operand {
  return {
    format: (fields) => registerName(fields[field], fields[size] === 1, kind),
    parse(text) {
      const found = parseRegister(text, kind);
      return found && { [field]: found.n, [size]: found.wide ? 1 : 0 };
    },
  };
}

/** X0..X30, XZR. */
export function x(field: string): Operand {
  return fixedRegister(field, true, "zero");
}

/** W0..W30, WZR. */
export function w(field: string): Operand {
  return fixedRegister(field, false, "zero");
}

/** X0..X30, SP. */
export function xsp(field: string): Operand {
  return fixedRegister(field, true, "sp");
}

/** W0..W30, WSP. */
export function wsp(field: string): Operand {
  return fixedRegister(field, false, "sp");
}

/** X or W by another field of one bit (`sf` if not named), which reading sets; 31 is ZR. */
export function reg(field: string, size = "sf"): Operand {
  return sizedRegister(field, size, "zero");
}

/** X or W by another field of one bit (`sf` if not named), which reading sets; 31 is SP. */
export function regsp(field: string, size = "sf"): Operand {
  return sizedRegister(field, size, "sp");
}

/** A scalar view of a vector register, for example `q3` for `scalar("Rt", "q")`. */
export function scalar(field: string, letter: "b" | "h" | "s" | "d" | "q"): Operand {
  return {
    format: (fields) => `${letter}${fields[field]}`,
    parse(text) {
      const match = /^([bhsdq])(\d|[12]\d|3[01])$/.exec(text ?? "");
      return match && match[1] === letter ? { [field]: Number(match[2]) } : undefined;
    },
  };
}

/** A whole vector with an arrangement that two fields choose, for example `v0.8h` by size and Q. */
export function vector(field: string): Operand {
  return {
    format: (f) => `v${f[field]}.${(8 << f.Q) >> f.size}${"bhsd"[f.size]}`,
    parse(text) {
      const match = /^v(\d|[12]\d|3[01])\.(\d+)([bhsd])$/.exec(text ?? "");
      if (!match) return undefined;
      const size = "bhsd".indexOf(match[3]);
      const bytes = Number(match[2]) << size;
      if (bytes !== 8 && bytes !== 16) return undefined;
      return { [field]: Number(match[1]), size, Q: bytes === 16 ? 1 : 0 };
    },
  };
}

/** One element of a vector register, for example `v0.d[1]` for `element("Rn", "d", 1)`. */
export function element(field: string, letter: string, index: number): Operand {
  return {
    format: (f) => `v${f[field]}.${letter}[${index}]`,
    parse(text) {
      const match = /^v(\d|[12]\d|3[01])\.([bhsd])\[(\d+)\]$/.exec(text ?? "");
      if (!match || match[2] !== letter || Number(match[3]) !== index) return undefined;
      return { [field]: Number(match[1]) };
    },
  };
}

/** An integer as the assembler reads it, with or without `#`: decimal, 0x or 0b, signed. */
export function parseInteger(text: string | undefined): bigint | undefined {
  const match = /^#?([-+]?)(0x[0-9a-f]+|0b[01]+|\d+)$/.exec(text ?? "");
  if (!match) return undefined;
  return match[1] === "-" ? -BigInt(match[2]) : BigInt(match[2]);
}

/** An unsigned immediate as it stands in the field, printed in hexadecimal. */
export function hexadecimal(field: string): Operand {
  return unsigned(field, (value) => `#0x${value.toString(16)}`);
}

/** An unsigned immediate as it stands in the field, printed in decimal. */
export function decimal(field: string): Operand {
  return unsigned(field, (value) => `#${value}`);
}

function unsigned(field: string, print: (value: number) => string): Operand {
  return {
    format: (fields) => print(fields[field]),
    parse(text) {
      const value = parseInteger(text);
      return value !== undefined && value >= 0n && value < 1n << 32n
        ? { [field]: Number(value) }
        : undefined;
    },
  };
}

/**
 * An immediate that is a multiple of `scale` and stands in the field divided by it, printed in
 * decimal. `signedWidth` is the field's width if it is a two's complement number.
 */
export function scaled(field: string, scale: number, signedWidth = 0): Operand {
  return {
    format: (fields) => `#${signed(fields[field], signedWidth) * scale}`,
    parse(text) {
      const value = Number(parseInteger(text) ?? NaN) / scale;
      return Number.isInteger(value) && (value >= 0 || signedWidth > 0)
        ? twosComplement(field, value, signedWidth)
        : undefined;
    },
  };
}

/** A field's value read as a two's complement number of this width; width 0 means unsigned. */
export function signed(value: number, width: number): number {
  return width === 0 ? value : (value << (32 - width)) >> (32 - width);
}

function twosComplement(
  field: string,
  value: number,
  width: number,
): Record<string, number> | undefined {
  if (width === 0) return { [field]: value };
  const limit = 2 ** (width - 1);
  if (value < -limit || value >= limit) return undefined;
  return { [field]: value < 0 ? value + 2 * limit : value };
}

/** A branch target: a signed number of words from the instruction, printed as its address. */
export function label(field: string, width: number): Operand {
  return {
    format: (fields, pc) => hexAddress(pc + BigInt(signed(fields[field], width)) * 4n),
    parse(text, pc) {
      const target = text === "." ? pc : parseInteger(text);
      if (target === undefined) return undefined;
      const distance = BigInt.asIntN(64, target - pc);
      return distance % 4n === 0n ? twosComplement(field, Number(distance / 4n), width) : undefined;
    },
  };
}

/** An address as it is printed: 64 bits, hexadecimal. */
export function hexAddress(address: bigint): string {
  return `0x${BigInt.asUintN(64, address).toString(16)}`;
}

/** Names of the conditions by their four-bit code. */
export const CONDITIONS: readonly string[] = [
  ..."eq ne cs cc mi pl vs vc hi ls ge lt gt le al nv".split(" "),
];

const CONDITION_SYNONYMS: Readonly<Record<string, number>> = { hs: 2, lo: 3 };

/** The code of a condition by name, or undefined. */
export function conditionCode(name: string | undefined): number | undefined {
  if (name === undefined) return undefined;
  const code = CONDITIONS.indexOf(name);
  return code >= 0 ? code : CONDITION_SYNONYMS[name];
}

/** A condition. */
export function condition(field: string): Operand {
  return {
    format: (fields) => CONDITIONS[fields[field]],
    parse(text) {
      const code = conditionCode(text);
      return code === undefined ? undefined : { [field]: code };
    },
  };
}

/** The inverse of the condition in the field, as CSET and its like are written; not AL or NV. */
export function invertedCondition(field: string): Operand {
  return {
    format: (fields) => CONDITIONS[fields[field] ^ 1],
    parse(text) {
      const code = conditionCode(text);
      return code === undefined || code >= 14 ? undefined : { [field]: code ^ 1 };
    },
  };
}

/** The names of the shifts by their two-bit code. */
export const SHIFTS: readonly string[] = ["lsl", "lsr", "asr", "ror"];

/** `lsl #3`: the shift's code and its amount; left out for `lsl #0`. */
export function shift(type: string, amount: string): Operand {
  return {
    format: (f) => f[type] || f[amount] ? `${SHIFTS[f[type]]} #${f[amount]}` : undefined,
    parse(text) {
      if (text === undefined) return { [type]: 0, [amount]: 0 };
      const found = parseModifier(text);
      const code = found ? SHIFTS.indexOf(found.name) : -1;
      return found?.amount === undefined || code < 0
        ? undefined
        : { [type]: code, [amount]: found.amount };
    },
  };
}

/** Reads `lsl #3` or `uxtw`; the amount is undefined if there is none. */
export function parseModifier(
  text: string,
): { name: string; amount: number | undefined } | undefined {
  const match = /^([a-z]+)(?:\s*(\S+))?$/.exec(text);
  if (!match) return undefined;
  if (match[2] === undefined) return { name: match[1], amount: undefined };
  const amount = parseInteger(match[2]);
  return amount === undefined || amount < 0n || amount > 0xffffn
    ? undefined
    : { name: match[1], amount: Number(amount) };
}

/** An operand that is left out where the fields have these values. */
export function optional(operand: Operand, defaults: Readonly<Record<string, number>>): Operand {
  const names = Object.keys(defaults);
  return {
    format: (fields, pc) =>
      names.every((name) => fields[name] === defaults[name])
        ? undefined
        : operand.format(fields, pc),
    parse: (text, pc, fields) =>
      text === undefined ? { ...defaults } : operand.parse(text, pc, fields),
  };
}

/** A fixed word, for example `lsl #12`. */
export function literal(word: string): Operand {
  return {
    format: () => word,
    parse: (text) => text === word ? {} : undefined,
  };
}

/**
 * An address in brackets, `[x1, #8]`, made from operands that may be left out from the right; with
 * `"!"` the pre-indexed form `[x1, #8]!`.
 */
export function memory(parts: readonly Operand[], suffix: "" | "!" = ""): Operand {
  return {
    format: (fields, pc) => `[${formatOperands(parts, fields, pc)}]${suffix}`,
    parse(text, pc, fields) {
      if (!text?.startsWith("[") || !text.endsWith("]" + suffix)) return undefined;
      const inner = splitOperands(text.slice(1, text.length - 1 - suffix.length));
      if (inner.length > parts.length) return undefined;
      let found: Record<string, number> = {};
      for (const [i, part] of parts.entries()) {
        const more = part.parse(inner[i], pc, { ...fields, ...found });
        if (!more) return undefined;
        found = { ...found, ...more };
      }
      return found;
    },
  };
}

/** The operands' texts, without those left out. */
export function formatOperands(operands: readonly Operand[], fields: Fields, pc: bigint): string {
  return operands.map((operand) => operand.format(fields, pc))
    .filter((text) => text !== undefined).join(", ");
}

/** Splits at commas outside of brackets and braces; the parts are trimmed. */
export function splitOperands(text: string): string[] {
  const parts: string[] = [];
  let depth = 0, start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "[" || c === "{") depth++;
    else if (c === "]" || c === "}") depth--;
    else if (c === "," && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  const last = text.slice(start).trim();
  if (last !== "" || parts.length > 0) parts.push(last);
  return parts;
}
