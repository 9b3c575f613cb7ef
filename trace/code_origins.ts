/**
 * Where a block's code was at #0, if it is still the same there.
 *
 * Code runs where the loader put it, seen through a mapping, or in a copy: either way many blocks
 * have the same distance from their address to the one in the image. The last few distances are
 * tried first; only then the image is searched.
 */

import type { ImageMemory } from "./image_memory.ts";

/** Distances that are remembered. */
const KEPT = 16;
/** Addresses are compared modulo 2^48, which is more than physical ones have. */
const SPACE = 2 ** 48;

/** Finds the origins of blocks. */
export class CodeOrigins {
  readonly #image: ImageMemory;
  /** From a block's address to its origin, the last used first. */
  readonly #distances: number[];

  /** @param distances what {@linkcode distances} was where this goes on */
  constructor(image: ImageMemory, distances: readonly number[] = []) {
    this.#image = image;
    this.#distances = [...distances];
  }

  /** What is remembered. */
  get distances(): readonly number[] {
    return this.#distances;
  }

  /** 0n, or 1 + the physical address at #0 of the code at `pc` - `pc`, modulo 2^64. */
  find(pc: bigint, code: Uint8Array): bigint {
    const place = Number(BigInt.asUintN(48, pc));
    const words = new Uint32Array(code.slice().buffer);
    for (const [i, distance] of this.#distances.entries()) {
      const address = (place + distance) % SPACE;
      if (!this.#holds(address, words)) continue;
      if (i > 0) this.#use(distance, i);
      return origin(address, pc);
    }
    for (const address of this.#image.candidates(words)) {
      if (!this.#holds(address, words)) continue;
      if (this.#distances.length === KEPT) this.#distances.pop();
      this.#distances.unshift((address - place + SPACE) % SPACE);
      return origin(address, pc);
    }
    return 0n;
  }

  #use(distance: number, at: number): void {
    this.#distances.splice(at, 1);
    this.#distances.unshift(distance);
  }

  #holds(address: number, words: Uint32Array): boolean {
    const there = this.#image.at(address, words.length);
    if (!there) return false;
    for (let i = 0; i < words.length; i++) if (there[i] !== words[i]) return false;
    return true;
  }
}

function origin(address: number, pc: bigint): bigint {
  return BigInt.asUintN(64, 1n + BigInt(address) - pc);
}
