import type { Fields, Row } from "./row.ts";
import type { Pattern } from "./pattern.ts";
import { ROWS, type TableRow } from "./table.ts";

/**
 * Finds the row of a word.
 *
 * A tree over typed arrays. An inner node is `[shift, mask, child…]`: the bits it looks at choose
 * the child. A child is 0 (nothing is allocated there), the index of an inner node, or the
 * complement of the start of a candidate list. A list holds a handful of row numbers, the more
 * specific first, and ends with -1; each is checked in full. About three steps per word, no
 * allocation.
 */

/** Most rows that are left to be checked one by one. */
const LIST_LIMIT = 4;
/** Most bits that one node looks at. */
const NODE_BITS = 4;

/** A child that is made when a word first comes to it. */
const PENDING = -0x8000_0000;

/** All rows in a form that is fast to search. */
class DecodeTree {
  readonly #masks: Int32Array;
  readonly #values: Int32Array;
  /** Node 0 is none; the root is the one child of node 1. */
  readonly #nodes: number[] = [0, 0, 0];
  readonly #candidates: number[] = [];
  /** What the pending children hold, by their places. */
  readonly #pending = new Map<number, { rows: readonly number[]; seen: number }>();

  constructor(rows: readonly TableRow[]) {
    this.#masks = Int32Array.from(rows, (row) => row.pattern.mask | 0);
    this.#values = Int32Array.from(rows, (row) => row.pattern.value | 0);
    const bits = Array.from(this.#masks, bitCount);
    const order = rows.map((_, i) => i).sort((a, b) => bits[b] - bits[a] || a - b);
    this.#nodes.push(PENDING);
    this.#pending.set(3, { rows: order, seen: 0 });
  }

  /** Index of the word's row, or -1. */
  find(word: number): number {
    const nodes = this.#nodes;
    let place = 3, node = nodes[place];
    while (node > 0 || node === PENDING) {
      if (node === PENDING) node = this.#make(place);
      else node = nodes[place = node + 2 + ((word >>> nodes[node]) & nodes[node + 1])];
    }
    if (node === 0) return -1;
    for (let i = ~node;; i++) {
      const row = this.#candidates[i];
      if (row < 0 || (word & this.#masks[row]) === this.#values[row]) return row;
    }
  }

  /** Makes the child at a place; its own children wait. */
  #make(place: number): number {
    const { rows, seen } = this.#pending.get(place)!;
    this.#pending.delete(place);
    const node = this.#nodes[place] = this.#build(rows, seen);
    return node;
  }

  #build(rows: readonly number[], seen: number): number {
    if (rows.length === 0) return 0;
    const choice = rows.length > LIST_LIMIT ? this.#choose(rows, seen) : undefined;
    if (!choice) return ~(this.#candidates.push(...rows, -1) - rows.length - 1);
    const { shift, width } = choice;
    const bits = (1 << width) - 1;
    const at = this.#nodes.length;
    this.#nodes.push(shift, bits);
    for (let value = 0; value <= bits; value++) {
      const inside = this.#inside(rows, shift, width, value);
      const place = this.#nodes.push(PENDING) - 1;
      this.#pending.set(place, { rows: inside, seen: seen | (bits << shift) });
    }
    return at;
  }

  /**
   * The run of bits to look at next: that after which the fewest rows are left on average. A
   * row that does not fix all the bits goes to several children.
   */
  #choose(rows: readonly number[], seen: number): { shift: number; width: number } | undefined {
    let best: { shift: number; width: number } | undefined, fewest: number = rows.length;
    for (let shift = 0; shift < 32; shift++) {
      let width = 0;
      while (width < NODE_BITS && shift + width < 32 && !((seen >>> (shift + width)) & 1)) width++;
      const left = width === 0 ? fewest : this.#rowsLeft(rows, shift, width);
      if (left >= fewest) continue;
      fewest = left;
      best = { shift, width };
    }
    return best;
  }

  /** How many rows the child of a row holds on average, after looking at these bits. */
  #rowsLeft(rows: readonly number[], shift: number, width: number): number {
    const bits = (1 << width) - 1;
    const sizes = new Int32Array(bits + 1);
    for (const row of rows) {
      const mask = (this.#masks[row] >>> shift) & bits;
      const value = (this.#values[row] >>> shift) & bits;
      // Counts through the values that have these bits of the row, and any others.
      const free = bits & ~mask;
      for (let other = free;; other = (other - 1) & free) {
        sizes[value | other]++;
        if (other === 0) break;
      }
    }
    let sum = 0, squares = 0;
    for (const size of sizes) {
      sum += size;
      squares += size * size;
    }
    return squares / sum;
  }

  /** The rows that words with this value of these bits can have. */
  #inside(rows: readonly number[], shift: number, width: number, value: number): number[] {
    const mask = ((1 << width) - 1) << shift, bits = value << shift;
    return rows.filter((row) => ((this.#values[row] ^ bits) & this.#masks[row] & mask) === 0);
  }
}

function bitCount(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}

const tree = new DecodeTree(ROWS);

/**
 * Index in `ROWS` of the row whose pattern the word matches, or -1 if none does. A supported row's
 * `when` is still to be checked on {@linkcode fieldsOf} the word.
 */
export function findRowIndex(word: number): number {
  return tree.find(word);
}

/** The row whose pattern the word matches, see {@linkcode findRowIndex}. */
export function findRow(word: number): TableRow | undefined {
  const index = tree.find(word);
  return index < 0 ? undefined : ROWS[index];
}

/** Sets the word that a pattern's {@linkcode Fields} object shows, and gives the object. */
type FieldReader = (word: number) => Fields;

const readers = new Map<Pattern, FieldReader>();

/**
 * The word's fields. Every row has one object whose getters look into the word given last: what
 * is returned is good until the next call for the same row, and nothing is allocated.
 */
export function fieldsOf(row: TableRow, word: number): Fields {
  let reader = readers.get(row.pattern);
  if (!reader) readers.set(row.pattern, reader = makeReader(row.pattern));
  return reader(word);
}

function makeReader(pattern: Pattern): FieldReader {
  let current = 0;
  const fields = {};
  for (const { name, shift, width } of pattern.fields) {
    const mask = width === 32 ? -1 : (1 << width) - 1;
    Object.defineProperty(fields, name, {
      enumerable: true,
      get: () => (current >>> shift) & mask,
    });
  }
  return (word) => {
    current = word;
    return fields;
  };
}

/** Whether the word is an allocated encoding of this supported row. */
export function isAllocated(row: Row, word: number): boolean {
  return row.when === undefined || row.when(fieldsOf(row, word));
}
