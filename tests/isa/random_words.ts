import type { Row } from "../../core/isa/row.ts";
import { isAllocated } from "../../core/isa/decode_tree.ts";

/** Repeatable random numbers (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An unsigned 32-bit number. */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A field's value: often 0, all ones or 1, where encodings have their special cases. */
  field(width: number): number {
    const kind = this.u32() % 16;
    if (kind < 2) return 0;
    if (kind < 4) return 2 ** width - 1;
    if (kind === 4) return 1;
    return this.u32() % 2 ** width;
  }
}

/**
 * Allocated words of a row: up to `perChoice` for every combination of its static fields, the
 * other fields random, "should be" bits as they should be.
 */
export function wordsOf(row: Row, perChoice: number, random: Random): number[] {
  const isStatic = (name: string) => row.static?.includes(name) ?? false;
  const chosen = row.pattern.fields.filter((f) => isStatic(f.name));
  const others = row.pattern.fields.filter((f) => !isStatic(f.name));
  const choices = chosen.reduce((n, f) => n * 2 ** f.width, 1);
  const words: number[] = [];
  for (let choice = 0; choice < choices; choice++) {
    let fixed = row.pattern.canonical, rest = choice;
    for (const { shift, width } of chosen) {
      fixed += (rest % 2 ** width) * 2 ** shift;
      rest = Math.floor(rest / 2 ** width);
    }
    for (let n = 0; n < perChoice; n++) {
      const word = others.reduce((w, f) => w + random.field(f.width) * 2 ** f.shift, fixed);
      if (isAllocated(row, word)) words.push(word);
    }
  }
  return words;
}
