/**
 * Bit patterns of encodings, written as the manual draws them.
 *
 * `"sf 0 0 100010 sh imm12:12 Rn Rd"` from bit 31 down: runs of `0` and `1` are fixed; `(0)` and
 * `(1)` are "should be" bits, assembled as given and ignored when decoding, as the reference does;
 * `name:width` is a field; without a width a field whose name is R and a letter (Rd, Rn, Rt2…) has
 * five bits and any other has one.
 */

/** Where a field stands in the word. */
export interface Field {
  readonly name: string;
  /** Lowest bit. */
  readonly shift: number;
  /** Number of bits. */
  readonly width: number;
}

/** A parsed pattern. */
export interface Pattern {
  /** The text it was made from. */
  readonly text: string;
  /** Bits that decide, unsigned 32-bit. */
  readonly mask: number;
  /** Their values. */
  readonly value: number;
  /** Fixed and "should be" bits as assembled. */
  readonly canonical: number;
  readonly fields: readonly Field[];
}

/** Parses a pattern; throws if it does not have exactly 32 bits or names a field twice. */
export function parsePattern(text: string): Pattern {
  let bit = 32, mask = 0, value = 0, canonical = 0;
  const fields: Field[] = [];
  for (const token of text.split(" ")) {
    if (token === "") continue;
    const shouldBe = token[0] === "(";
    if (shouldBe || token[0] === "0" || token[0] === "1") {
      const bits = shouldBe ? token.slice(1, -1) : token;
      const fixed = Number(`0b${bits}`);
      if (Number.isNaN(fixed)) throw new Error(`pattern "${text}": cannot read "${token}"`);
      bit -= bits.length;
      canonical += fixed * 2 ** bit;
      if (shouldBe) continue;
      mask += (2 ** bits.length - 1) * 2 ** bit;
      value += fixed * 2 ** bit;
      continue;
    }
    const { name, width } = parseField(token, text);
    bit -= width;
    if (fields.some((f) => f.name === name)) throw new Error(`pattern "${text}": ${name} twice`);
    fields.push({ name, shift: bit, width });
  }
  if (bit !== 0) throw new Error(`pattern "${text}": ${32 - bit} bits, expected 32`);
  return { text, mask, value, canonical, fields };
}

/** Fields by token: the same few hundred stand in all patterns. */
const tokens = new Map<string, { name: string; width: number }>();

function parseField(token: string, text: string): { name: string; width: number } {
  let field = tokens.get(token);
  if (field) return field;
  const match = /^([A-Za-z]\w*?)(?::(\d+))?$/.exec(token);
  if (!match) throw new Error(`pattern "${text}": cannot read "${token}"`);
  const [, name, explicit] = match;
  field = { name, width: explicit ? Number(explicit) : /^R[a-z]2?$/.test(name) ? 5 : 1 };
  tokens.set(token, field);
  return field;
}

/** The field's value in `word`. */
export function extractField(field: Field, word: number): number {
  return (word >>> field.shift) & (field.width === 32 ? -1 : (1 << field.width) - 1);
}
