/**
 * Names and source lines for addresses.
 *
 * Symbols are sorted by address once; a lookup is a binary search. A symbol without a size reaches
 * up to the next symbol. Symbols may nest (a label inside a function): the innermost wins, and the
 * search for an enclosing one looks back a bounded number of symbols.
 */
import type { LineRow } from "../core/loader/dwarf_line.ts";
import type { GuestSymbol } from "../core/loader/elf.ts";

/** A place in the guest's program. */
export interface SymbolPlace {
  /** The symbol. */
  readonly name: string;
  /** Bytes behind the symbol's address. */
  readonly offset: number;
}

/** A line of the guest's source. */
export interface SourcePlace {
  /** Path as the compiler gave it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** How far to look back for a symbol that encloses an address. */
const MOST_NESTED = 32;
/** A symbol without a size does not reach further than this many bytes. */
const MOST_UNSIZED = 1 << 20;
const RANK = { function: 0, none: 1, object: 2 } as const;

/** Looks up symbols and lines by virtual address. */
export class Symbolizer {
  readonly #symbols: readonly GuestSymbol[];
  readonly #lines: readonly LineRow[];

  /**
   * Sorts the symbols.
   *
   * @param lines by ascending address
   */
  constructor(symbols: readonly GuestSymbol[], lines: readonly LineRow[]) {
    // Mapping symbols ($x, $d) say what bytes are, not what they are called.
    this.#symbols = symbols.filter(({ name }) => name !== "" && !/^\$[xd]/.test(name))
      .toSorted((a, b) =>
        a.address < b.address ? -1 : a.address > b.address ? 1 : RANK[b.type] - RANK[a.type]
      );
    this.#lines = lines;
  }

  /** Whether there are no symbols. */
  get isEmpty(): boolean {
    return this.#symbols.length === 0;
  }

  /** The innermost symbol that `address` lies in. */
  symbol(address: bigint): SymbolPlace | undefined {
    let index = lastAtOrBelow(this.#symbols, address);
    const nearest = this.#symbols[index];
    for (let tries = 0; index >= 0 && tries < MOST_NESTED; index--, tries++) {
      const { name, address: start, size } = this.#symbols[index];
      const offset = Number(address - start);
      const reaches = size > 0 ? offset < size : start === nearest.address && offset < MOST_UNSIZED;
      if (reaches) return { name, offset };
    }
    return undefined;
  }

  /** `name+0x10`, `name`, or undefined where no symbol is. */
  name(address: bigint): string | undefined {
    const place = this.symbol(address);
    if (!place) return undefined;
    return place.offset === 0 ? place.name : `${place.name}+0x${place.offset.toString(16)}`;
  }

  /** The source line of the instruction at `address`. */
  source(address: bigint): SourcePlace | undefined {
    const row = this.#lines[lastAtOrBelow(this.#lines, address)];
    return row === undefined || row.line === 0 ? undefined : { file: row.file, line: row.line };
  }

  /** The symbol called `name`. */
  find(name: string): GuestSymbol | undefined {
    return this.#symbols.find((symbol) => symbol.name === name);
  }
}

/** Index of the last row at or below an address; -1 if there is none. */
function lastAtOrBelow(rows: readonly { address: bigint }[], address: bigint): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].address <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
