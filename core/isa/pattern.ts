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
  for (const token of text.trim().split(/\s+/)) {
    const shouldBe = /^\(([01]+)\)$/.exec(token);
    const bits = shouldBe?.[1] ?? (/^[01]+$/.test(token) ? token : undefined);
    if (bits !== undefined) {
      for (const b of bits) {
        bit--;
        if (b === "1") canonical += 2 ** bit;
        if (shouldBe) continue;
        mask += 2 ** bit;
        if (b === "1") value += 2 ** bit;
      }
      continue;
    }
    const match = /^([A-Za-z]\w*?)(?::(\d+))?$/.exec(token);
    if (!match) throw new Error(`pattern "${text}": cannot read "${token}"`);
    const [, name, explicit] = match;
    const width = explicit ? Number(explicit) : /^R[a-z]2?$/.test(name) ? 5 : 1;
    bit -= width;
    if (fields.some((f) => f.name === name)) throw new Error(`pattern "${text}": ${name} twice`);
    fields.push({ name, shift: bit, width });
  }
  if (bit !== 0) throw new Error(`pattern "${text}": ${32 - bit} bits, expected 32`);
  return { text, mask, value, canonical, fields };
}

/** The field's value in `word`. */
export function extractField(field: Field, word: number): number {
  return (word >>> field.shift) & (field.width === 32 ? -1 : (1 << field.width) - 1);
}
