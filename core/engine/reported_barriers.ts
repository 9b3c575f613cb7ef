import { LAYOUT } from "./layout.ts";

/** Barriers by op2, as bits. */
export const BARRIER = { DSB: 1 << 4, DMB: 1 << 5, ISB: 1 << 6 } as const;

/** The barriers that call TypeScript. Nothing is reordered, so all that they do is to be reported. */
export class ReportedBarriers {
  readonly #word: Uint32Array;

  /** @param memory the engine's */
  constructor(memory: ArrayBufferLike) {
    this.#word = new Uint32Array(memory, LAYOUT.barriers, 1);
  }

  /** Bits of {@linkcode BARRIER}. */
  get kinds(): number {
    return this.#word[0];
  }
  set kinds(kinds: number) {
    this.#word[0] = kinds;
  }
}
