/**
 * Synthetic instruction flows for tests and benchmarks: a random program in a fake record arena,
 * and a walk through it that makes the pairs a machine would.
 */

import type { FlowContext, FlowSource } from "./flow_source.ts";
import { BLOCK_KIND } from "./schema.ts";

const RECORDS_PER_PAGE = 1024;
const SLOT_BYTES = RECORDS_PER_PAGE * 16 + 16;
const ARENA_BASE = 0x10000;

/** A small deterministic random generator (xorshift32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) || 1;
  }

  /** An integer in `[0, limit)`. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
}

/** One basic block of the synthetic program. */
interface Piece {
  page: number;
  first: number;
  count: number;
  kind: number;
  successors: number[];
  /** A conditional that goes to successor 1 every so many times. */
  period: number;
  visits: number;
}

/** A random program whose execution can be stepped. */
export class SyntheticProgram implements FlowSource {
  readonly arenaBase = ARENA_BASE;
  readonly arenaSize: number;
  /** Instruction words of all pages. */
  readonly words: Uint32Array;
  readonly #random: Random;
  readonly #pages: number;
  readonly #pieces: Piece[] = [];
  readonly #kinds = new Map<number, number>();
  readonly #calls: number[] = [];
  #current = 0;

  /** @param chaos 0 for mostly loops, 1 for anything */
  constructor(seed: number, pages: number, pieces: number, readonly chaos: number) {
    this.#random = new Random(seed);
    this.#pages = pages;
    this.arenaSize = pages * SLOT_BYTES;
    this.words = new Uint32Array(pages * RECORDS_PER_PAGE);
    for (let i = 0; i < this.words.length; i++) this.words[i] = this.#random.below(0x7fffffff);
    for (let i = 0; i < pieces; i++) this.#pieces.push(this.#piece(pieces));
    for (const piece of this.#pieces) {
      this.#kinds.set(this.#record(piece.page, piece.first + piece.count - 1), piece.kind);
    }
  }

  context(id: number): FlowContext {
    const page = id % this.#pages;
    const regime = Math.floor(id / this.#pages) % 4;
    return {
      regime,
      page: 0xffff_0000_4000_0000n + BigInt(page) * 4096n,
      recordBase: this.#record(page, 0),
    };
  }

  code(start: number, end: number): Uint8Array {
    const page = Math.floor((start - ARENA_BASE) / SLOT_BYTES);
    const first = (start - this.#record(page, 0)) / 16 + page * RECORDS_PER_PAGE;
    return new Uint8Array(this.words.buffer, first * 4, (end - start) / 4);
  }

  kindOf(record: number): number {
    return this.#kinds.get(record) ?? BLOCK_KIND.sequential;
  }

  /** Runs about `blocks` runs; the pairs of the stream. */
  run(blocks: number): Uint32Array {
    const out: number[] = [];
    for (let i = 0; i < blocks; i++) this.#step(out);
    return new Uint32Array(out);
  }

  /** Changes random instructions of a page; returns their records. */
  modify(): { start: number; end: number } {
    const page = this.#random.below(this.#pages);
    const line = this.#random.below(64) * 16;
    for (let i = 0; i < 16; i++) {
      this.words[page * RECORDS_PER_PAGE + line + i] = this.#random.below(0x7fffffff);
    }
    return { start: this.#record(page, line), end: this.#record(page, line + 16) };
  }

  #step(out: number[]): void {
    const piece = this.#pieces[this.#current];
    const regime = this.chaos > 0 && this.#random.oneIn(50) ? this.#random.below(4) : 1;
    out.push(0, piece.page + regime * this.#pages);
    const start = this.#record(piece.page, piece.first);
    if (this.chaos > 0 && this.#random.oneIn(40)) {
      // Cut by an exception somewhere inside; sometimes before the first instruction.
      const cut = this.#random.below(piece.count);
      if (cut > 0) out.push(start, start + cut * 16);
      out.push(1, 1 + this.#random.below(3));
      if (this.#random.oneIn(3)) out.push(1, this.#random.below(2));
      this.#current = this.#random.below(4);
      return;
    }
    out.push(start, start + piece.count * 16);
    this.#current = this.#next(piece);
  }

  #next(piece: Piece): number {
    piece.visits++;
    const [first, second] = piece.successors;
    switch (piece.kind) {
      case BLOCK_KIND.conditional:
        if (this.chaos > 0 && this.#random.oneIn(20)) return piece.successors[2];
        return piece.visits % piece.period === 0 ? second : first;
      case BLOCK_KIND.call:
      case BLOCK_KIND.indirectCall:
        this.#calls.push(second);
        if (this.#calls.length > 100) this.#calls.length = 0;
        return first;
      case BLOCK_KIND.return:
        return this.#calls.pop() ?? first;
      case BLOCK_KIND.indirect:
      case BLOCK_KIND.exception:
        return piece.successors[this.#random.below(this.chaos > 0 ? 4 : 1)];
      default:
        return first;
    }
  }

  #piece(pieces: number): Piece {
    const random = this.#random;
    const count = 1 + (random.oneIn(30) ? random.below(300) : random.below(12));
    const first = random.below(RECORDS_PER_PAGE - count);
    const here = this.#pieces.length;
    // Loops: most conditionals go a few pieces back, and on to the next one in the end.
    const back = Math.max(0, here - 1 - random.below(4));
    const on = (here + 1) % pieces;
    const kinds = [2, 2, 2, 2, 0, 1, 1, 3, 6, 4, 5, 7];
    const kind = kinds[random.below(kinds.length)];
    const conditional = kind === BLOCK_KIND.conditional;
    return {
      page: random.below(this.#pages),
      first,
      count,
      kind,
      successors: conditional
        ? [back, on, random.below(pieces)]
        : kind === BLOCK_KIND.call || kind === BLOCK_KIND.indirectCall
        ? [random.below(pieces), on]
        : [on, random.below(pieces), random.below(pieces), random.below(pieces)],
      period: 2 + random.below(60),
      visits: 0,
    };
  }

  #record(page: number, index: number): number {
    return ARENA_BASE + page * SLOT_BYTES + index * 16;
  }
}
