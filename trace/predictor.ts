/**
 * The flow predictor: guesses the next block, so that only wrong guesses are stored.
 *
 * Encoder and decoder run it in step. It knows blocks by id and kind alone, nothing of A64. This
 * class is the definition; `flow_encoder_wasm.ts` is the same in WebAssembly, and SPEC.md states it
 * as pseudocode. All state is reset when a window starts, so that windows decode on their own.
 *
 * - after a block that ends in a conditional branch, a gshare predictor chooses between its two
 *   successors, in order of first appearance;
 * - after a return, the block that last followed a return to the same caller;
 * - after an indirect branch, an exception or an exception return, a table indexed by the block and
 *   eight bits of branch history;
 * - else the block's last successor.
 *
 * What was not seen in the window yet is guessed to be the block that is next in the table, since 1.3:
 * blocks are numbered in the order of their first execution, and mostly that order repeats.
 */

import { BLOCK_KIND } from "./schema.ts";

/** No block. */
export const NONE = -1;

const TABLE = 1 << 16;
const STACK = 64;

/** Spreads block ids over 16 bits. */
export function hashId(id: number): number {
  return Math.imul(id, 0x9e3779b1) >>> 16;
}

/** Bits of branch history: two forms, the first one up to format 1.2. */
export const HISTORY_MASK = { older: 0xffff, sequential: 0xfff } as const;

/** One window's predictor. */
export class Predictor {
  readonly #sequential: boolean;
  readonly #historyMask: number;
  readonly #counters = new Uint8Array(TABLE);
  readonly #indirect = new Int32Array(TABLE);
  readonly #stack = new Int32Array(STACK);
  #first = new Int32Array(1024);
  #second = new Int32Array(1024);
  #afterReturn = new Int32Array(1024);
  #top = 0;
  #history = 0;
  #current = NONE;
  #kind = 0;
  #caller = NONE;
  #interrupted = false;
  /** Where the guess came from: index in the counters or the indirect table. */
  #index = 0;

  /** @param sequential false for the flow of formats before 1.3 */
  constructor(sequential = true) {
    this.#sequential = sequential;
    this.#historyMask = HISTORY_MASK[sequential ? "sequential" : "older"];
    this.reset();
  }

  /** Forgets everything: a window starts. */
  reset(): void {
    this.#counters.fill(0);
    this.#indirect.fill(NONE);
    this.#stack.fill(NONE);
    this.#first.fill(NONE);
    this.#second.fill(NONE);
    this.#afterReturn.fill(NONE);
    this.#top = 0;
    this.#history = 0;
    this.#current = NONE;
    this.#interrupted = false;
  }

  /** Tells that exception entries happened after the current block. */
  interrupt(): void {
    this.#interrupted = true;
  }

  /** The guess for the next block, or {@linkcode NONE}. */
  predict(): number {
    const block = this.#current;
    if (block === NONE) return NONE;
    const known = this.#known(block);
    if (known !== NONE || !this.#sequential) return known;
    return 1 + (this.#returns ? this.#caller : block);
  }

  /** The current block, before which the next one is numbered; {@linkcode NONE} at first. */
  get current(): number {
    return this.#current;
  }

  /** The guess from what the window has seen. */
  #known(block: number): number {
    if (this.#interrupted || isIndirect(this.#kind)) {
      this.#index = (hashId(block) ^ (this.#history << 8)) & 0xffff;
      const target = this.#indirect[this.#index];
      return target !== NONE ? target : this.#first[block];
    }
    if (this.#kind === BLOCK_KIND.conditional) {
      this.#index = (hashId(block) ^ this.#history) & 0xffff;
      return this.#guessesSecond(block) ? this.#second[block] : this.#first[block];
    }
    return this.#returns ? this.#afterReturn[this.#caller] : this.#first[block];
  }

  /** Whether the current block is a return to a known caller. */
  get #returns(): boolean {
    return !this.#interrupted && this.#kind === BLOCK_KIND.return && this.#caller !== NONE;
  }

  /** After {@linkcode predict}: the successor that a conditional branch was not guessed to take. */
  other(): number {
    const block = this.#current;
    if (block === NONE || this.#interrupted || this.#kind !== BLOCK_KIND.conditional) return NONE;
    return this.#guessesSecond(block) ? this.#first[block] : this.#second[block];
  }

  /** After {@linkcode predict}: learns the block that came, and makes it the current one. */
  advance(next: number, kind: number): void {
    if (next >= this.#first.length) this.#grow(next);
    const block = this.#current;
    if (block !== NONE) this.#learn(block, next);
    this.#current = next;
    this.#kind = kind;
    this.#interrupted = false;
    if (kind === BLOCK_KIND.call || kind === BLOCK_KIND.indirectCall) {
      this.#top = (this.#top + 1) % STACK;
      this.#stack[this.#top] = next;
    } else if (kind === BLOCK_KIND.return) {
      this.#caller = this.#stack[this.#top];
      this.#stack[this.#top] = NONE;
      this.#top = (this.#top + STACK - 1) % STACK;
    }
  }

  #learn(block: number, next: number): void {
    if (this.#interrupted) {
      this.#indirect[this.#index] = next;
    } else if (isIndirect(this.#kind)) {
      this.#indirect[this.#index] = next;
      this.#first[block] = next;
    } else if (this.#kind === BLOCK_KIND.conditional) {
      this.#learnBranch(block, next);
    } else if (this.#returns) {
      this.#afterReturn[this.#caller] = next;
    } else {
      this.#first[block] = next;
    }
  }

  #learnBranch(block: number, next: number): void {
    let outcome = 1;
    if (this.#first[block] === NONE || this.#first[block] === next) {
      this.#first[block] = next;
      outcome = 0;
    } else {
      this.#second[block] = next;
    }
    const counter = this.#counters[this.#index];
    if (outcome === 1 && counter < 3) this.#counters[this.#index] = counter + 1;
    if (outcome === 0 && counter > 0) this.#counters[this.#index] = counter - 1;
    this.#history = ((this.#history << 1) | outcome) & this.#historyMask;
  }

  #guessesSecond(block: number): boolean {
    return this.#counters[this.#index] >= 2 && this.#second[block] !== NONE;
  }

  #grow(id: number): void {
    const size = Math.max(id + 1, 2 * this.#first.length);
    this.#first = widen(this.#first, size);
    this.#second = widen(this.#second, size);
    this.#afterReturn = widen(this.#afterReturn, size);
  }
}

function isIndirect(kind: number): boolean {
  return kind === BLOCK_KIND.indirect || kind === BLOCK_KIND.indirectCall ||
    kind === BLOCK_KIND.exception;
}

function widen(from: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(size).fill(NONE);
  to.set(from);
  return to;
}
