import type { Fields, Row } from "./row.ts";
import type { Pattern } from "./pattern.ts";
import { ROWS, type TableRow } from "./table.ts";

/**
 * Finds the row of a word.
 *
 * A tree over typed arrays. An inner node is `[shift, mask, child…]`: the bits it looks at choose
 * the child. A child is 0 (nothing is allocated there), the index of an inner node, or the
 * complement of the start of a candidate list. A list holds a handful of row numbers, the more
 * specific first, and ends with -1; each is checked in full. About four steps per word, no
 * allocation.
 */

/** Most rows that are left to be checked one by one. */
const LIST_LIMIT = 2;
/** Most bits that one node looks at. */
const NODE_BITS = 6;

/** All rows in a form that is fast to search. */
class DecodeTree {
  readonly #masks: Int32Array;
  readonly #values: Int32Array;
  readonly #nodes: Int32Array;
  readonly #candidates: Int32Array;
  readonly #root: number;

  constructor(rows: readonly TableRow[]) {
    this.#masks = Int32Array.from(rows, (row) => row.pattern.mask | 0);
    this.#values = Int32Array.from(rows, (row) => row.pattern.value | 0);
    const order = rows.map((_, i) => i)
      .sort((a, b) => bitCount(this.#masks[b]) - bitCount(this.#masks[a]) || a - b);
    const nodes = [0], candidates: number[] = [];
    this.#root = this.#build(order, 0, nodes, candidates);
    this.#nodes = Int32Array.from(nodes);
    this.#candidates = Int32Array.from(candidates);
  }

  /** Index of the word's row, or -1. */
  find(word: number): number {
    const nodes = this.#nodes;
    let node = this.#root;
    while (node > 0) node = nodes[node + 2 + ((word >>> nodes[node]) & nodes[node + 1])];
    if (node === 0) return -1;
    for (let i = ~node;; i++) {
      const row = this.#candidates[i];
      if (row < 0 || (word & this.#masks[row]) === this.#values[row]) return row;
    }
  }

  #build(rows: readonly number[], seen: number, nodes: number[], candidates: number[]): number {
    if (rows.length === 0) return 0;
    const choice = rows.length > LIST_LIMIT ? this.#choose(rows, seen) : undefined;
    if (!choice) return ~(candidates.push(...rows, -1) - rows.length - 1);
    const { shift, width } = choice;
    const bits = (1 << width) - 1;
    const at = nodes.length;
    nodes.push(shift, bits, ...Array<number>(bits + 1).fill(0));
    for (let value = 0; value <= bits; value++) {
      const mask = bits << shift;
      const inside = rows.filter((row) =>
        ((this.#values[row] ^ (value << shift)) & this.#masks[row] & mask) === 0
      );
      nodes[at + 2 + value] = this.#build(inside, seen | mask, nodes, candidates);
    }
    return at;
  }

  /** The bits to look at next: a run that all rows fix, else the bit that most rows fix. */
  #choose(rows: readonly number[], seen: number): { shift: number; width: number } | undefined {
    const common = rows.reduce((mask, row) => mask & this.#masks[row], ~seen);
    const differing = this.#differing(rows);
    let best: { shift: number; width: number } | undefined;
    for (let shift = 0; shift < 32; shift++) {
      if (!bit(common & differing, shift)) continue;
      let width = 1;
      while (width < NODE_BITS && shift + width < 32 && bit(common, shift + width)) width++;
      while (!bit(differing, shift + width - 1)) width--;
      if (!best || width > best.width) best = { shift, width };
      shift += width;
    }
    if (best) return best;
    let most = 1;
    for (let shift = 0; shift < 32; shift++) {
      if (bit(seen, shift)) continue;
      const fixed = rows.filter((row) => bit(this.#masks[row], shift));
      if (fixed.length <= most) continue;
      most = fixed.length;
      best = { shift, width: 1 };
    }
    return best;
  }

  #differing(rows: readonly number[]): number {
    const first = this.#values[rows[0]];
    return rows.reduce((mask, row) => mask | (this.#values[row] ^ first), 0);
  }
}

function bit(word: number, n: number): boolean {
  return ((word >>> n) & 1) === 1;
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
